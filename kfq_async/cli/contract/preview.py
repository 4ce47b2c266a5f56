"""``kfq contract preview``: the pages of a document with the marks that a draft will get."""

from __future__ import annotations

import base64
import html
import webbrowser
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated

from attrs import evolve, frozen
from cyclopts import Parameter
from rich.console import Console

from kfq_async.cli.contract.description import DraftOptions, build_request
from kfq_async.cli.contract.draft import read_local
from kfq_async.cli.contract.find import kind_text, parse_picture
from kfq_async.cli.contract.results import ContractExit, print_values
from kfq_async.cli.options import Flag, JsonOutput, UsageError
from kfq_async.cli.terminal import print_json, print_line
from kfq_async.documents import (
    DraftMark,
    PdfDocument,
    PdfError,
    PdfPage,
    PositionRefused,
    open_pdf,
    predict_draft,
)
from kfq_async.languages import current_language, gettext, translate
from kfq_async.sandbox.rendering import ShownBox, outline_boxes, render_page, shown_box, shown_size

__all__ = ["preview"]

DEFAULT_DRAFT = DraftOptions()
WIDTH = 1_000
"""Width of a page's picture in pixels."""
TOLERANCE = 0.5
"""Points by which a mark may lie outside its page without a warning."""
DOCUMENT = """<!DOCTYPE html>
<html lang="{language}"><head><meta charset="utf-8"><title>{title}</title>
<style>body{{font:16px sans-serif;margin:2em auto;max-width:1000px}}img{{width:100%;border:1px solid #999}}\
td,th{{padding:.2em .8em;text-align:left}}</style></head>
<body><h1>{title}</h1>
<p>{remark}</p>
<table><tr>{headings}</tr>
{rows}
</table>
{pages}
</body></html>
"""


@frozen
class _NumberedMark:
    """A mark with its number in the pictures, and its place on the page as shown."""

    number: int
    mark: DraftMark
    page: PdfPage
    box: ShownBox

    @property
    def is_outside(self) -> bool:
        """Whether a part of it is not visible on the page."""
        width, height = shown_size(self.page)
        right, bottom = self.box.left + self.box.width, self.box.top + self.box.height
        return min(self.box.left, self.box.top, width - right, height - bottom) < -TOLERANCE


def preview(
    file: Path,
    /,
    *,
    options: Annotated[DraftOptions, Parameter(name="*")] = DEFAULT_DRAFT,
    picture: str = "120x120",
    to: Path | None = None,
    all_pages: Flag = False,
    browser: Flag = False,
    json_: JsonOutput = False,
) -> int:
    """Draw the pages of a PDF with the marks that a draft of the same options will get; nothing is sent.

    Needs the extra preview. Exit status 1: the platform would refuse a position.

    Parameters
    ----------
    file
        The PDF.
    picture
        Size of the seals' and signatures' pictures in pixels, such as 240x120, whose proportions the marks keep.
    to
        HTML page to write, or a folder for one PNG a page (default: next to the PDF, NAME.preview.html).
    all_pages
        Draw the pages without a mark, too.
    browser
        Open the HTML page in the browser.
    json_
        Print the marks as JSON instead of text.
    """
    size = parse_picture(picture)
    local = read_local(file)
    request = build_request(_with_placeholders(options), local, send=False)
    target = file.with_suffix(".preview.html") if to is None else to
    try:
        content = file.read_bytes()
        document = open_pdf(content)
        marks = _number(document, predict_draft(request, {local.doc_id: document}, picture=size))
        pictures = _draw(content, document, marks, all_pages=all_pages)
        if target.suffix.lower() == ".html":
            _write_private(target, _to_html(file.name, marks, pictures).encode())
        else:
            _write_pictures(target, file.stem, pictures)
    except PositionRefused as error:
        print_values({"refused": translate(error), "code": str(error.code)}, as_json=json_)
        return ContractExit.FAILED
    except PdfError as error:
        raise UsageError(f"{file}: {translate(error)}") from None
    except OSError as error:
        raise UsageError(f"{error.filename}: {translate(error.strerror)}") from None
    except ModuleNotFoundError:
        raise UsageError(
            gettext("a preview needs pdfminer.six, pypdfium2 and Pillow; run pip install 'kfq-async[preview]'")
        ) from None
    _print_marks(target, marks, as_json=json_)
    if browser and target.is_file():
        webbrowser.open(target.resolve().as_uri())
    return ContractExit.SUCCESS


