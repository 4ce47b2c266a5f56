"""Onboarding worker as a process: ``python worker_process.py CONNINFO BASE_URL``."""

from __future__ import annotations

import asyncio
import sys

from kfq_async import AsyncSession, RetryPolicy, Timeouts
from kfq_async.onboarding.jobs.worker import OnboardingJobs

SECRET = b"s" * 32
STALLED_AFTER = 1


async def main(conninfo: str, base_url: str) -> None:
    """Run jobs until SIGINT."""
    retry = RetryPolicy(attempts=3, initial=0.01, maximum=0.05)
    jobs = OnboardingJobs(conninfo, secret=SECRET, stalled_after=STALLED_AFTER)
    async with jobs, AsyncSession("PV9LQWZA", base_url=base_url, retry=retry, timeouts=Timeouts(attempt=5)) as session:
        sys.stdout.write("at work\n")
        sys.stdout.flush()
        await jobs.work(session, concurrency=5)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
