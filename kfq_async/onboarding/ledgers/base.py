"""Protocol of a ledger, its columns, and the keyed hashes that every ledger stores; independent of any database."""

from __future__ import annotations

import hashlib
import os
import re
import socket
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

from kfq_async.models.masking import MaskedBytes
from kfq_async.models.notifications import supersedes
from kfq_async.onboarding.records import Entry, State

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Mapping, Sequence

__all__ = [
    "COLUMNS",
    "GENERATION_COLUMNS",
    "HASH_BYTES",
    "RESULT_COLUMNS",
    "ROW_COLUMNS",
    "SECRET_BYTES",
    "STATUS_COLUMNS",
    "EntryStore",
    "Hashes",
    "Ledger",
    "describe_process",
    "process_ended",
    "read_entry",
    "replaces_status",
]

GENERATION_COLUMNS = ("key_hash", "generation", "client_request_id", "label", "opened_at")
"""Columns that never change within a generation."""
ROW_COLUMNS = ("body_hash", "row_number", "run")
"""Columns that a run writes when it decides on a row."""
RESULT_COLUMNS = ("state", "order_no", "auth_url", "code", "reason", "attempts", "seconds", "ended_at")
"""Columns that the result of a call changes."""
STATUS_COLUMNS = ("status", "status_at")
"""Columns that notifications change."""
COLUMNS = (*GENERATION_COLUMNS, *ROW_COLUMNS, *RESULT_COLUMNS, *STATUS_COLUMNS)
"""All columns of an entry; each is the name of a field of `Entry`."""

_DESCRIPTION = re.compile(r"process (?P<process>[0-9]{1,9}) on (?P<host>.*), since ")
_STATES = {str(state): state for state in State}
HASH_BYTES = 16
SECRET_BYTES = 32


def read_entry(values: Sequence[Any]) -> Entry:
    """Return the entry of a database row, whose values are in the order of `COLUMNS`.

    Nothing is raised here, where variables hold links as plain text; a state that there is not is unknown.
    """
    fields = dict(zip(COLUMNS, values, strict=True))
    fields["state"] = _STATES.get(fields["state"], State.UNKNOWN)
    return Entry(**fields)


class EntryStore(Protocol):
    """The part of a ledger that decisions on rows need."""

    @property
    def secret(self) -> bytes:
        """The key of the hashes, 32 bytes; it never changes."""
        ...

    async def find(self, keys: Collection[bytes]) -> Mapping[bytes, Entry]:
        """Return the current generations of these companies by key hash; those that the ledger lacks are left out."""
        ...

    async def put(self, entries: Sequence[Entry]) -> None:
        """Insert or replace entries by key hash and generation: all or none, durable when this returns.

        No two of them may share both. ``status`` and ``status_at`` are kept: `complete` writes them.
        """
        ...


class Ledger(EntryStore, Protocol):
    """Storage of each company's ids, states and links between runs.

    One runner uses it at a time; `complete` may be called meanwhile, also by other processes. Every method raises
    `LedgerError` if the storage fails.
    """

    async def record(self, entries: Sequence[Entry], *, unknown: Sequence[Entry] = ()) -> None:
        """Write the results of calls to existing entries, and mark others as unknown, whose requests are sent next.

        All or none, durable when this returns. No two of them may share an id, or key hash and generation; those that
        the ledger lacks are ignored. Of ``entries`` it writes ``state``, ``order_no``, ``auth_url``, ``code``,
        ``reason``, ``attempts``, ``seconds`` and ``ended_at``; of ``unknown`` only ``state``, `State.UNKNOWN`.
        """
        ...

    async def begin_run(self) -> int:
        """Begin a run and return its number, one more than that of the last run."""
        ...

    async def complete(self, client_request_id: str, status: int, at: float) -> bool:
        """Record the status that a notification carried if it `supersedes` the one on record.

        A status of more than 32 bits is not recorded. ``at`` is in seconds since the epoch. Returns ``False`` if no
        entry has this id.
        """
        ...

    def entries(self, states: Collection[State] = tuple(State)) -> AsyncIterator[Entry]:
        """Iterate over the current generations that are in one of these states, ordered by row number."""
        ...


def replaces_status(new: int, old: int | None) -> bool:
    """Return whether a ledger records the status ``new`` in place of ``old``; its column has 32 bits."""
    return supersedes(new, old) and -(2**31) <= new < 2**31


class Hashes:
    """Hashes keyed with a ledger's secret: without it, a mobile number in a key cannot be found by brute force."""

    def __init__(self, secret: bytes) -> None:
        secret = MaskedBytes(secret)  # the name stands in tracebacks
        if len(secret) != SECRET_BYTES:
            raise ValueError(f"a ledger's secret has {SECRET_BYTES} bytes, not {len(secret)}")
        self._key = _new_hash(secret, b"key")
        self._body = _new_hash(secret, b"body")
        self._token = _new_hash(secret, b"token")
        self._check = _new_hash(secret, b"check")

    def key(self, text: str) -> bytes:
        """Hash a company's key."""
        return _digest(self._key, text.encode("utf-8", "surrogatepass"))

    def body(self, body: bytes) -> bytes:
        """Hash a request's body as sent."""
        return _digest(self._body, body)

    def token(self, token: str) -> bytes:
        """Hash the token of a tenant."""
        return _digest(self._token, token.encode("utf-8", "surrogatepass"))

    def check(self) -> bytes:
        """Return a value that identifies this secret."""
        return self._check.digest()


def _new_hash(secret: bytes, purpose: bytes) -> hashlib.blake2b:
    return hashlib.blake2b(digest_size=HASH_BYTES, key=secret, person=purpose)


def _digest(keyed: hashlib.blake2b, data: bytes) -> bytes:
    """Hash data with a copy of a keyed hash, which takes half as long as keying a new one."""
    copied = keyed.copy()
    copied.update(data)
    return copied.digest()


def describe_process() -> str:
    """Return the id and host of this process and the current time, to name the holder of a lock."""
    since = datetime.now(UTC).isoformat(sep=" ", timespec="seconds")
    return f"process {os.getpid()} on {socket.gethostname()}, since {since}"


def process_ended(description: str) -> bool | None:
    """Return whether a process that `describe_process` described runs no longer; ``None`` if this host cannot tell."""
    found = _DESCRIPTION.match(description)
    if found is None or found["host"] != socket.gethostname() or os.name != "posix":
        return None
    try:
        os.kill(int(found["process"]), 0)
    except ProcessLookupError:
        return True
    except OSError:  # it runs as another user
        return False
    return False
