"""Where the sandbox keeps its records: in memory, or in a SQLite file that outlives it."""

from __future__ import annotations

import base64
import os
import sqlite3
from collections import defaultdict
from functools import cache
from threading import Lock
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from attrs import AttrsInstance, evolve, field, fields, frozen

from kfq_async.models.fields import mask
from kfq_async.protocol.signing import load_private_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey


__all__ = [
    "JOINED",
    "Contract",
    "DeliveryAttempt",
    "Notification",
    "Order",
    "Setting",
    "Store",
    "load_or_create_key",
    "process_key",
    "public_text",
]


T = TypeVar("T", bound=AttrsInstance)

_MARK = 0x6B667173
"""SQLite's ``application_id`` of a state file: the letters ``kfqs``."""
_VERSION = 2
"""SQLite's ``user_version`` of a state file, one more with every change of the columns."""


class RecordTable(Generic[T]):
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

    def compare_and_swap(self, old: T, new: T) -> bool:
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
            self.orders = RecordTable(self._database, lock, "orders", Order)
            self.contracts = RecordTable(self._database, lock, "contracts", Contract)
            self.notifications = RecordTable(self._database, lock, "notifications", Notification)
            self.attempts = RecordTable(self._database, lock, "attempts", DeliveryAttempt)
            self.settings = RecordTable(self._database, lock, "settings", Setting)
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
        made: defaultdict[str, list[DeliveryAttempt]] = defaultdict(list)
        for attempt in self.attempts.all():
            made[attempt.notification_id].append(attempt)
        return [evolve(each, attempts=tuple(made[each.notification_id])) for each in notifications]

    def close(self) -> None:
        """Close the file."""
        self._database.close()


JOINED = "joined"
"""Key of a field's metadata: it is no column, but put together from another table."""


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
    status: int | None = None
    """``orderStatus`` (protocol section 5.3), or ``None`` while nothing has happened."""
    answers: str = field(default="{}", repr=mask)
    """What the operator left behind on the page, as JSON: fields and chosen methods."""
    verified_at: float | None = None
    """Seconds since the epoch, once the company is identified."""


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


@frozen(kw_only=True)
class DeliveryAttempt:
    """One time that a notification went out, or could not."""

    attempt_id: str
    notification_id: str
    at: float
    """When it was sent, in seconds since the epoch."""
    seconds: float
    """How long the receiver took."""
    fault: str
    """What was made to go wrong, as ``callback-corrupt``; empty if nothing."""
    nonce: str
    """Fresh for each attempt; a duplicate has that of its original."""
    http_status: int | None
    """The receiver's, or ``None`` without an answer."""
    answer: str = field(repr=False)
    """The first 200 characters of the receiver's answer."""
    error: str | None
    """Why there was no answer, or no whole one."""
    acknowledged: bool
    """Whether the answer was HTTP 200 with the body ``success``."""


@frozen(kw_only=True)
class Notification:
    """What is sent to ``authCallbackUrl`` about one change of an order (protocol sections 5.1 and 5.2)."""

    notification_id: str
    order_no: str
    order_status: int
    url: str = field(repr=mask)
    body: str = field(repr=mask)
    created_at: float
    """Seconds since the epoch."""
    step: int = 0
    """How often it was sent on schedule."""
    due_at: float | None
    """When it is sent next, in seconds since the epoch; ``None`` once acknowledged or given up."""
    attempts: tuple[DeliveryAttempt, ...] = field(default=(), metadata={JOINED: True})
    """Every attempt, oldest first, those on demand included."""

    @property
    def acknowledged(self) -> bool:
        """Whether the receiver has acknowledged it; what was corrupted on purpose does not count."""
        return any(attempt.acknowledged and attempt.fault != "callback-corrupt" for attempt in self.attempts)


@frozen(kw_only=True)
class Setting:
    """Something that the sandbox remembers about itself."""

    name: str
    value: str = field(repr=mask)


BITS = 2048
_NAME = "private key"


def load_or_create_key(store: Store) -> RSAPrivateKey:
    """Return the key that a state file keeps, made the first time. It takes a moment: not for an event loop."""
    kept = store.settings.one("name = ?", _NAME)
    if kept is not None:
        return load_private_key(kept.value)
    key = _generate()
    store.settings.add(Setting(name=_NAME, value=_private_text(key)))
    return key


@cache
def process_key() -> RSAPrivateKey:
    """Return the key of this process, so that a thousand tests do not make a thousand. Not for an event loop."""
    return _generate()


def public_text(key: RSAPrivateKey) -> str:
    """Return the public key as the platform's pages show one: bare base64 of SubjectPublicKeyInfo."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return base64.b64encode(key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()


def _private_text(key: RSAPrivateKey) -> str:
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    return base64.b64encode(key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())).decode()


def _generate() -> RSAPrivateKey:
    from cryptography.hazmat.primitives.asymmetric import rsa

    return rsa.generate_private_key(public_exponent=65537, key_size=BITS)
