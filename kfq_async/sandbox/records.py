"""What the sandbox keeps: orders, contracts, notifications and their attempts. Values only."""

from __future__ import annotations

from attrs import field, frozen

from kfq_async.models.fields import mask

__all__ = ["JOINED", "Attempt", "Contract", "Notification", "Order", "Setting"]

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
class Attempt:
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
    attempts: tuple[Attempt, ...] = field(default=(), metadata={JOINED: True})
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
