"""One run of ``kfq onboard``: the input through the ledger to the platform, then output and report."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from pathlib import Path

from attrs import field, frozen
from rich.console import Console

from kfq_async.cli.onboard.binding import Binding, Callbacks
from kfq_async.cli.onboard.garbage import fewer_collections
from kfq_async.cli.onboard.interrupts import InterruptHandler
from kfq_async.cli.onboard.ledgers import format_ranges
from kfq_async.cli.onboard.options import column_option
from kfq_async.cli.onboard.rehearsal import DryRunLedger
from kfq_async.cli.options import UsageError
from kfq_async.cli.progress import ProgressReporter, format_counts, join_counts
from kfq_async.cli.terminal import print_json, print_line
from kfq_async.errors import LedgerError, OnboardingError, SourceError
from kfq_async.languages import current_language, gettext, ngettext, translate
from kfq_async.onboarding import (
    Entry,
    FileSource,
    Onboarding,
    Outcome,
    OutcomeStatus,
    Result,
    Row,
    SqliteLedger,
    State,
    Statistics,
    report,
    write_output,
)
from kfq_async.onboarding.decisions import PendingRequest, outcome_from_decision
from kfq_async.onboarding.ledgers.base import HASH_BYTES
from kfq_async.onboarding.ledgers.files import check_in_place
from kfq_async.onboarding.output.files import atomic_write, check_output, remove_leftovers
from kfq_async.onboarding.output.statistics import RowNumbers
from kfq_async.onboarding.output.texts import reason_text, state_text
from kfq_async.onboarding.planner import Planner
from kfq_async.onboarding.runner import BATCH
from kfq_async.redaction import printable
from kfq_async.session import AsyncSession

__all__ = ["INTERRUPTED", "PAUSED", "OnboardRun", "RunFiles", "dry_run"]

PAUSED = 3
"""Exit status of a paused run."""
INTERRUPTED = 130
"""Exit status of an interrupted run."""
LEDGER_SUFFIXES = ("-wal", "-shm", ".key", ".lock")
"""Suffixes of the files next to a ledger."""
IMPORTANT_FIELDS = {"company_name": "companyName", "account_name": "accountName"}
"""Fields without which nearly every order is a mistake, and their names on the wire."""
TO_SEND = "to send"
"""Row of a dry run that a run would send."""
MAX_LISTED_ROWS = 20
"""Rows with a problem that are listed on the screen; the output has all of them."""


@frozen
class RunFiles:
    """Paths of a run."""

    source: Path
    out: Path
    ledger: Path
    report: Path

    def check(self, *, dry_run: bool = False) -> None:
        """Raise `SourceError` if two of them are the same file, or one cannot be written (a dry run writes none).

        Raises `LedgerError` if the ledger is missing although it was used.
        """
        ledger = Path(os.path.realpath(self.ledger))  # where its other files are
        next_to_ledger = {
            f"the ledger's {suffix}": ledger.with_name(f"{ledger.name}{suffix}") for suffix in LEDGER_SUFFIXES
        }
        paths = {"the input": self.source, "--ledger": self.ledger, **next_to_ledger}
        paths |= {"--out": self.out, "--report": self.report}
        names: dict[Path, str] = {}
        for name, path in paths.items():
            if (other := names.setdefault(path.resolve(), name)) != name:
                raise SourceError(f"{name} and {other} are the same file, {path}; choose another name")
        for name, path in paths.items():
            read_only = dry_run or path is self.source
            if path.is_dir() or not os.access(path.parent, os.F_OK if read_only else os.W_OK):
                raise SourceError(f"{name}: {path} cannot be written; choose a file in an existing, writable folder")
        check_in_place(ledger)

    def outputs(self) -> list[tuple[str, Path, str, bool]]:
        """Return option and path of each file that is written, its path from the ledger, and whether it exists."""
        folder = self.ledger.resolve().parent
        return [
            (option, path, os.path.relpath(path.resolve(), folder), path.exists())
            for option, path in (("--out", self.out), ("--report", self.report))
        ]


@frozen(kw_only=True)
class OnboardRun:
    """Settings of a run, and the run itself."""

    files: RunFiles
    binding: Binding
    source: FileSource
    yes: bool
    """Whether to send without asking if an important field has no column."""
    force: bool
    """Whether to replace files that were not written for the ledger."""
    session: Callable[[], AsyncSession] = field(repr=False)
    concurrency: int
    rate_limit: float | None
    """Requests per second; ``None``: no limit."""
    retry_refused: bool
    strict: bool
    as_json: bool
    """Whether the summary is also printed as JSON on standard output."""
    console: Console = field(repr=False)

    def start(self) -> int:
        """Show what the run is for, ask where that is needed, run, and return the exit status."""
        total = self.preflight()
        self.confirm()
        return asyncio.run(self._run(total))

    async def _run(self, total: int) -> int:
        """Run to the end, a pause or an interruption, and write the files in any case."""
        progress, messages = ProgressReporter(self.console, total), _RowMessages()
        async with (
            InterruptHandler(progress) as interrupts,
            SqliteLedger(self.files.ledger) as ledger,
            self.session() as session,
        ):
            tenant, callbacks = await self.binding.apply(ledger)
            print_line(self.console, gettext("tenant: {tenant}", tenant=tenant))
            await self._remember_path(ledger)
            await self._claim_outputs(ledger)
            run = Onboarding(
                session,
                ledger,
                self.source,
                concurrency=self.concurrency,
                rate_limit=self.rate_limit,
                retry_refused=self.retry_refused,
                strict=self.strict,
                callbacks=callbacks.current,
                earlier_callbacks=callbacks.earlier,
            )
            interrupts.attach(run.stop)
            error = await _consume(run, progress, messages)
            if unread := total - progress.counts.total():
                progress.counts[OutcomeStatus.PENDING] += unread
            if not isinstance(error, LedgerError):
                error = await self._write_results(ledger, run.run, callbacks, progress, messages) or error
            self._print_summary(progress, messages, error)
        if error is not None:
            return PAUSED
        if interrupts.interrupted:
            return INTERRUPTED
        return 0 if set(progress.counts) <= {OutcomeStatus.LINKED, OutcomeStatus.DUPLICATE} else 1

    def preflight(self, *, dry_run: bool = False) -> int:
        """Check the files and show what the run is for, before anything is sent; return the number of rows."""
        self.files.check(dry_run=dry_run)
        check_output(self.source, self.files.out, dry_run=dry_run)
        count = self.source.count()
        new = "" if self.files.ledger.exists() else gettext(" (new)")
        columns = ", ".join(f"{heading} \N{RIGHTWARDS ARROW} {field}" for field, heading in self.source.columns.items())
        print_line(self.console, gettext("platform: {url}", url=self.binding.base_url))
        print_line(self.console, gettext("ledger: {path}", path=f"{self.files.ledger}{new}"))
        print_line(self.console, gettext("columns: {columns}", columns=columns))
        if missing := self._missing_columns():
            text = gettext("no column fills {fields}", fields=gettext(" and ").join(missing))
            print_line(self.console, text, style="yellow")
        return count

    def confirm(self) -> None:
        """Ask whether to send without important fields; raise `UsageError` if not, or if there is no one to ask."""
        missing = self._missing_columns()
        if not missing or self.yes:
            return
        names = gettext(" and ").join(missing)
        if sys.stdin.isatty() and self.console.is_terminal:
            question = gettext("Send the rows without {fields}? [y/N] ", fields=names)
            self.console.print(question, end="", markup=False, highlight=False)
            if sys.stdin.readline().strip().lower() in {"y", "yes"}:
                return
        raise UsageError(
            gettext(
                "nothing was sent, since no column fills {fields}: choose one with {example} (one column may fill two "
                "fields), or add --yes to send without",
                fields=names,
                example=self._example_columns(),
            )
        )

    def missing_columns_advice(self) -> str:
        """Return what a dry run says if a run would not send for lack of a column; empty if it would."""
        missing = self._missing_columns()
        if not missing or self.yes:
            return ""
        return gettext(
            "a run would send nothing, since no column fills {fields}: choose one with {example} (one column may fill "
            "two fields), or add --yes to send without",
            fields=gettext(" and ").join(missing),
            example=self._example_columns(),
        )

    def _missing_columns(self) -> list[str]:
        columns = self.source.columns
        return [f"{name} ({wire})" for name, wire in IMPORTANT_FIELDS.items() if name not in columns]

    def _example_columns(self) -> str:
        """Return the options that fill the missing fields; the account, which may be a mobile number, from that."""
        columns = self.source.columns
        candidates = {"account_name": columns.get("mobile")}
        return " ".join(
            column_option(name, candidates.get(name) or gettext("HEADING"))
            for name in IMPORTANT_FIELDS
            if name not in columns
        )

    def _remove_leftovers(self, written: Iterable[str]) -> None:
        """Remove what killed runs had begun to write, also beside outputs that this run does not write."""
        folder = self.files.ledger.resolve().parent
        for path in {self.files.out, self.files.report, *(folder / name for name in written)}:
            remove_leftovers(path)

    async def _remember_path(self, ledger: SqliteLedger) -> None:
        """Tell if the ledger was elsewhere in its last run: two copies request twice what both of them have pending."""
        path = await asyncio.to_thread(os.path.realpath, self.files.ledger)
        known = await ledger.record_fact("path", path)
        if known != path:
            await ledger.replace_fact("path", path)
            notice = gettext(
                "the ledger was copied or moved from {path}: never run two copies, which request companies twice",
                path=printable(known),
            )
            print_line(self.console, notice, style="yellow")

    async def _claim_outputs(self, ledger: SqliteLedger) -> None:
        """Record the files that are written for the ledger; raise `UsageError` if one of them is a foreign file."""
        recorded = await ledger.fact("outputs")
        # A ledger of an earlier version has runs, and has recorded none of its files.
        unrecorded = recorded is None and await ledger.last_run() is not None
        written = set(json.loads(recorded or "[]"))
        await asyncio.to_thread(self._remove_leftovers, written)
        for option, path, name, exists in await asyncio.to_thread(self.files.outputs):
            if exists and name not in written and not (self.force or unrecorded):
                raise UsageError(
                    gettext(
                        "{path} was not written for {ledger}: choose another file with {option}, or add --force to "
                        "replace it",
                        path=path,
                        ledger=self.files.ledger,
                        option=option,
                    )
                )
            written.add(name)
        await ledger.replace_fact("outputs", json.dumps(sorted(written)))

    async def _write_results(
        self,
        ledger: SqliteLedger,
        run: int,
        callbacks: Callbacks,
        progress: ProgressReporter,
        messages: _RowMessages,
    ) -> OnboardingError | None:
        """Write output and report from the ledger, and return the error that prevented it."""
        counts = {str(status): count for status, count in progress.counts.items()}
        try:
            await self._write_files(ledger, run, callbacks, messages)
            # Last, since it fails if the ledger was deleted meanwhile: the links are in the output then.
            await ledger.end_run(run, {**counts, "invalid_rows": messages.statistics.invalid.ranges()})
        except OnboardingError as error:
            return error
        print_line(self.console, gettext("links: {out}", out=self.files.out))
        print_line(self.console, gettext("report: {path}", path=self.files.report))
        return None

    async def _write_files(self, ledger: SqliteLedger, run: int, callbacks: Callbacks, messages: _RowMessages) -> None:
        statistics = messages.statistics
        loop = asyncio.get_running_loop()
        planner = Planner(
            ledger, run=run, strict=self.strict, callbacks=callbacks.current, earlier_callbacks=callbacks.earlier
        )

        def results(rows: Sequence[Row]) -> list[Result]:
            decisions = asyncio.run_coroutine_threadsafe(planner.inspect(rows), loop).result()
            return [_to_result(outcome_from_decision(decision)) for decision in decisions]

        await asyncio.to_thread(write_output, self.source, self.files.out, results, language=current_language())
        async for entry in ledger.entries():
            statistics.add(entry)
            messages.unreported += callbacks.current is not None and _is_unreported(entry)
        page = report(statistics, made_at=time.time(), language=current_language())
        await asyncio.to_thread(_write_text, self.files.report, page)

    def _print_summary(self, progress: ProgressReporter, messages: _RowMessages, error: OnboardingError | None) -> None:
        messages.print(self.console)
        summary = gettext(
            "{count} companies: {counts}; {sent} sent in {seconds:.1f} s",
            count=progress.counts.total(),
            counts=format_counts(progress.counts) or gettext("none"),
            sent=progress.sent,
            seconds=progress.seconds,
        )
        print_line(self.console, summary, style="bold")
        if messages.unreported:
            print_line(self.console, self._describe_unreported(messages.unreported), style="yellow")
        if self.as_json:
            self._print_json(progress, error)
        if error is not None:
            print_line(self.console, f"kfq: {translate(error)}", style="red")
        open_rows = progress.counts[OutcomeStatus.UNKNOWN] or progress.counts[OutcomeStatus.PENDING]
        if (error is not None or open_rows) and not isinstance(error, LedgerError):
            print_line(self.console, gettext("Run the same command again to resume."))

    def _describe_unreported(self, count: int) -> str:
        return ngettext(
            "1 company got its link without the callback URLs, so no notification about it will come; for a new order "
            "with them, run kfq onboard reissue {ledger} --key KEY, then run the same command again",
            "{count} companies got their links without the callback URLs, so no notifications about them will come; "
            "for new orders with them, run kfq onboard reissue {ledger} --key KEY, then run the same command again",
            count,
            ledger=self.files.ledger,
        )

    def _print_json(self, progress: ProgressReporter, error: OnboardingError | None) -> None:
        values = {
            "companies": progress.counts.total(),
            **{str(status): progress.counts[status] for status in OutcomeStatus},
            "sent": progress.sent,
            "seconds": round(progress.seconds, 1),
            "out": str(self.files.out),
            "report": str(self.files.report),
            "ledger": str(self.files.ledger),
            "error": None if error is None else str(error),
        }
        print_json(values)


def _is_unreported(entry: Entry) -> bool:
    """Return whether a company has a link that was requested without callback URLs; see `Entry.body_hash`."""
    return entry.state is State.LINKED and entry.status is None and len(entry.body_hash) == HASH_BYTES


async def _consume(run: Onboarding, progress: ProgressReporter, messages: _RowMessages) -> OnboardingError | None:
    """Record the outcomes of a run until it ends, and return the error that ended it."""
    try:
        with progress, fewer_collections():
            async with run:
                async for outcome in run:
                    progress.record(outcome)
                    messages.record(outcome)
    except OnboardingError as error:
        return error
    return None


class _RowMessages:
    """Messages about rows for the screen and for the statistics, in bounded memory."""

    def __init__(self, *, list_warnings: bool = False) -> None:
        self.statistics = Statistics()
        self.unreported = 0
        self._list_warnings = list_warnings
        self._lines: list[str] = []
        self._listed = 0
        self._warned = RowNumbers()

    def record(self, outcome: Outcome) -> None:
        """Keep the message of a row."""
        if outcome.status is OutcomeStatus.INVALID:
            self.statistics.add_invalid(outcome.row_number, outcome.problems)
        has_warning = bool(outcome.problems)
        without_link = outcome.status not in {OutcomeStatus.LINKED, OutcomeStatus.PENDING, OutcomeStatus.DUPLICATE}
        if without_link or (has_warning and self._list_warnings):
            self._listed += 1
            if len(self._lines) < MAX_LISTED_ROWS:
                self._lines.append(
                    gettext(
                        "row {row}: {state}: {reason}",
                        row=outcome.row_number,
                        state=state_text(outcome.status),
                        reason=reason_text(outcome),
                    )
                )
        elif has_warning:
            self._warned.add(outcome.row_number)
            self.statistics.add_warnings(outcome.row_number, outcome.problems)

    def print(self, console: Console) -> None:
        """Print the first messages, and the number of the others."""
        for line in self._lines:
            print_line(console, line, style="yellow")
        if (hidden := self._listed - MAX_LISTED_ROWS) > 0:
            if self._list_warnings:
                text = gettext("and {count} more rows with problems", count=hidden)
            else:
                text = gettext("and {count} more rows without a link; the output lists their reasons", count=hidden)
            print_line(console, text, style="yellow")
        if self._warned.count:
            text = ngettext(
                "1 row has warnings ({rows}); the output lists them, and --strict refuses such rows",
                "{count} rows have warnings ({rows}); the output lists them, and --strict refuses such rows",
                self._warned.count,
                rows=format_ranges(self._warned.ranges()),
            )
            print_line(console, text)


def dry_run(run: OnboardRun) -> int:
    """Check every row and compare it with the ledger; nothing is sent, or written anywhere."""
    messages = _RowMessages(list_warnings=True)
    run.preflight(dry_run=True)
    counts = asyncio.run(_count_decisions(run, messages))
    messages.print(run.console)
    text = join_counts((_decision_text(status), count) for status, count in sorted(counts.items()))
    summary = gettext(
        "{count} companies: {counts}; nothing was sent", count=counts.total(), counts=text or gettext("none")
    )
    print_line(run.console, summary, style="bold")
    if run.as_json:
        print_json({"companies": counts.total(), **counts})
    if advice := run.missing_columns_advice():
        print_line(run.console, advice, style="red")
        return 2
    return 1 if counts[OutcomeStatus.INVALID] else 0


def _decision_text(status: str) -> str:
    return gettext("to send") if status == TO_SEND else state_text(status)


async def _count_decisions(run: OnboardRun, messages: _RowMessages) -> Counter[str]:
    counts: Counter[str] = Counter()
    path = run.files.ledger
    async with DryRunLedger.open(path, exists=await asyncio.to_thread(path.exists)) as ledger:
        tenant, callbacks = await run.binding.apply(ledger)
        print_line(run.console, gettext("tenant: {tenant}", tenant=tenant))
        planner = Planner(
            ledger,
            run=await ledger.next_run(),
            retry_refused=run.retry_refused,
            strict=run.strict,
            callbacks=callbacks.current,
            earlier_callbacks=callbacks.earlier,
        )
        rows = iter(run.source)
        while batch := await asyncio.to_thread(lambda: list(islice(rows, BATCH))):
            for decision in await planner.decide(batch):
                outcome = outcome_from_decision(decision)
                counts[TO_SEND if isinstance(decision, PendingRequest) else outcome.status] += 1
                messages.record(outcome)
    return counts


def _write_text(path: Path, text: str) -> None:
    with atomic_write(path) as file:
        file.write_text(text, encoding="utf-8")


def _to_result(outcome: Outcome) -> Result:
    state = str(outcome.status)
    if outcome.entry is not None and outcome.status is OutcomeStatus.DUPLICATE:
        state = str(outcome.entry.state)
    return Result(
        state=state,
        order_no=outcome.order_no and printable(outcome.order_no),
        auth_url=outcome.auth_url,
        reason=printable(reason_text(outcome)),
        client_request_id=outcome.entry.client_request_id if outcome.entry else None,
        identity_status=outcome.entry.status if outcome.entry else None,
    )
