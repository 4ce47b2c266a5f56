"""One run of ``kfq onboard``: the file through the ledger to the platform, and back into a file of links."""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Any, Self

from attrs import field, frozen
from rich.console import Console

from kfq_async.callbacks.urls import CallbackUrls
from kfq_async.cli.onboard.progress import ProgressReporter, counted
from kfq_async.cli.options import plain
from kfq_async.errors import LedgerError, OnboardingError, SourceError
from kfq_async.onboarding import (
    FileSource,
    Onboarding,
    Outcome,
    OutcomeStatus,
    Result,
    Row,
    SqliteLedger,
    Statistics,
    report,
    write_output,
)
from kfq_async.onboarding.decisions import PendingRequest, outcome_from_decision
from kfq_async.onboarding.output.files import atomic_write, check_output
from kfq_async.onboarding.planner import Planner
from kfq_async.onboarding.runner import BATCH
from kfq_async.session import AsyncSession

__all__ = ["INTERRUPTED", "PAUSED", "Files", "OnboardRun", "dry_run"]

PAUSED = 3
"""Exit status of a run that paused."""
INTERRUPTED = 130
SIGNALS = (signal.SIGINT, signal.SIGTERM)
BESIDE = ("-wal", "-shm", ".key", ".lock")
"""Ends of the names of what stands beside a ledger."""
DEFAULT_KEY = "credit code and account"
NAMED = 20
"""Rows with a problem that are named on the screen; the output names them all."""


@frozen
class Files:
    """Where everything is."""

    source: Path
    out: Path
    ledger: Path
    report: Path

    def check(self) -> None:
        """Raise `SourceError` if two of them are one, or one cannot be where it is to be."""
        beside = {f"the ledger's {end}": self.ledger.with_name(f"{self.ledger.name}{end}") for end in BESIDE}
        named = {"the input": self.source, "--ledger": self.ledger, **beside}
        named |= {"--out": self.out, "--report": self.report}
        seen: dict[Path, str] = {}
        for name, path in named.items():
            if (other := seen.setdefault(path.resolve(), name)) != name:
                raise SourceError(f"{name} and {other} are one file, {path}: choose another name")
        for name, path in named.items():
            if path.is_dir() or not os.access(path.parent, os.W_OK):
                raise SourceError(f"{name}: {path} cannot be written; choose a file in a folder of yours that is there")


