"""Verification of the platform's signatures over raw bytes (protocol sections 5.4 and 6.5). Pure except for a clock."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from kfq_async.callbacks.parsing import (
    Headers,
    PublicPath,
    normalize_headers,
    parse_body,
    parse_contract_event,
    parse_identity_notification,
    require_header,
    to_public_path,
)
from kfq_async.errors import CallbackRejected, RejectionReason
from kfq_async.models.functions import check_clock
from kfq_async.protocol.signing import decode_signature, load_public_key, string_to_sign_content, verify

if TYPE_CHECKING:
    from kfq_async.callbacks.parsing import JsonBody
    from kfq_async.models.notifications import ContractEvent, IdentityNotification
    from kfq_async.protocol.signing import PublicKey

__all__ = ["CallbackVerifier", "ContractEventVerifier", "SignedHead"]

_MAX_HEADER_LENGTH = 256
"""Maximum length of a nonce and of a timestamp in characters; the platform's nonces have 16."""


@frozen(kw_only=True)
class SignedHead:
    """Signature headers and path of a request, checked as far as possible without the body."""

    app_id: str = field(repr=False)
    nonce: str = field(repr=False)
    timestamp: str = field(repr=False)
    signature: str = field(repr=False)
    uri: str = field(repr=False)
    """Public path."""


class CallbackVerifier:
    """Verifies the signature, application and freshness of identity notifications (protocol section 5.4).

    It has no state and cannot detect a replay; `NotificationReceiver` does. How the hosted platform signs its
    notifications, and with which key, is not documented.

    Args:
        public_keys: One or several keys of at least 1024 bits, each as PEM, bare base64 of DER, DER, or a loaded key.
            A signature under any of them is valid, which serves key rotation.
        app_id: Application to which notifications must be addressed.
        tolerance: Seconds by which a timestamp may differ from the clock in either direction, bound included;
            ``None`` disables the check, and the timestamp is then arbitrary text.
        clock: Returns the time in seconds since the epoch; ``None`` for ``time.time``.
        public_path: Path rewriting by a proxy, since the signature covers the public path: the prefix that the proxy
            removed, or a function from the path seen here to the public one.

    Raises:
        ValueError: A key or setting is invalid.
        TypeError: ``clock`` is no plain function.

    Attributes:
        tolerance: Seconds by which a timestamp may differ from the clock; ``None`` if it is not checked.
    """

    def __init__(
        self,
        public_keys: Iterable[PublicKey] | PublicKey,
        *,
        app_id: str,
        tolerance: float | None = 300.0,
        clock: Callable[[], float] | None = None,
        public_path: PublicPath = "",
    ) -> None:
        if not app_id:
            raise ValueError("app_id must not be empty")
        if tolerance is not None and not tolerance >= 0:
            raise ValueError(f"tolerance must be at least 0 seconds, or None, not {tolerance}")
        if clock is not None:
            check_clock(clock)
        self._keys = _Keys(public_keys)
        self._app_id = app_id
        self._tolerance = tolerance
        self._clock = clock
        self._public_path = public_path

    @property
    def tolerance(self) -> float | None:
        """Seconds by which a timestamp may differ from the clock; ``None`` if it is not checked."""
        return self._tolerance

    def verify(self, body: bytes, headers: Headers, path: str | bytes) -> IdentityNotification:
        """Return the notification, or raise `CallbackRejected`.

        Args:
            body: Raw bytes of the request's body.
            headers: Mapping or pairs, names in any case.
            path: Undecoded path, without query.
        """
        return parse_identity_notification(self.authenticate(body, self.precheck(headers, path)).data)

    def precheck(self, headers: Headers, path: str | bytes) -> SignedHead:
        """Check what can be checked without the body; raise `CallbackRejected` as `verify` does.

        Checks that each signature header is present once, the application, the freshness, and the signature's length
        and encoding.
        """
        pairs = normalize_headers(headers)
        app_id, nonce, timestamp, signature = (
            require_header(pairs, name) for name in ("appId", "nonce", "timestamp", "sign")
        )
        if app_id != self._app_id:
            raise CallbackRejected(RejectionReason.WRONG_APP)
        self._check_freshness(timestamp)
        for name, value in (("nonce", nonce), ("timestamp", timestamp)):
            if len(value) > _MAX_HEADER_LENGTH:
                raise CallbackRejected(RejectionReason.HEADER_MALFORMED, name)
        self._keys.check_form(signature)
        uri = to_public_path(path, self._public_path)
        return SignedHead(app_id=app_id, nonce=nonce, timestamp=timestamp, signature=signature, uri=uri)

    def authenticate(self, body: bytes, head: SignedHead) -> JsonBody:
        """Parse a body whose path and headers passed `precheck`, and check its signature."""
        parsed = parse_body(body)
        message = string_to_sign_content(
            head.app_id, parsed.digest, nonce=head.nonce, timestamp=head.timestamp, uri=head.uri
        )
        self._keys.check(message.encode(), head.signature)
        return parsed

    def _check_freshness(self, timestamp: str) -> None:
        if self._tolerance is None:
            return
        if not (timestamp.isascii() and timestamp.isdecimal() and len(timestamp) < 20):
            raise CallbackRejected(RejectionReason.TIMESTAMP_MALFORMED)
        clock = self._clock or time.time  # looked up now, so that tools which freeze the time can replace it
        now = round(clock() * 1000)  # the float's resolution is far below 1 ms
        if abs(now - int(timestamp)) > self._tolerance * 1000:
            raise CallbackRejected(RejectionReason.STALE)


