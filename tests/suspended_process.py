"""A worker that suspends itself once, within the transaction of a result: ``suspended_process.py CONNINFO URL TOKEN``.

Prints what procrastinate logs, such as the error after it is resumed.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import time

from kfq_async import AsyncSession
from kfq_async.onboarding.jobs import OnboardingJobs


class SuspendingClock:
    """Clock that suspends the process at its first use, as a debugger or a paused virtual machine does."""

    def __init__(self) -> None:
        self._used = False

    def __call__(self) -> float:
        """Return the time."""
        if not self._used:
            self._used = True
            os.kill(os.getpid(), signal.SIGSTOP)
        return time.time()


async def main(conninfo: str, base_url: str, token: str) -> None:
    """Run the jobs that are ready; the clock is read between the two statements of a result."""
    jobs = OnboardingJobs(conninfo, secret=b"s" * 32, clock=SuspendingClock(), timeout=4.0)
    async with jobs, AsyncSession(token, base_url=base_url) as session:
        await jobs.work(session, wait=False, signals=False)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, stream=sys.stdout)
    asyncio.run(main(*sys.argv[1:]))
