"""Commands of ``kfq onboard``: arguments, help texts and printed results."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, TypeVar

from cyclopts import App, Parameter
from rich.console import Console

from kfq_async.cli.onboard.binding import Binding, default_ledger
from kfq_async.cli.onboard.ledgers import Selection, finished_values, read_status, reissue_selected
from kfq_async.cli.onboard.links import LinkList, list_links, write_links
from kfq_async.cli.onboard.options import (
    READ_AS_DETECTED,
    OnboardOptions,
    SourceOptions,
    check_callback_options,
    parse_concurrency,
    parse_rate_limit,
)
from kfq_async.cli.onboard.reading import OpenedSource, RememberedReading, open_source
from kfq_async.cli.onboard.run import INTERRUPTED, OnboardRun, RunFiles, dry_run
from kfq_async.cli.options import DEFAULT_CONNECTION, Connection, ConnectionOptions, Flag, JsonOutput, UsageError
from kfq_async.cli.terminal import print_json, print_line
from kfq_async.errors import OnboardingError
from kfq_async.languages import gettext, ngettext, translate
from kfq_async.onboarding import SqliteLedger, default_output
from kfq_async.onboarding.input.csv import escape_formula
from kfq_async.redaction import printable

__all__ = ["app"]

T = TypeVar("T")
NO_OPTIONS = OnboardOptions()
Reading = Annotated[SourceOptions, Parameter(name="*")]
MAX_LISTED_ROWS = 20

app: App = App(name="onboard", usage="kfq onboard [COMMAND] [OPTIONS] SOURCE")


@app.default
def onboard(
    source: Path,
    *,
    options: Annotated[OnboardOptions, Parameter(name="*")] = NO_OPTIONS,
    reading: Reading = READ_AS_DETECTED,
    connection: Connection = DEFAULT_CONNECTION,
) -> int:
    """Request links for the companies of a spreadsheet, and write them next to its columns.

    Run the same command again to resume: a company with a link keeps it, a request that may have been sent is retried
    with the same id, and the others are sent for the first time. Exit status: 0 all linked, 1 some rows not linked,
    2 usage error, 3 paused by a systemic failure (such as a refused token), 130 interrupted.

    Parameters
    ----------
    source
        CSV, XLSX, XLS or JSON Lines, with Chinese or English headings.
    """
    console = Console(stderr=True, highlight=False)
    run = _configure(source, options, reading, connection, console)
    for notice in run.source.notices:
        print_line(console, translate(notice), style="dim")
    try:
        return dry_run(run) if options.dry_run else run.start()
    except OnboardingError as error:
        raise UsageError(str(error)) from None
    except asyncio.CancelledError:
        print_line(console, gettext("Interrupted. Run the same command again to resume."), style="yellow")
        return INTERRUPTED


def _configure(
    source: Path, options: OnboardOptions, reading: SourceOptions, connection: ConnectionOptions, console: Console
) -> OnboardRun:
    if not connection.token and not options.dry_run:
        raise UsageError(
            gettext("the appAuthToken is missing; give --token or set KFQ_APP_AUTH_TOKEN, or use --dry-run")
        )
    concurrency = parse_concurrency(options.concurrency, connection.base_url)
    check_callback_options(options.page, options.notify)
    ledger = options.ledger or default_ledger(source)
    opened = open_source(
        source,
        reading,
        RememberedReading.load(ledger),
        key=options.key,
        strict=options.strict,
        show_key=options.show_key,
    )
    if opened.notice:
        print_line(console, opened.notice, style="dim")
    session = connection.create_session(connection.token or "none", concurrency=concurrency)
    return OnboardRun(
        files=RunFiles(
            source=source,
            out=options.out or default_output(source),
            ledger=ledger,
            report=options.report or source.with_suffix(".report.html"),
        ),
        binding=Binding(
            base_url=connection.base_url,
            key=opened.key,
            token=connection.token,
            new_token=options.new_token,
            page=options.page,
            notify=options.notify,
            reading=opened.options,
        ),
        source=opened.rows,
        yes=options.yes,
        force=options.force,
        session=lambda: session,
        concurrency=concurrency,
        rate_limit=parse_rate_limit(options.rate_limit),
        retry_refused=options.retry_refused,
        strict=options.strict,
        as_json=connection.json_,
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
def links(
    ledger: Path,
    *,
    unfinished: Flag = False,
    source: Path | None = None,
    reading: Reading = READ_AS_DETECTED,
    out: Path | None = None,
    force: Flag = False,
    show_key: Flag = False,
    json_: JsonOutput = False,
) -> int:
    """List the links of a ledger, one per line: row, key, order, status, link. Links are secrets.

    With --source, each line also has company, operator and contact after the row: the list of whom to remind. Exit
    status: 0, or 1 if the source lacks some of the companies.

    Parameters
    ----------
    ledger
        Ledger of `kfq onboard`.
    unfinished
        Only companies to remind: those that have not finished, according to notifications.
    source
        File of companies from which the names are taken; only its rows are listed.
    out
        File to write, with --source: .xlsx, .csv or .jsonl.
    force
        Replace a file at --out that is no list of this ledger.
    show_key
        Show keys that are no credit code, such as your own numbers.
    json_
        Print JSON Lines instead of tab-separated text.
    """
    if out is not None and source is None:
        raise UsageError(gettext("--out needs --source, the file with the names of the companies"))

    async def work(opened: SqliteLedger) -> LinkList:
        named = None if source is None else await _open_source(opened, source, reading, show_key=show_key)
        if named is not None and named.notice:
            print_line(console, named.notice, style="dim")
        rows = None if named is None else named.rows
        found = await list_links(opened, rows, unfinished=unfinished, show_key=show_key)
        if out is not None and source is not None:
            await write_links(opened, found.links, out, source=source, force=force)
        return found

    console = Console(stderr=True, highlight=False)
    found = _with_ledger(ledger, work, exclusive=False)
    if found.not_in_source:
        notice = ngettext(
            "one linked company of the ledger is not in {source}; if the file has it, read it as the run did: "
            "--column, --sheet, --header-row, --encoding",
            "{count} linked companies of the ledger are not in {source}; if the file has them, read it as the run did: "
            "--column, --sheet, --header-row, --encoding",
            found.not_in_source,
            source=source,
        )
        print_line(console, notice, style="yellow")
    if out is not None:
        print_line(console, gettext("links: {out}", out=out))
    else:
        for link in found.links:
            _print_values(link.values(), as_json=json_)
    return 1 if found.not_in_source else 0


async def _open_source(ledger: SqliteLedger, path: Path, reading: SourceOptions, *, show_key: bool) -> OpenedSource:
    """Open a file of companies that are identified as in the ledger."""
    remembered = await RememberedReading.of(ledger)
    return await asyncio.to_thread(open_source, path, reading, remembered, key=remembered.key, show_key=show_key)


@app.command
def reissue(
    ledger: Path,
    *,
    expired: Flag = False,
    withdrawn: Flag = False,
    key: Annotated[list[str] | None, Parameter(negative=())] = None,
    even_unknown: Flag = False,
    show_key: Flag = False,
    json_: JsonOutput = False,
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
    show_key
        Show keys that are no credit code in messages.
    json_
        Print JSON instead of text.
    """
    if not (expired or withdrawn or key):
        raise UsageError(gettext("name the companies; give --expired, --withdrawn or --key"))
    selection = Selection(
        expired=expired, withdrawn=withdrawn, keys=tuple(key or ()), even_unknown=even_unknown, show_key=show_key
    )
    rows = _with_ledger(ledger, lambda opened: reissue_selected(opened, selection))
    if json_:
        print_json({"reissued": len(rows), "rows": rows})
        return 0
    listed = ", ".join(map(str, rows[:MAX_LISTED_ROWS]))
    more = " \N{HORIZONTAL ELLIPSIS}" if len(rows) > MAX_LISTED_ROWS else ""
    text = ngettext(
        "1 company has a new generation: row {rows}. Run kfq onboard again to request its order.",
        "{count} companies have a new generation: rows {rows}. Run kfq onboard again to request their orders.",
        len(rows),
        rows=f"{listed}{more}",
    )
    print_line(Console(), text if rows else gettext("no company was selected"))
    return 0


