"""Local stand-in for the platform, for development and tests: its protocol over real HTTP, on loopback only."""

from kfq_async.sandbox.callback_client import CapturedNotification
from kfq_async.sandbox.faults import Fault
from kfq_async.sandbox.fixtures import Fixtures
from kfq_async.sandbox.identity import SAMPLE_TOKEN
from kfq_async.sandbox.quirks import QUIRKS, Quirk
from kfq_async.sandbox.server import Sandbox
from kfq_async.sandbox.store import Contract, ContractNotification, DeliveryAttempt, Notification, Order, StoredFile

__all__ = [
    "QUIRKS",
    "SAMPLE_TOKEN",
    "CapturedNotification",
    "Contract",
    "ContractNotification",
    "DeliveryAttempt",
    "Fault",
    "Fixtures",
    "Notification",
    "Order",
    "Quirk",
    "Sandbox",
    "StoredFile",
]