@frozen(kw_only=True)
class OnboardRun:
    """A run and its settings."""

    files: Files
    platform: str
    """Its base URL."""
    key: str | None
    source: FileSource
    session: Callable[[], AsyncSession] = field(repr=False)
    concurrency: int
    rate_limit: float | None
    retry_refused: bool
    strict: bool
    callbacks: CallbackUrls | None = field(repr=False)
    console: Console = field(repr=False)

    async def run(self) -> int:
        """Run to the end, a pause or an interruption; the files are written in any case. Return the exit status."""
        total = await asyncio.to_thread(self.preflight)
        progress, notes = ProgressReporter(self.console, total), _Notes()
        async with (
            _Interrupts(progress) as interrupts,
            SqliteLedger(self.files.ledger) as ledger,
            self.session() as session,
        ):
            await self.claim(ledger)
            run = Onboarding(
                session,
                ledger,
                self.source,
                concurrency=self.concurrency,
                rate_limit=self.rate_limit,
                retry_refused=self.retry_refused,
                strict=self.strict,
                callbacks=self.callbacks,
            )
            interrupts.attach(run.stop)
            problem = await _followed(run, progress, notes)
            if unread := total - progress.counts.total():
                progress.counts[OutcomeStatus.PENDING] += unread
            if not isinstance(problem, LedgerError):
                problem = await self._written(ledger, run.run, progress, notes) or problem
            self._print_summary(progress, notes, problem)
        if problem is not None:
            return PAUSED
        if interrupts.seen:
            return INTERRUPTED
        return 0 if set(progress.counts) <= {OutcomeStatus.LINKED, OutcomeStatus.DUPLICATE} else 1

    async def claim(self, ledger: SqliteLedger) -> None:
        """Raise `LedgerError` if the ledger is of another platform or by another key: all would be asked again."""
        facts = {
            "platform": (self.platform, "name another --ledger for another platform"),
            "key": (self.key or DEFAULT_KEY, "give the same --key again, or name another --ledger"),
        }
        for name, (own, advice) in facts.items():
            if (kept := await ledger.record_fact(name, own)) != own:
                raise LedgerError(f"{self.files.ledger} has the {name} {kept}, not {own}: {advice}")

    def preflight(self) -> int:
        """Count the rows, and find out before anything is sent what would keep us from reading or writing."""
        self.files.check()
        check_output(self.source, self.files.out)
        return self.source.count()

    async def _written(
        self, ledger: SqliteLedger, run: int, progress: ProgressReporter, notes: _Notes
    ) -> OnboardingError | None:
        """Write output and report from what the ledger holds, and return what kept us from it."""
        counts = {str(ending): count for ending, count in progress.counts.items()}
        try:
            await ledger.end_run(run, {**counts, "invalid_rows": notes.statistics.invalid.ranges()})
            await self._write(ledger, run, notes)
        except OnboardingError as problem:
            return problem
        for what, path in (("links", self.files.out), ("report", self.files.report)):
            self.console.print(f"{what} in {path}", markup=False, highlight=False, soft_wrap=True)
        return None

    async def _write(self, ledger: SqliteLedger, run: int, notes: _Notes) -> None:
        loop = asyncio.get_running_loop()
        planner = Planner(ledger, run=run, strict=self.strict, callbacks=self.callbacks)

        def results(rows: Sequence[Row]) -> list[Result]:
            decisions = asyncio.run_coroutine_threadsafe(planner.inspect(rows), loop).result()
            return [_result(outcome_from_decision(decision)) for decision in decisions]

        await asyncio.to_thread(write_output, self.source, self.files.out, results)
        async for entry in ledger.entries():
            notes.statistics.add(entry)
        page = report(notes.statistics, made_at=time.time())
        await asyncio.to_thread(_write_text, self.files.report, page)

    def _print_summary(self, progress: ProgressReporter, notes: _Notes, problem: OnboardingError | None) -> None:
        show = self.console.print
        notes.show(self.console)
        show(
            f"{progress.counts.total()} companies: {counted(progress.counts) or 'none'}; "
            f"{progress.asked} asked in {progress.seconds:.1f} s",
            style="bold",
            highlight=False,
            soft_wrap=True,
        )
        if problem is not None:
            show(plain(f"kfq: {problem}"), style="red", markup=False, highlight=False, soft_wrap=True)
        open_still = progress.counts[OutcomeStatus.UNKNOWN] or progress.counts[OutcomeStatus.PENDING]
        if (problem is not None or open_still) and not isinstance(problem, LedgerError):
            show("The same command again continues where this one ended.", highlight=False)


async def _followed(run: Onboarding, progress: ProgressReporter, notes: _Notes) -> OnboardingError | None:
    """Show a run until it ends, and return what ended it."""
    try:
        with progress:
            async with run:
                async for outcome in run:
                    progress.note(outcome)
                    notes.note(outcome)
    except OnboardingError as problem:
        return problem
    return None


class _Notes:
    """What is worth naming, in bounded memory."""

    def __init__(self, *, warnings: bool = False) -> None:
        self.statistics = Statistics()
        self._warnings = warnings
        self._lines: list[str] = []
        self._named = 0
        self._warned = 0

    def note(self, outcome: Outcome) -> None:
        """Keep what is to be said about a row."""
        if outcome.status is OutcomeStatus.INVALID:
            self.statistics.add_invalid(outcome.row_number, outcome.problems)
        odd = bool(outcome.problems)
        if outcome.status not in {OutcomeStatus.LINKED, OutcomeStatus.PENDING, OutcomeStatus.DUPLICATE} or (
            odd and self._warnings
        ):
            self._named += 1
            if len(self._lines) < NAMED:
                self._lines.append(plain(f"row {outcome.row_number}: {outcome.status}: {outcome.reason}"))
        elif odd:
            self._warned += 1

    def show(self, console: Console) -> None:
        """Print the first of them, and how many more there are."""
        for line in self._lines:
            console.print(line, style="yellow", markup=False, highlight=False, soft_wrap=True)
        if (hidden := self._named - NAMED) > 0:
            told = "like them" if self._warnings else "without a link; the output says why"
            console.print(f"and {hidden} more rows {told}", style="yellow")
        if self._warned:
            console.print(f"{self._warned} other rows look odd; the output says what, and --strict refuses them")


