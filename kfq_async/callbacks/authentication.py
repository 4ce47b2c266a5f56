"""Authentication of incoming requests, and the deduplication keys of their notifications. Pure."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar
from urllib.parse import quote

from attrs import field, frozen

from kfq_async.callbacks.parsing import parse_body, parse_contract_event, parse_identity_notification
from kfq_async.callbacks.signatures import ContractEventVerifier, SignedHead
from kfq_async.callbacks.urls import Purpose
from kfq_async.errors import CallbackRejected
from kfq_async.models.fields import repr_masked
from kfq_async.models.notifications import ContractEvent, IdentityNotification

if TYPE_CHECKING:
    from kfq_async.callbacks.parsing import Headers, JsonBody
    from kfq_async.callbacks.signatures import CallbackVerifier
    from kfq_async.callbacks.urls import CallbackUrls

__all__ = ["AuthenticatedDelivery", "Authenticator", "NotificationDelivery", "make_authenticator"]

NotificationT = TypeVar("NotificationT", IdentityNotification, ContractEvent)
_IDENTITY, _CONTRACT = "identity", "contract"
"""Kinds of notifications."""


@frozen(kw_only=True)
class NotificationDelivery(Generic[NotificationT]):
    """Authenticated notification; the argument of a `NotificationReceiver`'s handler.

    Attributes:
        notification: `IdentityNotification`, or `ContractEvent` with a `ContractEventVerifier`.
        key: Deduplication key, the same for every delivery of the same notification: ``order_no:order_status``,
            with ``client_request_id:`` in front when `CallbackUrls` are configured, each part percent-encoded. A
            SHA-256 of the content replaces ``order_no:order_status`` if either is missing, and is the whole key of
            a contract event.
        client_request_id: Id carried by the URL; ``None`` without `CallbackUrls`.
    """

    notification: NotificationT
    """`IdentityNotification`, or `ContractEvent` with a `ContractEventVerifier`."""
    key: str
    """Deduplication key, the same for every delivery of the same notification: ``order_no:order_status``, with
    ``client_request_id:`` in front when `CallbackUrls` are configured, each part percent-encoded. A SHA-256 of the
    content replaces ``order_no:order_status`` if either is missing, and is the whole key of a contract event."""
    client_request_id: str | None = None
    """Id carried by the URL; ``None`` without `CallbackUrls`."""


@frozen(kw_only=True)
class AuthenticatedDelivery:
    """Delivery that passed authentication, with its keys in a `NotificationStore`."""

    delivery: NotificationDelivery[Any]
    store_key: str
    """Digest of the notification's kind and deduplication key."""
    nonce: str | None = field(default=None, repr=repr_masked)
    """Digest of the nonce; ``None`` if the authentication has no nonce."""
    content_digest: str = field(default="", repr=False)
    """Digest of the content sent with the nonce."""


@frozen(kw_only=True)
class RequestHead:
    """Path and headers of a request, checked as far as possible without the body."""

    client_request_id: str | None = None
    """Id carried by the URL."""
    signed: SignedHead | None = None
    """Signature headers and path of an identity notification."""
    signature: str = field(default="", repr=False)
    """Signature of a contract event."""


class Authenticator(Protocol):
    """Authentication of one kind of notification, by URL, signature or both."""

    @property
    def kind(self) -> str:
        """Kind of notification: ``identity`` or ``contract``."""
        ...

    @property
    def max_body(self) -> int:
        """Default of the maximum size of a body in bytes."""
        ...

    @property
    def nonce_retention(self) -> float | None:
        """Seconds for which a nonce must be stored; ``None`` for the receiver's ``retention``."""
        ...

    def precheck(self, headers: Headers, path: str | bytes) -> RequestHead:
        """Check path and headers before the body is read; raise `CallbackRejected` if they already fail."""
        ...

    def request_id_of(self, path: str | bytes) -> str | None:
        """Return the id that an authentic URL carries; ``None`` for any other path, and without bound URLs."""
        ...

    def authenticate(self, body: bytes, head: RequestHead) -> AuthenticatedDelivery:
        """Return the delivery, or raise `CallbackRejected`."""
        ...


