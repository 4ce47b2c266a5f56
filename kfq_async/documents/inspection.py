"""Inspection of a keyword: each place where it stands, what the platform makes of it, and why it finds others not."""

from __future__ import annotations

import unicodedata
from bisect import bisect_right
from enum import StrEnum
from itertools import accumulate
from typing import TYPE_CHECKING

from attrs import define, field, frozen

from kfq_async.documents.content import PageReader
from kfq_async.documents.keywords import KeywordHit
from kfq_async.documents.pdf import Point
from kfq_async.documents.refusals import PositionRefused
from kfq_async.documents.runs import is_stop, split_runs

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kfq_async.documents.pdf import PdfDocument, PdfPage
    from kfq_async.documents.runs import TextRun

__all__ = ["KeywordOccurrence", "KeywordProblem", "KeywordReport", "ProblemKind", "inspect_keyword"]

_SAME_LINE = 4.0
"""Distance in points of two baselines up to which consecutive runs are shown as one line."""
_CLAUSE_MARKS = frozenset("，。；、")
_CLAUSE_LETTERS = 12
"""Letters and digits of a run, besides the keyword, from which on it is likely a clause."""
_CLAUSE_RUNS = 10
"""Number of runs of a line from which on it is likely a clause: text with blanks between its words."""
_RADICALS = str.maketrans(
    "⺟⺠⻄⻅⻆⻉⻋⻓⻔⻘⻙⻚⻛⻜⻝⻢⻣⻤⻥⻦⻨⻩⻬⻮⻰⻳",
    "母民西见角贝车长门青韦页风飞食马骨鬼鱼鸟麦黄齐齿龙龟",
)
"""Radicals of the CJK Radicals Supplement, to which Unicode gives no compatible character, and their characters."""


class ProblemKind(StrEnum):
    """Reason why a keyword is not found, or why its mark may stand elsewhere than expected.

    Attributes:
        HIDDEN: An ActualText over several glyphs, as in tagged PDFs: the platform finds no keyword in the document.
        STOP_CHARACTER: The keyword has a blank or one of ``. [ ] ( : ; ! ? ) /``: it can never be found.
        COMMA: The keyword has a comma: only the part before the first one is searched.
        SPLIT: The keyword stands in several pieces: over two lines, or with blanks, punctuation or wide spacing.
        RADICAL: The keyword stands there with radicals (such as U+2F04) in place of characters that look the same.
        SIMILAR: The keyword stands there in another width or letter case, or with other blanks.
        ANNOTATION: The keyword stands in an annotation or form field, which the platform does not search.
        LEFT_EDGE: A hit at the very left edge of the page: the platform refuses the position.
        PICTURE: Pages that have pictures and no text, such as scans.
    """

    HIDDEN = "hidden"
    """An ActualText over several glyphs, as in tagged PDFs: the platform finds no keyword in the document."""
    STOP_CHARACTER = "stop_character"
    """The keyword has a blank or one of ``. [ ] ( : ; ! ? ) /``: it can never be found."""
    COMMA = "comma"
    """The keyword has a comma: only the part before the first one is searched."""
    SPLIT = "split"
    """The keyword stands in several pieces: over two lines, or with blanks, punctuation or wide spacing."""
    RADICAL = "radical"
    """The keyword stands there with radicals (such as U+2F04) in place of characters that look the same."""
    SIMILAR = "similar"
    """The keyword stands there in another width or letter case, or with other blanks."""
    ANNOTATION = "annotation"
    """The keyword stands in an annotation or form field, which the platform does not search."""
    LEFT_EDGE = "left_edge"
    """A hit at the very left edge of the page: the platform refuses the position."""
    PICTURE = "picture"
    """Pages that have pictures and no text, such as scans."""


@frozen
class KeywordProblem:
    """Problem of a keyword in a document.

    Attributes:
        kind: Kind of the problem.
        text: Description. May repeat text of the document.
        pages: Numbers of the pages concerned, from 1 on; empty if it concerns the keyword or the whole document.
        line: Number of the line on the page, from 1 on; ``None`` if it concerns no single line.
    """

    kind: ProblemKind
    """Kind of the problem."""
    text: str
    """Description. May repeat text of the document."""
    pages: tuple[int, ...] = ()
    """Numbers of the pages concerned, from 1 on; empty if it concerns the keyword or the whole document."""
    line: int | None = None
    """Number of the line on the page, from 1 on; ``None`` if it concerns no single line."""


