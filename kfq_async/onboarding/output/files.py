"""The file of companies once more, with what became of each in columns of its own."""

from __future__ import annotations

import csv
import errno
import json
import os
import re
import tempfile
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from attrs import astuple, field, fields, frozen

from kfq_async.errors import OnboardingError, SourceError
from kfq_async.models.fields import mask
from kfq_async.onboarding.input.csv import escape_formula
from kfq_async.onboarding.input.table import column_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from xlsxwriter.format import Format
    from xlsxwriter.worksheet import Worksheet

    from kfq_async.onboarding.input import TableRow
    from kfq_async.onboarding.input.source import FileSource
    from kfq_async.onboarding.records import Row

__all__ = [
    "XLSX_ROWS",
    "Result",
    "Write",
    "atomic_write",
    "check_output",
    "default_output",
    "require_xlsx",
    "write_output",
    "writer_for",
]


@frozen
class Result:
    """What became of a row; each field is a column of the output, and ``None`` a blank cell in it."""

    state: str | None = None
    """认证状态: how it ended."""
    order_no: str | None = None
    """订单号: number of the identification order."""
    auth_url: str | None = field(default=None, repr=mask)
    """认证链接: the page to open; whoever holds it can open it."""
    reason: str | None = None
    """说明: why there is no link, or what should be looked at."""
    client_request_id: str | None = None
    """请求标识: the id under which the platform was asked."""


_CHINESE = ("认证状态", "订单号", "认证链接", "说明", "请求标识")
_ENGLISH = tuple(each.name for each in fields(Result))
_BATCH = 500
"""Rows that are looked up at a time."""
_ADVICE = {
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "free some space",
    errno.ENOENT: "make the folder first",
    errno.EACCES: "choose a folder of yours, and close the file where it is open",
    errno.EPERM: "choose a folder of yours, and close the file where it is open",
}


def default_output(path: Path) -> Path:
    """Return where the output goes if nobody says: beside the input and of its kind, as ``NAME.links.xlsx``."""
    kinds = {".xls": ".xlsx", ".xlsx": ".xlsx", ".jsonl": ".jsonl"}
    return path.with_name(f"{path.stem}.links{kinds.get(path.suffix.lower(), '.csv')}")


def check_output(source: FileSource, out: Path) -> None:
    """Raise `SourceError` for what would make `write_output` fail; ask before anything is sent.

    It reads the file once if the output is an XLSX, whose rows are limited.
    """
    writer_for(out)
    if out.exists() and out.samefile(source.path):
        raise SourceError(f"{out} is the input; choose another name for the output")
    if out.is_dir() or not os.access(out.parent, os.W_OK):
        raise SourceError(f"{out} cannot be written; choose a file in a folder that is there, and yours")
    if out.suffix.lower() == ".xlsx":
        require_xlsx()
        if next(islice(source.pairs(), XLSX_ROWS - 1, None), None):
            raise SourceError(f"{source.path} has more rows than an XLSX can hold, {XLSX_ROWS:,}; write .csv")


def write_output(source: FileSource, out: Path, results: Callable[[Sequence[Row]], Sequence[Result]]) -> None:
    """Write the source's columns as they are, and the `Result` of each row behind them.

    ``results`` returns those of some hundred rows at a time, in their order. The file is there whole, or not at
    all, and only its owner may read it. If the source was such an output, its old results are replaced.

    Raises `SourceError` for a name that ends in no known kind, and `OnboardingError` for what the disk refuses.
    """
    kept, headings = _columns(source.headings)
    with atomic_write(out) as file, writer_for(out)(file, headings) as write:
        for batch in _batches(source.pairs()):
            found = results([row for _, row in batch])
            for (line, _), result in zip(batch, found, strict=True):
                write([*(line.cells[index] for index in kept), *(cell or "" for cell in astuple(result))])


def _columns(headings: Sequence[str]) -> tuple[list[int], list[str]]:
    """Return which columns are copied, and the headings of all; results of an earlier run are not copied."""
    names = [heading.strip() for heading in headings]
    old = {name for own in (_CHINESE, _ENGLISH) if set(own) <= set(names) for name in own}
    kept = [index for index, name in enumerate(names) if name not in old]
    copied = [headings[index] for index in kept]
    chinese = sum(any("\u4e00" <= character <= "\u9fff" for character in heading) for heading in copied)
    return kept, [*copied, *(_CHINESE if chinese * 2 > len(copied) else _ENGLISH)]


def _batches(pairs: Iterable[tuple[TableRow, Row]]) -> Iterator[list[tuple[TableRow, Row]]]:
    iterator = iter(pairs)
    while batch := list(islice(iterator, _BATCH)):
        yield batch


