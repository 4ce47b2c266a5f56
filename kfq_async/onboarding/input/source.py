"""Row sources: a file of companies, or requests built by the caller."""

from __future__ import annotations

import re
from collections.abc import AsyncIterable
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import evolve

from kfq_async.errors import SourceError
from kfq_async.models.masking import MaskedStr
from kfq_async.onboarding.input import open_table
from kfq_async.onboarding.input.cells import parse_id
from kfq_async.onboarding.input.mapping import FIELDS, PERSONAL_FIELDS, Columns
from kfq_async.onboarding.input.remarks import remark_error
from kfq_async.onboarding.input.table import column_name
from kfq_async.onboarding.input.validation import require_stdnum, validate
from kfq_async.onboarding.records import Problem, Row

if TYPE_CHECKING:
    import os
    from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence

    from kfq_async.models.identity import CorpIdentLinkRequest
    from kfq_async.onboarding.input import TableRow

__all__ = ["FileSource", "combine_key", "default_key", "request_rows"]

_NO_KEY = "has neither a credit code nor an account to identify it; fill one in, or name another column with --key"
_NO_COMPANY = "has neither a company's name nor a credit code; fill one in, or delete the row"
_COMPANY_FIELDS = ("company_name", "credit_code")
_NO_CUSTOM_KEY = "has none of the data that identifies a company; fill it in"
_PLATFORM_KEYS = {"corpIdentInfo", "corpIdentConfig", "oprIdentInfo", "oprIdentConfig"}
_CREDIT_CODE = re.compile(r"[159ANY][1-9][0-9]{6}[0-9A-Z]{10}")
_SHORT_ID = re.compile(r"(?=.*[0-9])[A-Za-z0-9._/-]{1,40}")
_MANY_DIGITS = re.compile("[0-9]{8}")
# An ID number, 18 digits or the 15 digits of before 1999, a mobile number, or an e-mail address.
_PERSONAL_DATA = re.compile(
    r"[0-9]{6}(18|19|20)[0-9]{2}(0[1-9]|1[0-2])([0-2][0-9]|3[01])[0-9]{3}[0-9Xx]"
    r"|[0-9]{8}(0[1-9]|1[0-2])([0-2][0-9]|3[01])[0-9]{3}|(\+?86)?1[3-9][0-9]{9}|.*@.*"
)


