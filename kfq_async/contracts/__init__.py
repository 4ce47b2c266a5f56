"""Contracts above the wire: lanes for the operations that drive them, and events of those whose draft was lost."""

from kfq_async.contracts.events import ContractEvents
from kfq_async.contracts.lanes import ProcessLane

__all__ = ["ContractEvents", "ProcessLane"]