def make_authenticator(
    urls: CallbackUrls | None, verifier: CallbackVerifier | ContractEventVerifier | None
) -> Authenticator:
    """Return the authenticator for these settings; raise `ValueError` if they would authenticate nothing."""
    if isinstance(verifier, ContractEventVerifier):
        if urls is not None:
            raise ValueError("urls cannot be combined with a ContractEventVerifier: all contract events share one URL")
        return _ContractEventAuthenticator(verifier)
    if urls is None and verifier is None:
        raise ValueError("urls or verifier is required: without them anyone could send notifications")
    return _IdentityAuthenticator(urls, verifier)


class _IdentityAuthenticator:
    """Authenticates identity notifications by URL, signature or both; every configured check must pass."""

    kind = _IDENTITY
    max_body = 16_384

    def __init__(self, urls: CallbackUrls | None, verifier: CallbackVerifier | None) -> None:
        self._urls = urls
        self._verifier = verifier
        tolerance = None if verifier is None else verifier.tolerance
        # A timestamp is valid from one bound to the other; the extra minute covers adjustments of the clock.
        self.nonce_retention = None if tolerance is None else 2 * tolerance + 60

    def precheck(self, headers: Headers, path: str | bytes) -> RequestHead:
        return RequestHead(
            client_request_id=None if self._urls is None else self._urls.match(path, purpose=Purpose.NOTIFY),
            signed=None if self._verifier is None else self._verifier.precheck(headers, path),
        )

    def request_id_of(self, path: str | bytes) -> str | None:
        with suppress(CallbackRejected):
            return None if self._urls is None else self._urls.match(path, purpose=Purpose.NOTIFY)
        return None

    def authenticate(self, body: bytes, head: RequestHead) -> AuthenticatedDelivery:
        if self._verifier is None or head.signed is None:
            parsed, nonce = parse_body(body), None
        else:
            parsed, nonce = self._verifier.authenticate(body, head.signed), head.signed.nonce
        return _identity_delivery(parsed, head.client_request_id, nonce)


def _identity_delivery(parsed: JsonBody, request_id: str | None, nonce: str | None) -> AuthenticatedDelivery:
    notification, content = parse_identity_notification(parsed.data), parsed.digest.hex()
    order, status = notification.order_no, notification.order_status
    parts = [] if request_id is None else [request_id]
    parts += [content] if order is None or status is None else [order, str(int(status))]
    key = ":".join(quote(part, safe="") for part in parts)
    return AuthenticatedDelivery(
        delivery=NotificationDelivery(notification=notification, key=key, client_request_id=request_id),
        store_key=_namespaced_digest(_IDENTITY, key),
        nonce=None if nonce is None else _namespaced_digest("nonce", nonce),
        content_digest=content,
    )


class _ContractEventAuthenticator:
    """Authenticates contract events by their signature, which covers the body alone."""

    kind = _CONTRACT
    max_body = 65_536
    nonce_retention: float | None = None

    def __init__(self, verifier: ContractEventVerifier) -> None:
        self._verifier = verifier

    def precheck(self, headers: Headers, _: str | bytes) -> RequestHead:
        return RequestHead(signature=self._verifier.precheck(headers))

    def request_id_of(self, _: str | bytes) -> str | None:
        return None

    def authenticate(self, body: bytes, head: RequestHead) -> AuthenticatedDelivery:
        parsed = self._verifier.authenticate(body, head.signature)
        event, key = parse_contract_event(parsed.data), parsed.digest.hex()
        return AuthenticatedDelivery(
            delivery=NotificationDelivery(notification=event, key=key), store_key=_namespaced_digest(_CONTRACT, key)
        )


def _namespaced_digest(namespace: str, value: str) -> str:
    return hashlib.sha256(f"{namespace}:{value}".encode()).hexdigest()
