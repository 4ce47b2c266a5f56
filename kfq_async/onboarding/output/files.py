"""Output table: the columns of the input, followed by the result of each row."""

from __future__ import annotations

import csv
import errno
import glob
import json
import os
import re
import shutil
import tempfile
from collections import Counter
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from attrs import astuple, field, fields, frozen

from kfq_async.errors import OnboardingError, SourceError
from kfq_async.models.fields import SECRET
from kfq_async.models.masking import MaskedStr
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
    "RowWriter",
    "atomic_write",
    "check_output",
    "default_output",
    "remove_leftovers",
    "require_xlsx",
    "write_output",
    "writer_for",
]

_CHINESE_HEADINGS = ("认证状态", "订单号", "认证链接", "说明", "请求标识")
_BATCH_SIZE = 500
"""Rows whose results are looked up together."""
_ADVICE = {
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "free some space",
    errno.ENOENT: "create the folder",
    errno.EACCES: "choose a writable folder, and close the file in other programs",
    errno.EPERM: "choose a writable folder, and close the file in other programs",
}
RowWriter: TypeAlias = "Callable[[Sequence[str]], None]"
"""Function that writes one row."""
XLSX_ROWS = 1_048_576
"""Rows of a sheet, including the headings."""
_XLSX_CELL_CHARACTERS = 32_767
# Lone surrogates, and characters that XML cannot hold.
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


@frozen
class Result:
    """Result of one row: each field is a column of the output, with a Chinese or an English heading.

    Attributes:
        state: 认证状态. ``linked``, ``refused``, ``invalid``, ``unknown`` or ``pending``.
        order_no: 订单号. Number of the identification order.
        auth_url: 认证链接. Page where the operator identifies the company. A secret: the link alone opens it.
        reason: 说明. Reason why there is no link, or a warning.
        client_request_id: 请求标识. ``clientRequestId`` of the request.

    ``None`` is a blank cell.
    """

    state: str | None = None
    order_no: str | None = None
    auth_url: str | None = field(default=None, **SECRET)
    reason: str | None = None
    client_request_id: str | None = None


_ENGLISH_HEADINGS = tuple(attribute.name for attribute in fields(Result))


def default_output(path: Path) -> Path:
    """Return the default path of the output: next to the input and in its format, such as ``NAME.links.xlsx``.

    An XLS becomes an XLSX, and a file with any other suffix than .xlsx and .jsonl a CSV.
    """
    suffixes = {".xls": ".xlsx", ".xlsx": ".xlsx", ".jsonl": ".jsonl"}
    return path.with_name(f"{path.stem}.links{suffixes.get(path.suffix.lower(), '.csv')}")


def check_output(source: FileSource, out: Path) -> None:
    """Raise `SourceError` if `write_output` would fail; call it before anything is sent.

    Reads the whole input if the output is an XLSX, whose number of rows is limited.
    """
    writer_for(out)
    if out.exists() and out.samefile(source.path):
        raise SourceError(f"{out} is the input; choose another name with --out")
    if out.is_dir() or not os.access(out.parent, os.W_OK):
        raise SourceError(f"{out} cannot be written; choose a file in an existing, writable folder with --out")
    if out.suffix.lower() == ".xlsx":
        require_xlsx()
        if next(islice(source, XLSX_ROWS - 1, None), None):
            raise SourceError(
                f"{source.path} has more rows than an XLSX can hold ({XLSX_ROWS:,}); choose a .csv with --out"
            )


def write_output(source: FileSource, out: Path, results: Callable[[Sequence[Row]], Sequence[Result]]) -> None:
    """Write the columns of the source, followed by the `Result` of each row.

    The file is written atomically and readable by its owner only. If the source is an earlier output, its results
    are replaced.

    Args:
        source: Input, read once.
        out: Path that ends in .csv, .jsonl or .xlsx.
        results: Function that returns the results of a batch of rows (up to 500), in their order.

    Raises `SourceError` for another suffix, and `OnboardingError` if the file cannot be written.
    """
    kept, headings = _output_columns(source.headings)
    with atomic_write(out) as file, writer_for(out)(file, headings) as write_row:
        for batch in _batches(source.with_cells()):
            found = results([row for _, row in batch])
            for (table_row, _), result in zip(batch, found, strict=True):
                write_row([*(table_row.cells[index] for index in kept), *(cell or "" for cell in astuple(result))])


def _output_columns(headings: Sequence[str]) -> tuple[list[int], list[str]]:
    """Return the indexes of the copied columns, and all headings; results of an earlier run are not copied."""
    names = [heading.strip() for heading in headings]
    result_headings = (_CHINESE_HEADINGS, _ENGLISH_HEADINGS)
    earlier = {name for group in result_headings if set(group) <= set(names) for name in group}
    kept = [index for index, name in enumerate(names) if name not in earlier]
    copied = [headings[index] for index in kept]
    chinese = sum(any("\u4e00" <= character <= "\u9fff" for character in heading) for heading in copied)
    return kept, [*copied, *(_CHINESE_HEADINGS if chinese * 2 > len(copied) else _ENGLISH_HEADINGS)]


def _batches(rows: Iterable[tuple[TableRow, Row]]) -> Iterator[list[tuple[TableRow, Row]]]:
    iterator = iter(rows)
    while batch := list(islice(iterator, _BATCH_SIZE)):
        yield batch


