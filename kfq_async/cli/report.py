"""What ``kfq demo`` shows at its end: the companies that matter, and the counts as the closing line."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import field, frozen
from rich.console import Console, Group, RenderableType
from rich.measure import Measurement
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from kfq_async.errors import KfqError
from kfq_async.models.identity import CorpIdentLink, CorpIdentLinkRequest
from kfq_async.protocol.operation import ApiResponse

__all__ = ["Counts", "Outcome", "print_report"]

FIRST = 10
"""Companies that a terminal shows, besides those to which something happened."""
PIPE = 160
"""Columns at the least where the output is no terminal."""
STACKED = 80
"""Columns at the most where links stand below their companies."""
ANY_WIDTH = 1_000_000
Row = tuple[Text, Text, Text, Text]
"""Company, order, link or what happened instead, attempts."""
HEADINGS = ("company", "order", "link", "attempts")
ENDED = (
    "This demo's sandbox has ended, so its links open no longer. For one that does:\n"
    "run kfq sandbox, and in another terminal the kfq link that it prints."
)


@frozen
class Outcome:
    """How it went for one company."""

    request: CorpIdentLinkRequest
    answer: ApiResponse[CorpIdentLink] | KfqError = field(repr=False)

    @property
    def linked(self) -> bool:
        """Whether it has its link."""
        return isinstance(self.answer, ApiResponse)

    @property
    def smooth(self) -> bool:
        """Whether it has its link by the first attempt."""
        return self.linked and self.answer.attempts == 1

    @property
    def row(self) -> Row:
        """The cells of the table."""
        info, answer = self.request.corp_ident_info, self.answer
        company = (info.company_name if info else None) or "（无名称）"
        order, link = ("-", str(answer)) if isinstance(answer, KfqError) else _order_and_link(answer.result)
        return _text(company), _text(order), _text(link), _text(str(answer.attempts))


def _order_and_link(result: CorpIdentLink) -> tuple[str, str]:
    return result.order_no, result.auth_url


def _text(value: str) -> Text:
    """Make one line of a value; what no terminal should be told becomes a blank."""
    return Text("".join(sign if sign.isprintable() else " " for sign in value), overflow="fold")


@frozen
class Counts:
    """The closing line."""

    companies: int
    links: int
    repeated: int
    """Attempts beyond the first."""
    orders: int
    """What the sandbox holds."""
    duplicates: int
    """Orders beyond the first of each company."""

    @classmethod
    def of(cls, outcomes: Sequence[Outcome], ordered: Sequence[str | None]) -> Counts:
        """Count; ``ordered`` is the ``clientRequestId`` of each order in the sandbox.

        An id has one order. A second one is a duplicate, and so is an order under an id that nobody chose: it
        was made by a repetition that changed the id.
        """
        asked = {outcome.request.client_request_id for outcome in outcomes}
        return cls(
            companies=len(outcomes),
            links=sum(outcome.linked for outcome in outcomes),
            repeated=sum(max(0, outcome.answer.attempts - 1) for outcome in outcomes),
            orders=len(ordered),
            duplicates=len(ordered) - len(asked & set(ordered)),
        )

    @property
    def well(self) -> bool:
        """Whether each company has its link, and none two orders."""
        return self.links == self.companies and self.duplicates == 0

    def line(self, width: int) -> str:
        """Write them on one line; a terminal of 80 columns has room for up to 9,999 companies."""
        where = " in the sandbox" if width >= 100 else ""
        return (
            f"{self.companies} companies, {self.links} links, {self.repeated} repeated attempts, "
            f"{self.orders} orders{where}, {self.duplicates} duplicates"
        )


def print_report(outcomes: Sequence[Outcome], counts: Counts, console: Console, *, everything: bool) -> None:
    """Print the companies and the counts; a terminal shows the first ones and those that went otherwise."""
    shown = [
        outcome
        for place, outcome in enumerate(outcomes)
        if everything or not console.is_terminal or place < FIRST or not outcome.smooth
    ]
    console.print(_companies([outcome.row for outcome in shown], console))
    if hidden := len(outcomes) - len(shown):
        console.print(f"{hidden} more got their link at the first attempt; --all shows them too.", style="dim")
    console.print(ENDED, style="yellow", soft_wrap=True)
    console.print(counts.line(console.width), style="bold green" if counts.well else "bold red", soft_wrap=True)


def _companies(rows: Sequence[Row], console: Console) -> RenderableType:
    """Make a table if all of it fits the width, else one with the links below; a file has any width."""
    table = Table(*HEADINGS)
    table.columns[-1].justify = "right"
    for row in rows:
        table.add_row(*row)
    width = Measurement.get(console, console.options.update(max_width=ANY_WIDTH), table).maximum
    if not console.is_terminal:
        console.width = max(PIPE, width)
    if width <= console.width:
        return table
    company, order, link, attempts = (Text(name, style="bold") for name in HEADINGS)
    stacked = min(STACKED, console.width)
    return Group(*(part for row in ((company, order, link, attempts), *rows) for part in _stacked(row, stacked)))


def _stacked(row: Row, width: int) -> tuple[RenderableType, RenderableType]:
    """Give the link a line of its own, so that neither it nor the name is cut or folded."""
    company, order, link, attempts = row
    line = Table.grid(padding=(0, 2, 0, 0), pad_edge=False)
    line.width = width
    line.add_column(ratio=1)
    line.add_column(min_width=15)
    line.add_column(min_width=8, justify="right")
    line.add_row(company, order, attempts)
    return line, Padding(link, (0, 0, 0, 2), style="cyan")
