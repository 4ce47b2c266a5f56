"""Incoming notifications: bound callback URLs, signature checks, and a receiver that handles each one once."""

from kfq_async.callbacks.authentication import NotificationDelivery
from kfq_async.callbacks.parsing import Headers, PublicPath
from kfq_async.callbacks.receiver import NotificationReceiver, Reply
from kfq_async.callbacks.routing import ContractEventRouter, IdentityRouter
from kfq_async.callbacks.signatures import CallbackVerifier, ContractEventVerifier
from kfq_async.callbacks.stores import Claim, MemoryStore, NotificationStore
from kfq_async.callbacks.urls import CallbackUrls, Purpose

__all__ = [
    "CallbackUrls",
    "CallbackVerifier",
    "Claim",
    "ContractEventRouter",
    "ContractEventVerifier",
    "Headers",
    "IdentityRouter",
    "MemoryStore",
    "NotificationDelivery",
    "NotificationReceiver",
    "NotificationStore",
    "PublicPath",
    "Purpose",
    "Reply",
]