@frozen
class KeywordOccurrence:
    """A run that holds the keyword.

    Attributes:
        hit: Hit of the platform: its place is that of the run's first glyph.
        run_origin: Origin of the run's first glyph, in raw user space.
        line: Number of the line on the page, from 1 on, counted from the top.
        line_text: Text of the line: its runs, with blanks between them.
        in_clause: Whether the line is likely a clause of the text, and not a place to sign.
        shift: Distance in points from the hit to the keyword itself, along the text.
    """

    hit: KeywordHit
    """Hit of the platform: its place is that of the run's first glyph."""
    run_origin: Point
    """Origin of the run's first glyph, in raw user space."""
    line: int
    """Number of the line on the page, from 1 on, counted from the top."""
    line_text: str
    """Text of the line: its runs, with blanks between them."""
    in_clause: bool
    """Whether the line is likely a clause of the text, and not a place to sign."""

    @property
    def shift(self) -> float:
        """Distance in points from the hit to the keyword itself, along the text."""
        return abs(self.hit.origin.x - self.run_origin.x) + abs(self.hit.origin.y - self.run_origin.y)


@frozen
class KeywordReport:
    """Places of a keyword in a document, and its problems.

    Attributes:
        searched: Text that the platform searches: the keyword before its first comma.
        occurrences: Runs that hold the keyword, in the platform's order.
        problems: Problems of the keyword in this document.
        parts: Parts of a keyword that is not found, without blanks and punctuation, and how often each is found.
        hits: Hits that the platform finds: none if an ActualText over several glyphs hides them.
    """

    searched: str
    """Text that the platform searches: the keyword before its first comma."""
    occurrences: tuple[KeywordOccurrence, ...]
    """Runs that hold the keyword, in the platform's order."""
    problems: tuple[KeywordProblem, ...]
    """Problems of the keyword in this document."""
    parts: tuple[tuple[str, int], ...] = ()
    """Parts of a keyword that is not found, without blanks and punctuation, and how often each is found."""

    @property
    def hits(self) -> tuple[KeywordHit, ...]:
        """Hits that the platform finds: none if an ActualText over several glyphs hides them."""
        if any(problem.kind is ProblemKind.HIDDEN for problem in self.problems):
            return ()
        return tuple(occurrence.hit for occurrence in self.occurrences)


def inspect_keyword(document: PdfDocument, keyword: str) -> KeywordReport:
    """Return where a keyword stands, and what keeps the platform from finding it.

    Reads every page, also those that `find_keyword` can skip. Takes CPU time: call it in a thread from a coroutine.

    Raises:
        PositionRefused: Nothing is left to search: the keyword is empty, or begins with a comma.
        PdfError: Damaged, or beyond a limit.
    """
    searched, comma, _ = keyword.partition(",")
    if not searched:
        raise PositionRefused("keyword", "is missing")
    reader = PageReader(document)
    inspector = _Inspector(searched)
    pictures: list[int] = []
    for page in document.pages:
        glyphs = reader.glyphs(page)
        inspector.inspect(page, split_runs(page, glyphs, document.budget))
        if any(searched in text for text in document.annotation_texts(page)):
            inspector.problems.append(KeywordProblem(ProblemKind.ANNOTATION, _ANNOTATION, (page.number,)))
        if reader.has_picture and not glyphs:
            pictures.append(page.number)
    found = inspector.occurrences
    problems: list[KeywordProblem] = []
    if reader.hidden:
        problems.append(KeywordProblem(ProblemKind.HIDDEN, _HIDDEN))
    if comma:
        problems.append(KeywordProblem(ProblemKind.COMMA, f"only {searched!r}, before the comma, is searched"))
    stops = "".join(character for character in searched if is_stop(character))
    if stops and not found:
        problems.append(KeywordProblem(ProblemKind.STOP_CHARACTER, _STOP.format(stops)))
    problems += inspector.problems
    if pictures:
        problems.append(KeywordProblem(ProblemKind.PICTURE, _PICTURE, tuple(pictures)))
    parts = () if found else tuple((part, count) for part, count in inspector.parts.items() if count)
    return KeywordReport(searched, tuple(found), tuple(problems), parts)


_HIDDEN = "the PDF is tagged (an ActualText over several glyphs): the platform finds no keyword in it"
_STOP = "the keyword has {!r}: the platform ends a piece of text there, so that the keyword is never found"
_ANNOTATION = "stands in an annotation or form field, which the platform does not search"
_PICTURE = "pages with pictures and without text, such as scans: no keyword is found there"


