"""What is asked of a ledger between two runs."""

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
from kfq_async.onboarding.input.source import key_text
from kfq_async.onboarding.ledgers.base import Hashes

__all__ = ["Reissue", "Status", "links_of", "reissue_in", "status_of"]

FINISHED = frozenset({IdentityStatus.IDENTIFIED, IdentityStatus.WITHDRAWN, IdentityStatus.EXPIRED})
STATUSES = {
    IdentityStatus.IDENTIFIED: "identified",
    IdentityStatus.IN_PROGRESS: "in progress",
    IdentityStatus.WITHDRAWN: "withdrawn",
    IdentityStatus.EXPIRED: "expired",
}


@frozen
class Status:
    """How far the companies are, for programs and for people."""

    values: dict[str, Any]
    lines: list[str]


@frozen(kw_only=True)
class Reissue:
    """Which companies get a next generation."""

    expired: bool
    withdrawn: bool
    keys: tuple[str, ...]
    even_unknown: bool


async def status_of(ledger: SqliteLedger) -> Status:
    """Count the companies by state, and the linked ones by what notifications told."""
    states: Counter[str] = Counter()
    identities: Counter[str] = Counter()
    async for entry in ledger.entries():
        states[entry.state] += 1
        if entry.state is State.LINKED:
            identities[_status(entry) or "no news"] += 1
    run = await ledger.last_run()
    last = None if run is None else {"began": _moment(run.began_at), "ended": _moment(run.ended_at), **run.counts}
    lines = [
        f"{states.total()} companies: {_listed(states)}",
        f"of the linked ones: {_listed(identities)}",
        *([] if last is None else _last_lines(last)),
    ]
    return Status({"companies": dict(states), "linked": dict(identities), "last_run": last}, lines)


def _last_lines(last: dict[str, Any]) -> list[str]:
    lines = [f"last run: {last['began']} to {last['ended'] or 'now, or killed'}"]
    if rows := last.get("invalid_rows"):
        shown = ", ".join(str(first) if first == end else f"{first}-{end}" for first, end in rows[:20])
        lines.append(f"invalid and never sent in it: rows {shown}{' …' if len(rows) > 20 else ''}")
    return lines


async def links_of(ledger: SqliteLedger, *, unfinished: bool) -> list[dict[str, object]]:
    """Return the links, by row."""
    return [
        {
            "row": entry.row_number,
            "key": entry.label,
            "orderNo": entry.order_no,
            "status": _status(entry),
            "authUrl": entry.auth_url,
        }
        async for entry in ledger.entries([State.LINKED])
        if not (unfinished and entry.status in FINISHED)
    ]


async def reissue_in(ledger: SqliteLedger, wanted: Reissue) -> list[int]:
    """Open the next generations, and return the numbers of their rows."""
    statuses = {IdentityStatus.EXPIRED} if wanted.expired else set()
    statuses |= {IdentityStatus.WITHDRAWN} if wanted.withdrawn else set()
    chosen = {entry.key_hash: entry async for entry in ledger.entries([State.LINKED]) if entry.status in statuses}
    for key in wanted.keys:
        entry = await _by_key(ledger, key)
        if entry.state is State.UNKNOWN and not wanted.even_unknown:
            raise UsageError(
                f"row {entry.row_number}: it is unknown how its request ended, so a new one could make a second order; "
                "run kfq onboard again first, or add --even-unknown"
            )
        chosen[entry.key_hash] = entry
    opened = [next_generation(entry, new_id=new_id(), now=time.time()) for entry in chosen.values()]
    await ledger.put(opened)
    return sorted(entry.row_number for entry in opened)


async def _by_key(ledger: SqliteLedger, text: str) -> Entry:
    """Find a company by what is shown of its key, or by the whole of it."""
    shown = [entry async for entry in ledger.entries() if entry.label == text]
    if len(shown) > 1:
        rows = ", ".join(str(entry.row_number) for entry in shown)
        raise UsageError(f"--key {text} is that of the rows {rows}: add the account, as --key CREDIT_CODE,ACCOUNT")
    if shown:
        return shown[0]
    hashes = Hashes(ledger.secret)
    code, _, account = text.partition(",")
    keys = [hashes.key(each) for each in (text, key_text(code, account))]
    for entry in (await ledger.find(keys)).values():
        return entry
    raise UsageError(f"--key {text}: no such company in the ledger")


def _status(entry: Entry) -> str | None:
    if entry.status is None:
        return None
    return STATUSES.get(IdentityStatus(entry.status)) if entry.status in set(IdentityStatus) else str(entry.status)


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{number} {what}" for what, number in counts.most_common()) or "none"


def _moment(at: float | None) -> str | None:
    return None if at is None else datetime.fromtimestamp(at).astimezone().isoformat(sep=" ", timespec="seconds")
