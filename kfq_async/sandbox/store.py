"""The sandbox's records, kept in memory or in a SQLite state file, and the signing key beside them."""

from __future__ import annotations

import base64
import os
import sqlite3
from collections import defaultdict
from functools import cache
from threading import RLock
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from attrs import AttrsInstance, evolve, field, fields, frozen
from attrs.converters import optional

from kfq_async.models.fields import SECRET, repr_masked
from kfq_async.models.notifications import IdentityStatus
from kfq_async.protocol.signing import load_private_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

__all__ = [
    "Contract",
    "ContractNotification",
    "DeliveryAttempt",
    "Notification",
    "Order",
    "RegisteredAccount",
    "Setting",
    "ShortLink",
    "SignatureUpdate",
    "Store",
    "StoredFile",
    "load_or_create_key",
    "process_key",
    "public_text",
]

T = TypeVar("T", bound=AttrsInstance)
N = TypeVar("N", "Notification", "ContractNotification")

APPLICATION_ID = 0x6B667173
"""SQLite's ``application_id`` of a state file: the letters ``kfqs``."""
SCHEMA_VERSION = 6
"""SQLite's ``user_version`` of a state file; incremented with every change of the columns."""
KEY_BITS = 2048
KEY_SETTING = "private key"
JOINED = "joined"
"""Metadata key of a field that is not a column but read from another table."""


@frozen(kw_only=True)
class Order:
    """An identification order (认证订单).

    Attributes:
        order_no: ``orderNo``, unique.
        token: ``appAuthToken`` of the request; masked in ``repr``.
        client_request_id: ``clientRequestId``, or ``None`` if the request had none.
        body_hash: SHA-256 of the request body in canonical form, in hexadecimal.
        company_name: 企业名称 as last submitted on the page or, before that, as requested.
        code: Secret in the URL of the order's page; masked in ``repr``.
        request: Request body as JSON, without nulls; masked in ``repr``.
        created_at: Time of the request, in seconds since the epoch.
        status: ``orderStatus`` (protocol section 5.3): 1 已认证, 2 认证中, 3 已撤销, 4 已失效; ``None`` until the first
            action.
        form_data: Fields and methods that the operator submitted on the page, as JSON, ``{}`` before; masked in
            ``repr``.
        verified_at: Time at which the identification was completed, in seconds since the epoch, or ``None``.
    """

    order_no: str
    token: str = field(**SECRET)
    client_request_id: str | None
    body_hash: str = field(repr=False)
    company_name: str
    code: str = field(**SECRET)
    request: str = field(repr=repr_masked)
    created_at: float
    status: IdentityStatus | None = field(default=None, converter=optional(IdentityStatus))
    form_data: str = field(default="{}", repr=repr_masked)
    verified_at: float | None = None


@frozen(kw_only=True)
class Contract:
    """A contract (合同).

    Attributes:
        contract_id: ``contractId``, unique.
        token: ``appAuthToken`` of the request; masked in ``repr``.
        enterprise: Name of the initiating enterprise.
        status: Status as on the wire (protocol section 6.3), such as ``DRAFT`` or ``SIGNING``.
        request: Request fields as JSON, without credentials; masked in ``repr``.
        state: Parties and their steps as JSON; masked in ``repr``.
        created_at: Time of the request, in seconds since the epoch.
    """

    contract_id: str
    token: str = field(**SECRET)
    enterprise: str
    status: str
    request: str = field(repr=repr_masked)
    state: str = field(repr=repr_masked)
    created_at: float


@frozen(kw_only=True)
class ShortLink:
    """A short link to a page of a contract (protocol section 4.14).

    Attributes:
        code: Eight characters at the end of the link, unique; masked in ``repr``.
        contract_id: ``contractId`` of the contract.
        contact: Account that the link is for; masked in ``repr``.
        task_id: ``taskId`` of a task, or ``None``.
        party_name: Name of the party to act as, or ``None``; masked in ``repr``.
        no_login: Whether it opens without login.
        expires_at: Time at which it expires, in seconds since the epoch; ``None`` for a link that needs login.
    """

    code: str = field(**SECRET)
    contract_id: str
    contact: str = field(**SECRET)
    task_id: str | None
    party_name: str | None = field(**SECRET)
    no_login: bool = field(converter=bool)
    expires_at: float | None


@frozen(kw_only=True)
class RegisteredAccount:
    """An account that ``companyCreateAndAuth`` or ``personCreateAndAuth`` has registered.

    Attributes:
        registration_id: Id of the registration, unique.
        contact: Login name: mobile number or e-mail address; masked in ``repr``.
        contact_type: ``MOBILE`` or ``EMAIL``.
        name: Name of the person, which may be empty; masked in ``repr``.
        company_name: Name of the enterprise that it was registered with, or ``None`` for a person.
    """

    registration_id: str
    contact: str = field(**SECRET)
    contact_type: str
    name: str = field(**SECRET)
    company_name: str | None