@define
class _Inspector:
    """Collector of the places of a keyword and of its problems, page by page."""

    keyword: str
    occurrences: list[KeywordOccurrence] = field(factory=list)
    problems: list[KeywordProblem] = field(factory=list)
    parts: dict[str, int] = field(init=False)
    _folded: str = field(init=False)
    _joined: str = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._folded = _fold(self.keyword)
        self._joined = "".join(character for character in self.keyword if not is_stop(character))
        self.parts = dict.fromkeys(_split(self.keyword), 0)

    def inspect(self, page: PdfPage, runs: Sequence[TextRun]) -> None:
        """Add what a page has."""
        lines = list(_lines(runs))
        has_similar = self._folded != "" and self._folded in _fold("".join(run.text for run in runs))
        for number, line in enumerate(lines, 1):
            for run in line:
                for part in self.parts:
                    self.parts[part] += part in run.text
                if self.keyword in run.text:
                    self._add_occurrence(page, number, line, run)
                elif has_similar and self._folded in _fold(run.text):
                    self._add_similar(page, number, run)
        self._find_split(page, lines)

    def _add_occurrence(self, page: PdfPage, number: int, line: Sequence[TextRun], run: TextRun) -> None:
        hit = KeywordHit.in_run(run, self.keyword)
        text = " ".join(one.text for one in line)
        in_clause = _is_clause(run.text.replace(self.keyword, "", 1), len(line))
        self.occurrences.append(KeywordOccurrence(hit, run.origins[0], number, text, in_clause))
        if not hit.x:
            text = "is found at the left edge of the page (x = 0): the platform refuses the position"
            self.problems.append(KeywordProblem(ProblemKind.LEFT_EDGE, text, (page.number,), number))

    def _add_similar(self, page: PdfPage, number: int, run: TextRun) -> None:
        kind, text = ProblemKind.SIMILAR, f"stands there as {run.text!r}"
        if self.keyword in _replace_radicals(run.text):
            radicals = sorted({character for character in run.text if _is_radical(character)})
            kind = ProblemKind.RADICAL
            text += f", with radicals ({', '.join(f'{one} U+{ord(one):04X}' for one in radicals)})"
        self.problems.append(KeywordProblem(kind, text, (page.number,), number))

    def _find_split(self, page: PdfPage, lines: Sequence[Sequence[TextRun]]) -> None:
        """Add the places where the keyword stands in several runs."""
        runs = [(number, run) for number, line in enumerate(lines, 1) for run in line]
        text = "".join(run.text for _, run in runs)
        starts = list(accumulate((len(run.text) for _, run in runs), initial=0))
        start = text.find(self._joined) if self._joined else -1
        while start >= 0:
            end = start + len(self._joined)
            first, last = bisect_right(starts, start) - 1, bisect_right(starts, end - 1) - 1
            if first < last:
                pieces = [
                    run.text[max(start - begin, 0) : end - begin]
                    for (_, run), begin in zip(runs[first : last + 1], starts[first:], strict=False)
                ]
                line, until = runs[first][0], runs[last][0]
                where = f", over lines {line} to {until}" if until > line else ""
                shown = f"stands there in {len(pieces)} pieces{where}: {' | '.join(pieces)}"
                self.problems.append(KeywordProblem(ProblemKind.SPLIT, shown, (page.number,), line))
            start = text.find(self._joined, start + 1)


def _lines(runs: Sequence[TextRun]) -> Iterator[list[TextRun]]:
    """Group runs, in the platform's order, by their baselines."""
    line: list[TextRun] = []
    for run in runs:
        if line and abs(run.y - line[-1].y) > _SAME_LINE:
            yield line
            line = []
        line.append(run)
    if line:
        yield line


def _is_clause(rest: str, runs: int) -> bool:
    """Return whether a line is likely a clause, by the rest of the run that holds the keyword, and its runs."""
    letters = sum(map(str.isalnum, rest))
    return not _CLAUSE_MARKS.isdisjoint(rest) or letters >= _CLAUSE_LETTERS or runs >= _CLAUSE_RUNS


def _fold(text: str) -> str:
    """Return a text without blanks, and without differences of width, letter case and radicals."""
    return "".join(unicodedata.normalize("NFKC", text.translate(_RADICALS)).casefold().split())


def _replace_radicals(text: str) -> str:
    """Return a text with characters in place of the radicals that look the same."""
    characters = text.translate(_RADICALS)
    return "".join(unicodedata.normalize("NFKC", one) if _is_radical(one) else one for one in characters)


def _is_radical(character: str) -> bool:
    return "\u2e80" <= character <= "\u2fdf"


def _split(keyword: str) -> list[str]:
    """Return the parts of a keyword between blanks and punctuation of any width, of two characters or more."""
    spaced = "".join(" " if unicodedata.category(character)[0] in "PZC" else character for character in keyword)
    return [part for part in spaced.split() if len(part) > 1 and part != keyword]
