"""Row sources: a file of companies, or requests built by the caller."""

from __future__ import annotations

from collections.abc import AsyncIterable
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import evolve

from kfq_async.errors import SourceError
from kfq_async.models.masking import MaskedStr
from kfq_async.onboarding.input import open_table
from kfq_async.onboarding.input.cells import parse_code, parse_id
from kfq_async.onboarding.input.mapping import FIELDS, PERSONAL_FIELDS, Columns
from kfq_async.onboarding.input.remarks import remark_error
from kfq_async.onboarding.input.table import column_name
from kfq_async.onboarding.input.validation import CheckDigits, require_stdnum, validate
from kfq_async.onboarding.keys import (
    canonical_account,
    canonical_code,
    code_and_account,
    default_key,
    displayable,
    former_keys,
)
from kfq_async.onboarding.records import Problem, Row

if TYPE_CHECKING:
    import os
    from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence

    from kfq_async.models.identity import CorpIdentLinkRequest
    from kfq_async.onboarding.input import TableRow

__all__ = ["FileSource", "request_rows"]

_NO_KEY = "has neither a credit code nor an account to identify it; fill one in, or name another column with --key"
_NO_COMPANY = "has neither a company's name nor a credit code; fill one in, or delete the row"
_BLANK = {
    "company_name": "is blank: the request has no companyName",
    "account_name": "is blank: the request has no accountName",
}
"""Warnings about blank cells, by field."""
_COMPANY_FIELDS = ("company_name", "credit_code")
_NO_CUSTOM_KEY = "has none of the data that identifies a company; fill it in"
_PLATFORM_KEYS = {"corpIdentInfo", "corpIdentConfig", "oprIdentInfo", "oprIdentConfig"}


_CANONICAL = {
    "credit_code": canonical_code,
    "id_card": canonical_code,
    "account_name": canonical_account,
    "mobile": canonical_account,
}
"""Canonical forms of a key column's cells, by the field of the column."""


class FileSource:
    """Companies of a file: an iterable of `Row`, one per row that is not blank.

    Iterating starts over each time. The file may be CSV, XLSX, XLS or JSON Lines, with Chinese or English headings;
    CSV needs no extra if ``checks`` is off, the other options and formats need the extra ``onboarding``.

    Args:
        path: Regular file.
        key: Heading of the column that identifies a company, or a function that returns its key from the request
            (``None``: the row has no key and is invalid). Default: credit code and account together.
        columns: Heading of a field that is not recognised, such as ``{"company_name": "甲方名称"}``.
        show_key: Whether the ledger stores keys, or codes, readably even if they are no valid credit code, which is
            public. They are the ``label`` of a row.
        strict: Whether warnings of the checks are errors, so that such rows are not sent.
        checks: Whether numbers and URLs are checked (check digits and the like). ``False`` needs no python-stdnum.
        sheet: Sheet of a workbook. Default: the first visible one that is not empty.
        encoding: Encoding of a text file, such as ``"utf-8"`` or ``"gb18030"``. Default: detected.
        header_row: Row of the headings as a spreadsheet program counts it, or the line of a CSV. Default: the first row
            that is not blank, or, if that is a title, the row below that names several fields.

    Raises `SourceError`, with the remedy, if the file or its headings cannot be used.

    Attributes:
        path: The file.
        headings: Headings of the file, as written there.
        columns: Heading of the column that fills each field, by the name of the field, such as ``company_name``.
        notices: Remarks for the user: sheets and columns that are not used.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        key: str | Callable[[CorpIdentLinkRequest], str | None] | None = None,
        columns: Mapping[str, str] | None = None,
        show_key: bool = False,
        strict: bool = False,
        checks: bool = True,
        sheet: str | None = None,
        encoding: str | None = None,
        header_row: int | None = None,
    ) -> None:
        if checks:
            require_stdnum()
        self.path: Path = Path(path)
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
        self._checks, self._strict, self._show_key = checks, strict, show_key
        used = {*self._columns.indexes.values(), *(() if self._key_column is None else (self._key_column,))}
        self._used_columns = {"", *(column_name(self.headings, index) for index in used)}

    @property
    def headings(self) -> tuple[str, ...]:
        """Headings of the file, as written there."""
        return self._table.headings

    @property
    def columns(self) -> Mapping[str, str]:
        """Heading of the column that fills each field, by the name of the field, such as ``company_name``."""
        return {field: self._columns.heading(field) for field in self._columns.indexes}

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
        cards = CheckDigits()
        return ((table_row, self._to_row(table_row, cards)) for table_row in self._table.rows())

    def _to_row(self, table_row: TableRow, cards: CheckDigits) -> Row:
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
            problems += self._blank_fields(request, problems)
            found = validate(request, strict=self._strict, cards=cards)
            problems += [evolve(problem, column=self._columns.heading(problem.column)) for problem in found]
        former = self._former_keys(table_row.cells, request, key)
        return Row(
            row_number=table_row.row_number,
            key=key,
            request=request,
            label=label,
            problems=tuple(problems),
            former_keys=former,
        )

    def _blank_fields(self, request: CorpIdentLinkRequest, problems: Sequence[Problem]) -> list[Problem]:
        """Return warnings about blank cells in columns without which nearly every order is a mistake."""
        if any(problem.fatal for problem in problems):
            return []
        info = request.corp_ident_info
        values = {"company_name": info and info.company_name, "account_name": request.account_name}
        return [
            Problem(self._columns.heading(field), message, self._strict)
            for field, message in _BLANK.items()
            if field in self._columns.indexes and not values[field]
        ]

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
        key, label = default_key(request)
        return key, (canonical_code(code_and_account(request)[0]) or None) if self._show_key else label

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
        canonical = _CANONICAL.get(field or "")
        key = MaskedStr(canonical(str(value)) if canonical else value)
        return key, key if self._show_key else None if field in PERSONAL_FIELDS else displayable(key)

    def _former_keys(self, cells: Sequence[str], request: CorpIdentLinkRequest, key: str | None) -> tuple[str, ...]:
        """Return the keys under which a ledger of an earlier version may hold the row's company."""
        if key is None or self._key_function is not None:
            return ()
        if self._key_column is None:
            code, account = (self._as_written(field, cells) for field in ("credit_code", "account_name"))
            return former_keys(code_and_account(request), (code, account))
        written, _ = parse_code(cells[self._key_column])
        return (written,) if written and written != key else ()

    def _as_written(self, field: str, cells: Sequence[str]) -> str:
        """Return the text of a field's cell as earlier versions read it."""
        return parse_code(cells[self._columns.indexes[field]])[0] or "" if field in self._columns.indexes else ""


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
        former = former_keys(code_and_account(request)) if key is None else ()
        problems = () if row_key else (Problem("", "has no key; give it a credit code or an account, or pass key="),)
        without_id = evolve(request, client_request_id=None)
        yield Row(
            row_number=number, key=row_key, request=without_id, label=label, problems=problems, former_keys=former
        )


async def _iterate(
    requests: Iterable[CorpIdentLinkRequest] | AsyncIterable[CorpIdentLinkRequest],
) -> AsyncIterator[CorpIdentLinkRequest]:
    if isinstance(requests, AsyncIterable):
        async for request in requests:
            yield request
    else:
        for request in requests:
            yield request
