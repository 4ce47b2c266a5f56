"""Queries and changes of a ledger between runs."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

from attrs import frozen

from kfq_async.cli.options import UsageError
from kfq_async.cli.progress import join_counts
from kfq_async.languages import gettext, ngettext
from kfq_async.models.fields import new_id
from kfq_async.models.notifications import IdentityStatus
from kfq_async.onboarding import Entry, SqliteLedger, State
from kfq_async.onboarding.decisions import next_generation
from kfq_async.onboarding.keys import canonical_account, canonical_code, combine_key, displayable, former_keys
from kfq_async.onboarding.ledgers.base import Hashes
from kfq_async.onboarding.ledgers.sqlite import Run
from kfq_async.onboarding.output.texts import identity_status_text, state_text

__all__ = [
    "LedgerStatus",
    "Selection",
    "finished_values",
    "format_ranges",
    "read_status",
    "reissue_selected",
    "shown_key",
]

MAX_LISTED_RANGES = 20


@frozen
class LedgerStatus:
    """Status of the companies of a ledger: as JSON values, and as lines of text."""

    values: dict[str, Any]
    lines: list[str]


@frozen(kw_only=True)
class Selection:
    """Companies that get a new order."""

    expired: bool
    withdrawn: bool
    keys: tuple[str, ...]
    even_unknown: bool
    """Whether a company whose last result is unknown may be among ``keys``."""
    show_key: bool
    """Whether messages name keys that are no credit code."""

    def option(self, key: str) -> str:
        """Return the option of a key for messages."""
        return f"--key {key}" if self.show_key or displayable(canonical_code(key)) else "--key"


async def read_status(ledger: SqliteLedger) -> LedgerStatus:
    """Count the companies by state, and the linked ones by identification status."""
    states: Counter[str] = Counter()
    statuses: Counter[str] = Counter()
    async for entry in ledger.entries():
        states[entry.state] += 1
        if entry.state is State.LINKED:
            statuses[identity_status_text(entry.status)] += 1
    run = await ledger.last_run()
    names = Counter({state_text(state): count for state, count in states.items()})
    lines = [
        gettext("{count} companies: {counts}", count=states.total(), counts=_format_counts(names)),
        gettext("linked companies: {counts}", counts=_format_counts(statuses)),
        *([] if run is None else _last_run_lines(run, runner_ended=await ledger.runner_ended())),
    ]
    if states[State.UNKNOWN]:
        advice = gettext(
            "{state}: run kfq onboard again, which retries them with the same ids", state=state_text(State.UNKNOWN)
        )
        lines.append(advice)
    return LedgerStatus(
        {
            "companies": dict(states),
            "linked": dict(statuses),
            "last_run": None if run is None else _last_run_values(run),
        },
        lines,
    )


def _last_run_lines(last: Run, *, runner_ended: bool | None) -> list[str]:
    began, ended = _local(last.began_at), _without_end(runner_ended=runner_ended)
    if last.ended_at is not None:
        ended = _format_time(_local(last.ended_at))
    lines = [gettext("last run: {began} to {ended}", began=_format_time(began), ended=ended)]
    if ranges := last.counts.get("invalid_rows"):
        text = ngettext(
            "invalid, never sent: row {rows}",
            "invalid, never sent: rows {rows}",
            sum(end - first + 1 for first, end in ranges),
            rows=format_ranges(ranges),
        )
        lines.append(text)
    return lines


def format_ranges(ranges: Sequence[tuple[int, int]]) -> str:
    """Return the first ranges of row numbers as text."""
    listed = ", ".join(str(first) if first == end else f"{first}-{end}" for first, end in ranges[:MAX_LISTED_RANGES])
    return f"{listed} \N{HORIZONTAL ELLIPSIS}" if len(ranges) > MAX_LISTED_RANGES else listed


def _without_end(*, runner_ended: bool | None) -> str:
    """Return what is known of the end of a run that has not recorded it."""
    if runner_ended is None:
        return gettext("now (in progress, or killed)")
    if runner_ended:
        return gettext("an unknown time (killed, or stopped by an error): run kfq onboard again to resume")
    return gettext("now (in progress)")


def shown_key(label: str | None, *, show_key: bool) -> str | None:
    """Return what may be shown of a label; ledgers of earlier versions have others than credit codes."""
    return label if show_key or label is None else displayable(label)


def finished_values(entry: Entry, *, show_key: bool) -> dict[str, object]:
    """Return the values of a finished company by their name in JSON."""
    refused = entry.state is State.REFUSED
    return {
        "row": entry.row_number,
        "key": shown_key(entry.label, show_key=show_key),
        "orderNo": entry.order_no,
        "status": state_text(entry.state) if refused else identity_status_text(entry.status),
    }


async def reissue_selected(ledger: SqliteLedger, selection: Selection) -> list[int]:
    """Open the next generation of the selected companies, and return their row numbers."""
    statuses = {IdentityStatus.EXPIRED} if selection.expired else set()
    statuses |= {IdentityStatus.WITHDRAWN} if selection.withdrawn else set()
    selected = {entry.key_hash: entry async for entry in ledger.entries([State.LINKED]) if entry.status in statuses}
    for key in selection.keys:
        entry = await _find_by_key(ledger, key, selection.option(key))
        if entry.state is State.UNKNOWN and not selection.even_unknown:
            raise UsageError(
                gettext(
                    "row {row}: the result of its request is unknown, and a new one could lead to a second order; run "
                    "kfq onboard again first, or add --even-unknown",
                    row=entry.row_number,
                )
            )
        selected[entry.key_hash] = entry
    opened = [next_generation(entry, new_id=new_id(), now=time.time()) for entry in selected.values()]
    await ledger.put(opened)
    return sorted(entry.row_number for entry in opened)


async def _find_by_key(ledger: SqliteLedger, text: str, option: str) -> Entry:
    """Find a company by its label, or by its whole key."""
    labels = {text, canonical_code(text)}
    labelled = [entry async for entry in ledger.entries() if entry.label in labels]
    if len(labelled) > 1:
        rows = ", ".join(str(entry.row_number) for entry in labelled)
        raise UsageError(
            gettext(
                "{option} matches the rows {rows}; add the account: --key CREDIT_CODE,ACCOUNT", option=option, rows=rows
            )
        )
    if labelled:
        return labelled[0]
    hashes = Hashes(ledger.secret)
    code, _, account = text.partition(",")
    default = (combine_key(code, account), *former_keys((code, account)))
    keys = [hashes.key(key) for key in (text, canonical_code(text), canonical_account(text), *default)]
    for entry in (await ledger.find(keys)).values():
        return entry
    raise UsageError(
        gettext(
            "{option} is not in the ledger; give CREDIT_CODE,ACCOUNT, or the cell of the key column, as in the input",
            option=option,
        )
    )


def _format_counts(counts: Counter[str]) -> str:
    return join_counts(counts.most_common()) or gettext("none")


def _last_run_values(last: Run) -> dict[str, Any]:
    ended = None if last.ended_at is None else _local(last.ended_at).isoformat(timespec="seconds")
    return {"began": _local(last.began_at).isoformat(timespec="seconds"), "ended": ended, **last.counts}


def _local(at: float) -> datetime:
    """Return a time in the zone of this machine."""
    return datetime.fromtimestamp(at).astimezone()


def _format_time(at: datetime) -> str:
    """Return a time with its zone, such as ``2026-01-31 09:30:00 UTC+08:00``; names of zones are ambiguous."""
    return f"{at:%Y-%m-%d %H:%M:%S} {timezone(at.utcoffset() or timedelta())}"
