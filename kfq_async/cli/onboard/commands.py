"""Commands of ``kfq onboard``: arguments, help texts and printed results."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import Annotated, TypeVar

from cyclopts import App, Parameter
from rich.console import Console

from kfq_async.cli.onboard.binding import Binding, default_ledger
from kfq_async.cli.onboard.ledgers import Selection, list_links, read_status, reissue_selected
from kfq_async.cli.onboard.options import (
    OnboardOptions,
    check_callback_options,
    parse_columns,
    parse_concurrency,
    parse_rate_limit,
)
from kfq_async.cli.onboard.run import INTERRUPTED, OnboardRun, RunFiles, dry_run
from kfq_async.cli.options import DEFAULT_BASE_URL, BaseUrl, Flag, JsonOutput, Token, UsageError
from kfq_async.cli.terminal import print_json, print_line
from kfq_async.errors import LedgerError, OnboardingError
from kfq_async.onboarding import FileSource, SqliteLedger, default_output
from kfq_async.redaction import printable
from kfq_async.session import AsyncSession

__all__ = ["app"]

T = TypeVar("T")
NO_OPTIONS = OnboardOptions()
MAX_LISTED_ROWS = 20

app: App = App(name="onboard")


@app.default
def onboard(
    source: Path,
    *,
    options: Annotated[OnboardOptions, Parameter(name="*")] = NO_OPTIONS,
    token: Token = None,
    base_url: BaseUrl = DEFAULT_BASE_URL,
) -> int:
    """Request links for the companies of a spreadsheet, and write them next to its columns.

    Run the same command again to resume: a company with a link keeps it, a request that may have been sent is retried
    with the same id, and the others are sent for the first time. Exit status: 0 all linked, 1 some rows not linked,
    2 usage error, 3 paused by a systemic failure (such as a refused token), 130 interrupted.

    Parameters
    ----------
    source
        CSV, XLSX, XLS or JSON Lines, with Chinese or English headings.
    token
        appAuthToken of your enterprise.
    base_url
        Base URL of the platform, including the context path.
    """
    console = Console(stderr=True, highlight=False)
    run = _configure(source, options, token, base_url, console)
    for notice in run.source.notices:
        print_line(console, notice, style="dim")
    try:
        return dry_run(run) if options.dry_run else run.start()
    except OnboardingError as error:
        raise UsageError(str(error)) from None
    except asyncio.CancelledError:
        print_line(console, "Interrupted. Run the same command again to resume.", style="yellow")
        return INTERRUPTED


def _configure(source: Path, options: OnboardOptions, token: str | None, base_url: str, console: Console) -> OnboardRun:
    if not token and not options.dry_run:
        raise UsageError("the appAuthToken is missing; give --token or set KFQ_APP_AUTH_TOKEN, or use --dry-run")
    concurrency = parse_concurrency(options.concurrency, base_url)
    check_callback_options(options.page, options.notify)
    try:
        rows = FileSource(
            source,
            key=options.key,
            columns=parse_columns(options.column),
            strict=options.strict,
            sheet=options.sheet,
            encoding=options.encoding,
            header_row=options.header_row,
        )
        session = AsyncSession(token or "none", base_url=base_url, concurrency=concurrency)
    except ValueError as error:  # invalid file or option
        raise UsageError(str(error)) from None
    return OnboardRun(
        files=RunFiles(
            source=source,
            out=options.out or default_output(source),
            ledger=options.ledger or default_ledger(source),
            report=options.report or source.with_suffix(".report.html"),
        ),
        binding=Binding(
            base_url=base_url,
            key=options.key,
            token=token,
            new_token=options.new_token,
            page=options.page,
            notify=options.notify,
        ),
        source=rows,
        yes=options.yes,
        force=options.force,
        session=lambda: session,
        concurrency=concurrency,
        rate_limit=parse_rate_limit(options.rate_limit),
        retry_refused=options.retry_refused,
        strict=options.strict,
        console=console,
    )


@app.command
def status(ledger: Path, *, json_: JsonOutput = False) -> int:
    """Show the status of the companies of a ledger, also during a run.

    Parameters
    ----------
    ledger
        Ledger of `kfq onboard`.
    json_
        Print JSON instead of text.
    """
    found = _with_ledger(ledger, read_status, exclusive=False)
    if json_:
        print_json(found.values)
    else:
        console = Console()
        for line in found.lines:
            print_line(console, line)
    return 0


@app.command
def links(ledger: Path, *, unfinished: Flag = False, json_: JsonOutput = False) -> int:
    """List the links of a ledger, one per line: row, key, order, status, link. Links are secrets.

    Parameters
    ----------
    ledger
        Ledger of `kfq onboard`.
    unfinished
        Only companies to remind: those that have not finished, according to notifications.
    json_
        Print JSON Lines instead of tab-separated text.
    """
    for link in _with_ledger(ledger, lambda opened: list_links(opened, unfinished=unfinished), exclusive=False):
        if json_:
            print_json(link)
        else:
            sys.stdout.write("\t".join(map(_cell, link.values())) + "\n")
    return 0


@app.command
def reissue(
    ledger: Path,
    *,
    expired: Flag = False,
    withdrawn: Flag = False,
    key: Annotated[list[str] | None, Parameter(negative=())] = None,
    even_unknown: Flag = False,
) -> int:
    """Open the next generation of companies, so that the next run requests a new order for each.

    Parameters
    ----------
    ledger
        Ledger of `kfq onboard`; it keeps the old orders on record.
    expired
        Companies whose order expired.
    withdrawn
        Companies whose order was withdrawn.
    key
        One company, repeatable: its credit code, or CREDIT_CODE,ACCOUNT, or its cell in the key column.
    even_unknown
        Accept a key even if the result of its last request is unknown: there may then be two orders.
    """
    if not (expired or withdrawn or key):
        raise UsageError("name the companies; give --expired, --withdrawn or --key")
    selection = Selection(expired=expired, withdrawn=withdrawn, keys=tuple(key or ()), even_unknown=even_unknown)
    rows = _with_ledger(ledger, lambda opened: reissue_selected(opened, selection))
    listed = ", ".join(map(str, rows[:MAX_LISTED_ROWS])) + (" …" if len(rows) > MAX_LISTED_ROWS else "")
    subject = "1 company has" if len(rows) == 1 else f"{len(rows)} companies have"
    place = f": {'row' if len(rows) == 1 else 'rows'} {listed}. Run kfq onboard again to request their orders"
    print_line(Console(), f"{subject} a new generation{place if rows else ''}.")
    return 0


@app.command
def purge(ledger: Path, *, finished_before: datetime) -> int:
    """Delete companies that finished before a day (identified, withdrawn, expired or refused), with all generations.

    First remove them from the spreadsheet: a deleted company that is still there would be requested again.

    Parameters
    ----------
    ledger
        Ledger of `kfq onboard`.
    finished_before
        Day such as 2026-01-31, in the time zone of this machine.
    """
    moment = finished_before.astimezone().timestamp()
    count = _with_ledger(ledger, lambda opened: opened.purge(moment))
    print_line(Console(), f"{count} {'company' if count == 1 else 'companies'} deleted")
    return 0


def _with_ledger(path: Path, use: Callable[[SqliteLedger], Awaitable[T]], *, exclusive: bool = True) -> T:
    """Open an existing ledger, and return the result of ``use``."""

    async def work() -> T:
        async with SqliteLedger(path, exclusive=exclusive) as ledger:
            return await use(ledger)

    if not path.is_file():
        raise UsageError(f"{path} does not exist; give the ledger of kfq onboard")
    try:
        return asyncio.run(work())
    except LedgerError as error:
        raise UsageError(str(error)) from None


def _cell(value: object) -> str:
    return "-" if value is None else printable(str(value))
