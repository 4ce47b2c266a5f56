"""``kfq demo``: links for the companies of a CSV, from a sandbox that loses some of the answers."""

from __future__ import annotations

import asyncio
import json
import re
import sys
import urllib.request
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from kfq_async.cli.companies import Companies, read_companies
from kfq_async.cli.options import UsageError
from kfq_async.cli.report import Counts, Outcome, print_report
from kfq_async.config import RetryPolicy
from kfq_async.errors import KfqError
from kfq_async.models.identity import CorpIdentLink, CorpIdentLinkRequest
from kfq_async.protocol.operation import ApiResponse
from kfq_async.resources.auth import CORP_IDENT_LINK
from kfq_async.sandbox import SAMPLE_TOKEN
from kfq_async.session import AsyncSession

__all__ = ["demo"]

FAULTS = {
    "delay:0.4@0.06": "6 % answered 0.4 s late",
    "lose-response@0.06": "6 % acted on but the answer lost",
    "lose-request@0.04": "4 % lost",
}
"""What goes wrong, as the sandbox reads it and as people do."""
RETRY = RetryPolicy()


def demo(
    *,
    file: Path | None = None,
    concurrency: int = 20,
    seed: int = 7,
    all_: Annotated[bool, Parameter(name="--all", negative=())] = False,
) -> int:
    """Make identification links for a few hundred invented companies, all at once, with accidents on the way.

    It starts the sandbox as a process of its own, which answers some requests late, loses some, and drops some
    answers after having acted. Each company must end with exactly one order: the exit status is 1 otherwise.

    Parameters
    ----------
    file
        CSV in UTF-8 with the columns company_name, credit_code, legal_rep_name, company_type, account_name,
        operator_name, id_card, mobile; the default ships with the package.
    concurrency
        Requests under way at a time.
    seed
        The same seed draws the same accidents, in the order in which requests arrive.
    all_
        Show every company. A terminal otherwise shows the first ten, and those with more than one attempt or
        without a link; a file or a pipe always gets all.
    """
    return asyncio.run(_run(read_companies(file), concurrency, seed, Console(highlight=False), everything=all_))


async def _run(companies: Companies, concurrency: int, seed: int, console: Console, *, everything: bool) -> int:
    for note in companies.notes:
        console.print(note, style="yellow", markup=False, soft_wrap=True)
    async with _sandbox_process(seed) as base_url:
        console.print(f"sandbox at {base_url}\naccidents: {', '.join(FAULTS.values())}", markup=False, soft_wrap=True)
        try:
            session = AsyncSession(SAMPLE_TOKEN, base_url=base_url, concurrency=concurrency, retry=RETRY)
        except ValueError as problem:
            raise UsageError(str(problem)) from None
        async with session:
            outcomes = await _links(session, companies.requests, console)
        ordered = await asyncio.to_thread(_ordered, base_url)
    counts = Counts.of(outcomes, ordered)
    print_report(outcomes, counts, console, everything=everything)
    return 0 if counts.well else 1


@asynccontextmanager
async def _sandbox_process(seed: int) -> AsyncIterator[str]:
    """Run ``kfq sandbox`` beside us, and yield its base URL; however we end, our end of the pipe ends it too."""
    faults = [argument for fault in FAULTS for argument in ("--fault", fault)]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "kfq_async", "sandbox", "--port", "0", "--seed", str(seed), "--until-eof"),
        *faults,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None  # noqa: S101  # a pipe was asked for
        line = (await process.stdout.readline()).decode()
        found = re.search(r"http://\S+", line)
        if found is None:
            raise UsageError("the sandbox did not start; its own words are above")
        yield found[0]
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


async def _links(
    session: AsyncSession, requests: Sequence[CorpIdentLinkRequest], console: Console
) -> Sequence[Outcome]:
    columns = (TextColumn("links"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("links", total=len(requests))
        return await asyncio.gather(*(_link(session, request, progress, task) for request in requests))


async def _link(session: AsyncSession, request: CorpIdentLinkRequest, progress: Progress, task: TaskID) -> Outcome:
    """Ask for one company; a failure is an outcome too, so that one never costs the others."""
    answer: ApiResponse[CorpIdentLink] | KfqError
    try:
        answer = await session.send(CORP_IDENT_LINK, request)
    except KfqError as problem:
        answer = problem
    progress.advance(task)
    return Outcome(request, answer)


def _ordered(base_url: str) -> list[str | None]:
    """Ask the sandbox under which ids it really has orders."""
    listing = base_url.removesuffix("/resrun-paas") + "/sandbox/orders"
    with urllib.request.urlopen(listing, timeout=30) as answer:  # noqa: S310  # our own sandbox, on loopback
        return [order["clientRequestId"] for order in json.load(answer)["orders"]]
