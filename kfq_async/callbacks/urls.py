"""Callback URLs that prove themselves: each carries the id of its request and a MAC of it. Pure."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable
from enum import StrEnum
from typing import TYPE_CHECKING

import attrs
from attrs import frozen
from yarl import URL

from kfq_async.callbacks.parsing import PublicPath, to_public_path
from kfq_async.errors import CallbackRejected, RejectionReason

if TYPE_CHECKING:
    from kfq_async.models.identity import CorpIdentLinkRequest

__all__ = ["CallbackUrls", "Purpose"]

_SHORTEST = 16
"""Bytes of a secret."""


class Purpose(StrEnum):
    """What a bound URL is for; the MAC covers it, so one cannot stand in for the other."""

    PAGE = "page"
    """The browser comes here: ``callback_page``."""
    NOTIFY = "notify"
    """The platform notifies here: ``auth_callback_url``."""


@frozen
class _Base:
    """A URL to which segments are appended, and its undecoded path; neither ends with a slash."""

    url: str
    path: str


class CallbackUrls:
    """Binds callback URLs to requests, and recognises them when they are called.

    It authenticates and correlates without knowing anything about the platform: whoever calls such a URL was told
    it, and the URL names the request. It says nothing about the body, so treat the URLs as secrets. The operator's
    browser learns the page's URL, which is of no use for a notification.

    ``secrets`` are bytes, at least 16 each, best from `os.urandom`; the first one signs and all are accepted, so put
    a new one in front, and take the old one away when its links have run out. ``page`` and ``notify`` are the public
    URLs, without query or fragment. Where a proxy rewrites the path, ``public_path`` is the prefix that it took away,
    or a function from the path seen here to the public one. Raises `ValueError` or `TypeError`, naming the argument.
    """

    def __init__(self, secrets: Iterable[bytes], *, page: str, notify: str, public_path: PublicPath = "") -> None:
        self._secrets = _secrets(secrets)
        self._bases = {Purpose.PAGE: _base("page", page), Purpose.NOTIFY: _base("notify", notify)}
        self._public_path = public_path

    def __repr__(self) -> str:
        page, notify = (self._bases[purpose].url for purpose in Purpose)
        return f"CallbackUrls(<{len(self._secrets)}>, page={page!r}, notify={notify!r})"

    def bind(self, request: CorpIdentLinkRequest) -> CorpIdentLinkRequest:
        """Return the request with ``callback_page`` and ``auth_callback_url`` bound to its ``client_request_id``.

        URLs that it had are replaced. Raises `ValueError` for a request without an id.
        """
        if not request.client_request_id:
            raise ValueError("client_request_id must be set: the URLs carry it")
        return attrs.evolve(
            request,
            callback_page=self._url(Purpose.PAGE, request.client_request_id),
            auth_callback_url=self._url(Purpose.NOTIFY, request.client_request_id),
        )

    def match(self, path: str | bytes, *, purpose: Purpose | None = None) -> str:
        """Return the ``client_request_id`` that the undecoded ``path`` of a request carries.

        ``purpose`` narrows it to the page's URLs or to those for notifications. Raises `CallbackRejected` for
        every other path. The time that it takes does not depend on how much of a MAC is right.
        """
        base, _, segment = to_public_path(path, self._public_path).rpartition("/")
        found = [
            self._is_bound(wanted, segment)
            for wanted, own in self._bases.items()
            if purpose in (None, wanted) and base == own.path
        ]
        if not any(found):
            raise CallbackRejected(RejectionReason.UNKNOWN_PATH)
        return _decoded(segment.partition(".")[0])

    def _url(self, purpose: Purpose, request_id: str) -> str:
        coded = base64.urlsafe_b64encode(request_id.encode()).decode().rstrip("=")
        return f"{self._bases[purpose].url}/{coded}.{_mac(self._secrets[0], purpose, coded)}"

    def _is_bound(self, purpose: Purpose, segment: str) -> bool:
        coded, _, mac = segment.partition(".")
        found = [hmac.compare_digest(_mac(secret, purpose, coded).encode(), mac.encode()) for secret in self._secrets]
        return any(found)


def _mac(secret: bytes, purpose: Purpose, coded: str) -> str:
    message = f"kfq_async callback {purpose}:{coded}"
    return base64.urlsafe_b64encode(hmac.digest(secret, message.encode(), hashlib.sha256)).decode().rstrip("=")


def _decoded(coded: str) -> str:
    """Return the id of a segment whose MAC has been found right."""
    return base64.urlsafe_b64decode(coded + "=" * (-len(coded) % 4)).decode()


def _secrets(secrets: object) -> tuple[bytes, ...]:
    if isinstance(secrets, str | bytes) or not isinstance(secrets, Iterable):
        raise TypeError("secrets must be a sequence of bytes: write a list, even for one")
    found = tuple(secrets)
    if not found:
        raise ValueError("secrets must hold at least one")
    for secret in found:
        if not isinstance(secret, bytes):
            raise TypeError(f"secrets must be bytes, not {type(secret).__name__}")
        if len(secret) < _SHORTEST:
            raise ValueError(f"a secret has {len(secret)} bytes; {_SHORTEST} are the least, 32 random ones are best")
    return found


def _base(name: str, value: object) -> _Base:
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a str, not {type(value).__name__}")
    if "?" in value or "#" in value:
        raise ValueError(
            f"{name} must have neither query nor fragment: it is not known what the platform does with them"
        )
    try:
        url = URL(value)
    except ValueError:
        url = URL()
    if url.scheme not in {"http", "https"} or not url.host:
        raise ValueError(f"{name} must be like https://your-domain.com/kfq/{name}")
    if url.user is not None or url.password is not None:
        raise ValueError(f"{name} must not hold a user name or password")
    return _Base(str(url).rstrip("/"), url.raw_path.rstrip("/"))
