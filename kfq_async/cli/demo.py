"""``kfq demo``: links for the companies of a CSV, from a sandbox that loses some of the answers."""

from __future__ import annotations

import asyncio
import csv
import json
import re
import sys
import urllib.request
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from importlib.resources import files
from pathlib import Path
from typing import Any

from attrs import field, frozen
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from kfq_async.cli.options import UsageError
from kfq_async.errors import KfqError
from kfq_async.models.identity import CorpIdentInfo, CorpIdentLink, CorpIdentLinkRequest, OprIdentInfo
from kfq_async.protocol.operation import Answer
from kfq_async.resources.auth import CORP_IDENT_LINK
from kfq_async.sandbox import SAMPLE_TOKEN
from kfq_async.session import AsyncSession
from kfq_async.transport.settings import RetryPolicy

__all__ = ["demo", "read_companies"]

FAULTS = ("delay:0.4@0.06", "drop@0.06", "lose@0.04")
RETRY = RetryPolicy()
WIDEST = 160
COLUMNS = (
    "company_name",
    "credit_code",
    "legal_rep_name",
    "company_type",
    "account_name",
    "operator_name",
    "id_card",
    "mobile",
)


@frozen
class Companies:
    """What a CSV holds: a request for each company, and what was noticed on the way."""

    requests: tuple[CorpIdentLinkRequest, ...]
    notes: tuple[str, ...]


@frozen
class Outcome:
    """How it went for one company."""

    company: str
    answer: Answer[CorpIdentLink] | KfqError = field(repr=False)

    @property
    def linked(self) -> bool:
        """Whether it has its link."""
        return isinstance(self.answer, Answer)


def demo(*, file: Path | None = None, limit: int = 20, seed: int = 7) -> int:
    """Make identification links for a few hundred invented companies, all at once, with accidents on the way.

    It starts the sandbox as a process of its own, which answers some requests late, loses some, and drops some
    answers after having acted. Each company must end with exactly one order: the exit status is 1 otherwise.

    Parameters
    ----------
    file
        CSV in UTF-8 with the columns company_name, credit_code, legal_rep_name, company_type, account_name,
        operator_name, id_card, mobile; the default ships with the package.
    limit
        Requests under way at a time.
    seed
        The same seed draws the same accidents, in the order in which requests arrive.
    """
    companies = read_companies(file)
    return asyncio.run(_run(companies, limit, seed, _console()))


def _console() -> Console:
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=WIDEST)


def read_companies(file: Path | None = None) -> Companies:
    """Read the companies of a CSV; blanks around values go, repeated rows are asked once, empty ones not at all.

    Raises `UsageError`, naming line and column, for what is no such CSV.
    """
    source = files("kfq_async.examples") / "companies.csv" if file is None else file
    try:
        text = source.read_text(encoding="utf-8-sig")
    except OSError as problem:
        raise UsageError(f"--file {file}: {problem.strerror}") from None
    except UnicodeDecodeError:
        raise UsageError(f"--file {file} is not in UTF-8; save it as CSV UTF-8") from None
    rows = csv.DictReader(text.splitlines())
    if missing := [name for name in COLUMNS if name not in (rows.fieldnames or ())]:
        raise UsageError(f"--file {file} lacks the column {', '.join(missing)}")
    return _companies(enumerate(rows, start=2), file)


def _companies(rows: Iterable[tuple[int, dict[str, Any]]], file: Path | None) -> Companies:
    requests: dict[tuple[str | None, ...], CorpIdentLinkRequest] = {}
    lines: dict[tuple[str | None, ...], int] = {}
    notes = []
    for line, row in rows:
        cells = {name: (row[name] or "").strip() or None for name in COLUMNS}
        key = (cells["company_name"], cells["credit_code"], cells["account_name"])
        if not any(key):
            notes.append(f"line {line} left out: neither company_name, credit_code nor account_name")
        elif key in requests:
            notes.append(f"line {line} repeats line {lines[key]}, asked once")
        else:
            lines[key] = line
            requests[key] = _request(cells, f"--file {file}, line {line}")
    if not requests:
        raise UsageError(f"--file {file} holds no company")
    return Companies(tuple(requests.values()), tuple(notes))


