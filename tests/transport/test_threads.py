"""Threads for the files of uploads."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

import pytest

from kfq_async.transport.threads import FileThreads

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def free() -> Iterator[threading.Event]:
    """An event that blocked functions wait for."""
    free = threading.Event()
    yield free
    free.set()


async def test_results() -> None:
    """A future gets what the function returns, or raises."""
    threads = FileThreads()
    assert await asyncio.wrap_future(threads.submit(max, 3, 5)) == 5
    for kind in (ValueError, KeyboardInterrupt):

        def fail(kind: type[BaseException] = kind) -> None:
            raise kind

        assert type(threads.submit(fail).exception(10)) is kind
    await threads.aclose()


async def test_bound(free: threading.Event) -> None:
    """There are no more threads than allowed, nor than needed; what was not begun can be cancelled."""
    threads = FileThreads(2)
    for _ in range(3):
        threads.submit(max, 1, 2).result(10)
        assert len(threads._threads) == 1
    blocked = [threads.submit(free.wait, 30) for _ in range(2)]
    waiting = threads.submit(max, 1, 2)
    cancelled = threads.submit(free.clear)
    assert len(threads._threads) == 2
    assert cancelled.cancel()
    await threads.aclose()
    assert len(threads._threads) == 2
    free.set()
    assert waiting.result(10) == 2
    assert [each.result(10) for each in blocked] == [True, True]
    await threads.aclose()
    assert len(threads._threads) == 0
    assert free.is_set()


async def test_every_idle_thread_ends(free: threading.Event) -> None:
    """Closing ends every idle thread, however many there are."""
    threads = FileThreads(4)
    blocked = [threads.submit(free.wait, 30) for _ in range(4)]
    free.set()
    assert all(each.result(10) for each in blocked)
    started = list(threads._threads)
    await threads.aclose()
    for thread in started:
        thread.join(5)
    assert not any(thread.is_alive() for thread in started)
    assert not threads._threads


async def test_work_after_closing() -> None:
    """A function that is submitted later is called in a thread that ends at once."""
    threads = FileThreads()
    await threads.aclose()
    assert threads.submit(max, 3, 5).result(10) == 5
    await threads.aclose()
    assert len(threads._threads) == 0


async def test_idle_threads_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread without work ends, and another one begins with the next function."""
    monkeypatch.setattr("kfq_async.transport.threads.MAX_IDLE", 0.01)
    threads = FileThreads()
    for _ in range(3):
        thread = threads.submit(threading.current_thread).result(10)
        thread.join(10)
        assert not thread.is_alive()


async def test_blocked_thread_does_not_hold_up_the_end_of_the_process(free: threading.Event) -> None:
    """The threads are daemons."""
    threads = FileThreads()
    threads.submit(free.wait, 30)
    assert threads.submit(threading.current_thread).result(10).daemon
