"""Output table: the columns of the input, followed by the result of each row."""

from __future__ import annotations

import errno
import os
import re
import shutil
import tempfile
from collections import Counter
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from attrs import field, frozen

from kfq_async.errors import OnboardingError, SourceError
from kfq_async.models.fields import SECRET
from kfq_async.onboarding.output.tables import XLSX_ROWS, Column, check_columns, require_xlsx, writer_for
from kfq_async.onboarding.output.texts import identity_status_text, state_text
from kfq_async.onboarding.records import State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from kfq_async.languages import Language
    from kfq_async.onboarding.input import TableRow
    from kfq_async.onboarding.input.source import FileSource
    from kfq_async.onboarding.records import Row

__all__ = [
    "Result",
    "atomic_write",
    "check_output",
    "default_output",
    "remove_leftovers",
    "write_output",
]

_BATCH_SIZE = 500
"""Rows whose results are looked up together."""
_TEMPORARY = re.compile(r"\..+\.kfq-(?P<process>[0-9]{1,9})-[a-z0-9_]{8}", re.DOTALL)
"""Name of the folder in which a process writes a file, made by `tempfile`."""
_ADVICE = {
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "free some space",
    errno.ENOENT: "create the folder",
    errno.EACCES: "choose a writable folder, and close the file in other programs",
    errno.EPERM: "choose a writable folder, and close the file in other programs",
}


@frozen
class Result:
    """Result of one row: with the row's number, its fields are columns of the output, under the headings given here.

    Attributes:
        state: 申请状态. ``linked``, ``refused``, ``invalid``, ``unknown`` or ``pending``; CSV and XLSX show its name in
            their language.
        order_no: 订单号. Number of the identification order.
        auth_url: 认证链接. Page where the operator identifies the company. A secret: the link alone opens it.
        reason: 说明. Reason why there is no link, or a warning.
        client_request_id: 请求标识. ``clientRequestId`` of the request.
        identity_status: 认证状态. `IdentityStatus` of the order, shown by its name; ``None``: no notification yet.

    ``None`` is a blank cell.
    """

    state: str | None = None
    order_no: str | None = None
    auth_url: str | None = field(default=None, **SECRET)
    reason: str | None = None
    client_request_id: str | None = None
    identity_status: int | None = None


_KEYS: Mapping[str, tuple[str, Literal["text", "number", "link"]]] = {
    "row": ("行号", "number"),
    "state": ("申请状态", "text"),
    "identity_status": ("认证状态", "text"),
    "auth_url": ("认证链接", "link"),
    "reason": ("说明", "text"),
    "order_no": ("订单号", "text"),
    "client_request_id": ("请求标识", "text"),
}
"""Chinese heading and kind of each column that follows those of the input, by its key, which is the English heading."""
_COLUMNS: dict[Language, tuple[Column, ...]] = {
    "en": tuple(Column(key, key, kind) for key, (_, kind) in _KEYS.items()),
    "zh": tuple(Column(heading, key, kind) for key, (heading, kind) in _KEYS.items()),
}
"""Columns that follow those of the input."""
_FORMER_HEADINGS = (
    {"认证状态", "订单号", "认证链接", "说明", "请求标识"},
    {"state", "order_no", "auth_url", "reason", "client_request_id"},
)
"""Headings of results in outputs of earlier versions of the package."""
_SHEETS: dict[Language, tuple[str, str]] = {"en": ("Companies", "Totals"), "zh": ("企业", "汇总")}
"""Names of the sheets of a workbook."""
_TOTAL_TEXTS: dict[Language, tuple[str, str]] = {"en": ("rows", "total"), "zh": ("行数", "合计")}


def default_output(path: Path) -> Path:
    """Return the default path of the output: next to the input and in its format, such as ``NAME.links.xlsx``.

    An XLS becomes an XLSX, and a file with any other suffix than .xlsx and .jsonl a CSV.
    """
    suffixes = {".xls": ".xlsx", ".xlsx": ".xlsx", ".jsonl": ".jsonl"}
    return path.with_name(f"{path.stem}.links{suffixes.get(path.suffix.lower(), '.csv')}")


def check_output(source: FileSource, out: Path, *, dry_run: bool = False) -> None:
    """Raise `SourceError` if `write_output` would fail; call it before anything is sent.

    Reads the whole input if the output is an XLSX, whose number of rows is limited. A ``dry_run`` writes nothing, so
    the folder may be one that can only be read.
    """
    writer_for(out)
    check_columns(out, _columns(source.headings, "en")[1])
    if out.exists() and out.samefile(source.path):
        raise SourceError(f"{out} is the input; choose another name with --out")
    if out.is_dir() or not os.access(out.parent, os.F_OK if dry_run else os.W_OK):
        raise SourceError(f"{out} cannot be written; choose a file in an existing, writable folder with --out")
    if out.suffix.lower() == ".xlsx":
        require_xlsx()
        if next(islice(source, XLSX_ROWS - 1, None), None):
            raise SourceError(
                f"{source.path} has more rows than an XLSX can hold ({XLSX_ROWS:,}); choose a .csv with --out"
            )


