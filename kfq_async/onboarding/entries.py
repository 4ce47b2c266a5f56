"""What a ledger keeps: for each company and generation one entry. Values only, and no person's data."""

from __future__ import annotations

from enum import StrEnum

from attrs import field, frozen

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


@frozen(kw_only=True)
class Entry:
    """One generation of one company."""

    key: bytes
    """Keyed hash of what the company is recognised by; 16 bytes."""
    generation: int
    """From 1 on; the highest one counts, the others are its past."""
    client_request_id: str
    body: bytes
    """Keyed hash of the request's body as it is sent, id included; 16 bytes."""
    state: State
    number: int
    """Where the row stood when the entry was last seen."""
    run: int = 0
    """The run that saw it last, so that a company that stands twice in a file is noticed."""
    label: str | None = None
    """The part of the key that may be shown."""
    order_no: str | None = None
    auth_url: str | None = field(default=None, repr=mask)
    code: int | None = None
    """The platform's number of a refusal."""
    words: str | None = None
    """Why it is refused or unknown, without personal data."""
    attempts: int = 0
    """Requests made for it by its last call."""
    seconds: float | None = None
    """How long its last call took, its waits and repetitions included."""
    opened_at: float = 0.0
    """When the generation was opened, in seconds since the epoch."""
    ended_at: float | None = None
    """When its last call ended, in seconds since the epoch."""
    status: int | None = None
    """An `IdentityStatus`, as a notification told; set by `Ledger.complete` and by nothing else."""
    status_at: float | None = None
    """When that was told, in seconds since the epoch."""


FIXED = ("key", "generation", "client_request_id", "label", "opened_at")
"""What never changes while a generation lasts."""
TOLD = ("status", "status_at")
"""What notifications change."""
ENDED = ("state", "order_no", "auth_url", "code", "words", "attempts", "seconds", "ended_at")
"""What the end of a call changes."""