@frozen(kw_only=True)
class StoredFile:
    """An uploaded file (protocol sections 4.4 and 4.5).

    Attributes:
        file_id: ``docId`` of a document, ``fileId`` of an attachment; unique.
        kind: ``document`` or ``attachment``.
        name: File name without the suffix; masked in ``repr``.
        suffix: ``fileSuffix``, such as ``.pdf``.
        content: Bytes as uploaded.
        created_at: Time of the upload, in seconds since the epoch.
    """

    file_id: str
    kind: str
    name: str = field(**SECRET)
    suffix: str
    content: bytes = field(repr=repr_masked)
    created_at: float


@frozen(kw_only=True)
class SignatureUpdate:
    """What one signature has appended to a document of a contract (protocol section 4.15).

    Attributes:
        update_id: Id of the update, unique.
        contract_id: ``contractId`` of the contract.
        doc_id: ``docId`` of the document.
        task_id: ``taskId`` of the step that signed.
        content: Bytes that follow those of the earlier updates.
        created_at: Time of the signature, in seconds since the epoch.
    """

    update_id: str
    contract_id: str
    doc_id: str
    task_id: str
    content: bytes = field(repr=repr_masked)
    created_at: float


@frozen(kw_only=True)
class DeliveryAttempt:
    """An attempt to deliver a notification about an order or a contract.

    Attributes:
        attempt_id: Id of the attempt, unique.
        notification_id: Id of the `Notification` or `ContractNotification`.
        sent_at: Time at which it was sent, in seconds since the epoch.
        seconds: Time until the response, in seconds.
        fault: Kind of the injected fault, such as ``callback-corrupt``; empty if none.
        nonce: Header ``nonce``: fresh for each attempt, shared by the copies of ``callback-duplicate``, and empty if
            nothing was sent, or for a contract event, which has none.
        http_status: HTTP status of the response, or ``None`` if there was none.
        response_body: The first 200 characters of the response body; masked in ``repr``.
        error: Reason for a missing or incomplete response, or ``None``.
        acknowledged: Whether the response was ``success`` with HTTP 200, or with 404 or 500, which the platform counts
            as well (protocol section 6.6).
    """

    attempt_id: str
    notification_id: str
    sent_at: float
    seconds: float
    fault: str
    nonce: str
    http_status: int | None
    response_body: str = field(**SECRET)
    error: str | None
    acknowledged: bool


@frozen(kw_only=True)
class Notification:
    """A notification to ``authCallbackUrl`` about one change of an order (protocol sections 5.1 and 5.2).

    Attributes:
        notification_id: Id of the notification, unique.
        order_no: ``orderNo`` of the order.
        order_status: ``orderStatus`` that it reports; see `Order.status`.
        url: ``authCallbackUrl`` as requested; masked in ``repr``.
        body: Body as JSON; masked in ``repr``.
        created_at: Time of the change, in seconds since the epoch.
        scheduled_attempts: Number of attempts made on schedule.
        due_at: Time of the next attempt, in seconds since the epoch; ``None`` once acknowledged or given up.
        attempts: All attempts, oldest first, those of `Sandbox.resend` included.
        acknowledged: Whether the receiver has acknowledged it; corrupted copies do not count.
    """

    notification_id: str
    order_no: str
    order_status: IdentityStatus = field(converter=IdentityStatus)
    url: str = field(**SECRET)
    body: str = field(repr=repr_masked)
    created_at: float
    scheduled_attempts: int = 0
    due_at: float | None
    attempts: tuple[DeliveryAttempt, ...] = field(default=(), metadata={JOINED: True})

    @property
    def acknowledged(self) -> bool:
        """Whether the receiver has acknowledged it; corrupted copies do not count."""
        return any(attempt.acknowledged and attempt.fault != "callback-corrupt" for attempt in self.attempts)


@frozen(kw_only=True)
class ContractNotification:
    """A notification of a contract event to the callback URL of the initiating enterprise (protocol section 6).

    Attributes:
        notification_id: Id of the notification, unique; the receiver does not see it.
        contract_id: ``contractId`` of the contract.
        callback_type: ``callbackType`` of the event (protocol section 6.4), such as ``SUBMIT_SIGN``.
        url: Callback URL at the time of the event; masked in ``repr``.
        body: Body as JSON; masked in ``repr``.
        created_at: Time of the event, in seconds since the epoch.
        scheduled_attempts: Number of attempts made on schedule.
        due_at: Time of the next attempt, in seconds since the epoch; ``None`` once acknowledged or given up.
        fault: Kind of the injected fault, such as ``event-lose``; empty if none.
        held: Whether it is held back: not sent on schedule until it is released.
        attempts: All attempts, oldest first, those of `Sandbox.resend` included.
        acknowledged: Whether the receiver has acknowledged it.
    """

    notification_id: str
    contract_id: str
    callback_type: str
    url: str = field(**SECRET)
    body: str = field(repr=repr_masked)
    created_at: float
    scheduled_attempts: int = 0
    due_at: float | None
    fault: str = ""
    held: bool = field(default=False, converter=bool)
    attempts: tuple[DeliveryAttempt, ...] = field(default=(), metadata={JOINED: True})

    @property
    def acknowledged(self) -> bool:
        """Whether the receiver has acknowledged it."""
        return any(attempt.acknowledged for attempt in self.attempts)


