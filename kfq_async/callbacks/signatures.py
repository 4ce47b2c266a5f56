"""The platform's signatures, checked over raw bytes (protocol sections 5.4 and 6.5). Pure but for the clock given."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from kfq_async.callbacks.parsing import (
    Headers,
    PublicPath,
    contract_event,
    header,
    identity_notification,
    normalize_headers,
    parse_object,
    to_public_path,
)
from kfq_async.errors import CallbackRejected, RejectionReason
from kfq_async.protocol.signing import load_public_key, string_to_sign, verify

if TYPE_CHECKING:
    from kfq_async.models.notifications import ContractEvent, IdentityNotification
    from kfq_async.protocol.signing import PublicKey

__all__ = ["CallbackVerifier", "ContractEventVerifier"]


class CallbackVerifier:
    """Checks the signature, the application and the age of an identity notification (protocol section 5.4).

    It keeps nothing, so it cannot tell a replay: that is `NotificationReceiver`'s. How the hosted platform signs its
    notifications, and with which key, is not documented.

    ``public_keys`` are one or several, each PEM, bare base64 of DER, or DER, from 1024 bits; any of them may have
    signed. ``tolerance`` is in seconds, both ways, and the bound itself is accepted; ``None`` switches freshness off:
    the timestamp is then a text like any other. ``clock`` returns seconds since the epoch. The signature covers the
    public path of the request; where a proxy rewrites it, ``public_path`` is the prefix that it took away, or a
    function from the path seen here to the public one. Raises `ValueError` for an unusable key or setting.
    """

    def __init__(
        self,
        public_keys: Iterable[PublicKey] | PublicKey,
        *,
        app_id: str,
        tolerance: float | None = 300.0,
        clock: Callable[[], float] = time.time,
        public_path: PublicPath = "",
    ) -> None:
        if not app_id:
            raise ValueError("app_id must not be empty")
        if tolerance is not None and not tolerance >= 0:
            raise ValueError("tolerance must be seconds from 0 on, or None")
        self._keys = _loaded(public_keys)
        self._app_id = app_id
        self._tolerance = tolerance
        self._clock = clock
        self._public_path = public_path

    @property
    def tolerance(self) -> float | None:
        """Seconds by which a timestamp may differ from the clock."""
        return self._tolerance

    def verify(self, body: bytes, headers: Headers, path: str | bytes) -> IdentityNotification:
        """Return the notification, or raise `CallbackRejected`.

        ``body`` is the request's raw bytes, ``headers`` a mapping or pairs in any case, ``path`` the undecoded path
        without query.
        """
        pairs = normalize_headers(headers)
        app_id, nonce, timestamp, signature = (header(pairs, name) for name in ("appId", "nonce", "timestamp", "sign"))
        if app_id != self._app_id:
            raise CallbackRejected(RejectionReason.WRONG_APP)
        self._check_age(timestamp)
        data = parse_object(body)
        uri = to_public_path(path, self._public_path)
        message = string_to_sign(app_id, body, nonce=nonce, timestamp=timestamp, uri=uri)
        _check_signature(message.encode(), signature, self._keys)
        return identity_notification(data)

    def _check_age(self, timestamp: str) -> None:
        if self._tolerance is None:
            return
        if not (timestamp.isascii() and timestamp.isdecimal() and len(timestamp) < 20):
            raise CallbackRejected(RejectionReason.TIMESTAMP_MALFORMED)
        now = round(self._clock() * 1000)  # a float of seconds is exact to far less than a millisecond
        if abs(now - int(timestamp)) > self._tolerance * 1000:
            raise CallbackRejected(RejectionReason.STALE)


class ContractEventVerifier:
    """Checks the signature of a contract event, which covers the body and nothing else (protocol section 6.5).

    There is no nonce and no timestamp, so an old event is as good as a new one: de-duplicate, and ask the platform.
    Where to get the hosted platform's public key is not documented; a self-hosted platform that keeps the key that
    its source ships with proves nothing, since everybody has that key.

    ``public_keys`` are as for `CallbackVerifier`. Raises `ValueError` for an unusable key.
    """

    def __init__(self, public_keys: Iterable[PublicKey] | PublicKey) -> None:
        self._keys = _loaded(public_keys)

    def verify(self, body: bytes, headers: Headers) -> ContractEvent:
        """Return the event, or raise `CallbackRejected`. ``body`` is the request's raw bytes."""
        _check_signature(body, header(normalize_headers(headers), "sign"), self._keys)
        return contract_event(parse_object(body))


def _check_signature(message: bytes, signature: str, keys: tuple[PublicKey, ...]) -> None:
    if not any(verify(message, signature, key) for key in keys):
        raise CallbackRejected(RejectionReason.BAD_SIGNATURE)


def _loaded(public_keys: Any) -> tuple[PublicKey, ...]:
    several = not isinstance(public_keys, str | bytes) and isinstance(public_keys, Iterable)
    keys = tuple(load_public_key(key) for key in (public_keys if several else (public_keys,)))
    if not keys:
        raise ValueError("public_keys must hold at least one")
    return keys
