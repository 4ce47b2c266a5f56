"""Which column is which field of a request, and what request a row's cells make."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from attrs import frozen

from kfq_async.errors import SourceError
from kfq_async.models.identity import (
    CorpIdentConfig,
    CorpIdentInfo,
    CorpIdentLinkRequest,
    OprIdentConfig,
    OprIdentInfo,
)
from kfq_async.onboarding.cells import Value, as_code, as_company_type, as_id, as_number, as_text, as_texts
from kfq_async.onboarding.headings import field_of, index_of, looks_like_data, nearest
from kfq_async.onboarding.rows import Problem
from kfq_async.onboarding.tables.table import column_name

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["FIELDS", "PERSONAL", "Columns"]

_PARTS: dict[str, Callable[..., Any]] = {
    "corp_ident_info": CorpIdentInfo,
    "corp_ident_config": CorpIdentConfig,
    "opr_ident_info": OprIdentInfo,
    "opr_ident_config": OprIdentConfig,
}


@frozen
class _Field:
    """A field of the request that a column can fill."""

    path: str
    """Where it is in the request."""
    read: Callable[[str], tuple[Value, str]]


FIELDS: Mapping[str, _Field] = {
    "company_name": _Field("corp_ident_info.company_name", as_text),
    "credit_code": _Field("corp_ident_info.credit_code", as_code),
    "legal_rep_name": _Field("corp_ident_info.legal_rep_name", as_text),
    "company_type": _Field("corp_ident_info.company_type", as_company_type),
    "account_name": _Field("account_name", as_code),
    "client_user_id": _Field("client_user_id", as_id),
    "operator_name": _Field("opr_ident_info.name", as_text),
    "id_card": _Field("opr_ident_info.id_card", as_code),
    "id_card_type": _Field("opr_ident_info.id_card_type", as_number),
    "mobile": _Field("opr_ident_info.mobile", as_code),
    "bank_card": _Field("opr_ident_info.bank_card", as_code),
    "corp_verify_methods": _Field("corp_ident_config.corp_verify_methods", as_texts),
    "person_verify_methods": _Field("opr_ident_config.person_verify_methods", as_texts),
    "corp_unmodifiable_params": _Field("corp_ident_config.unmodifiable_params", as_texts),
    "opr_unmodifiable_params": _Field("opr_ident_config.unmodifiable_params", as_texts),
    "callback_page": _Field("callback_page", as_text),
    "auth_callback_url": _Field("auth_callback_url", as_text),
}
"""What a column may fill. The business licence is a picture and comes in no cell."""
PERSONAL = frozenset({"legal_rep_name", "account_name", "operator_name", "id_card", "mobile", "bank_card"})
"""Fields that are a person's data and are shown nowhere."""
_KEYS = ("credit_code", "account_name")
"""What a company is recognised by, if no column is chosen."""


@frozen
class Columns:
    """Which column fills which field."""

    headings: tuple[str, ...]
    places: Mapping[str, int]
    """The column of each field that has one, counted from 0."""

    @classmethod
    def of(cls, headings: Sequence[str], given: Mapping[str, str] | None = None, *, keyed: bool = False) -> Columns:
        """Find the fields that the headings name; ``given`` says the heading of a field and wins.

        ``keyed`` says that a column of its own is the key. Otherwise the credit code or the account must be there.

        Raises `SourceError`, naming the headings, where a field has two columns or where too little is recognised.
        """
        places = {field: _given(field, heading, headings) for field, heading in (given or {}).items()}
        for index, heading in enumerate(headings):
            field = field_of(heading)
            if field is None or field in (given or {}) or index in places.values():
                continue
            if field in places:
                both = f"{column_name(headings, places[field])} and {column_name(headings, index)}"
                raise SourceError(f"the columns {both} both mean {field}; rename one, or say which column it is")
            places[field] = index
        if not keyed and not places.keys() & set(_KEYS):
            raise SourceError(f"there is no column for credit_code or account_name{_hint(_KEYS[0], headings)}")
        if not places:
            raise SourceError(f"no heading is known{_hint('company_name', headings)}")
        return cls(tuple(headings), places)

    @property
    def unused(self) -> tuple[str, ...]:
        """The headings of the columns that fill no field."""
        return tuple(h for i, h in enumerate(self.headings) if h.strip() and i not in self.places.values())

    def heading(self, field: str) -> str:
        """Return what the column of a field is called, or the field's name if it has none."""
        return column_name(self.headings, self.places[field]) if field in self.places else field

    def find(self, wanted: str) -> int:
        """Return the column with this heading, or that fills this field, counted from 0.

        Raises `SourceError`, naming the nearest one, if there is none.
        """
        if wanted in self.places and index_of(wanted, self.headings) is None:
            return self.places[wanted]
        return _find(wanted, self.headings)

    def field_at(self, index: int) -> str | None:
        """Return the field that a column fills, if any."""
        return next((field for field, place in self.places.items() if place == index), None)

    def request(self, cells: Sequence[str]) -> tuple[CorpIdentLinkRequest, tuple[Problem, ...]]:
        """Return the request that a row makes, without an id, and what is wrong with its cells."""
        parts: dict[str, dict[str, Value]] = {}
        problems = []
        for name, index in self.places.items():
            value, words = FIELDS[name].read(cells[index])
            if words:
                problems.append(Problem(self.heading(name), words))
            if value is not None:
                part, _, attribute = FIELDS[name].path.rpartition(".")
                parts.setdefault(part, {})[attribute] = value
        plain: dict[str, Any] = parts.pop("", {})
        whole = {part: _PARTS[part](**values) for part, values in parts.items()}
        return CorpIdentLinkRequest(**plain, **whole, client_request_id=None), tuple(problems)


def _given(field: str, heading: str, headings: Sequence[str]) -> int:
    if field not in FIELDS:
        raise SourceError(f"no column can fill {field}; these can be filled: {', '.join(FIELDS)}")
    return _find(heading, headings)


def _find(wanted: str, headings: Sequence[str]) -> int:
    index = index_of(wanted, headings)
    if index is None:
        raise SourceError(f"there is no column {wanted}, or more than one{_hint(wanted, headings)}")
    return index


def _hint(wanted: str, headings: Sequence[str]) -> str:
    """Return the end of an error: what the wanted heading may be, and what there is."""
    if looks_like_data(headings):
        return "; the first row looks like data, put a row of headings above it"
    close = nearest(wanted, headings)
    guess = f"; did you mean {close}?" if close else ";"
    there = [heading.strip() for heading in headings if heading.strip()]
    alone = "; if that is a title, delete the row, and if it is a cover, choose another sheet"
    return f"{guess} the headings are {', '.join(there)}{alone if len(there) == 1 else ''}"
