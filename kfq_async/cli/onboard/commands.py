"""The commands of ``kfq onboard``, and their words."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import Annotated, TypeVar

from cyclopts import App, Parameter
from rich.console import Console

from kfq_async.cli.onboard.job import INTERRUPTED, Files, OnboardRun, dry_run
from kfq_async.cli.onboard.ledgers import Reissue, links_of, reissue_in, status_of
from kfq_async.cli.onboard.options import OnboardOptions, callback_urls, column_names, concurrency, rate_limit
from kfq_async.cli.options import DEFAULT_BASE_URL, BaseUrl, JsonOutput, Token, UsageError, plain
from kfq_async.errors import LedgerError, OnboardingError
from kfq_async.onboarding import FileSource, SqliteLedger, default_output
from kfq_async.session import AsyncSession

__all__ = ["app"]

T = TypeVar("T")
NOTHING = OnboardOptions()

app = App(name="onboard", help="Links for the companies of a spreadsheet; it can be killed and continued.")


@app.default
def onboard(
    source: Path,
    *,
    options: Annotated[OnboardOptions, Parameter(name="*")] = NOTHING,
    token: Token = None,
    base_url: BaseUrl = DEFAULT_BASE_URL,
) -> int:
    """Make a spreadsheet of links from a spreadsheet of companies.

    The same command again continues: what has its link keeps it, what may have been sent is asked again under the same
    id, and only what is new or was never sent is asked for the first time. Exit status: 0 all linked, 1 some rows not,
    2 wrong use, 3 paused by something that concerns every row, 130 interrupted.

    Parameters
    ----------
    source
        CSV, XLSX, XLS or JSON Lines with a heading for each column, Chinese or English.
    token
        appAuthToken of your enterprise.
    base_url
        Where the platform is, context path included.
    """
    console = Console(stderr=True, highlight=False)
    job = _job(source, options, token, base_url, console)
    for notice in job.source.notices:
        console.print(plain(notice), style="dim", markup=False, soft_wrap=True)
    try:
        return dry_run(job) if options.dry_run else asyncio.run(job.run())
    except OnboardingError as problem:
        raise UsageError(str(problem)) from None
    except asyncio.CancelledError:
        console.print("Stopped at once; the same command again continues.", style="yellow")
        return INTERRUPTED


def _job(source: Path, options: OnboardOptions, token: str | None, base_url: str, console: Console) -> OnboardRun:
    if not token and not options.dry_run:
        raise UsageError("give the appAuthToken as --token or in KFQ_APP_AUTH_TOKEN, or --dry-run to send nothing")
    limit = concurrency(options.concurrency, base_url)
    try:
        rows = FileSource(
            source,
            key=options.key,
            columns=column_names(options.column),
            strict=options.strict,
            sheet=options.sheet,
            encoding=options.encoding,
        )
        session = AsyncSession(token or "none", base_url=base_url, concurrency=limit)
    except ValueError as problem:  # what the file or an option lacks
        raise UsageError(str(problem)) from None
    return OnboardRun(
        files=Files(
            source=source,
            out=options.out or default_output(source),
            ledger=options.ledger or source.with_suffix(".ledger"),
            report=options.report or source.with_suffix(".report.html"),
        ),
        platform=base_url,
        key=options.key,
        source=rows,
        session=lambda: session,
        concurrency=limit,
        rate_limit=rate_limit(options.rate_limit),
        retry_refused=options.retry_refused,
        strict=options.strict,
        callbacks=callback_urls(options.page, options.notify),
        console=console,
    )


@app.command
def status(ledger: Path, *, json_: JsonOutput = False) -> int:
    """Say how far the companies of a ledger are; a run may be going on meanwhile.

    Parameters
    ----------
    ledger
        The ledger of ``kfq onboard``.
    json_
        Print JSON instead of lines.
    """
    found = _with(ledger, status_of, exclusive=False)
    if json_:
        sys.stdout.write(json.dumps(found.values, ensure_ascii=False) + "\n")
    else:
        Console(highlight=False).print(*found.lines, sep="\n", markup=False, soft_wrap=True)
    return 0


@app.command
def links(
    ledger: Path, *, unfinished: Annotated[bool, Parameter(negative=())] = False, json_: JsonOutput = False
) -> int:
    """List the links of a ledger, a line each: row, part of the key, order, status, link. Links are secrets.

    Parameters
    ----------
    ledger
        The ledger of ``kfq onboard``.
    unfinished
        Only those of companies that have not finished, as far as notifications told: whom to remind.
    json_
        Print JSON Lines instead of tabs.
    """
    for link in _with(ledger, lambda opened: links_of(opened, unfinished=unfinished), exclusive=False):
        sys.stdout.write(
            (json.dumps(link, ensure_ascii=False) if json_ else "\t".join(map(_cell, link.values()))) + "\n"
        )
    return 0


@app.command
def reissue(
    ledger: Path,
    *,
    expired: Annotated[bool, Parameter(negative=())] = False,
    withdrawn: Annotated[bool, Parameter(negative=())] = False,
    key: Annotated[list[str] | None, Parameter(negative=())] = None,
    even_unknown: Annotated[bool, Parameter(negative=())] = False,
) -> int:
    """Open the next generation of companies, on purpose: the next run makes a new order for each.

    Parameters
    ----------
    ledger
        The ledger of ``kfq onboard``; the old orders stay on record in it.
    expired
        Those whose order expired.
    withdrawn
        Those whose order was withdrawn.
    key
        One company: its credit code, or credit code and account with a comma, or its cell of the --key column.
    even_unknown
        Also where it is unknown how the old request ended: there may be two orders then.
    """
    if not (expired or withdrawn or key):
        raise UsageError("say which: --expired, --withdrawn or --key")
    wanted = Reissue(expired=expired, withdrawn=withdrawn, keys=tuple(key or ()), even_unknown=even_unknown)
    numbers = _with(ledger, lambda opened: reissue_in(opened, wanted))
    shown = f": rows {', '.join(map(str, numbers[:20]))}{' …' if len(numbers) > 20 else ''}" if numbers else ""
    Console(highlight=False).print(
        f"{len(numbers)} {'company has' if len(numbers) == 1 else 'companies have'} a new generation{shown}. "
        "Run kfq onboard again to ask for them.",
        soft_wrap=True,
    )
    return 0


@app.command
def purge(ledger: Path, *, finished_before: datetime) -> int:
    """Delete what was finished before a day: identified, withdrawn, expired or refused, with all its past.

    A company that is deleted and still in the spreadsheet would be asked for again: take it out there first.

    Parameters
    ----------
    ledger
        The ledger of ``kfq onboard``.
    finished_before
        The day, as 2026-01-31, in this machine's time zone.
    """
    moment = finished_before.astimezone().timestamp()
    count = _with(ledger, lambda opened: opened.purge(moment))
    Console(highlight=False).print(f"{count} companies deleted", soft_wrap=True)
    return 0


def _with(path: Path, use: Callable[[SqliteLedger], Awaitable[T]], *, exclusive: bool = True) -> T:
    """Open a ledger that is there, and do something with it."""

    async def work() -> T:
        async with SqliteLedger(path, exclusive=exclusive) as ledger:
            return await use(ledger)

    if not path.is_file():
        raise UsageError(f"{path}: there is no such ledger")
    try:
        return asyncio.run(work())
    except LedgerError as problem:
        raise UsageError(str(problem)) from None


def _cell(value: object) -> str:
    return "-" if value is None else plain(str(value))
