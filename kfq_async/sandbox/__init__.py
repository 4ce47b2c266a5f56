"""The platform in a box, for development and tests: its protocol over real HTTP, on loopback only.

Where no source documents the platform's behaviour, the sandbox assumes one and labels it as an assumption, above all
for a repeated ``clientRequestId``. Assumptions say nothing about the hosted platform.
"""

from kfq_async.sandbox.faults import Fault
from kfq_async.sandbox.identity import SAMPLE_TOKEN
from kfq_async.sandbox.server import Sandbox
from kfq_async.sandbox.store import Contract, DeliveryAttempt, Notification, Order

__all__ = ["SAMPLE_TOKEN", "Contract", "DeliveryAttempt", "Fault", "Notification", "Order", "Sandbox"]
