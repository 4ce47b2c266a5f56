"""Search for keywords as the platform does it (protocol section 4.0)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from attrs import frozen

from kfq_async.documents.content import PageReader
from kfq_async.documents.pdf import Point
from kfq_async.documents.refusals import PositionRefused
from kfq_async.documents.runs import split_runs

if TYPE_CHECKING:
    from kfq_async.documents.pdf import PdfDocument
    from kfq_async.documents.runs import TextRun

__all__ = ["KeywordHit", "find_keyword", "text_runs"]


@frozen
class KeywordHit:
    """Place at which the platform finds a keyword: the start of the run that holds it.

    Attributes:
        page: Page number, from 1 on.
        x: Left edge of the run's first glyph, in points from the left edge of the CropBox, rounded to 0.1.
        y: Baseline, in points below the top edge of the CropBox, rounded to 0.1.
        run: Text of the run.
        origin: Origin of the keyword's own first glyph, in raw user space.
    """

    page: int
    """Page number, from 1 on."""
    x: float
    """Left edge of the run's first glyph, in points from the left edge of the CropBox, rounded to 0.1."""
    y: float
    """Baseline, in points below the top edge of the CropBox, rounded to 0.1."""
    run: str
    """Text of the run."""
    origin: Point
    """Origin of the keyword's own first glyph, in raw user space."""

    @classmethod
    def in_run(cls, run: TextRun, keyword: str) -> Self:
        """Return the hit of a keyword that a run holds; twice in one run is one hit."""
        return cls(run.page, run.x, run.y, run.text, run.origins[run.text.index(keyword)])


def text_runs(document: PdfDocument) -> tuple[TextRun, ...]:
    """Return the runs of all pages, in the platform's order; none if an ActualText over several glyphs hides them.

    Raises:
        PdfError: Damaged, or beyond a limit.
    """
    return tuple(_runs(document, ""))


def find_keyword(document: PdfDocument, keyword: str | None, keyword_type: str | None) -> tuple[KeywordHit, ...]:
    """Return the hits of a keyword: pages in order, on each from top to bottom and from left to right.

    Letter case and width must match. Of a keyword with a comma, the part before the first comma is searched.

    Args:
        document: Document to search.
        keyword: Text to find.
        keyword_type: ``1`` for the first hit, ``0`` for every hit, ``-1`` for the last one.

    Raises:
        PositionRefused: Nothing found, a hit at the very left edge of the page (x = 0), or an argument is missing.
        PdfError: Damaged, or beyond a limit.
    """
    if keyword_type not in {"1", "0", "-1"}:
        raise PositionRefused("keywordType", "must be 1, 0 or -1")
    part = (keyword or "").partition(",")[0]
    if not part:
        raise PositionRefused("keyword", "is missing")
    hits = [KeywordHit.in_run(run, part) for run in _runs(document, part)]
    hits = {"1": hits[:1], "-1": hits[-1:]}.get(keyword_type, hits)
    if not hits:
        raise PositionRefused("keyword", "was not found in the document")
    if any(hit.x == 0 for hit in hits):
        raise PositionRefused("keyword", "was found at the left edge of the page (x = 0)")
    return tuple(hits)


def _runs(document: PdfDocument, keyword: str) -> list[TextRun]:
    """Return the runs that hold a keyword; a page without one of its characters is not split."""
    reader = PageReader(document)
    needed = set(keyword)
    found: list[TextRun] = []
    for page in document.pages:
        glyphs = reader.glyphs(page)
        if reader.hidden:
            return []
        if needed.issubset("".join([glyph.text for glyph in glyphs])):
            found += [run for run in split_runs(page, glyphs, document.budget) if keyword in run.text]
    return found
