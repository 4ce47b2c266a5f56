"""The companies of a CSV, as requests; asking for them is not here."""

from __future__ import annotations

import csv
import io
import reprlib
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

from attrs import frozen

from kfq_async.cli.options import UsageError
from kfq_async.models.identity import CorpIdentInfo, CorpIdentLinkRequest, OprIdentInfo

__all__ = ["COLUMNS", "Companies", "read_companies"]

SHIPPED = "companies.csv"
COLUMNS = (
    "company_name",
    "credit_code",
    "legal_rep_name",
    "company_type",
    "account_name",
    "operator_name",
    "id_card",
    "mobile",
)
TYPES = {"1": 1, "2": 2, "3": 3, None: None}


@frozen
class Companies:
    """What a CSV holds: a request for each company, and what was noticed on the way."""

    requests: tuple[CorpIdentLinkRequest, ...]
    notes: tuple[str, ...]


def read_companies(file: Path | None = None) -> Companies:
    """Read the companies of a CSV; blanks around values go, repeated rows are asked once, empty ones not at all.

    Without a file it reads the one that ships with the package. Raises `UsageError`, naming line and column, for
    what is no such CSV. A row that goes over several lines is named by its last one.
    """
    requests: dict[tuple[str | None, ...], CorpIdentLinkRequest] = {}
    lines: dict[tuple[str | None, ...], int] = {}
    notes = []
    name = SHIPPED if file is None else str(file)
    for line, row in _rows(_text(file), f"--file {name}"):
        cells = {column: (row[column] or "").strip() or None for column in COLUMNS}
        key = (cells["company_name"], cells["credit_code"], cells["account_name"])
        if not any(key):
            notes.append(f"{name}: line {line} left out, no company_name, credit_code or account_name")
        elif key in requests:
            notes.append(f"{name}: line {line} repeats line {lines[key]}, asked once")
        else:
            lines[key] = line
            requests[key] = _request(cells, f"--file {name}, line {line}")
    if not requests:
        raise UsageError(f"--file {name} holds no company")
    return Companies(tuple(requests.values()), tuple(notes))


def _text(file: Path | None) -> str:
    source = files("kfq_async.examples") / SHIPPED if file is None else file
    try:
        return source.read_bytes().decode("utf-8-sig")
    except OSError as problem:
        raise UsageError(f"--file {file}: {problem.strerror}") from None
    except UnicodeDecodeError:
        raise UsageError(f"--file {file} is not in UTF-8; save it as CSV UTF-8") from None


def _rows(text: str, where: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield each row with its line; only what CSV calls the end of a line is one."""
    rows = csv.DictReader(io.StringIO(text, newline=""))
    try:
        if missing := [name for name in COLUMNS if name not in (rows.fieldnames or ())]:
            raise UsageError(f"{where} lacks the column {', '.join(missing)}")
        for row in rows:
            yield rows.line_num, row
    except csv.Error as problem:
        raise UsageError(f"{where}, line {rows.reader.line_num}: {problem}") from None


def _request(cells: dict[str, str | None], where: str) -> CorpIdentLinkRequest:
    kind = cells["company_type"]
    if kind not in TYPES:
        raise UsageError(f"{where}: company_type must be 1, 2 or 3, not {reprlib.repr(kind)}")
    return CorpIdentLinkRequest(
        account_name=cells["account_name"],
        corp_ident_info=CorpIdentInfo(
            company_name=cells["company_name"],
            credit_code=cells["credit_code"],
            legal_rep_name=cells["legal_rep_name"],
            company_type=TYPES[kind],
        ),
        opr_ident_info=OprIdentInfo(
            name=cells["operator_name"],
            id_card=cells["id_card"],
            id_card_type=1 if cells["id_card"] else None,
            mobile=cells["mobile"],
        ),
    )
