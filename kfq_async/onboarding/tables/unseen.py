"""Cells of an XLSX that look blank to calamine and are not: errors, and formulas that were never calculated."""

from __future__ import annotations

import re
from typing import IO, TYPE_CHECKING
from xml.etree import ElementTree as ET
from zipfile import BadZipFile, ZipFile

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["unseen_cells"]

_MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_REF_ID = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
_ERROR = "holds an error of the spreadsheet, as #N/A; correct it"
_FORMULA = "holds a formula that was never calculated; open the file in a spreadsheet program and save it again"
_SUSPICIOUS = re.compile(rb"<(?:\w+:)?f[\s/>]|\bt=[\"']e[\"']")
"""A formula or an error somewhere in the XML. Most sheets have none, and are not read a second time."""
_CHUNK = 1 << 20
_REFERENCE = re.compile(r"([A-Z]+)([0-9]+)")


def unseen_cells(file: Path, sheet: str) -> Iterator[tuple[int, int, str]]:
    """Yield the row, counted from 1, the column, counted from 0, and what is wrong, for each such cell.

    A workbook whose inside is of another kind than Excel's has none.
    """
    try:
        with ZipFile(file) as archive:
            part = _part(archive, sheet)
            with archive.open(part) as stream:
                suspicious = _is_suspicious(stream)
            if suspicious:
                with archive.open(part) as stream:
                    yield from _cells(stream)
    except (BadZipFile, KeyError, ET.ParseError):
        return


def _part(archive: ZipFile, sheet: str) -> str:
    """Return where a sheet is inside the archive."""
    book = ET.fromstring(archive.read("xl/workbook.xml"))  # noqa: S314  # expat bounds what entities may grow to
    links = ET.fromstring(archive.read("xl/_rels/workbook.xml.rels"))  # noqa: S314
    targets = {link.get("Id"): link.get("Target", "") for link in links}
    ids = {each.get("name"): each.get(_REF_ID) for each in book.iter(f"{_MAIN}sheet")}
    target = targets[ids[sheet]]
    return target[1:] if target.startswith("/") else f"xl/{target}"


def _is_suspicious(stream: IO[bytes]) -> bool:
    tail = b""
    while chunk := stream.read(_CHUNK):
        if _SUSPICIOUS.search(tail + chunk):
            return True
        tail = chunk[-32:]
    return False


def _cells(stream: IO[bytes]) -> Iterator[tuple[int, int, str]]:
    for _, element in ET.iterparse(stream):  # noqa: S314  # as above
        if element.tag == f"{_MAIN}c" and (words := _wrong(element)):
            # The reference may be left out, and then nothing says where the cell is.
            if reference := _REFERENCE.fullmatch(element.get("r", "")):
                yield int(reference[2]), _column(reference[1]), words
        elif element.tag == f"{_MAIN}row":
            element.clear()


def _wrong(cell: ET.Element) -> str:
    if cell.get("t") == "e":
        return _ERROR
    # A formula whose value is an empty text says that it is a text.
    unvalued = cell.find(f"{_MAIN}f") is not None and not cell.findtext(f"{_MAIN}v")
    return _FORMULA if unvalued and cell.get("t") != "str" else ""


def _column(letters: str) -> int:
    column = 0
    for letter in letters:
        column = column * 26 + ord(letter) - ord("A") + 1
    return column - 1