@app.command
def purge(
    ledger: Path,
    *,
    finished_before: datetime,
    dry_run: Flag = False,
    show_key: Flag = False,
    json_: JsonOutput = False,
) -> int:
    """Delete companies that finished before a day (identified, withdrawn, expired or refused), with all generations.

    First remove them from the spreadsheet: a deleted company that is still there would be requested again.

    Parameters
    ----------
    ledger
        Ledger of `kfq onboard`.
    finished_before
        Day such as 2026-01-31, in the time zone of this machine.
    dry_run
        List the companies, one per line: row, key, order, status. Delete nothing.
    show_key
        Show keys that are no credit code, such as your own numbers.
    json_
        Print JSON instead of text.
    """
    moment = finished_before.astimezone().timestamp()
    if dry_run:
        found = _with_ledger(ledger, lambda opened: opened.finished(moment), exclusive=False)
        for entry in found:
            _print_values(finished_values(entry, show_key=show_key), as_json=json_)
        text = ngettext("1 company would be deleted", "{count} companies would be deleted", len(found))
        print_line(Console(stderr=True), text)
        return 0
    count = _with_ledger(ledger, lambda opened: opened.purge(moment))
    if json_:
        print_json({"deleted": count})
    else:
        print_line(Console(), ngettext("1 company deleted", "{count} companies deleted", count))
    return 0


def _with_ledger(path: Path, use: Callable[[SqliteLedger], Awaitable[T]], *, exclusive: bool = True) -> T:
    """Open an existing ledger, and return the result of ``use``."""

    async def work() -> T:
        async with SqliteLedger(path, exclusive=exclusive) as ledger:
            return await use(ledger)

    if not path.is_file():
        raise UsageError(gettext("{path} does not exist; give the ledger of kfq onboard", path=path))
    try:
        return asyncio.run(work())
    except OnboardingError as error:
        raise UsageError(str(error)) from None


def _print_values(values: Mapping[str, object], *, as_json: bool) -> None:
    """Print a line of values, which may be opened in a spreadsheet program."""
    if as_json:
        print_json(values)
    else:
        sys.stdout.write("\t".join(map(_cell, values.values())) + "\n")


def _cell(value: object) -> str:
    return "-" if value is None else escape_formula(printable(str(value)))
