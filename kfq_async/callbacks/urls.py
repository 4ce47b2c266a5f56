"""Authenticated callback URLs, each of which carries its request's id and an HMAC of it. Pure."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import attrs
from attrs import frozen
from yarl import URL

from kfq_async.callbacks.parsing import PublicPath, to_public_path
from kfq_async.errors import CallbackRejected, RejectionReason
from kfq_async.models.masking import mask_secret, type_name

if TYPE_CHECKING:
    from kfq_async.models.identity import CorpIdentLinkRequest

__all__ = ["CallbackUrls", "Purpose"]

_MIN_SECRET_BYTES = 16
_REWRITTEN = (
    "it was issued for another path: a proxy added or removed a prefix (pass public_path= to CallbackUrls), or the URL "
    "of CallbackUrls was changed; `kfq verify-callback` tells which"
)
_FORGED = (
    "none of the secrets= of CallbackUrls made its HMAC: keep an old secret until its links have expired; otherwise it "
    "was altered or forged"
)
_FOREIGN = (
    "neither its path nor its HMAC is that of CallbackUrls: another URL, another secret behind a proxy that rewrites "
    "paths, or a forged request; `kfq verify-callback` tells which"
)


class Purpose(StrEnum):
    """Purpose of a bound URL; covered by the HMAC, so a URL of one purpose is not accepted for the other.

    Attributes:
        PAGE: The browser returns here (``callback_page``).
        NOTIFY: The platform sends notifications here (``auth_callback_url``).
    """

    PAGE = "page"
    """The browser returns here (``callback_page``)."""
    NOTIFY = "notify"
    """The platform sends notifications here (``auth_callback_url``)."""


@frozen
class _BaseUrl:
    """URL to which segments are appended, and its undecoded path; neither ends with a slash."""

    url: str
    path: str


class CallbackUrls:
    """Binds callback URLs to requests, and matches the paths of incoming requests.

    A matching path authenticates the sender as a party that was given the URL, and identifies the request, without
    relying on the platform. It does not authenticate the body: treat the URLs as secrets. The operator's browser
    learns the page's URL, which is not accepted for notifications.

    Args:
        secrets: HMAC secrets of at least 16 bytes, best from ``os.urandom(32)``. The first one signs, all are
            accepted. To rotate, put a new secret in front, and remove the old one when its links have expired.
        page: Public URL of the page to which the browser returns, without query or fragment.
        notify: Public URL for notifications, without query or fragment.
        public_path: Path rewriting by a proxy: the prefix that it removed, or a function from the path seen here to
            the public one.

    Raises:
        TypeError, ValueError: An argument is invalid; the message names it.
    """

    def __init__(self, secrets: Iterable[bytes], *, page: str, notify: str, public_path: PublicPath = "") -> None:
        secrets = _mask_secrets(secrets)  # error trackers record the variables of a frame that raises
        self._secrets: tuple[bytes, ...] = ()
        self._bases: dict[Purpose, _BaseUrl] = {}
        self._secrets = _validate_secrets(secrets)
        self._bases = {Purpose.PAGE: _parse_base_url("page", page), Purpose.NOTIFY: _parse_base_url("notify", notify)}
        self._public_path = public_path

    def __repr__(self) -> str:
        urls = "".join(f", {purpose}={base_url.url!r}" for purpose, base_url in self._bases.items())
        return f"CallbackUrls(<{len(self._secrets)}>{urls})"

    def bind(self, request: CorpIdentLinkRequest) -> CorpIdentLinkRequest:
        """Return the request with ``callback_page`` and ``auth_callback_url`` bound to its ``client_request_id``.

        Existing URLs are replaced. Raises `ValueError` for a request without an id.
        """
        if not request.client_request_id:
            raise ValueError("client_request_id must be set: the callback URLs carry it")
        return attrs.evolve(
            request,
            callback_page=self._url(Purpose.PAGE, request.client_request_id),
            auth_callback_url=self._url(Purpose.NOTIFY, request.client_request_id),
        )

    def match(self, path: str | bytes, *, purpose: Purpose | None = None) -> str:
        """Return the ``client_request_id`` that the undecoded ``path`` of a request carries.

        Raises `CallbackRejected` for any other path. HMACs are compared in constant time.

        Args:
            path: Undecoded path, without query.
            purpose: The only purpose to accept; ``None`` accepts both.
        """
        parent, _, segment = to_public_path(path, self._public_path).rpartition("/")
        matches = [
            self._is_authentic(candidate, segment)
            for candidate, base_url in self._bases.items()
            if purpose in (None, candidate) and parent == base_url.path
        ]
        if not any(matches):
            raise CallbackRejected(RejectionReason.UNKNOWN_PATH, self._mismatch(parent, segment, purpose))
        return _decode_id(segment.partition(".")[0])

    def _mismatch(self, parent: str, segment: str, purpose: Purpose | None) -> str:
        """Return what differs in a path that was not issued here, and the remedy; nothing of the path itself."""
        authentic = [candidate for candidate in self._bases if self._is_authentic(candidate, segment)]
        if purpose in authentic or (authentic and purpose is None):
            return _REWRITTEN
        if authentic:
            return f"it was issued as {authentic[0]}=, not as {purpose}="
        if parent in {base_url.path for base_url in self._bases.values()}:
            return _FORGED
        return _FOREIGN

    def _url(self, purpose: Purpose, request_id: str) -> str:
        encoded_id = base64.urlsafe_b64encode(request_id.encode()).decode().rstrip("=")
        return f"{self._bases[purpose].url}/{encoded_id}.{_mac(self._secrets[0], purpose, encoded_id)}"

    def _is_authentic(self, purpose: Purpose, segment: str) -> bool:
        encoded_id, _, mac = segment.partition(".")
        expected = [_mac(secret, purpose, encoded_id) for secret in self._secrets]
        matches = [hmac.compare_digest(candidate.encode(), mac.encode()) for candidate in expected]
        return any(matches)


def _mac(secret: bytes, purpose: Purpose, encoded_id: str) -> str:
    message = f"kfq_async callback {purpose}:{encoded_id}"
    return base64.urlsafe_b64encode(hmac.digest(secret, message.encode(), hashlib.sha256)).decode().rstrip("=")


def _decode_id(encoded_id: str) -> str:
    """Return the id in a segment whose HMAC has been verified."""
    return base64.urlsafe_b64decode(encoded_id + "=" * (-len(encoded_id) % 4)).decode()


def _mask_secrets(secrets: Any) -> Any:
    if isinstance(secrets, str | bytes) or not isinstance(secrets, Iterable):
        return mask_secret(secrets)
    return tuple(map(mask_secret, secrets))


def _validate_secrets(secrets: object) -> tuple[bytes, ...]:
    if isinstance(secrets, str | bytes) or not isinstance(secrets, Iterable):
        raise TypeError("secrets must be an iterable of bytes; put a single secret in a list")
    validated = tuple(secrets)
    if not validated:
        raise ValueError("secrets must contain at least one secret")
    for secret in validated:
        if not isinstance(secret, bytes):
            raise TypeError(f"secrets must be bytes, not {type_name(secret)}")
        if len(secret) < _MIN_SECRET_BYTES:
            raise ValueError(
                f"a secret has {len(secret)} bytes, fewer than {_MIN_SECRET_BYTES}: generate one with os.urandom(32)"
            )
    return validated


def _parse_base_url(name: str, value: object) -> _BaseUrl:
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a str, not {type(value).__name__}")
    if "?" in value or "#" in value:
        raise ValueError(
            f"{name} must have neither query nor fragment: the platform's treatment of them is not documented"
        )
    try:
        url = URL(value)
    except ValueError:
        url = URL()
    if url.scheme not in {"http", "https"} or not url.host:
        raise ValueError(f"{name} must be like https://your-domain.com/kfq/{name}")
    if url.user is not None or url.password is not None:
        raise ValueError(f"{name} must not hold a user name or password")
    return _BaseUrl(str(url).rstrip("/"), url.raw_path.rstrip("/"))
