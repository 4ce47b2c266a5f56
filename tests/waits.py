"""Waits for contracts in virtual time, on a platform whose contracts change by a timetable."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, TypeVar, cast

from attrs import frozen

from clocks import VirtualLoop
from kfq_async import ContractEvent, ContractEvents, ContractTasks, KfqError, NotificationDelivery
from kfq_async.contracts.waiting import ContractWaits
from kfq_async.models.contracts import ContractTask
from kfq_async.resources.contracts import Contracts

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

T = TypeVar("T")


@frozen
class Since:
    """State of a contract from a time on, in seconds: its status and the ids of its tasks, or the error of a look."""

    at: float
    status: str | KfqError
    tasks: str = "1"


class TimetablePlatform:
    """Platform that answers each look after ``seconds``, as the timetable said when it began."""

    def __init__(self, *timetable: Since, seconds: float = 0.1) -> None:
        self.timetable = list(timetable)
        self.seconds = seconds
        self.looks: list[float] = []
        """Time of each look."""
        self.looked_at: list[str] = []
        """Contract of each look."""
        self._waits = ContractWaits(_await)

    def contracts(self, tenant: str = "A") -> Contracts:
        """Return the contracts as a view of the session offers them."""
        send, downloads = cast("Any", self._send), cast("Any", None)
        return Contracts(send, downloads, attempts=1, waits=self._waits, tenant=tenant)

    async def _send(self, _operation: object, request: Any) -> Any:
        now = asyncio.get_running_loop().time()
        self.looks.append(now)
        self.looked_at.append(request.contract_id)
        found = [since for since in self.timetable if since.at <= now][-1]
        await asyncio.sleep(self.seconds)
        if isinstance(found.status, KfqError):
            raise found.status
        tasks = tuple(ContractTask(task_id=task_id, task_type="SIGN") for task_id in found.tasks)
        return SimpleNamespace(result=ContractTasks(status=found.status, todo_task_list=tasks))


async def _await(wait: Callable[[], Awaitable[object]]) -> None:
    await wait()


def run_virtually(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in an event loop whose time passes only while every task sleeps."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(coroutine)


async def error_or_result(awaitable: Awaitable[Any]) -> Any:
    """Return the result of an awaitable, or its error."""
    try:
        return await awaitable
    except KfqError as error:
        return error


async def deliver(events: ContractEvents, kind: str, status: str = "SIGNING", *, to: str = "C-1", **more: Any) -> None:
    """Deliver one event."""
    event = ContractEvent(contract_id=to, contract_status=status, callback_type=kind, **more)
    await events(NotificationDelivery(notification=event, key="k"))


def now() -> float:
    """Return the time of the running event loop."""
    return asyncio.get_running_loop().time()