class FileSource:
    """Companies of a file: an iterable of `Row`, one per row that is not blank.

    Iterating starts over each time. The file may be CSV, XLSX, XLS or JSON Lines, with Chinese or English headings;
    CSV needs no extra if ``checks`` is off, the other options and formats need the extra ``onboarding``.

    Args:
        path: Regular file.
        key: Heading of the column that identifies a company, or a function that returns its key from the request
            (``None``: the row has no key and is invalid). Default: credit code and account together.
        columns: Heading of a field that is not recognised, such as ``{"company_name": "甲方名称"}``.
        strict: Whether warnings of the checks are errors, so that such rows are not sent.
        checks: Whether numbers and URLs are checked (check digits and the like). ``False`` needs no python-stdnum.
        sheet: Sheet of a workbook. Default: the first visible one that is not empty.
        encoding: Encoding of a text file, such as ``"utf-8"`` or ``"gb18030"``. Default: detected.
        header_row: Row of the headings as a spreadsheet program counts it, or the line of a CSV. Default: the first row
            that is not blank, or, if that is a title, the row below that names several fields.

    Raises `SourceError`, with the remedy, if the file or its headings cannot be used.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        key: str | Callable[[CorpIdentLinkRequest], str | None] | None = None,
        columns: Mapping[str, str] | None = None,
        strict: bool = False,
        checks: bool = True,
        sheet: str | None = None,
        encoding: str | None = None,
        header_row: int | None = None,
    ) -> None:
        if checks:
            require_stdnum()
        self.path = Path(path)
        expected = [*(columns or {}).values(), *([key] if isinstance(key, str) else [])]
        self._table = open_table(self.path, sheet=sheet, encoding=encoding, header_row=header_row, expected=expected)
        if nested := _PLATFORM_KEYS & set(self._table.headings):
            raise SourceError(
                f"{self.path} holds requests in the platform's format ({', '.join(sorted(nested))}); write a column "
                "per field, such as company_name, or use request_rows"
            )
        try:
            self._columns = Columns.of(self._table.headings, columns, key_required=key is None)
            self._key_column = self._columns.find(key) if isinstance(key, str) else None
        except SourceError as error:
            if not self._table.other_sheets:
                raise
            sheets = ", ".join(self._table.other_sheets)
            raise SourceError(f"{error}; or is it another sheet, {sheets}? choose it with --sheet") from None
        self._key_function = key if callable(key) else None
        self._checks, self._strict = checks, strict
        used = {*self._columns.indexes.values(), *(() if self._key_column is None else (self._key_column,))}
        self._used_columns = {"", *(column_name(self.headings, index) for index in used)}

    @property
    def headings(self) -> tuple[str, ...]:
        """Headings of the file, as written there."""
        return self._table.headings

    @property
    def notices(self) -> tuple[str, ...]:
        """Remarks for the user: sheets and columns that are not used."""
        unused = [heading.strip() for heading in self._columns.unused if heading.strip() not in self._used_columns]
        return (*self._table.notices, *([f"columns not used: {', '.join(unused)}"] if unused else []))

    def __iter__(self) -> Iterator[Row]:
        """Iterate from the first row on; rows are streamed where the format allows it."""
        return (row for _, row in self.with_cells())

    def count(self) -> int:
        """Return the number of rows; reads the whole file, and raises `SourceError` if that is not possible."""
        return sum(1 for _ in self._table.rows())

    def with_cells(self) -> Iterator[tuple[TableRow, Row]]:
        """Iterate over the rows together with their cells."""
        return ((table_row, self._to_row(table_row)) for table_row in self._table.rows())

    def _to_row(self, table_row: TableRow) -> Row:
        request, cell_problems = self._columns.request(table_row.cells)
        problems = [problem for problem in table_row.problems if problem.column in self._used_columns]
        reported = {problem.column for problem in problems}
        problems += [problem for problem in cell_problems if problem.column not in reported]
        if remark := remark_error(table_row.cells, self._columns):
            problems = [Problem("", remark)]
        key, label = self._identify(table_row.cells, request, problems)
        if key is None and not any(problem.fatal for problem in problems):
            problems.append(Problem("", _NO_KEY if self._key_function is None else _NO_CUSTOM_KEY))
        elif not problems and self._lacks_company(request):
            problems.append(Problem("", _NO_COMPANY))
        if self._checks:
            found = validate(request, strict=self._strict)
            problems += [evolve(problem, column=self._columns.heading(problem.column)) for problem in found]
        return Row(row_number=table_row.row_number, key=key, request=request, label=label, problems=tuple(problems))

    def _lacks_company(self, request: CorpIdentLinkRequest) -> bool:
        """Return whether a row has neither name nor code of a company, although there are columns for them."""
        info = request.corp_ident_info
        named = info is not None and (info.company_name or info.credit_code)
        return not named and not self._columns.indexes.keys().isdisjoint(_COMPANY_FIELDS)

    def _identify(
        self, cells: Sequence[str], request: CorpIdentLinkRequest, problems: list[Problem]
    ) -> tuple[str | None, str | None]:
        """Return key and label of a row."""
        if self._key_function is not None:
            return self._key_function(request) or None, None
        if self._key_column is not None:
            return self._key_from_cell(self._key_column, cells, problems)
        return default_key(request)

    def _key_from_cell(
        self, index: int, cells: Sequence[str], problems: list[Problem]
    ) -> tuple[str | None, str | None]:
        field = self._columns.field_at(index)
        value, error = (FIELDS[field].parse if field else parse_id)(cells[index])
        name = column_name(self.headings, index)
        if error and name not in {problem.column for problem in problems}:
            problems.append(Problem(name, error))
        if value is None:
            return None, None
        key = MaskedStr(value)
        return key, None if field in PERSONAL_FIELDS else _displayable(key)


def default_key(request: CorpIdentLinkRequest) -> tuple[str | None, str | None]:
    """Return the default key, credit code and account together, and the credit code alone if it may be shown.

    The key is ``None`` if the request has neither.
    """
    info = request.corp_ident_info
    code, account = (info and info.credit_code) or "", request.account_name or ""
    return combine_key(code, account) if code or account else None, _displayable(code.upper())


def combine_key(code: str, account: str) -> str:
    """Return the key of a credit code and an account, either of which may be empty."""
    return f"{code.upper()}\x1f{account}"


def _displayable(key: str) -> str | None:
    """Return a key if it may be shown, whatever its column: a credit code, or a short id with few digits.

    Names have no digits, and the numbers of people, phones and cards have many.
    """
    shown = _CREDIT_CODE.fullmatch(key) or (_SHORT_ID.fullmatch(key) and not _MANY_DIGITS.search(key))
    return key if shown and not _PERSONAL_DATA.fullmatch(key) else None


async def request_rows(
    requests: Iterable[CorpIdentLinkRequest] | AsyncIterable[CorpIdentLinkRequest],
    *,
    key: Callable[[CorpIdentLinkRequest], str | None] | None = None,
) -> AsyncIterator[Row]:
    """Yield a `Row` for each request, numbered from 1, for companies that come from a database or another program.

    A request's own ``client_request_id`` is dropped, since the ledger assigns the ids.

    Args:
        requests: Requests, synchronous or asynchronous.
        key: Function that returns a company's key from its request; ``None`` or an empty text makes the row invalid.
            Default: credit code and account together.
    """
    number = 0
    async for request in _iterate(requests):
        number += 1
        row_key, label = default_key(request) if key is None else (key(request) or None, None)
        problems = () if row_key else (Problem("", "has no key; give it a credit code or an account, or pass key="),)
        without_id = evolve(request, client_request_id=None)
        yield Row(row_number=number, key=row_key, request=without_id, label=label, problems=problems)


async def _iterate(
    requests: Iterable[CorpIdentLinkRequest] | AsyncIterable[CorpIdentLinkRequest],
) -> AsyncIterator[CorpIdentLinkRequest]:
    if isinstance(requests, AsyncIterable):
        async for request in requests:
            yield request
    else:
        for request in requests:
            yield request
