"""Where the sandbox keeps its orders and contracts: in memory, or in a SQLite file that outlives it."""

from __future__ import annotations

import os
import sqlite3
from typing import TYPE_CHECKING, Generic, TypeVar

from attrs import AttrsInstance, asdict, field, fields, frozen

from kfq_async.models.fields import mask

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Contract", "Order", "Store"]


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


@frozen(kw_only=True)
class Contract:
    """One contract."""

    contract_id: str
    token: str = field(repr=mask)
    status: str
    """As on the wire (protocol section 6.3)."""
    request: str = field(repr=mask)
    """The request's fields, as JSON."""
    created_at: float
    """Seconds since the epoch."""


T = TypeVar("T", bound=AttrsInstance)

_MARK = 0x6B667173
"""SQLite's ``application_id`` of a state file: the letters ``kfqs``."""


class Table(Generic[T]):
    """Values of one class, a column for each attribute; the first is the key."""

    def __init__(self, database: sqlite3.Connection, name: str, kind: type[T]) -> None:
        self._database = database
        self._name = name
        self._kind = kind
        self._columns = [attribute.name for attribute in fields(kind)]
        key, *others = self._columns
        database.execute(f"CREATE TABLE IF NOT EXISTS {name} ({key} PRIMARY KEY, {', '.join(others)})")

    def add(self, value: T) -> None:
        """Keep a value, for good before this returns."""
        marks = ", ".join(f":{name}" for name in self._columns)
        statement = f"INSERT INTO {self._name} VALUES ({marks})"  # noqa: S608  # our own names
        self._database.execute(statement, asdict(value))

    def one(self, condition: str, *values: str) -> T | None:
        """Return the value that meets a condition in SQL, which is our own."""
        found = self.all(condition, *values)
        return found[0] if found else None

    def all(self, condition: str = "1", *values: str) -> list[T]:
        """Return all values that meet a condition, oldest first."""
        columns = ", ".join(self._columns)
        query = f"SELECT {columns} FROM {self._name} WHERE {condition} ORDER BY rowid"  # noqa: S608  # our own names
        rows = self._database.execute(query, values).fetchall()
        return [self._kind(**dict(zip(self._columns, row, strict=True))) for row in rows]


class Store:
    """Orders and contracts. Without a path they are gone with the process.

    Raises `ValueError` for a file that is no state of the sandbox, and leaves that file untouched.
    """

    def __init__(self, path: str | Path | None) -> None:
        if path is not None:
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        self._database = sqlite3.connect(path or ":memory:", check_same_thread=False, isolation_level=None)
        try:
            self._claim()
            # A killed process loses nothing that was committed; only a power failure could.
            self._database.execute("PRAGMA journal_mode=WAL")
            self._database.execute("PRAGMA synchronous=NORMAL")
            self.orders = Table(self._database, "orders", Order)
            self.contracts = Table(self._database, "contracts", Contract)
            self._database.execute("CREATE UNIQUE INDEX IF NOT EXISTS by_key ON orders (token, client_request_id)")
        except sqlite3.DatabaseError as problem:
            self._database.close()
            raise ValueError(f"state: {path} is not a state file of the sandbox ({problem})") from None

    def _claim(self) -> None:
        """Mark an empty file as a state file, and refuse the database of another program before touching it."""
        (mark,) = self._database.execute("PRAGMA application_id").fetchone()
        (contents,) = self._database.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if contents and mark != _MARK:
            raise sqlite3.DatabaseError("it is another program's database")
        self._database.execute(f"PRAGMA application_id = {_MARK}")

    def close(self) -> None:
        """Close the file."""
        self._database.close()
