"""Waits: calls that waiting for many contracts makes: ``python -m benchmarks.waits [--count 1000] [--minutes 10]``.

All waits begin at once, each for a contract of its own that does not end, in virtual time: the event loop jumps from
one look to the next. Prints the number of calls, the largest number in any second, and how many each minute had.
"""

from __future__ import annotations

import argparse
import asyncio
import selectors
from collections import Counter
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from kfq_async import ContractTasks, TotalTimeout
from kfq_async.contracts.waiting import ContractWaits
from kfq_async.resources.contracts import Contracts

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

SECONDS = 0.005
"""Duration of a look at the platform: the median that was measured."""


class VirtualSelector(selectors.DefaultSelector):
    """Selector that advances its clock instead of waiting."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        """Let the time pass."""
        self.now += timeout or 0
        return list(super().select(0))


class VirtualLoop(asyncio.SelectorEventLoop):
    """Event loop in virtual time."""

    def __init__(self) -> None:
        self._virtual = VirtualSelector()
        super().__init__(self._virtual)

    def time(self) -> float:
        """Return the virtual time in seconds."""
        return self._virtual.now


async def wait_for_all(count: int, total: float) -> list[float]:
    """Wait for so many contracts, and return the times of the calls."""
    calls: list[float] = []
    clock = asyncio.get_running_loop().time

    async def send(_operation: object, _request: object) -> Any:
        calls.append(clock())
        await asyncio.sleep(SECONDS)
        return SimpleNamespace(result=ContractTasks(status="SIGNING", todo_task_list=()))

    async def interruptible(wait: Callable[[], Awaitable[object]]) -> None:
        await wait()

    waits = ContractWaits(interruptible)
    contracts = Contracts(cast("Any", send), cast("Any", None), attempts=1, waits=waits, tenant="PV9LQWZA")
    ends = await asyncio.gather(
        *(contracts.wait(f"C-{number}", total=total) for number in range(count)), return_exceptions=True
    )
    assert {type(end) for end in ends} == {TotalTimeout}
    return calls


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.waits", description=__doc__)
    parser.add_argument("--count", type=int, default=1000, help="waits that begin at once")
    parser.add_argument("--minutes", type=float, default=10)
    options = parser.parse_args()
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        calls = runner.run(wait_for_all(options.count, options.minutes * 60))
    seconds = Counter(int(call) for call in calls)
    minutes = Counter(int(call // 60) for call in calls)
    print(f"{options.count:,} waits, {options.minutes:g} minutes: {len(calls):,} calls")
    print(f"{len(calls) / options.count:.1f} per wait, at most {max(seconds.values())} in any second")
    print("per minute:", *(f"{minutes[minute]:,}" for minute in sorted(minutes)))


if __name__ == "__main__":
    main()
