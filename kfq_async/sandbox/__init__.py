"""The platform in a box, for development and tests: the same protocol over real HTTP, on loopback only.

What no source documents is an assumption here and is called one where it stands, above all what happens to a
repeated ``clientRequestId``. Assumptions of the sandbox say nothing about the hosted platform.
"""

from kfq_async.sandbox.faults import Fault
from kfq_async.sandbox.identity import SAMPLE_TOKEN
from kfq_async.sandbox.server import Sandbox
from kfq_async.sandbox.store import Contract, DeliveryAttempt, Notification, Order

__all__ = ["SAMPLE_TOKEN", "Contract", "DeliveryAttempt", "Fault", "Notification", "Order", "Sandbox"]