@contextmanager
def atomic_write(out: Path) -> Iterator[Path]:
    """Yield a file to write, in a folder of its own beside ``out``, and put it in its place when all went well."""
    try:
        with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as folder:
            file = Path(folder, out.name)
            file.touch(mode=0o600)
            yield file
            with file.open("rb+") as stream:
                os.fsync(stream.fileno())
            file.replace(out)
    except OSError as problem:
        advice = _ADVICE.get(problem.errno or 0, "choose another place")
        raise OnboardingError(
            f"{out} cannot be written: {problem.strerror}; {advice}, and run the same again"
        ) from None


Write: TypeAlias = "Callable[[Sequence[str]], None]"
"""Writes one row."""

XLSX_ROWS = 1_048_576
"""Rows of a sheet, the headings included."""
_LONGEST = 32_767
"""Characters of a cell of a sheet."""
# Half characters, and characters that XML has no way to write.
_UNWRITABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def writer_for(file: Path) -> Callable[[Path, Sequence[str]], AbstractContextManager[Write]]:
    """Return what writes a table of the kind that a file's name ends in; `SourceError` for any other ending."""
    writer = {".csv": _csv, ".jsonl": _json_lines, ".xlsx": _xlsx}.get(file.suffix.lower())
    if writer is None:
        raise SourceError(f"{file}: an output ends in .csv, .jsonl or .xlsx")
    return writer


def require_xlsx() -> None:
    """Raise `SourceError` if XlsxWriter, which an XLSX needs, is not installed."""
    try:
        import xlsxwriter  # noqa: F401
    except ImportError:
        raise SourceError("writing an XLSX needs an extra; pip install 'kfq-async[onboarding]'") from None


@contextmanager
def _csv(file: Path, headings: Sequence[str]) -> Iterator[Write]:
    """Write UTF-8 with a mark, without which Excel takes it for the system's own encoding."""
    with file.open("w", encoding="utf-8-sig", newline="", errors="replace") as stream:
        # Headings in quotation marks: what they hold is then never taken for the delimiter, nor for another format.
        csv.writer(stream, quoting=csv.QUOTE_ALL).writerow([escape_formula(heading) for heading in headings])
        writer = csv.writer(stream)
        yield lambda cells: writer.writerow([escape_formula(cell) for cell in cells])


@contextmanager
def _json_lines(file: Path, headings: Sequence[str]) -> Iterator[Write]:
    names = [column_name(headings, index) for index in range(len(headings))]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise SourceError(f"JSON cannot hold two columns {', '.join(twice)}; rename one, or write .csv or .xlsx")
    with file.open("w", encoding="utf-8", newline="\n", errors="replace") as stream:
        yield lambda cells: print(json.dumps(dict(zip(names, cells, strict=True)), ensure_ascii=False), file=stream)


@contextmanager
def _xlsx(file: Path, headings: Sequence[str]) -> Iterator[Write]:
    """Write rows as they come; each cell is a text, so there are no live formulas and no limit of hyperlinks."""
    require_xlsx()
    import xlsxwriter
    from xlsxwriter.exceptions import FileCreateError

    # Its temporary files go where the output goes, so that they are cleaned up with it.
    options = {"constant_memory": True, "tmpdir": str(file.parent), "use_zip64": True}
    book = xlsxwriter.Workbook(str(file), options)
    sheet = book.add_worksheet()
    try:
        yield _row_writer(sheet, book.add_format({"num_format": "@"}), headings)
        book.close()
    except FileCreateError as problem:
        raise OSError(*problem.args[0].args) from None
    finally:
        # It leaves its own files open when the disk is full.
        streams: set[Any] = {sheet.row_data_fh, sheet.fh}
        for stream in streams - {None}:
            with suppress(OSError):
                stream.close()


def _row_writer(sheet: Worksheet, as_text: Format, headings: Sequence[str]) -> Write:
    """Return what writes the next row; columns are formatted as text, so that what is typed later stays one."""
    sheet.set_column(0, len(headings) - 1, 20, as_text)
    sheet.freeze_panes(1, 0)
    number = 0

    def write(cells: Sequence[str]) -> None:
        nonlocal number
        if number == XLSX_ROWS:
            raise SourceError(f"an XLSX holds {XLSX_ROWS:,} rows; write .csv")
        for index, cell in enumerate(cells):
            if cell:
                sheet.write_string(number, index, _UNWRITABLE.sub("\ufffd", cell)[:_LONGEST], as_text)
        number += 1

    write(headings)
    return write