@frozen(kw_only=True)
class Setting:
    """A setting that the state file keeps for the sandbox itself."""

    name: str
    value: str = field(**SECRET)


class RecordTable(Generic[T]):
    """Table of the records of one class: a column for each attribute, the first of which is the primary key."""

    def __init__(self, database: sqlite3.Connection, lock: RLock, name: str, record_class: type[T]) -> None:
        self._database = database
        self._lock = lock
        self._name = name
        self._record_class = record_class
        self._columns = [attribute.name for attribute in fields(record_class) if JOINED not in attribute.metadata]
        key, *others = self._columns
        database.execute(f"CREATE TABLE IF NOT EXISTS {name} ({key} PRIMARY KEY, {', '.join(others)})")

    def add(self, record: T) -> None:
        """Insert a record, and return once it is committed."""
        marks = ", ".join("?" for _ in self._columns)
        statement = f"INSERT INTO {self._name} VALUES ({marks})"  # noqa: S608  # our own names
        self._run(statement, self._values(record))

    def add_once(self, record: T) -> bool:
        """Insert a record. Return ``False`` if its key, or another unique column, exists already."""
        marks = ", ".join("?" for _ in self._columns)
        statement = f"INSERT OR IGNORE INTO {self._name} VALUES ({marks}) RETURNING 1"  # noqa: S608  # our own names
        return self._did(statement, self._values(record))

    def compare_and_swap(self, old: T, new: T) -> bool:
        """Replace a record. Return ``False`` if it no longer equals ``old``."""
        changes = ", ".join(f"{name} = ?" for name in self._columns)
        unchanged = " AND ".join(f"{name} IS ?" for name in self._columns)
        statement = f"UPDATE {self._name} SET {changes} WHERE {unchanged} RETURNING 1"  # noqa: S608  # our own names
        return self._did(statement, self._values(new) + self._values(old))

    def remove(self, record: T) -> None:
        """Remove the record of this key, whatever its other columns are."""
        key = self._columns[0]
        self._run(f"DELETE FROM {self._name} WHERE {key} = ?", [getattr(record, key)])  # noqa: S608  # our own names

    def one(self, condition: str, *values: str) -> T | None:
        """Return the first record that meets an SQL condition, or ``None``."""
        found = self.all(condition, *values)
        return found[0] if found else None

    def all(self, condition: str = "1", *values: str) -> list[T]:
        """Return all records that meet an SQL condition, oldest first."""
        return self._select(f"WHERE {condition} ORDER BY rowid", values)

    def newest(self, count: int, condition: str = "1", **values: str) -> list[T]:
        """Return at most ``count`` records that meet an SQL condition with named values, newest first."""
        return self._select(f"WHERE {condition} ORDER BY rowid DESC LIMIT {count}", values)

    def count(self, condition: str = "1", **values: str) -> int:
        """Return the number of records that meet an SQL condition with named values."""
        query = f"SELECT count(*) FROM {self._name} WHERE {condition}"  # noqa: S608  # our own names
        ((number,),) = self._run(query, values)
        return int(number)

    def _select(self, clauses: str, values: Sequence[str] | Mapping[str, str]) -> list[T]:
        query = f"SELECT {', '.join(self._columns)} FROM {self._name} {clauses}"  # noqa: S608  # our own names
        rows = self._run(query, values)
        return [self._record_class(**dict(zip(self._columns, row, strict=True))) for row in rows]

    def _values(self, record: T) -> list[object]:
        return [getattr(record, name) for name in self._columns]

    def _did(self, statement: str, values: list[object]) -> bool:
        """Run a statement that returns a row if it changed one; a row count could be another thread's."""
        return bool(self._run(statement, values))

    def _run(self, statement: str, values: Sequence[object] | Mapping[str, object] = ()) -> list[Any]:
        """Run one statement at a time: threads share the connection and its prepared statements."""
        with self._lock:
            return self._database.execute(statement, values).fetchall()


