"""From raw values to what a handler is given: the proofs that a receiver demands, and the stable key. Pure."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar
from urllib.parse import quote

from attrs import field, frozen

from kfq_async.callbacks.parsing import content_digest, header, identity_notification, normalize_headers, parse_object
from kfq_async.callbacks.signatures import ContractEventVerifier
from kfq_async.callbacks.urls import Purpose
from kfq_async.models.fields import mask
from kfq_async.models.notifications import ContractEvent, IdentityNotification

if TYPE_CHECKING:
    from kfq_async.callbacks.parsing import Headers
    from kfq_async.callbacks.signatures import CallbackVerifier
    from kfq_async.callbacks.urls import CallbackUrls

__all__ = ["AuthenticatedDelivery", "Authenticator", "NotificationDelivery", "make_authenticator"]

NotificationT = TypeVar("NotificationT", IdentityNotification, ContractEvent)


@frozen(kw_only=True)
class NotificationDelivery(Generic[NotificationT]):
    """What the handler is given."""

    notification: NotificationT
    key: str
    """The same for each delivery of the same notification, to de-duplicate by.

    ``order_no:order_status``, with ``client_request_id:`` in front where `CallbackUrls` prove it, each
    percent-encoded. A hash of the content stands for what names no order, and for a contract event.
    """
    client_request_id: str | None = None
    """The id that the URL carries; ``None`` without `CallbackUrls`."""


@frozen(kw_only=True)
class AuthenticatedDelivery:
    """What was proved to be authentic, and by which names a store knows it."""

    received: NotificationDelivery[Any]
    name: str
    """Digest of kind and key."""
    nonce: str | None = field(default=None, repr=mask)
    """Digest of the nonce; ``None`` for a proof that has none."""
    content: str = field(default="", repr=False)
    """Digest of what the nonce came with."""


class Authenticator(Protocol):
    """What a receiver demands of a request."""

    @property
    def validity(self) -> float | None:
        """Seconds for which a nonce must be remembered; ``None`` for as long as possible."""
        ...

    def authenticate(self, body: bytes, headers: Headers, path: str | bytes) -> AuthenticatedDelivery:
        """Return what was delivered, or raise `CallbackRejected`."""
        ...


def make_authenticator(
    urls: CallbackUrls | None, verifier: CallbackVerifier | ContractEventVerifier | None
) -> Authenticator:
    """Return the proof for these settings, or raise `ValueError` if nothing would be proved."""
    if isinstance(verifier, ContractEventVerifier):
        if urls is not None:
            raise ValueError("contract events come to one URL for all: urls does not go with a ContractEventVerifier")
        return _ContractAuthenticator(verifier)
    if urls is None and verifier is None:
        raise ValueError("urls or verifier must be given: otherwise anybody could notify")
    return _IdentityAuthenticator(urls, verifier)


class _IdentityAuthenticator:
    """By URL, by signature, or by both; what is configured must hold."""

    def __init__(self, urls: CallbackUrls | None, verifier: CallbackVerifier | None) -> None:
        self._urls = urls
        self._verifier = verifier
        tolerance = None if verifier is None else verifier.tolerance
        # A timestamp can be valid from one bound to the other; the rest is for clocks that are set meanwhile.
        self.validity = None if tolerance is None else 2 * tolerance + 60

    def authenticate(self, body: bytes, headers: Headers, path: str | bytes) -> AuthenticatedDelivery:
        request_id = None if self._urls is None else self._urls.match(path, purpose=Purpose.NOTIFY)
        if self._verifier is None:
            return _identity(identity_notification(parse_object(body)), request_id, None, body)
        pairs = normalize_headers(headers)
        notification = self._verifier.verify(body, pairs, path)
        return _identity(notification, request_id, header(pairs, "nonce"), body)


def _identity(
    notification: IdentityNotification, request_id: str | None, nonce: str | None, body: bytes
) -> AuthenticatedDelivery:
    content = content_digest(body)
    order, status = notification.order_no, notification.order_status
    parts = [] if request_id is None else [request_id]
    parts += [content] if order is None or status is None else [order, str(int(status))]
    key = ":".join(quote(part, safe="") for part in parts)
    return AuthenticatedDelivery(
        received=NotificationDelivery(notification=notification, key=key, client_request_id=request_id),
        name=_name("identity", key),
        nonce=None if nonce is None else _name("nonce", nonce),
        content=content,
    )


class _ContractAuthenticator:
    """By signature over the body alone."""

    validity: float | None = None

    def __init__(self, verifier: ContractEventVerifier) -> None:
        self._verifier = verifier

    def authenticate(self, body: bytes, headers: Headers, _: str | bytes) -> AuthenticatedDelivery:
        event = self._verifier.verify(body, headers)
        key = content_digest(body)
        return AuthenticatedDelivery(
            received=NotificationDelivery(notification=event, key=key), name=_name("contract", key)
        )


def _name(kind: str, value: str) -> str:
    return hashlib.sha256(f"{kind}:{value}".encode()).hexdigest()
