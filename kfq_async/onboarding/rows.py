"""What a source yields: one row of the file, its request, and what was noticed about it. Values only."""

from __future__ import annotations

from attrs import field, frozen

from kfq_async.models.fields import mask
from kfq_async.models.identity import CorpIdentLinkRequest

__all__ = ["Problem", "Row"]


@frozen
class Problem:
    """What is wrong with a cell; its words never repeat what the cell holds, so they are fit for a log."""

    column: str
    """The heading as it stands in the file, or the name of the field."""
    words: str
    """What is wrong, and what to do."""
    fatal: bool = True
    """Whether the row must not be sent; otherwise it is a warning."""

    def __str__(self) -> str:
        return f"{self.column}: {self.words}" if self.column else self.words


@frozen(kw_only=True)
class Row:
    """One company of a source."""

    number: int
    """Where it stands: the spreadsheet's row, the file's line, or the place in an iterator from 1 on."""
    key: str | None = field(repr=mask)
    """What the company is recognised by; ``None`` if the row has nothing of the kind."""
    request: CorpIdentLinkRequest | None
    """What would be sent, without its id, which is the ledger's; ``None`` if the row cannot become a request."""
    label: str | None = None
    """A part of the key that is no person's data and may be shown, as the credit code."""
    problems: tuple[Problem, ...] = ()

    @property
    def invalid(self) -> bool:
        """Whether the row must not be sent."""
        if self.key is None or self.request is None:
            return True
        return bool(self.problems) and any(problem.fatal for problem in self.problems)
