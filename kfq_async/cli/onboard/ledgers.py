"""Queries and changes of a ledger between runs."""

from __future__ import annotations

import time
from collections import Counter
from datetime import datetime
from typing import Any

from attrs import frozen

from kfq_async.cli.options import UsageError
from kfq_async.models.fields import new_id
from kfq_async.models.notifications import IdentityStatus
from kfq_async.onboarding import Entry, SqliteLedger, State
from kfq_async.onboarding.decisions import next_generation
from kfq_async.onboarding.keys import canonical_account, canonical_code, combine_key, former_keys
from kfq_async.onboarding.ledgers.base import Hashes
from kfq_async.onboarding.output.texts import identity_status_text

__all__ = ["LedgerStatus", "Selection", "list_links", "read_status", "reissue_selected"]

FINAL_STATUSES = frozenset(status for status in IdentityStatus if status.final)
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


async def read_status(ledger: SqliteLedger) -> LedgerStatus:
    """Count the companies by state, and the linked ones by identification status."""
    states: Counter[str] = Counter()
    statuses: Counter[str] = Counter()
    async for entry in ledger.entries():
        states[entry.state] += 1
        if entry.state is State.LINKED:
            statuses[identity_status_text(entry.status)] += 1
    run = await ledger.last_run()
    last = None if run is None else {"began": _format(run.began_at), "ended": _format(run.ended_at), **run.counts}
    lines = [
        f"{states.total()} companies: {_format_counts(states)}",
        f"linked companies: {_format_counts(statuses)}",
        *([] if last is None else _last_run_lines(last)),
    ]
    return LedgerStatus({"companies": dict(states), "linked": dict(statuses), "last_run": last}, lines)


def _last_run_lines(last: dict[str, Any]) -> list[str]:
    lines = [f"last run: {last['began']} to {last['ended'] or 'now (in progress, or killed)'}"]
    if ranges := last.get("invalid_rows"):
        listed = ", ".join(
            str(first) if first == end else f"{first}-{end}" for first, end in ranges[:MAX_LISTED_RANGES]
        )
        lines.append(f"invalid rows, never sent: {listed}{' …' if len(ranges) > MAX_LISTED_RANGES else ''}")
    return lines


async def list_links(ledger: SqliteLedger, *, unfinished: bool) -> list[dict[str, object]]:
    """Return the links by row; with ``unfinished``, only those of companies without a final status."""
    return [
        {
            "row": entry.row_number,
            "key": entry.label,
            "orderNo": entry.order_no,
            "status": None if entry.status is None else identity_status_text(entry.status),
            "authUrl": entry.auth_url,
        }
        async for entry in ledger.entries([State.LINKED])
        if not (unfinished and entry.status in FINAL_STATUSES)
    ]


async def reissue_selected(ledger: SqliteLedger, selection: Selection) -> list[int]:
    """Open the next generation of the selected companies, and return their row numbers."""
    statuses = {IdentityStatus.EXPIRED} if selection.expired else set()
    statuses |= {IdentityStatus.WITHDRAWN} if selection.withdrawn else set()
    selected = {entry.key_hash: entry async for entry in ledger.entries([State.LINKED]) if entry.status in statuses}
    for key in selection.keys:
        entry = await _find_by_key(ledger, key)
        if entry.state is State.UNKNOWN and not selection.even_unknown:
            raise UsageError(
                f"row {entry.row_number}: the result of its request is unknown, and a new one could lead to a second "
                "order; run kfq onboard again first, or add --even-unknown"
            )
        selected[entry.key_hash] = entry
    opened = [next_generation(entry, new_id=new_id(), now=time.time()) for entry in selected.values()]
    await ledger.put(opened)
    return sorted(entry.row_number for entry in opened)


async def _find_by_key(ledger: SqliteLedger, text: str) -> Entry:
    """Find a company by its label, or by its whole key."""
    labels = {text, canonical_code(text)}
    labelled = [entry async for entry in ledger.entries() if entry.label in labels]
    if len(labelled) > 1:
        rows = ", ".join(str(entry.row_number) for entry in labelled)
        raise UsageError(f"--key {text} matches the rows {rows}; add the account: --key CREDIT_CODE,ACCOUNT")
    if labelled:
        return labelled[0]
    hashes = Hashes(ledger.secret)
    code, _, account = text.partition(",")
    default = (combine_key(code, account), *former_keys((code, account)))
    keys = [hashes.key(key) for key in (text, canonical_code(text), canonical_account(text), *default)]
    for entry in (await ledger.find(keys)).values():
        return entry
    raise UsageError(f"--key {text} is not in the ledger; list its keys with kfq onboard links LEDGER")


def _format_counts(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.most_common()) or "none"


def _format(at: float | None) -> str | None:
    return None if at is None else datetime.fromtimestamp(at).astimezone().isoformat(sep=" ", timespec="seconds")