def write_output(
    source: FileSource,
    out: Path,
    results: Callable[[Sequence[Row]], Sequence[Result]],
    *,
    language: Language | None = None,
) -> None:
    """Write the columns of the source, followed by the number and the `Result` of each row.

    The file is written atomically and readable by its owner only. If the source is an earlier output, its results
    are replaced. In an XLSX links can be clicked (the first 65,530 of up to 2,079 characters), and a second sheet has
    the totals.

    Args:
        source: Input, read once.
        out: Path that ends in .csv, .jsonl or .xlsx.
        results: Function that returns the results of a batch of rows (up to 500), in their order.
        language: Language of headings and states, ``"en"`` or ``"zh"``; those of JSON Lines are always English.
            Default: Chinese if most headings of the source are.

    Raises `SourceError` for another suffix, and `OnboardingError` if the file cannot be written.
    """
    if out.suffix.lower() == ".jsonl":
        language = "en"
    elif language is None:
        language = _language_of(source.headings)
    kept, columns = _columns(source.headings, language)
    sheet, totals_sheet = _SHEETS[language]
    totals = _Totals(language)
    with atomic_write(out) as file, writer_for(out)(file, columns, sheet) as table:
        for batch in _batches(source.with_cells()):
            found = results([row for _, row in batch])
            for (table_row, _), result in zip(batch, found, strict=True):
                copied = [table_row.cells[index] for index in kept]
                table.write_row([*copied, table_row.row_number, *_result_cells(result, language)])
                totals.add(result)
        table.write_totals(totals_sheet, totals.groups())


def _columns(headings: Sequence[str], language: Language) -> tuple[list[int], list[Column]]:
    """Return the indexes of the copied columns, and all columns; results of an earlier run are not copied."""
    names = [heading.strip() for heading in headings]
    groups = [*({column.heading for column in columns} for columns in _COLUMNS.values()), *_FORMER_HEADINGS]
    earlier = {name for group in groups if group <= set(names) for name in group}
    kept = [index for index, name in enumerate(names) if name not in earlier]
    return kept, [*(Column(headings[index]) for index in kept), *_COLUMNS[language]]


def _language_of(headings: Sequence[str]) -> Language:
    """Return the language of most headings, those of an earlier run aside."""
    kept, _ = _columns(headings, "en")
    chinese = sum(any("\u4e00" <= character <= "\u9fff" for character in headings[index]) for index in kept)
    return "zh" if chinese * 2 > len(kept) else "en"


def _result_cells(result: Result, language: Language) -> list[str]:
    """Return the cells of a result, in the order of its columns."""
    state = "" if result.state is None else state_text(result.state, language)
    status = identity_status_text(result.identity_status, language) if result.state == State.LINKED else ""
    values = (result.auth_url, result.reason, result.order_no, result.client_request_id)
    return [state, status, *(value or "" for value in values)]


class _Totals:
    """Numbers of rows by state, and of linked rows by identification state."""

    def __init__(self, language: Language) -> None:
        self._language = language
        self._states: Counter[str] = Counter()
        self._statuses: Counter[str] = Counter()

    def add(self, result: Result) -> None:
        """Count a row."""
        state, status, *_ = _result_cells(result, self._language)
        self._states[state] += 1
        if status:
            self._statuses[status] += 1

    def groups(self) -> dict[tuple[str, str], dict[str, int]]:
        """Return the numbers by heading, the largest first, each group with its sum."""
        state, status = (column.heading for column in _COLUMNS[self._language][1:3])
        count, total = _TOTAL_TEXTS[self._language]
        return {
            (heading, count): {**dict(counts.most_common()), total: counts.total()}
            for heading, counts in ((state, self._states), (status, self._statuses))
        }


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
        with tempfile.TemporaryDirectory(prefix=f".{out.name}.kfq-{os.getpid()}-", dir=out.parent) as folder:
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
    """Remove the temporary folders in which processes that were killed had begun to write ``out``, or a file beside it.

    They hold data of people and links.
    """
    for folder in out.parent.glob(".*"):
        if (found := _TEMPORARY.fullmatch(folder.name)) and not _is_running(int(found["process"])):
            shutil.rmtree(folder, ignore_errors=True)


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