@contextmanager
def atomic_write(out: Path) -> Iterator[Path]:
    """Yield a temporary file next to ``out``, and move it there on success; a failure leaves ``out`` as it was.

    What a killed process left is removed first.
    """
    remove_leftovers(out)
    try:
        with tempfile.TemporaryDirectory(prefix=f"{_temporary_prefix(out)}{os.getpid()}-", dir=out.parent) as folder:
            file = Path(folder, out.name)
            file.touch(mode=0o600)
            yield file
            with file.open("rb+") as stream:
                os.fsync(stream.fileno())
            file.replace(out)
    except OSError as error:
        advice = _ADVICE.get(error.errno or 0, "choose another place")
        raise OnboardingError(
            f"{out} cannot be written: {error.strerror}; {advice}, and run the same command again"
        ) from None


def remove_leftovers(out: Path) -> None:
    """Remove the temporary folders in which processes that were killed had begun to write ``out``."""
    prefix = _temporary_prefix(out)
    for folder in out.parent.glob(f"{glob.escape(prefix)}*"):
        process = folder.name.removeprefix(prefix).partition("-")[0]
        if process.isdecimal() and not _is_running(int(process)):
            shutil.rmtree(folder, ignore_errors=True)


def _temporary_prefix(out: Path) -> str:
    return f".{out.name}.kfq-"


def _is_running(process: int) -> bool:
    """Return whether another process of this id is running; this one has begun to write nothing yet."""
    if process == os.getpid() or os.name != "posix":
        return False
    with suppress(PermissionError):  # it runs as another user
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return False
    return True


def writer_for(file: Path) -> Callable[[Path, Sequence[str]], AbstractContextManager[RowWriter]]:
    """Return the function that opens a writer for a file's suffix; raises `SourceError` for an unknown suffix."""
    writer = {".csv": _csv, ".jsonl": _json_lines, ".xlsx": _xlsx}.get(file.suffix.lower())
    if writer is None:
        raise SourceError(f"{file}: the output must end in .csv, .jsonl or .xlsx")
    return writer


def require_xlsx() -> None:
    """Raise `SourceError` if XlsxWriter is not installed."""
    try:
        import xlsxwriter  # noqa: F401
    except ImportError:
        raise SourceError("writing an XLSX needs XlsxWriter; run pip install 'kfq-async[onboarding]'") from None


@contextmanager
def _csv(file: Path, headings: Sequence[str]) -> Iterator[RowWriter]:
    """Write UTF-8 with a BOM; without it, Excel assumes the encoding of the system."""
    with file.open("w", encoding="utf-8-sig", newline="", errors="replace") as stream:
        # Quoted, so that nothing in a cell is mistaken for a delimiter or for another format.
        writer = csv.writer(stream, quoting=csv.QUOTE_ALL)
        writer.writerow([escape_formula(heading) for heading in headings])
        yield lambda cells: writer.writerow([escape_formula(cell) for cell in cells])


@contextmanager
def _json_lines(file: Path, headings: Sequence[str]) -> Iterator[RowWriter]:
    names = [column_name(headings, index) for index in range(len(headings))]
    if repeated := sorted(name for name, count in Counter(names).items() if count > 1):
        raise SourceError(
            f"JSON cannot hold two columns {', '.join(repeated)}; rename one, or choose a .csv or .xlsx with --out"
        )
    with file.open("w", encoding="utf-8", newline="\n", errors="replace") as stream:
        yield lambda cells: print(json.dumps(dict(zip(names, cells, strict=True)), ensure_ascii=False), file=stream)


@contextmanager
def _xlsx(file: Path, headings: Sequence[str]) -> Iterator[RowWriter]:
    """Write a streamed sheet; every cell is text, so there are no formulas and no hyperlinks, which Excel limits."""
    require_xlsx()
    import xlsxwriter
    from xlsxwriter.exceptions import FileCreateError

    # Its temporary files go next to the output, so that they are cleaned up with it.
    options = {"constant_memory": True, "tmpdir": str(file.parent), "use_zip64": True}
    book = xlsxwriter.Workbook(str(file), options)
    sheet = book.add_worksheet()
    try:
        yield _row_writer(sheet, book.add_format({"num_format": "@"}), headings)
        book.close()
    except FileCreateError as error:
        raise OSError(*error.args[0].args) from None
    finally:
        # XlsxWriter leaves its files open when the disk is full.
        streams: set[Any] = {sheet.row_data_fh, sheet.fh}
        for stream in streams - {None}:
            with suppress(OSError):
                stream.close()


def _row_writer(sheet: Worksheet, text_format: Format, headings: Sequence[str]) -> RowWriter:
    """Return a function that writes the next row; columns are formatted as text, for cells that are edited later."""
    sheet.set_column(0, len(headings) - 1, 20, text_format)
    sheet.freeze_panes(1, 0)
    row_index = 0

    def write_row(cells: Sequence[str]) -> None:
        nonlocal row_index
        if row_index == XLSX_ROWS:
            raise SourceError(f"an XLSX holds {XLSX_ROWS:,} rows; choose a .csv with --out")
        for column, cell in enumerate(cells):
            if cell:
                text = MaskedStr(_NOT_XML.sub("\ufffd", cell)[:_XLSX_CELL_CHARACTERS])
                sheet.write_string(row_index, column, text, text_format)
        row_index += 1

    write_row(headings)
    return write_row
