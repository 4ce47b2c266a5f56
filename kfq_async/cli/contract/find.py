"""``kfq contract find``: a keyword in a PDF, as the platform finds it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

from attrs import frozen
from cyclopts import Parameter
from rich.console import Console

from kfq_async.cli.contract.results import ContractExit
from kfq_async.cli.options import JsonOutput, UsageError
from kfq_async.cli.terminal import print_json, print_line
from kfq_async.documents import (
    ControlBox,
    KeywordOccurrence,
    KeywordProblem,
    KeywordReport,
    Mark,
    MarkImage,
    PdfDocument,
    PdfError,
    PositionRefused,
    box_beside,
    inspect_keyword,
    mark_of,
    open_pdf,
)
from kfq_async.languages import gettext, ngettext, translate
from kfq_async.models.anchors import CONTROL_TYPES, MAX_SIZE, MIN_SIZE

__all__ = ["MarkOptions", "find", "kind_text", "parse_picture"]

MAX_LISTED = 20
"""Number of hits, and of warnings, that are listed as text; JSON has all of them."""


@frozen(kw_only=True)
class MarkOptions:
    """Options of the mark that a hit gets.

    Parameters
    ----------
    kind
        Kind of mark: seal, sign (signature), date, or chop (cross-page seal).
    right
        Points to the right of the hit.
    down
        Points below the hit.
    width
        Width of the box in points, 10 to 120 (default: 112 for a signature, else 120).
    height
        Height of the box in points, 10 to 120 (default: 52 for a signature, 30 for a date, else 120).
    picture
        Size of the seal's or signature's picture in pixels, such as 240x120, whose proportions the mark keeps
        (default: a square one).
    """

    kind: Literal["seal", "sign", "date", "chop"] = "seal"
    right: int = 0
    down: int = 0
    width: float | None = None
    height: float | None = None
    picture: str = "120x120"

    def __attrs_post_init__(self) -> None:
        for name, size in (("width", self.width), ("height", self.height)):
            if size is not None and not MIN_SIZE <= size <= MAX_SIZE:
                bounds = {"least": MIN_SIZE, "most": MAX_SIZE}
                raise UsageError(
                    gettext(
                        "--{name} must be from {least:g} to {most:g} points, not {size:g}",
                        name=name,
                        size=size,
                        **bounds,
                    )
                )
        parse_picture(self.picture)

    def place(self, document: PdfDocument, occurrence: KeywordOccurrence) -> tuple[ControlBox, Mark]:
        """Return the box and the mark that a hit gets."""
        box = box_beside(
            document,
            occurrence.hit,
            CONTROL_TYPES[self.kind],
            right=self.right,
            down=self.down,
            width=self.width,
            height=self.height,
        )
        return box, mark_of(box, MarkImage(*parse_picture(self.picture)))


def parse_picture(text: str) -> tuple[int, int]:
    """Return width and height of ``240x120``, in pixels."""
    match = re.fullmatch("([1-9][0-9]{0,4})x([1-9][0-9]{0,4})", text)
    if match is None:
        raise UsageError(gettext("--picture must be WIDTHxHEIGHT in pixels, such as 240x120, not {text!r}", text=text))
    return int(match[1]), int(match[2])


DEFAULT_MARK = MarkOptions()
CLAMPED = 0.1
"""Points from which a mark counts as moved."""


def find(
    file: Path,
    keyword: str,
    /,
    *,
    mark: Annotated[MarkOptions, Parameter(name="*")] = DEFAULT_MARK,
    json_: JsonOutput = False,
) -> int:
    """Find a keyword in a PDF as the platform will find it, and show where its mark will stand.

    A hit counts from the first character of the piece of text that holds the keyword, in Chinese usually the start of
    the line. Predicted by rules that were measured at one release of the platform; nothing is sent. Exit status 4: the
    platform finds nothing.

    Parameters
    ----------
    file
        The PDF.
    keyword
        Text to find; letter case and width count.
    json_
        Print JSON instead of text.
    """
    try:
        document = open_pdf(file.read_bytes())
        report = inspect_keyword(document, keyword)
    except OSError as error:
        raise UsageError(f"{file}: {translate(error.strerror)}") from None
    except PdfError as error:
        raise UsageError(f"{file}: {translate(error)}") from None
    except (ModuleNotFoundError, PositionRefused) as error:
        raise UsageError(str(error)) from None
    if json_:
        print_json(_to_json(file, keyword, document, report, mark))
    else:
        _print_report(file, document, report, mark)
    return ContractExit.SUCCESS if report.hits else ContractExit.NOT_FOUND


def _to_json(
    file: Path, keyword: str, document: PdfDocument, report: KeywordReport, mark: MarkOptions
) -> dict[str, object]:
    return {
        "file": str(file),
        "pages": len(document.pages),
        "keyword": keyword,
        "searched": report.searched,
        "found": len(report.hits),
        "hits": [_hit_values(document, occurrence, mark) for occurrence in report.occurrences],
        "problems": [
            {"kind": problem.kind, "pages": problem.pages, "line": problem.line, "text": problem.text}
            for problem in report.problems
        ],
        "parts": dict(report.parts),
    }


def _hit_values(document: PdfDocument, occurrence: KeywordOccurrence, options: MarkOptions) -> dict[str, object]:
    box, mark = options.place(document, occurrence)
    hit = occurrence.hit
    return {
        "page": hit.page,
        "line": occurrence.line,
        "lineText": occurrence.line_text,
        "run": hit.run,
        "x": hit.x,
        "y": hit.y,
        "shift": round(occurrence.shift, 2),
        "inClause": occurrence.in_clause,
        "jumpsToTop": not box.top,
        "rect": [round(edge, 2) for edge in mark.rect],
    }


def _print_report(file: Path, document: PdfDocument, report: KeywordReport, options: MarkOptions) -> None:
    console = Console(highlight=False)
    count = len(report.hits)
    pages = ngettext("1 page", "{count} pages", len(document.pages))
    values = {"file": file, "pages": pages, "keyword": report.searched, "times": _times(count)}
    if count:
        heading = gettext("{file}, {pages}: {keyword} is found {times} by the platform", **values)
    else:
        heading = gettext("{file}, {pages}: {keyword} is not found by the platform", **values)
    print_line(console, heading, style="bold" if count else "bold red")
    for number, occurrence in enumerate(report.occurrences[:MAX_LISTED], 1):
        label = f"{number}." if count else "-"
        place = {"page": occurrence.hit.page, "line": occurrence.line, "text": occurrence.line_text}
        print_line(console, gettext("{label} page {page}, line {line}: {text}", label=label, **place))
        if count:
            _print_mark(console, document, occurrence, options)
    if (more := len(report.occurrences) - MAX_LISTED) > 0:
        print_line(console, gettext("… and {count} more places; --json lists all of them", count=more))
    for problem in report.problems[:MAX_LISTED]:
        text = f"{_locate(problem)}{translate(problem.text)}"
        print_line(console, gettext("warning: {text}", text=text), style="yellow")
    if (more := len(report.problems) - MAX_LISTED) > 0:
        print_line(console, gettext("… and {count} more warnings; --json lists all of them", count=more))
    if any(occurrence.shift for occurrence in report.occurrences) or (report.occurrences and not count):
        text = gettext("kfq contract draft finds the keyword here, and sends its own place as coordinates")
        print_line(console, text)
    if report.parts:
        parts = gettext(", ").join(f"{part} ({_times(times)})" for part, times in report.parts)
        print_line(console, gettext("found instead: {parts}", parts=parts))


def _print_mark(console: Console, document: PdfDocument, occurrence: KeywordOccurrence, options: MarkOptions) -> None:
    box, mark = options.place(document, occurrence)
    if occurrence.in_clause:
        _print_warning(console, gettext("likely a clause, and not a place to sign"))
    if occurrence.shift:
        run, shift = occurrence.hit.run, occurrence.shift
        text = gettext("counts from the start of {run}, {shift:.1f} pt before the keyword", run=run, shift=shift)
        print_line(console, f"   {text}")
    edges = dict(zip(("x0", "y0", "x1", "y1"), mark.rect, strict=True))
    kind = kind_text(CONTROL_TYPES[options.kind])
    place = gettext("{kind} at x {x0:.1f} to {x1:.1f}, y {y0:.1f} to {y1:.1f} pt, y upwards", kind=kind, **edges)
    print_line(console, f"   {place}")
    if not box.top:
        _print_warning(console, gettext("the mark jumps to the top of the page"))
    if box.left is not None and abs(box.left - occurrence.hit.x - options.right) > CLAMPED:
        _print_warning(console, gettext("the platform moves the mark to keep it inside the page"))


def _print_warning(console: Console, text: str) -> None:
    print_line(console, f"   {gettext('warning: {text}', text=text)}", style="yellow")


def kind_text(control_type: str) -> str:
    """Return the name of a kind of mark."""
    names = {
        "SIGNATURE": gettext("signature"),
        "SEAL": gettext("seal"),
        "SIGN_DATE": gettext("date"),
        "CHOP_STAMP": gettext("cross-page seal"),
    }
    return names[control_type]


def _locate(problem: KeywordProblem) -> str:
    if not problem.pages:
        return ""
    pages = ", ".join(map(str, problem.pages[:MAX_LISTED])) + (" …" if len(problem.pages) > MAX_LISTED else "")
    place = ngettext("page {pages}", "pages {pages}", len(problem.pages), pages=pages)
    if problem.line is not None:
        place = gettext("{place}, line {line}", place=place, line=problem.line)
    return gettext("{place}: ", place=place)


def _times(count: int) -> str:
    return ngettext("once", "{count} times", count)