def _request(cells: dict[str, str | None], where: str) -> CorpIdentLinkRequest:
    kind = cells["company_type"]
    if kind is not None and not (kind.isascii() and kind.isdecimal()):
        raise UsageError(f"{where}: company_type must be 1, 2 or 3, not {kind!r}")
    return CorpIdentLinkRequest(
        account_name=cells["account_name"],
        corp_ident_info=CorpIdentInfo(
            company_name=cells["company_name"],
            credit_code=cells["credit_code"],
            legal_rep_name=cells["legal_rep_name"],
            company_type=int(kind) if kind else None,
        ),
        opr_ident_info=OprIdentInfo(
            name=cells["operator_name"],
            id_card=cells["id_card"],
            id_card_type=1 if cells["id_card"] else None,
            mobile=cells["mobile"],
        ),
    )


async def _run(companies: Companies, limit: int, seed: int, console: Console) -> int:
    for note in companies.notes:
        console.print(note, style="yellow", markup=False)
    async with _sandbox_process(seed) as base_url:
        console.print(f"sandbox at {base_url}, with accidents: {', '.join(FAULTS)}", markup=False)
        try:
            session = AsyncSession(SAMPLE_TOKEN, base_url=base_url, limit=limit, retry=RETRY)
        except ValueError as problem:
            raise UsageError(str(problem)) from None
        async with session:
            outcomes = await _links(session, companies.requests, console)
        orders = await asyncio.to_thread(_orders, base_url)
    return _report(outcomes, orders, console)


@asynccontextmanager
async def _sandbox_process(seed: int) -> AsyncIterator[str]:
    """Run ``kfq sandbox`` beside us, and yield its base URL."""
    faults = [argument for fault in FAULTS for argument in ("--fault", fault)]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "kfq_async", "sandbox", "--port", "0", "--seed", str(seed)),
        *faults,
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


async def _links(session: AsyncSession, requests: tuple[CorpIdentLinkRequest, ...], console: Console) -> list[Outcome]:
    columns = (TextColumn("links"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("links", total=len(requests))
        return await asyncio.gather(*(_link(session, request, progress, task) for request in requests))


async def _link(session: AsyncSession, request: CorpIdentLinkRequest, progress: Progress, task: TaskID) -> Outcome:
    """Ask for one company; a failure is an outcome too, so that one never costs the others."""
    answer: Answer[CorpIdentLink] | KfqError
    try:
        answer = await session.send(CORP_IDENT_LINK, request)
    except KfqError as problem:
        answer = problem
    progress.advance(task)
    info = request.corp_ident_info
    return Outcome((info.company_name if info else None) or "（无名称）", answer)


def _orders(base_url: str) -> list[dict[str, Any]]:
    """Ask the sandbox which orders it really has."""
    listing = base_url.removesuffix("/resrun-paas") + "/sandbox/orders"
    with urllib.request.urlopen(listing, timeout=30) as answer:  # noqa: S310  # our own sandbox, on loopback
        orders: list[dict[str, Any]] = json.load(answer)["orders"]
    return orders


def _report(outcomes: list[Outcome], orders: list[dict[str, Any]], console: Console) -> int:
    table = Table("company", "order", "link", "attempts")
    table.columns[2].overflow = "fold"
    table.columns[3].justify = "right"
    for outcome in outcomes:
        table.add_row(*_row(outcome))
    console.print(table)
    linked = sum(outcome.linked for outcome in outcomes)
    repeated = sum(outcome.answer.attempts - 1 for outcome in outcomes)
    duplicates = len(orders) - len({order["companyName"] for order in orders})
    well = linked == len(outcomes) and duplicates == 0
    console.print(
        f"{len(outcomes)} companies, {linked} links, {repeated} repeated attempts, "
        f"{len(orders)} orders in the sandbox, {duplicates} duplicates",
        style="bold green" if well else "bold red",
    )
    return 0 if well else 1


def _row(outcome: Outcome) -> tuple[str | Text, ...]:
    answer = outcome.answer
    if isinstance(answer, KfqError):
        return Text(outcome.company), "-", Text(str(answer)), str(answer.attempts)
    return Text(outcome.company), answer.result.order_no, Text(answer.result.auth_url), str(answer.attempts)
