"""What comes back unasked: bind its URLs, verify its signature, receive it once."""

from kfq_async.callbacks.proofs import Received
from kfq_async.callbacks.reading import Headers, PublicPath
from kfq_async.callbacks.receiver import NotificationReceiver, Reply
from kfq_async.callbacks.stores import Claim, MemoryStore, Store
from kfq_async.callbacks.urls import CallbackUrls, Purpose
from kfq_async.callbacks.verifiers import CallbackVerifier, ContractEventVerifier

__all__ = [
    "CallbackUrls",
    "CallbackVerifier",
    "Claim",
    "ContractEventVerifier",
    "Headers",
    "MemoryStore",
    "NotificationReceiver",
    "PublicPath",
    "Purpose",
    "Received",
    "Reply",
    "Store",
]