def _with_placeholders(options: DraftOptions) -> DraftOptions:
    """Return options with a business line and an operator, which change no mark."""
    if options.request is not None:
        return options
    return evolve(options, line=options.line or "preview", operator=options.operator or "operator:13800000000")


def _number(document: PdfDocument, marks: Iterable[DraftMark]) -> list[_NumberedMark]:
    pages = document.pages
    return [
        _NumberedMark(number, mark, pages[mark.page - 1], shown_box(pages[mark.page - 1], mark.rect))
        for number, mark in enumerate(marks, 1)
    ]


def _draw(
    content: bytes, document: PdfDocument, marks: Sequence[_NumberedMark], *, all_pages: bool
) -> dict[int, bytes]:
    """Return a PNG of each page with marks, or of all pages, by page number."""
    pictures = {}
    for page in document.pages:
        boxes = [(mark.box, str(mark.number)) for mark in marks if mark.mark.page == page.number]
        if boxes or all_pages:
            picture = render_page(content, page.number - 1, WIDTH)
            pictures[page.number] = outline_boxes(picture, boxes, shown_size(page)[0])
    return pictures


def _write_pictures(folder: Path, name: str, pictures: Mapping[int, bytes]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number, picture in pictures.items():
        _write_private(folder / f"{name}.page-{number}.png", picture)


def _write_private(path: Path, content: bytes) -> None:
    """Write a file that only its owner can read, if it is new: it shows the contract."""
    path.touch(mode=0o600)
    path.write_bytes(content)


def _to_html(title: str, marks: Sequence[_NumberedMark], pictures: Mapping[int, bytes]) -> str:
    rows = [
        "".join(f"<td>{html.escape(str(cell))}</td>" for cell in (number, kind, page, path))
        for number, kind, page, path in _cells(marks)
    ]
    pages = [_page_to_html(number, picture) for number, picture in pictures.items()]
    headings = (gettext("Mark"), gettext("Kind"), gettext("Page"), gettext("Position in the request"))
    return DOCUMENT.format(
        language=current_language(),
        title=html.escape(title),
        remark=gettext("Predicted by rules that were measured at one release of the platform; nothing was sent."),
        headings="".join(f"<th>{heading}</th>" for heading in headings),
        rows="\n".join(f"<tr>{row}</tr>" for row in rows),
        pages="\n".join(pages),
    )


def _page_to_html(number: int, picture: bytes) -> str:
    title, data = gettext("Page {number}", number=number), base64.b64encode(picture).decode()
    return f'<h2>{title}</h2><img alt="{title}" src="data:image/png;base64,{data}">'


def _cells(marks: Sequence[_NumberedMark]) -> Iterator[tuple[int, str, int, str]]:
    for mark in marks:
        yield mark.number, kind_text(mark.mark.control_type), mark.mark.page, mark.mark.path


def _print_marks(target: Path, marks: Sequence[_NumberedMark], *, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "path": str(target),
                "marks": [
                    {
                        "number": mark.number,
                        "controlType": mark.mark.control_type,
                        "page": mark.mark.page,
                        "rect": [round(edge, 2) for edge in mark.mark.rect],
                        "outside": mark.is_outside,
                        "position": mark.mark.path,
                    }
                    for mark in marks
                ],
            }
        )
        return
    console = Console(highlight=False)
    for mark, (number, kind, page, path) in zip(marks, _cells(marks), strict=True):
        text = gettext("{number}. {kind} on page {page}: {path}", number=number, kind=kind, page=page, path=path)
        print_line(console, text)
        if mark.is_outside:
            warning = gettext("warning: {text}", text=gettext("a part of the mark lies outside the page"))
            print_line(console, f"   {warning}", style="yellow")
    print_line(console, gettext("drawn in {file}", file=target))
