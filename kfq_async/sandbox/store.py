"""Where the sandbox keeps its orders: in memory, or in a SQLite file that outlives it."""

from __future__ import annotations

import os
import sqlite3
from typing import TYPE_CHECKING

from attrs import asdict, field, fields, frozen

from kfq_async.models.fields import mask

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["Order", "Store"]


@frozen(kw_only=True)
class Order:
    """One identification order."""

    order_no: str
    token: str = field(repr=mask)
    client_request_id: str | None
    digest: str = field(repr=False)
    """What the request said, as a hash of its canonical form."""
    company_name: str
    code: str = field(repr=mask)
    """The secret in the page's URL."""
    request: str = field(repr=mask)
    """The request's body, as JSON."""
    created_at: float
    """Seconds since the epoch."""


_COLUMNS = [attribute.name for attribute in fields(Order)]


class Store:
    """Orders by number, and by token and ``clientRequestId``. Without a path they are gone with the process."""

    def __init__(self, path: str | Path | None) -> None:
        if path is not None:
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        self._database = sqlite3.connect(path or ":memory:", check_same_thread=False, isolation_level=None)
        try:
            # A killed process loses nothing that was committed; only a power failure could.
            self._database.execute("PRAGMA journal_mode=WAL")
            self._database.execute("PRAGMA synchronous=NORMAL")
            self._database.execute(
                "CREATE TABLE IF NOT EXISTS orders (order_no TEXT PRIMARY KEY, token TEXT NOT NULL, "
                "client_request_id TEXT, digest TEXT NOT NULL, company_name TEXT NOT NULL, code TEXT NOT NULL, "
                "request TEXT NOT NULL, created_at REAL NOT NULL)"
            )
            self._database.execute("CREATE UNIQUE INDEX IF NOT EXISTS by_key ON orders (token, client_request_id)")
        except sqlite3.DatabaseError as problem:
            self._database.close()
            raise ValueError(f"state: {path} is not a state file of the sandbox ({problem})") from None

    def add(self, order: Order) -> None:
        """Keep an order, for good before this returns."""
        marks = ", ".join(f":{name}" for name in _COLUMNS)
        self._database.execute(f"INSERT INTO orders VALUES ({marks})", asdict(order))  # noqa: S608  # our own columns

    def by_key(self, token: str, client_request_id: str) -> Order | None:
        """Return the order that this request made before."""
        return self._one("token = ? AND client_request_id = ?", token, client_request_id)

    def by_number(self, order_no: str) -> Order | None:
        """Return the order of this number."""
        return self._one("order_no = ?", order_no)

    def __iter__(self) -> Iterator[Order]:
        return iter(self._all("1 ORDER BY rowid"))

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def _one(self, condition: str, *values: str) -> Order | None:
        found = self._all(condition, *values)
        return found[0] if found else None

    def _all(self, condition: str, *values: str) -> list[Order]:
        query = f"SELECT {', '.join(_COLUMNS)} FROM orders WHERE {condition}"  # noqa: S608  # our own conditions
        rows = self._database.execute(query, values).fetchall()
        return [Order(**dict(zip(_COLUMNS, row, strict=True))) for row in rows]
