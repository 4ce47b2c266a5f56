"""Where the sandbox keeps its records: in memory, or in a SQLite file that outlives it."""

from __future__ import annotations

import os
import sqlite3
from collections import defaultdict
from threading import Lock
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from attrs import AttrsInstance, evolve, fields

from kfq_async.sandbox.records import JOINED, Attempt, Contract, Notification, Order, Setting

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

__all__ = ["Store"]

T = TypeVar("T", bound=AttrsInstance)

_MARK = 0x6B667173
"""SQLite's ``application_id`` of a state file: the letters ``kfqs``."""
_VERSION = 2
"""SQLite's ``user_version`` of a state file, one more with every change of the columns."""


class Table(Generic[T]):
    """Values of one class, a column for each attribute; the first is the key."""

    def __init__(self, database: sqlite3.Connection, lock: Lock, name: str, kind: type[T]) -> None:
        self._database = database
        self._lock = lock
        self._name = name
        self._kind = kind
        self._columns = [attribute.name for attribute in fields(kind) if JOINED not in attribute.metadata]
        key, *others = self._columns
        database.execute(f"CREATE TABLE IF NOT EXISTS {name} ({key} PRIMARY KEY, {', '.join(others)})")

    def add(self, value: T) -> None:
        """Keep a value, for good before this returns."""
        marks = ", ".join("?" for _ in self._columns)
        statement = f"INSERT INTO {self._name} VALUES ({marks})"  # noqa: S608  # our own names
        self._run(statement, self._row(value))

    def add_once(self, value: T) -> bool:
        """Keep a value, or return ``False`` if one is there already with its key or another that must be unique."""
        marks = ", ".join("?" for _ in self._columns)
        statement = f"INSERT OR IGNORE INTO {self._name} VALUES ({marks}) RETURNING 1"  # noqa: S608  # our own names
        return self._did(statement, self._row(value))

    def swap(self, old: T, new: T) -> bool:
        """Put a value in the place of an old one, unless somebody has changed that since: then return ``False``."""
        changes = ", ".join(f"{name} = ?" for name in self._columns)
        unchanged = " AND ".join(f"{name} IS ?" for name in self._columns)
        statement = f"UPDATE {self._name} SET {changes} WHERE {unchanged} RETURNING 1"  # noqa: S608  # our own names
        return self._did(statement, self._row(new) + self._row(old))

    def _did(self, statement: str, values: list[object]) -> bool:
        """Run a statement that returns a row if it did anything; a row count could be another thread's."""
        return bool(self._run(statement, values))

    def _run(self, statement: str, values: Sequence[object] = ()) -> list[Any]:
        """Run one statement at a time: threads share the connection, and with it its prepared statements."""
        with self._lock:
            return self._database.execute(statement, values).fetchall()

    def one(self, condition: str, *values: str) -> T | None:
        """Return the value that meets a condition in SQL, which is our own."""
        found = self.all(condition, *values)
        return found[0] if found else None

    def all(self, condition: str = "1", *values: str) -> list[T]:
        """Return all values that meet a condition, oldest first."""
        return self._select(f"WHERE {condition} ORDER BY rowid", values)

    def newest(self, count: int) -> list[T]:
        """Return the newest values, the newest first."""
        return self._select(f"ORDER BY rowid DESC LIMIT {count}", ())

    def count(self) -> int:
        """Return how many values there are."""
        query = f"SELECT count(*) FROM {self._name}"  # noqa: S608  # our own names
        ((number,),) = self._run(query)
        return int(number)

    def _select(self, which: str, values: tuple[str, ...]) -> list[T]:
        query = f"SELECT {', '.join(self._columns)} FROM {self._name} {which}"  # noqa: S608  # our own names
        rows = self._run(query, values)
        return [self._kind(**dict(zip(self._columns, row, strict=True))) for row in rows]

    def _row(self, value: T) -> list[object]:
        return [getattr(value, name) for name in self._columns]


class Store:
    """Orders, contracts and notifications. Without a path they are gone with the process.

    Raises `ValueError` for a file that is no state of this version of the sandbox, and leaves that file untouched.
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
            lock = Lock()
            self.orders = Table(self._database, lock, "orders", Order)
            self.contracts = Table(self._database, lock, "contracts", Contract)
            self.notifications = Table(self._database, lock, "notifications", Notification)
            self.attempts = Table(self._database, lock, "attempts", Attempt)
            self.settings = Table(self._database, lock, "settings", Setting)
            self._database.execute("CREATE UNIQUE INDEX IF NOT EXISTS by_key ON orders (token, client_request_id)")
            self._database.execute("CREATE INDEX IF NOT EXISTS by_notification ON attempts (notification_id)")
        except sqlite3.DatabaseError as problem:
            self._database.close()
            raise ValueError(f"state: {path} is not a state file of the sandbox ({problem})") from None

    def _claim(self) -> None:
        """Mark an empty file as a state file, and refuse any other database before touching it."""
        (mark,) = self._database.execute("PRAGMA application_id").fetchone()
        (version,) = self._database.execute("PRAGMA user_version").fetchone()
        (contents,) = self._database.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if contents and mark != _MARK:
            raise sqlite3.DatabaseError("it is another program's database")
        if contents and version != _VERSION:
            raise sqlite3.DatabaseError("it was made by another version of the package: name a new file")
        self._database.execute(f"PRAGMA application_id = {_MARK}")
        self._database.execute(f"PRAGMA user_version = {_VERSION}")

    def with_attempts(self, notifications: Iterable[Notification]) -> list[Notification]:
        """Return the notifications, each with its attempts."""
        made: defaultdict[str, list[Attempt]] = defaultdict(list)
        for attempt in self.attempts.all():
            made[attempt.notification_id].append(attempt)
        return [evolve(each, attempts=tuple(made[each.notification_id])) for each in notifications]

    def close(self) -> None:
        """Close the file."""
        self._database.close()
