"""Threads that read the files of uploads, apart from those of the event loop, which look up names."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from threading import Lock, Thread, current_thread
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["FileThreads"]

T = TypeVar("T")

MAX_THREADS = 16
MAX_IDLE = 10.0
"""Seconds after which a thread without work ends."""
MAX_CLOSING_PAUSE = 0.02
"""Longest pause, in seconds, between two looks whether the threads have ended: about 0.2 seconds in all."""


class FileThreads:
    """At most ``size`` threads for functions that may block for ever, such as the ``read`` of a pipe.

    They are daemons, since no thread can be interrupted: `concurrent.futures.ThreadPoolExecutor`, and with it the event
    loop's, would wait for a blocked one at the end of the process.
    """

    def __init__(self, size: int = MAX_THREADS) -> None:
        self._size = size
        self._queue: SimpleQueue[tuple[Future[Any], Callable[..., Any], tuple[object, ...]] | None] = SimpleQueue()
        self._threads: set[Thread] = set()
        self._unfinished = 0
        self._lock = Lock()
        self._closed = False

    def submit(self, function: Callable[..., T], *args: object) -> Future[T]:
        """Call a function in the next free thread."""
        future: Future[T] = Future()
        with self._lock:
            if len(self._threads) < min(self._unfinished + 1, self._size):
                thread = Thread(target=self._work, name="kfq_async file", daemon=True)
                thread.start()
                self._threads.add(thread)
            self._unfinished += 1
            self._queue.put((future, function, args))
        return future

    async def aclose(self) -> None:
        """End the threads: at once, but one that is blocked when its function returns. Idempotent."""
        with self._lock:
            self._closed = True
            threads = list(self._threads)
        for _ in threads:
            self._queue.put(None)
        pause = 0.0
        while pause < MAX_CLOSING_PAUSE and any(thread.is_alive() for thread in threads):
            await asyncio.sleep(pause)
            pause += 0.001

    def _work(self) -> None:
        while self._run_next():
            pass

    def _run_next(self) -> bool:
        """Wait for a function and call it; return whether the thread goes on."""
        try:
            item = self._queue.get(timeout=0 if self._closed else MAX_IDLE)
        except Empty:
            return not self._end(if_idle=True)
        if item is None:  # there is one for each thread, which must not take that of another
            return not self._end(if_idle=False)
        self._run(*item)
        return True

    def _end(self, *, if_idle: bool) -> bool:
        """Take the thread off the list, and return whether it ends: not if it is to be idle and there is work."""
        with self._lock:
            if if_idle and not self._queue.empty():
                return False
            self._threads.discard(current_thread())
            return True

    def _run(self, future: Future[T], function: Callable[..., T], args: tuple[object, ...]) -> None:
        result: T | None = None
        failure: BaseException | None = None
        started = future.set_running_or_notify_cancel()
        try:
            if started:
                result = function(*args)
        except BaseException as problem:  # noqa: BLE001  # for the caller, as an executor does
            failure = problem
        with self._lock:
            self._unfinished -= 1
        if failure is not None:
            future.set_exception(failure)
            del failure  # its traceback holds this frame
        elif started:
            future.set_result(result)  # type: ignore[arg-type]  # what the function returned
