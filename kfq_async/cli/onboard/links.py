"""Lists of the links of a ledger, with names of the companies if a source is given."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from itertools import islice
from pathlib import Path

from attrs import frozen

from kfq_async.cli.onboard.ledgers import shown_key
from kfq_async.cli.options import UsageError
from kfq_async.languages import current_language, gettext, use_language
from kfq_async.models.identity import CorpIdentInfo, CorpIdentLinkRequest, OprIdentInfo
from kfq_async.models.notifications import IdentityStatus
from kfq_async.onboarding import Entry, FileSource, Row, SqliteLedger, State
from kfq_async.onboarding.output.files import atomic_write
from kfq_async.onboarding.output.tables import Cell, Column, writer_for
from kfq_async.onboarding.output.texts import identity_status_text
from kfq_async.onboarding.planner import Planner
from kfq_async.onboarding.runner import BATCH

__all__ = ["Link", "LinkList", "list_links", "write_links"]

FINAL_STATUSES = frozenset(status for status in IdentityStatus if status.final)


@frozen(kw_only=True)
class Link:
    """A linked company."""

    entry: Entry
    row: Row | None
    """Its row in the source; ``None`` without a source."""
    key: str | None
    """The part of its key that may be shown."""

    def values(self) -> dict[str, Cell | None]:
        """Return the link's values by their name in JSON."""
        return {
            "row": (self.row or self.entry).row_number,
            **({} if self.row is None else _names(self.row)),
            "key": self.key,
            "orderNo": self.entry.order_no,
            "status": None if self.entry.status is None else identity_status_text(self.entry.status),
            "authUrl": self.entry.auth_url,
        }


@frozen(kw_only=True)
class LinkList:
    """Links of a ledger, in the order of their rows."""

    links: Sequence[Link]
    not_in_source: int
    """Linked companies that the source lacks."""


async def list_links(ledger: SqliteLedger, source: FileSource | None, *, unfinished: bool, show_key: bool) -> LinkList:
    """Return the links; with ``unfinished``, only those of companies without a final status.

    Raises `UsageError` if the source has none of the linked companies.
    """
    entries = [
        entry async for entry in ledger.entries([State.LINKED]) if not (unfinished and entry.status in FINAL_STATUSES)
    ]
    if source is None:
        found = [Link(entry=entry, row=None, key=shown_key(entry.label, show_key=show_key)) for entry in entries]
        return LinkList(links=found, not_in_source=0)
    wanted = {entry.key_hash: entry for entry in entries}
    links = []
    async for row, known in _known_rows(ledger, source):
        if entry := wanted.pop(known.key_hash, None):
            links.append(Link(entry=entry, row=row, key=shown_key(row.label, show_key=show_key)))
    if entries and not links:
        raise UsageError(
            gettext(
                "no linked company of {ledger} is in {source}: give the file from which the ledger was made, and read "
                "it as the run did (--column, --sheet, --header-row, --encoding)",
                ledger=ledger.path,
                source=source.path,
            )
        )
    return LinkList(links=links, not_in_source=len(wanted))


async def _known_rows(ledger: SqliteLedger, source: FileSource) -> AsyncIterator[tuple[Row, Entry]]:
    """Iterate over the rows that the ledger knows, with their entries."""
    planner = Planner(ledger, run=0)
    rows = iter(source)
    while batch := await asyncio.to_thread(lambda: list(islice(rows, BATCH))):
        for row, entry in zip(batch, await planner.find(batch), strict=True):
            if entry is not None:
                yield row, entry


def _names(row: Row) -> dict[str, str | None]:
    """Return names and contact of a company, as in its row."""
    request = row.request or CorpIdentLinkRequest()
    company, operator = request.corp_ident_info or CorpIdentInfo(), request.opr_ident_info or OprIdentInfo()
    return {
        "company": company.company_name,
        "operator": operator.name,
        "contact": request.account_name or operator.mobile,
    }


async def write_links(ledger: SqliteLedger, links: Sequence[Link], out: Path, *, source: Path, force: bool) -> None:
    """Write the links of a source's companies to a file.

    Raises `UsageError` for a file that was not written for this ledger, unless ``force`` is given.
    """
    writer_for(out)
    exists, path = await asyncio.to_thread(_find_output, out, ledger.path)
    if exists and await asyncio.to_thread(lambda: out.samefile(source) or out.samefile(ledger.path)):
        raise UsageError(gettext("{out} is the input or the ledger; choose another name with --out", out=out))
    name = f"list {path}"
    if exists and not force and await ledger.fact(name) is None:
        raise UsageError(
            gettext(
                "{out} is no list of {ledger}: choose another file with --out, or add --force to replace it",
                out=out,
                ledger=ledger.path,
            )
        )
    await asyncio.to_thread(_write, links, out)
    await ledger.record_fact(name, "written")


def _find_output(out: Path, ledger: Path) -> tuple[bool, str]:
    """Return whether a file exists, and its path from the ledger."""
    return out.exists(), os.path.relpath(out.resolve(), ledger.resolve().parent)


def _write(links: Sequence[Link], out: Path) -> None:
    with use_language("en" if out.suffix.lower() == ".jsonl" else current_language()):
        columns = [
            Column(gettext("row"), "row", "number"),
            Column(gettext("company"), "company"),
            Column(gettext("operator"), "operator"),
            Column(gettext("contact"), "contact"),
            Column(gettext("key"), "key"),
            Column(gettext("order_no"), "orderNo"),
            Column(gettext("identity_status"), "status"),
            Column(gettext("auth_url"), "authUrl", "link"),
        ]
        with atomic_write(out) as file, writer_for(out)(file, columns, gettext("To remind")) as table:
            for link in links:
                values = {**link.values(), "status": identity_status_text(link.entry.status)}
                table.write_row(["" if value is None else value for value in values.values()])
