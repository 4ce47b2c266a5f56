"""Validation of the URLs and paths that a caller passes.

No message shows the value: it may hold a password, or be a token that was passed as the wrong argument.
"""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from yarl import URL

from kfq_async.models.masking import plain_text, type_name

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["is_plain_path", "parse_http_url"]

_PLAIN_PATH = re.compile(r"(?:/(?!\.\.?(?:/|\Z))[A-Za-z0-9._~!$&'()*+,=:@-]+)*/?")
_HOST_NAME = re.compile(r"(?:[A-Za-z0-9_-]{1,63}\.)*[A-Za-z0-9_-]{1,63}\.?")


def is_plain_path(path: str) -> bool:
    """Return whether a path has no part that clients or servers are known to rewrite.

    It must begin with a slash. Segments must not be empty, ``.`` or ``..``. Refused are also ``%``, which some servers
    decode before they split the path, ``;``, which Java servers remove together with the text after it (``/..;/``), and
    every character that would have to be percent-encoded.
    """
    return _PLAIN_PATH.fullmatch(path) is not None and path != ""


def parse_http_url(
    name: str, value: object, *, example: str, find_problem: Callable[[URL], str | None] = lambda _: None
) -> URL:
    """Return an ``http`` or ``https`` URL that has a valid host, a plain path, and neither query nor fragment.

    ``find_problem`` returns what else is wrong. Raises `TypeError` or `ValueError` that begins with ``name``.
    """
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a str, not {type_name(value)}")
    value = plain_text(value)
    problem = _find_problem(value) or find_problem(URL(value))
    if problem is not None:
        raise ValueError(f"{name} must be like {example}: {problem}")
    return URL(value)


def _find_problem(value: str) -> str | None:
    if not value.isprintable() or set(value) & set(" \\"):
        return "it contains a space, a backslash or a control character"
    if not value.lower().startswith(("http://", "https://")):
        return "it does not start with http:// or https://"
    if set(value) & set("?#"):
        return "it has a query or a fragment"
    try:
        url = URL(value)
    except ValueError:
        return "its host or port is invalid"
    if not _is_host(url.raw_host or "") or not url.port:
        return "its host or port is invalid"
    # `URL` has resolved the segments `.` and `..`.
    path = urlsplit(value).path
    if path and not is_plain_path(path):
        return "its path has an empty segment, a . or .. segment, a percent-escape or another special character"
    return None


def _is_host(host: str) -> bool:
    """Return whether a host can be looked up: an IP address, or a name whose parts are neither empty nor too long."""
    try:
        ip_address(host)
    except ValueError:
        return _HOST_NAME.fullmatch(host) is not None
    return True
