"""What a ledger keeps: for each company and generation one entry. Values only, and no person's data."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from kfq_async.models.fields import mask

__all__ = ["ENDED", "FINAL_STATES", "FIXED", "TOLD", "Entry", "State"]


class State(StrEnum):
    """How the request of an entry ended, as far as the ledger knows."""

    UNKNOWN = "unknown"
    """It may have been sent, and how it ended is not known. So it stands from before the first byte leaves until
    an answer is in the ledger, and after a kill. It is asked again under the same id."""
    UNSENT = "unsent"
    """Certainly nothing of it was acted on. It is asked again under the same id."""
    LINKED = "linked"
    """The platform made an order; ``order_no`` and ``auth_url`` are there."""
    REFUSED = "refused"
    """The platform said no, for good; ``code`` and ``words`` say why."""


FINAL_STATES = frozenset({State.LINKED, State.REFUSED})


class Entry(NamedTuple):
    """One generation of one company: a row of the ledger, in the order of its columns.

    A named tuple, since two are made for each company, and a frozen class takes more than twice as long to make.
    """

    key: bytes
    """Keyed hash of what the company is recognised by; 16 bytes."""
    generation: int
    """From 1 on; the highest one counts, the others are its past."""
    client_request_id: str
    body: bytes
    """Keyed hash of the request's body as it is sent, id included; 16 bytes."""
    number: int
    """Where the row stood when the entry was last seen."""
    state: State
    order_no: str | None = None
    auth_url: str | None = None
    code: int | None = None
    """The platform's number of a refusal."""
    words: str | None = None
    """Why it is refused or unknown, without personal data."""
    attempts: int = 0
    """Requests made for it by its last call."""
    seconds: float | None = None
    """How long its last call took, its waits and repetitions included."""
    ended_at: float | None = None
    """When its last call ended, in seconds since the epoch."""
    run: int = 0
    """The run that saw it last, so that a company that stands twice in a file is noticed."""
    label: str | None = None
    """The part of the key that may be shown."""
    opened_at: float = 0.0
    """When the generation was opened, in seconds since the epoch."""
    status: int | None = None
    """An `IdentityStatus`, as a notification told; set by `Ledger.complete` and by nothing else."""
    status_at: float | None = None
    """When that was told, in seconds since the epoch."""

    def ended(
        self,
        *,
        state: State,
        order_no: str | None,
        auth_url: str | None,
        code: int | None,
        words: str | None,
        attempts: int,
        seconds: float,
        ended_at: float,
    ) -> Entry:
        """Return the entry after a call; ``_replace`` takes nearly twice as long."""
        end = (state, order_no, auth_url, code, words, attempts, seconds, ended_at)
        return Entry._make(self[:_END] + end + self[_AFTER_END:])

    def __repr__(self) -> str:
        """Leave the link out, which is a secret."""
        shown = (
            f"{name}={mask(value) if name == 'auth_url' else repr(value)}" for name, value in self._asdict().items()
        )
        return f"{type(self).__name__}({', '.join(shown)})"


FIXED = ("key", "generation", "client_request_id", "label", "opened_at")
"""What never changes while a generation lasts."""
TOLD = ("status", "status_at")
"""What notifications change."""
ENDED = ("state", "order_no", "auth_url", "code", "words", "attempts", "seconds", "ended_at")
"""What the end of a call changes."""
_END = Entry._fields.index(ENDED[0])
_AFTER_END = _END + len(ENDED)
