"""``kfq demo``: links for the companies of a CSV, from a sandbox that injects faults."""

from __future__ import annotations

import asyncio
import json
import sys
import urllib.request
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from importlib.resources import as_file, files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console

from kfq_async.cli.options import Flag, JsonOutput, UsageError
from kfq_async.cli.progress import ProgressReporter
from kfq_async.cli.report import Counts, DemoCompany, print_report, to_json
from kfq_async.cli.terminal import print_json, print_line
from kfq_async.config import RetryPolicy
from kfq_async.errors import OnboardingError, SourceError
from kfq_async.languages import gettext, translate
from kfq_async.models.identity import CorpIdentLinkRequest
from kfq_async.onboarding import FileSource, Onboarding, Outcome, OutcomeStatus, Row, SqliteLedger
from kfq_async.onboarding.output.texts import reason_text
from kfq_async.sandbox import SAMPLE_TOKEN
from kfq_async.session import AsyncSession

__all__ = ["demo", "read_rows"]

FAULTS = ("delay:0.4@0.06", "lose-response@0.06", "lose-request@0.04")
"""Injected faults, in the syntax of the sandbox."""
RETRY = RetryPolicy()


def demo(
    *,
    file: Path | None = None,
    concurrency: int = 20,
    seed: int = 7,
    all_: Annotated[Flag, Parameter(name="--all")] = False,
    json_: JsonOutput = False,
) -> int:
    """Request identification links for a few hundred invented companies from a sandbox that injects faults.

    The sandbox runs as a separate process. It delays some responses, loses some requests, and loses the responses of
    others that it has executed. Each company must end with exactly one order: the exit status is 1 otherwise.

    Parameters
    ----------
    file
        CSV, XLSX, XLS or JSON Lines, with the headings of `kfq onboard` (default: the CSV of the package, with
        company_name, credit_code, legal_rep_name, company_type, account_name, operator_name, id_card and mobile).
    concurrency
        Number of concurrent requests.
    seed
        Seed of the faults, which are drawn in the order in which requests arrive.
    all_
        Show every company. Otherwise a terminal shows the first ten and those that needed a retry or have no link;
        a file or a pipe always gets all.
    json_
        Print JSON instead of text.
    """
    rows = read_rows(file)
    console = Console(highlight=False, stderr=json_)
    with TemporaryDirectory() as folder:
        companies, counts = asyncio.run(_run(rows, Path(folder, "ledger"), concurrency, seed, console))
    if json_:
        print_json(to_json(companies, counts))
    else:
        print_report(companies, counts, console, show_all=all_)
    return 0 if counts.passed else 1


def read_rows(file: Path | None = None) -> list[Row]:
    """Return the rows of a file, or of the CSV of the package.

    Raises `UsageError`, naming the row, if one that names a company cannot be sent.
    """
    with as_file(files("kfq_async.examples") / "companies.csv") as shipped:
        try:
            rows = list(FileSource(file or shipped, key=_key, checks=False))
        except SourceError as error:
            raise UsageError(f"--file {translate(error)}") from None
    for row in rows:
        if row.key is not None and row.invalid:
            outcome = Outcome(
                row_number=row.row_number, status=OutcomeStatus.INVALID, sent=False, problems=row.problems
            )
            reason = reason_text(outcome)
            raise UsageError(
                gettext("--file {file}, row {row}: {reason}", file=file, row=row.row_number, reason=reason)
            )
    if all(row.key is None for row in rows):
        raise UsageError(
            gettext("--file {file} names no company; fill in company_name, credit_code or account_name", file=file)
        )
    return rows


def _key(request: CorpIdentLinkRequest) -> str | None:
    """Identify a company by name, credit code and account together: for the demo, the name alone suffices."""
    info = request.corp_ident_info
    parts = (info and info.company_name, info and info.credit_code, request.account_name)
    return "\x1f".join(part or "" for part in parts) if any(parts) else None


async def _run(
    rows: Sequence[Row], ledger: Path, concurrency: int, seed: int, console: Console
) -> tuple[list[DemoCompany], Counts]:
    async with _sandbox_process(seed) as base_url:
        print_line(console, gettext("sandbox at {base_url}", base_url=base_url))
        print_line(console, _describe_faults())
        try:
            session = AsyncSession(SAMPLE_TOKEN, base_url=base_url, concurrency=concurrency, retry=RETRY)
        except ValueError as error:
            raise UsageError(translate(error)) from None
        async with session, SqliteLedger(ledger) as opened:
            run = Onboarding(session, opened, rows, concurrency=concurrency)
            outcomes = await _outcomes(run, ProgressReporter(console, len(rows)))
        order_ids = await asyncio.to_thread(_order_ids, base_url)
    companies = _companies(rows, outcomes, console)
    return companies, Counts.of(companies, order_ids)


def _describe_faults() -> str:
    return gettext(
        "faults: 6 % of responses delayed by 0.4 s, 6 % of requests executed but their responses lost, "
        "4 % of requests lost"
    )


@asynccontextmanager
async def _sandbox_process(seed: int) -> AsyncIterator[str]:
    """Run ``kfq sandbox`` in a subprocess and yield its base URL; closing its standard input ends it in any case."""
    faults = [argument for fault in FAULTS for argument in ("--fault", fault)]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "kfq_async", "sandbox", "--port", "0", "--seed", str(seed), "--until-eof", "--json"),
        *faults,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None  # noqa: S101  # it is a pipe
        addresses = json.loads(await process.stdout.readline() or b"{}")
        if "baseUrl" not in addresses:
            reason = addresses.get("text") or gettext("its error message is above")
            raise UsageError(gettext("the sandbox did not start: {reason}", reason=reason))
        yield addresses["baseUrl"]
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


async def _outcomes(run: Onboarding, progress: ProgressReporter) -> dict[int, Outcome]:
    """Return the outcomes by row number; after a systemic failure, those until then."""
    outcomes = {}
    try:
        with progress:
            async with run:
                async for outcome in run:
                    progress.record(outcome)
                    outcomes[outcome.row_number] = outcome
    except OnboardingError as error:
        progress.print_message(translate(error))
    return outcomes


def _companies(rows: Sequence[Row], outcomes: dict[int, Outcome], console: Console) -> list[DemoCompany]:
    """Return the companies in the order of the file; print the rows that name none, or one of an earlier row."""
    companies, ids = [], set()
    for row in rows:
        pending = Outcome(
            row_number=row.row_number, status=OutcomeStatus.PENDING, sent=False
        )  # not reached before a systemic failure
        outcome = outcomes.get(row.row_number, pending)
        request_id = outcome.entry.client_request_id if outcome.entry else None
        if outcome.status is OutcomeStatus.INVALID or (request_id and request_id in ids):
            text = gettext("row {row}: {reason}", row=row.row_number, reason=reason_text(outcome))
            print_line(console, text, style="yellow")
            continue
        ids.add(request_id)
        info = row.request.corp_ident_info if row.request else None
        companies.append(DemoCompany(info.company_name if info else None, outcome))
    return companies


def _order_ids(base_url: str) -> list[str | None]:
    """Return the ``clientRequestId`` of each order in the sandbox."""
    url = base_url.removesuffix("/resrun-paas") + "/sandbox/orders"
    with urllib.request.urlopen(url, timeout=30) as response:  # noqa: S310  # our own sandbox, on loopback
        return [order["clientRequestId"] for order in json.load(response)["orders"]]
