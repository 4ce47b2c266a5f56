"""Search of the console: for orders and contracts by a text and a state. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from attrs import frozen

from kfq_async.models.notifications import IdentityStatus
from kfq_async.sandbox.lifecycle import STATUS_NAMES

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["CONTRACT_STATES", "ORDER_STATES", "Search"]

MAX_TEXT = 200
"""Characters of a text that are searched for."""
ORDER_STATES = ("new", *(f"{status:d}" for status in IdentityStatus))
"""States of an order: ``new``, and each ``orderStatus``."""
CONTRACT_STATES = tuple(STATUS_NAMES)
"""States of a contract as on the wire."""
_KEYS = ("accountName", "companyName", "contact", "enterpriseName", "mobile", "name", "signerName", "sn", "subject")
"""Keys of a request whose values are searched: accounts, names and titles."""
_LIKE = "LIKE :pattern ESCAPE '!'"
_IN_REQUEST = f"EXISTS (SELECT 1 FROM json_tree(request) WHERE key IN ({', '.join(map(repr, _KEYS))}) AND atom {_LIKE})"  # noqa: S608  # our own names
_ORDER_TEXT = f"(order_no {_LIKE} OR client_request_id {_LIKE} OR company_name {_LIKE} OR {_IN_REQUEST})"
_NOTHING = "0"
_CONTRACT_TEXT = f"(contract_id {_LIKE} OR enterprise {_LIKE} OR {_IN_REQUEST})"


@frozen
class Search:
    """What the console is searched for.

    Attributes:
        text: Part of an id, a company, a person, an account or a ``clientRequestId``; letter case of ASCII letters does
            not count. Empty for all.
        state: One of `ORDER_STATES` or `CONTRACT_STATES`; empty for all.
    """

    text: str = ""
    state: str = ""

    @classmethod
    def of(cls, query: Mapping[str, str]) -> Self:
        """Return the search of a URL's parameters ``q`` and ``state``; an unknown state is none."""
        state = query.get("state", "")
        known = state in ORDER_STATES or state in CONTRACT_STATES
        return cls(query.get("q", "").strip()[:MAX_TEXT], state if known else "")

    @property
    def fields(self) -> dict[str, str]:
        """Parameters of the URL."""
        return {name: value for name, value in (("q", self.text), ("state", self.state)) if value}

    @property
    def values(self) -> dict[str, str]:
        """Values of the conditions by their names."""
        escaped = self.text
        for character in "!%_":
            escaped = escaped.replace(character, f"!{character}")
        return {"pattern": f"%{escaped}%", "state": self.state}

    @property
    def orders(self) -> str:
        """SQL condition for the orders that are found."""
        if self.state in CONTRACT_STATES:
            return _NOTHING
        state = {"": "1", "new": "status IS NULL"}.get(self.state, "status = CAST(:state AS INTEGER)")
        return f"{_ORDER_TEXT} AND {state}"

    @property
    def contracts(self) -> str:
        """SQL condition for the contracts that are found."""
        if self.state in ORDER_STATES:
            return _NOTHING
        return f"{_CONTRACT_TEXT} AND {'status = :state' if self.state else '1'}"

    @property
    def notifications(self) -> str:
        """SQL condition for the notifications of the orders that are found."""
        return f"order_no IN (SELECT order_no FROM orders WHERE {self.orders})"  # noqa: S608  # our own names

    @property
    def events(self) -> str:
        """SQL condition for the events of the contracts that are found."""
        return f"contract_id IN (SELECT contract_id FROM contracts WHERE {self.contracts})"  # noqa: S608  # our own names