class Store:
    """Tables of orders, contracts, notifications and settings; without a path they are in memory.

    Raises `ValueError` for any file but a state file of this version, and leaves the file untouched.
    """

    def __init__(self, path: str | Path | None) -> None:
        if path is not None:
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        self._lock = RLock()
        self._database = sqlite3.connect(path or ":memory:", check_same_thread=False, isolation_level=None)
        try:
            self._claim()
            # A killed process loses nothing that was committed; only a power failure could.
            self._database.execute("PRAGMA journal_mode=WAL")
            self._database.execute("PRAGMA synchronous=NORMAL")
            lock = self._lock
            self.orders: RecordTable[Order] = RecordTable(self._database, lock, "orders", Order)
            self.contracts: RecordTable[Contract] = RecordTable(self._database, lock, "contracts", Contract)
            self.links: RecordTable[ShortLink] = RecordTable(self._database, lock, "links", ShortLink)
            self.files: RecordTable[StoredFile] = RecordTable(self._database, lock, "files", StoredFile)
            self.updates: RecordTable[SignatureUpdate] = RecordTable(self._database, lock, "updates", SignatureUpdate)
            self.accounts: RecordTable[RegisteredAccount] = RecordTable(
                self._database, lock, "accounts", RegisteredAccount
            )
            self.notifications: RecordTable[Notification] = RecordTable(
                self._database, lock, "notifications", Notification
            )
            self.contract_notifications: RecordTable[ContractNotification] = RecordTable(
                self._database, lock, "contract_notifications", ContractNotification
            )
            self.attempts: RecordTable[DeliveryAttempt] = RecordTable(self._database, lock, "attempts", DeliveryAttempt)
            self.settings: RecordTable[Setting] = RecordTable(self._database, lock, "settings", Setting)
            self._database.execute("CREATE UNIQUE INDEX IF NOT EXISTS by_key ON orders (token, client_request_id)")
            self._database.execute("CREATE INDEX IF NOT EXISTS by_notification ON attempts (notification_id)")
            self._database.execute("CREATE INDEX IF NOT EXISTS by_contract ON updates (contract_id)")
        except sqlite3.DatabaseError as problem:
            self._database.close()
            raise ValueError(f"state: {path} is not a state file of the sandbox ({problem})") from None

    def with_attempts(self, notifications: Iterable[N]) -> list[N]:
        """Return the notifications, each with its attempts."""
        attempts: defaultdict[str, list[DeliveryAttempt]] = defaultdict(list)
        for attempt in self.attempts.all():
            attempts[attempt.notification_id].append(attempt)
        return [evolve(each, attempts=tuple(attempts[each.notification_id])) for each in notifications]

    def change_contract(self, old: Contract, new: Contract, updates: Sequence[SignatureUpdate] = ()) -> bool:
        """Replace a contract and add what was signed, both or neither.

        Return ``False``, and change nothing, if the contract no longer equals ``old``.
        """
        if not updates:
            return self.contracts.compare_and_swap(old, new)
        with self._lock:
            self._database.execute("BEGIN IMMEDIATE")
            try:
                changed = self.contracts.compare_and_swap(old, new)
                for update in updates if changed else ():
                    self.updates.add(update)
            except BaseException:
                self._database.execute("ROLLBACK")
                raise
            self._database.execute("COMMIT")
        return changed

    def close(self) -> None:
        """Close the database."""
        self._database.close()

    def _claim(self) -> None:
        """Mark an empty file as a state file, and refuse any other database before touching it."""
        (application_id,) = self._database.execute("PRAGMA application_id").fetchone()
        (version,) = self._database.execute("PRAGMA user_version").fetchone()
        (tables,) = self._database.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if tables and application_id != APPLICATION_ID:
            raise sqlite3.DatabaseError("it is another program's database")
        if tables and version != SCHEMA_VERSION:
            raise sqlite3.DatabaseError("it was created by another version of the package: name a new file")
        self._database.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        self._database.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def load_or_create_key(store: Store) -> RSAPrivateKey:
    """Return the private key of a state file, created on first use. Blocks: call it outside the event loop."""
    setting = store.settings.one("name = ?", KEY_SETTING)
    if setting is not None:
        return load_private_key(setting.value)
    key = _generate_key()
    store.settings.add(Setting(name=KEY_SETTING, value=_private_text(key)))
    return key


@cache
def process_key() -> RSAPrivateKey:
    """Return a private key that all sandboxes of this process share. Blocks: call it outside the event loop."""
    return _generate_key()


def public_text(key: RSAPrivateKey) -> str:
    """Return the public key as the platform's pages show it: SubjectPublicKeyInfo in bare base64."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return base64.b64encode(key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()


def _private_text(key: RSAPrivateKey) -> str:
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    return base64.b64encode(key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())).decode()


def _generate_key() -> RSAPrivateKey:
    from cryptography.hazmat.primitives.asymmetric import rsa

    return rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS)
