"""Three onboarding workers, two of them killed at work, against a platform that loses responses."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import urllib.request
from collections import Counter
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import worker_process
from companies import PERSONAL, rows
from kfq_async.onboarding.jobs.worker import OnboardingJobs
from kfq_async.onboarding.records import State

if TYPE_CHECKING:
    from collections.abc import Iterator

COMPANIES = 400
FAULTS = ("lose-response@0.05", "lose-request@0.05", "delay:0.05")


@contextmanager
def process(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run Python with these arguments and kill it when the test ends."""
    command = [sys.executable, *arguments]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as run:
        try:
            yield run
        finally:
            run.kill()


def first_line(run: subprocess.Popen[str]) -> str:
    """Return the first line of a process's output."""
    assert run.stdout is not None
    return run.stdout.readline()


def orders(base_url: str) -> list[dict[str, Any]]:
    """Return the orders of the sandbox."""
    with urllib.request.urlopen(base_url.replace("/resrun-paas", "/sandbox/orders"), timeout=30) as response:
        found: list[dict[str, Any]] = json.load(response)["orders"]
        return found


async def linked(jobs: OnboardingJobs) -> int:
    """Return how many companies have a link."""
    return sum([1 async for _ in jobs.ledger.entries([State.LINKED])])


async def until_linked(jobs: OnboardingJobs, count: int) -> None:
    """Wait until so many companies have a link."""
    async with asyncio.timeout(100):
        while await linked(jobs) < count:  # noqa: ASYNC110  # the database sends no notification
            await asyncio.sleep(0.02)


async def test_two_of_three_workers_are_killed(postgres: str) -> None:
    """Every company has one order at the platform and its link in the ledger, and no output holds personal data."""
    faults = [argument for fault in FAULTS for argument in ("--fault", fault)]
    with ExitStack() as stack:
        sandbox = stack.enter_context(process("-m", "kfq_async", "sandbox", "--port", "0", "--until-eof", *faults))
        base_url = (await asyncio.to_thread(first_line, sandbox)).split()[2]
        async with OnboardingJobs(postgres, secret=worker_process.SECRET) as jobs:
            await jobs.enqueue(rows(COMPANIES))
            script = str(Path(worker_process.__file__))
            workers = [stack.enter_context(process(script, postgres, base_url)) for _ in range(3)]
            for worker in workers:
                assert await asyncio.to_thread(first_line, worker) == "at work\n"
            for worker, count in zip(workers, (COMPANIES // 4, COMPANIES // 2), strict=False):
                await until_linked(jobs, count)
                assert worker.poll() is None
                worker.send_signal(signal.SIGKILL)
            await until_linked(jobs, COMPANIES)
            workers[2].send_signal(signal.SIGINT)
            output = [text for worker in workers for text in await asyncio.to_thread(worker.communicate)]
            entries = [entry async for entry in jobs.ledger.entries()]
        made = await asyncio.to_thread(orders, base_url)
    assert workers[2].returncode == 0, output
    assert Counter(order["companyName"] for order in made) == Counter(f"公司{number}" for number in range(COMPANIES))
    assert {entry.client_request_id: entry.order_no for entry in entries} == {
        order["clientRequestId"]: order["orderNo"] for order in made
    }
    assert [each for each in PERSONAL if any(each in text for text in output)] == []
