"""Contracts above the wire: lanes for the operations that drive them."""

from kfq_async.contracts.lanes import ProcessLane

__all__ = ["ProcessLane"]
