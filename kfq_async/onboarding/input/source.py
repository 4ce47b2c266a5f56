"""Where rows come from: a file of companies, or requests that somebody else makes."""

from __future__ import annotations

import re
from collections.abc import AsyncIterable
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import evolve

from kfq_async.errors import SourceError
from kfq_async.onboarding.input import open_table
from kfq_async.onboarding.input.cells import as_id
from kfq_async.onboarding.input.mapping import FIELDS, PERSONAL, Columns
from kfq_async.onboarding.input.table import column_name
from kfq_async.onboarding.input.validation import check, require_checks
from kfq_async.onboarding.records import Problem, Row

if TYPE_CHECKING:
    import os
    from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence

    from kfq_async.models.identity import CorpIdentLinkRequest
    from kfq_async.onboarding.input import TableRow

__all__ = ["FileSource", "default_key", "key_text", "request_rows"]

_NO_KEY = "has neither a credit code nor an account to be recognised by; fill one in, or name another column with --key"

# An ID number of today or of before 1999, a mobile number, or an e-mail address.
_PERSONS = re.compile(
    r"[0-9]{6}(18|19|20)[0-9]{2}(0[1-9]|1[0-2])([0-2][0-9]|3[01])[0-9]{3}[0-9Xx]"
    r"|[0-9]{8}(0[1-9]|1[0-2])([0-2][0-9]|3[01])[0-9]{3}|(\+?86)?1[3-9][0-9]{9}|.*@.*"
)


_PARTS = {"corpIdentInfo", "corpIdentConfig", "oprIdentInfo", "oprIdentConfig"}
_CODE = re.compile(r"[159ANY][1-9][0-9]{6}[0-9A-Z]{10}")
_OWN_NUMBER = re.compile(r"(?=.*[0-9])[A-Za-z0-9._/-]{1,40}")
_LONG = re.compile("[0-9]{8}")


class FileSource:
    """The companies of a file, a `Row` for each row that is not blank; it can be iterated over again and again.

    ``key`` is the heading by which a company is recognised, else it is the credit code and the account together.
    ``columns`` says which heading fills a field, as ``{"company_name": "甲方名称"}``, where it cannot be guessed.
    ``strict`` makes reasons not to send of the warnings of `check`; ``checks=False`` leaves them out, and with them
    the need of python-stdnum. ``sheet`` and ``encoding`` are those of `open_table`.

    Raises `SourceError`, naming what to mend, when the file or its headings are of no use.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        key: str | None = None,
        columns: Mapping[str, str] | None = None,
        strict: bool = False,
        checks: bool = True,
        sheet: str | None = None,
        encoding: str | None = None,
    ) -> None:
        if checks:
            require_checks()
        self.path = Path(path)
        self._table = open_table(self.path, sheet=sheet, encoding=encoding)
        if nested := _PARTS & set(self._table.headings):
            raise SourceError(
                f"{self.path} holds requests in the platform's form ({', '.join(sorted(nested))}); write a column for "
                "each field, as company_name, or use request_rows"
            )
        self._columns = Columns.of(self._table.headings, columns, keyed=key is not None)
        self._key = None if key is None else self._columns.find(key)
        self._checks, self._strict = checks, strict
        places = {*self._columns.places.values(), *(() if self._key is None else (self._key,))}
        self._matters = {"", *(column_name(self.headings, place) for place in places)}

    @property
    def headings(self) -> tuple[str, ...]:
        """The headings of the file, as they stand there."""
        return self._table.headings

    @property
    def notices(self) -> tuple[str, ...]:
        """What whoever gave the file should know: which sheets and columns are not used."""
        unused = [heading.strip() for heading in self._columns.unused if heading.strip() not in self._matters]
        return (*self._table.notices, *([f"columns not used: {', '.join(unused)}"] if unused else []))

    def __iter__(self) -> Iterator[Row]:
        """Iterate from the first row on; one of them is in memory at a time where the kind of file allows it."""
        return (row for _, row in self.pairs())

    def count(self) -> int:
        """Read the file once and return how many rows it has, or raise what will keep it from being read."""
        return sum(1 for _ in self._table.rows())

    def pairs(self) -> Iterator[tuple[TableRow, Row]]:
        """Iterate over the rows together with their cells as the file has them."""
        return ((line, self._row(line)) for line in self._table.rows())

    def _row(self, line: TableRow) -> Row:
        request, misread = self._columns.request(line.cells)
        problems = [problem for problem in line.problems if problem.column in self._matters]
        said = {problem.column for problem in problems}
        problems += [problem for problem in misread if problem.column not in said]
        if self._key is None:
            key, label = default_key(request)
        else:
            key, label = self._own_key(self._key, line.cells, problems)
        if key is None and not any(problem.fatal for problem in problems):
            problems.append(Problem("", _NO_KEY))
        if self._checks:
            found = check(request, strict=self._strict)
            problems += [evolve(problem, column=self._columns.heading(problem.column)) for problem in found]
        return Row(row_number=line.row_number, key=key, request=request, label=label, problems=tuple(problems))

    def _own_key(self, index: int, cells: Sequence[str], problems: list[Problem]) -> tuple[str | None, str | None]:
        field = self._columns.field_at(index)
        value, words = (FIELDS[field].read if field else as_id)(cells[index])
        name = column_name(self.headings, index)
        if words and name not in {problem.column for problem in problems}:
            problems.append(Problem(name, words))
        if value is None:
            return None, None
        key = str(value)
        return key, None if field in PERSONAL else _label(key)


def default_key(request: CorpIdentLinkRequest) -> tuple[str | None, str | None]:
    """Return the credit code and the account in one text, and the code alone, which may be shown.

    The key is ``None`` where there is neither.
    """
    info = request.corp_ident_info
    code, account = (info and info.credit_code) or "", request.account_name or ""
    return key_text(code, account) if code or account else None, _label(code.upper())


def key_text(code: str, account: str) -> str:
    """Return the key of a credit code and an account, either of which may be empty."""
    return f"{code.upper()}\x1f{account}"


def _label(key: str) -> str | None:
    """Return what may be shown of a key: a credit code, or a short number of one's own, in whatever column it was put.

    Names have no digits, and the numbers of people, phones and cards have many.
    """
    shown = _CODE.fullmatch(key) or (_OWN_NUMBER.fullmatch(key) and not _LONG.search(key))
    return key if shown and not _PERSONS.fullmatch(key) else None


async def request_rows(
    requests: Iterable[CorpIdentLinkRequest] | AsyncIterable[CorpIdentLinkRequest],
    *,
    key: Callable[[CorpIdentLinkRequest], str | None] | None = None,
) -> AsyncIterator[Row]:
    """Make rows of requests, numbered from 1 on; their ids are left out, since the ledger gives each its own.

    ``key`` returns what a company is recognised by, else it is the credit code and the account together.
    """
    number = 0
    async for request in _each(requests):
        number += 1
        own, label = default_key(request) if key is None else (key(request) or None, None)
        problems = () if own else (Problem("", "has nothing to be recognised by; give it a credit code, or pass key="),)
        plain = evolve(request, client_request_id=None)
        yield Row(row_number=number, key=own, request=plain, label=label, problems=problems)


async def _each(
    requests: Iterable[CorpIdentLinkRequest] | AsyncIterable[CorpIdentLinkRequest],
) -> AsyncIterator[CorpIdentLinkRequest]:
    if isinstance(requests, AsyncIterable):
        async for request in requests:
            yield request
    else:
        for request in requests:
            yield request