def dry_run(job: OnboardRun) -> int:
    """Read and check every row and compare it with the ledger, in a copy of it; nothing is sent or written."""
    notes = _Notes(warnings=True)
    job.preflight()
    with tempfile.TemporaryDirectory() as folder:
        counts = asyncio.run(_rehearsed(job, Path(folder) / "ledger", notes))
    notes.show(job.console)
    told = ", ".join(f"{number} {what}" for what, number in sorted(counts.items()))
    job.console.print(f"{counts.total()} companies: {told or 'none'}; nothing was sent", style="bold", soft_wrap=True)
    return 1 if counts[OutcomeStatus.INVALID] else 0


async def _rehearsed(job: OnboardRun, copy: Path, notes: _Notes) -> Counter[str]:
    counts: Counter[str] = Counter()
    async with _copy_of(job.files.ledger, copy) as ledger:
        await job.claim(ledger)
        planner = Planner(
            ledger,
            run=await ledger.begin_run(),
            retry_refused=job.retry_refused,
            strict=job.strict,
            callbacks=job.callbacks,
        )
        rows = iter(job.source)
        while part := await asyncio.to_thread(lambda: list(islice(rows, BATCH))):
            for decision in await planner.decide(part):
                outcome = outcome_from_decision(decision)
                counts["to ask" if isinstance(decision, PendingRequest) else outcome.status] += 1
                notes.note(outcome)
    return counts


@asynccontextmanager
async def _copy_of(path: Path, copy: Path) -> AsyncIterator[SqliteLedger]:
    secret = None
    if await asyncio.to_thread(path.exists):
        async with SqliteLedger(path, exclusive=False) as ledger:
            secret = ledger.secret
            await ledger.copy(copy)
    async with SqliteLedger(copy, secret=secret) as ledger:
        yield ledger


class _Interrupts:
    """Lets the first Ctrl-C finish what is under way, and the second one end at once."""

    def __init__(self, progress: ProgressReporter) -> None:
        self.seen = False
        self._watcher = progress
        self._stop: Callable[[], None] = lambda: None

    def attach(self, stop: Callable[[], None]) -> None:
        """Take what finishes a run, now that there is one."""
        self._stop = stop
        if self.seen:
            stop()

    async def __aenter__(self) -> Self:
        self._task = asyncio.current_task()
        for number in SIGNALS:
            with suppress(NotImplementedError):  # on Windows, Ctrl-C ends at once
                asyncio.get_running_loop().add_signal_handler(number, self._interrupted)
        return self

    async def __aexit__(self, *_: object) -> None:
        for number in SIGNALS:
            with suppress(NotImplementedError):
                asyncio.get_running_loop().remove_signal_handler(number)

    def _interrupted(self) -> None:
        if self.seen and self._task is not None:
            self._task.cancel()
            return
        self.seen = True
        self._stop()
        self._watcher.say("Finishing the requests under way; Ctrl-C again ends at once, and loses nothing either.")


def _write_text(path: Path, text: str) -> None:
    with atomic_write(path) as file:
        file.write_text(text, encoding="utf-8")


def _result(outcome: Outcome) -> Result:
    ending: Any = outcome.status
    if outcome.entry is not None and ending is OutcomeStatus.DUPLICATE:
        ending = outcome.entry.state
    return Result(
        state=str(ending),
        order_no=outcome.order_no and plain(outcome.order_no),
        auth_url=outcome.auth_url,
        reason=plain(outcome.reason),
        client_request_id=outcome.entry.client_request_id if outcome.entry else None,
    )
