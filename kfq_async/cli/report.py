"""Table and summary line of ``kfq demo``."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import asdict, frozen
from rich.console import Console, Group, RenderableType
from rich.measure import Measurement
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from kfq_async.cli.terminal import print_line
from kfq_async.languages import gettext
from kfq_async.onboarding import Outcome, OutcomeStatus
from kfq_async.onboarding.output.texts import reason_text, state_text
from kfq_async.redaction import printable

__all__ = ["Counts", "DemoCompany", "print_report", "to_json"]

FIRST_COMPANIES = 10
"""Number of companies that a terminal always shows, besides those that needed a retry or have no link."""
MIN_FILE_WIDTH = 160
"""Minimum width of the table if the output is not a terminal."""
MAX_STACKED_WIDTH = 80
"""Maximum width if links stand below their companies."""
UNLIMITED_WIDTH = 1_000_000
Cells = tuple[Text, Text, Text, Text]
"""Company, order, link or reason, attempts."""


@frozen
class DemoCompany:
    """A company of the demo and the outcome of its row."""

    name: str | None
    outcome: Outcome

    @property
    def attempts(self) -> int:
        """Number of requests; 0 if nothing was sent."""
        return self.outcome.entry.attempts if self.outcome.entry else 0

    @property
    def linked(self) -> bool:
        """Whether it has its link."""
        return self.outcome.status is OutcomeStatus.LINKED

    @property
    def cells(self) -> Cells:
        """Cells of its table row."""
        outcome = self.outcome
        link = outcome.auth_url or reason_text(outcome) or state_text(outcome.status)
        return (
            _text(self.name or gettext("(no name)")),
            _text(outcome.order_no or "-"),
            _text(link),
            _text(str(self.attempts)),
        )


def _text(value: str) -> Text:
    return Text(printable(value), overflow="fold")


@frozen
class Counts:
    """Counts of the summary line."""

    companies: int
    links: int
    retries: int
    """Attempts beyond the first of each company."""
    orders: int
    """Orders in the sandbox."""
    duplicates: int
    """Orders beyond the first of each company."""

    @classmethod
    def of(cls, companies: Sequence[DemoCompany], order_ids: Sequence[str | None]) -> Counts:
        """Count; ``order_ids`` is the ``clientRequestId`` of each order in the sandbox.

        One order per id is expected. Another order with the same id is a duplicate, and so is one with an id that was
        never assigned: a retry would have changed the id.
        """
        assigned = {company.outcome.entry.client_request_id for company in companies if company.outcome.entry}
        return cls(
            companies=len(companies),
            links=sum(company.linked for company in companies),
            retries=sum(max(0, company.attempts - 1) for company in companies),
            orders=len(order_ids),
            duplicates=len(order_ids) - len(assigned & set(order_ids)),
        )

    @property
    def passed(self) -> bool:
        """Whether every company has its link and exactly one order."""
        return self.links == self.companies and self.duplicates == 0

    def line(self, width: int) -> str:
        """Return the summary line; up to 9,999 companies fit 80 columns."""
        counts = asdict(self)
        if width >= 100:
            return gettext(
                "{companies} companies, {links} links, {retries} retries, {orders} orders in the sandbox, "
                "{duplicates} duplicates",
                **counts,
            )
        return gettext(
            "{companies} companies, {links} links, {retries} retries, {orders} orders, {duplicates} duplicates",
            **counts,
        )


def to_json(companies: Sequence[DemoCompany], counts: Counts) -> dict[str, object]:
    """Return counts and companies for JSON."""
    return {
        **asdict(counts),
        "passed": counts.passed,
        "results": [
            {
                "row": company.outcome.row_number,
                "companyName": company.name,
                "state": company.outcome.status,
                "orderNo": company.outcome.order_no,
                "authUrl": company.outcome.auth_url,
                "reason": company.outcome.reason,
                "attempts": company.attempts,
            }
            for company in companies
        ],
    }


def print_report(companies: Sequence[DemoCompany], counts: Counts, console: Console, *, show_all: bool) -> None:
    """Print table and summary; a terminal shows the first companies and those that needed a retry or have no link."""
    shown = [
        company
        for index, company in enumerate(companies)
        if show_all
        or not console.is_terminal
        or index < FIRST_COMPANIES
        or not (company.linked and company.attempts == 1)
    ]
    console.print(_table([company.cells for company in shown], console))
    if hidden := len(companies) - len(shown):
        text = gettext("{count} more got their link at the first attempt; show them with --all.", count=hidden)
        print_line(console, text, style="dim")
    notice = gettext(
        "The sandbox of this demo has ended, so its links no longer open. To open one,\n"
        "run kfq sandbox, and in another terminal the kfq link command that it prints."
    )
    for line in notice.splitlines():
        print_line(console, line, style="yellow")
    print_line(console, counts.line(console.width), style="bold green" if counts.passed else "bold red")


def _table(rows: Sequence[Cells], console: Console) -> RenderableType:
    """Return a table if it fits the width, else a list with each link below its company; a file has any width."""
    headings = (gettext("company"), gettext("order"), gettext("link"), gettext("attempts"))
    table = Table(*headings)
    table.columns[-1].justify = "right"
    for row in rows:
        table.add_row(*row)
    width = Measurement.get(console, console.options.update(max_width=UNLIMITED_WIDTH), table).maximum
    if not console.is_terminal:
        console.width = max(MIN_FILE_WIDTH, width)
    if width <= console.width:
        return table
    company, order, link, attempts = (Text(name, style="bold") for name in headings)
    stacked_width = min(MAX_STACKED_WIDTH, console.width)
    return Group(*(part for row in ((company, order, link, attempts), *rows) for part in _stack(row, stacked_width)))


def _stack(row: Cells, width: int) -> tuple[RenderableType, RenderableType]:
    """Return a line with the company and one with its link, so that neither is cut or folded."""
    company, order, link, attempts = row
    line = Table.grid(padding=(0, 2, 0, 0), pad_edge=False)
    line.width = width
    line.add_column(ratio=1)
    line.add_column(min_width=15)
    line.add_column(min_width=8, justify="right")
    line.add_row(company, order, attempts)
    return line, Padding(link, (0, 0, 0, 2), style="cyan")
