"""The file of companies once more, with what became of each in columns of its own."""

from __future__ import annotations

import errno
import os
import tempfile
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import astuple, field, fields, frozen

from kfq_async.errors import OnboardingError, SourceError
from kfq_async.models.fields import mask
from kfq_async.onboarding.writers import XLSX_ROWS, require_xlsx, writer_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from kfq_async.onboarding.rows import Row
    from kfq_async.onboarding.sources import FileSource
    from kfq_async.onboarding.tables import TableRow

__all__ = ["Result", "appearing", "check_output", "default_output", "write_output"]


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
    with appearing(out) as file, writer_for(out)(file, headings) as write:
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
def appearing(out: Path) -> Iterator[Path]:
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