class ContractEventVerifier:
    """Verifies the signature of contract events, which covers the body and nothing else (protocol section 6.5).

    The event has no nonce and no timestamp, so an old event remains valid: deduplicate, and query the platform for
    the present state. Where to get the hosted platform's public key is not documented. On a self-hosted platform
    that still uses the key shipped with its source, a signature proves nothing, since that key is public.

    Args:
        public_keys: As for `CallbackVerifier`.

    Raises:
        ValueError: A key is invalid.
    """

    def __init__(self, public_keys: Iterable[PublicKey] | PublicKey) -> None:
        self._keys = _Keys(public_keys)

    def verify(self, body: bytes, headers: Headers) -> ContractEvent:
        """Return the event, or raise `CallbackRejected`.

        Args:
            body: Raw bytes of the request's body.
            headers: Mapping or pairs, names in any case.
        """
        return parse_contract_event(self.authenticate(body, self.precheck(headers)).data)

    def precheck(self, headers: Headers) -> str:
        """Return the signature, present once and well-formed; raise `CallbackRejected` as `verify` does."""
        signature = require_header(normalize_headers(headers), "sign")
        self._keys.check_form(signature)
        return signature

    def authenticate(self, body: bytes, signature: str) -> JsonBody:
        """Check the signature of a body whose headers passed `precheck`, and parse it."""
        self._keys.check(body, signature)
        return parse_body(body)


class _Keys:
    """Public keys, under any of which a signature is valid."""

    def __init__(self, public_keys: Any) -> None:
        is_iterable = not isinstance(public_keys, str | bytes) and isinstance(public_keys, Iterable)
        self._keys = tuple(load_public_key(key) for key in (public_keys if is_iterable else (public_keys,)))
        if not self._keys:
            raise ValueError("public_keys must contain at least one key")
        self._sizes = {(key.key_size + 7) // 8 for key in self._keys}

    def check_form(self, signature: str) -> None:
        """Reject a signature that cannot be valid because of its length or its encoding."""
        raw = decode_signature(signature) if len(signature) <= 2 * max(self._sizes) else None
        if raw is None or len(raw) not in self._sizes:
            raise CallbackRejected(RejectionReason.BAD_SIGNATURE)

    def check(self, message: bytes, signature: str) -> None:
        """Reject a signature that is not valid for ``message``."""
        if not any(verify(message, signature, key) for key in self._keys):
            raise CallbackRejected(RejectionReason.BAD_SIGNATURE)
