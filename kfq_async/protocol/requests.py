"""Writing a request: encoded once for a call, completed for each attempt (protocol sections 1.2 to 1.4)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

import orjson
from attrs import field, frozen
from multidict import CIMultiDict, istr
from yarl import URL

from kfq_async.protocol.codec import camel, encode, fields_of
from kfq_async.protocol.operation import Operation, Placement
from kfq_async.protocol.signing import Unsigned

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kfq_async.protocol.signing import Signer

__all__ = ["API_PATH", "Outgoing", "Prepared", "prepare"]

API_PATH = "/kaifangqian/openAPI/V2"
REQUEST_ID = camel("client_request_id")
APP_AUTH_TOKEN = istr("appAuthToken")
NONCE = istr("nonce")
SIGN = istr("sign")
TIMESTAMP = istr("timestamp")
UNIQUE_CODE = istr("uniqueCode")
STATIC_HEADERS = {"Accept": "application/json", "Content-Type": "application/json"}
"""The same for every request, so they are set once."""
RESERVED_HEADERS = frozenset(
    name.lower() for name in (APP_AUTH_TOKEN, NONCE, SIGN, TIMESTAMP, UNIQUE_CODE, "Content-Type", "Content-Length")
)
RESERVED_PARAMETERS = frozenset({str(APP_AUTH_TOKEN), str(UNIQUE_CODE)})


@frozen
class Outgoing:
    """One attempt, as it goes on the wire."""

    url: URL = field(repr=False)
    headers: CIMultiDict[str] = field(repr=False)
    body: bytes | None = field(repr=False)


@frozen
class Prepared:
    """One call, encoded once: from here on neither its fields nor its ``clientRequestId`` change."""

    operation: Operation[Any, Any]
    url: URL = field(repr=False)
    body: bytes | None = field(repr=False)
    """The fields as JSON, for a POST."""
    query: Mapping[str, str] = field(repr=False)
    """The fields as text, for a GET."""
    client_request_id: str | None
    extra_headers: Mapping[str, str] = field(repr=False)

    def write(
        self, app_auth_token: str, *, nonce: str, timestamp: str, unique_code: str, signer: Signer | None
    ) -> Outgoing:
        """Complete the request for one attempt; ``timestamp`` is in milliseconds."""
        url, body, query = self.url, self.body, self.query
        headers = CIMultiDict(self.extra_headers)
        if self.operation.credentials is Placement.HEADERS:
            headers[APP_AUTH_TOKEN] = app_auth_token
            headers[NONCE] = nonce
            headers[TIMESTAMP] = timestamp
            headers[UNIQUE_CODE] = unique_code
        else:
            credentials = {str(APP_AUTH_TOKEN): app_auth_token, str(UNIQUE_CODE): unique_code}
            if body is None:
                query = {**credentials, **query}
            else:
                body = _join(encode(credentials), body)
        if query:
            url = URL(f"{url}?{urlencode(query, quote_via=quote)}", encoded=True)
        headers[SIGN] = (
            ""
            if signer is None
            else signer.sign(Unsigned(body=body, query=query, nonce=nonce, timestamp=timestamp, uri=url.raw_path_qs))
        )
        return Outgoing(url, headers, body)

    def echoes(self) -> set[str]:
        """Return every text that the request carries, so that an error can leave it out of its words."""
        return set(_texts([orjson.loads(self.body or b"{}"), dict(self.query)]))


def prepare(
    operation: Operation[Any, Any],
    request: object,
    *,
    url: URL,
    extra_body: Mapping[str, object],
    extra_headers: Mapping[str, str],
) -> Prepared:
    """Encode a request once.

    Raises `TypeError` for a request that is neither the operation's model nor a mapping, `ValueError` for
    additions that would overwrite what is there, and `EncodeError` for what JSON cannot carry.
    """
    if not isinstance(request, Mapping | operation.request if operation.request else Mapping):
        wanted = f"a {operation.request.__name__} or a mapping" if operation.request else "a mapping"
        raise TypeError(f"{operation.name} takes {wanted}, not {type(request).__name__}")
    fields = fields_of(request)
    if doubled := fields.keys() & extra_body.keys():
        raise ValueError(f"extra_body must only add fields; the request has {_listed(doubled)} already")
    fields |= extra_body
    if operation.credentials is Placement.PARAMETERS and (doubled := fields.keys() & RESERVED_PARAMETERS):
        raise ValueError(f"{_listed(doubled)} must not be in the request: the session fills it in")
    if doubled := {name for name in extra_headers if name.lower() in RESERVED_HEADERS}:
        raise ValueError(f"extra_headers must not hold {_listed(doubled)}: the session fills it in")
    key = fields.get(REQUEST_ID)
    return Prepared(
        operation=operation,
        url=url,
        body=encode(fields) if operation.method == "POST" else None,
        query=_as_text(fields) if operation.method == "GET" else {},
        client_request_id=key if isinstance(key, str) and key else None,
        extra_headers=extra_headers,
    )


def _join(left: bytes, right: bytes) -> bytes:
    """Join two JSON objects whose keys differ."""
    return left if right == b"{}" else b"%b,%b" % (left[:-1], right[1:])


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(names))


def _as_text(fields: Mapping[str, object]) -> dict[str, str]:
    """Write the fields of a GET as query values."""
    query = {}
    for name, value in fields.items():
        if isinstance(value, bool):
            query[name] = "true" if value else "false"
        elif isinstance(value, str | int):
            query[name] = str(value)
        elif value is not None:
            raise TypeError(f"$.{name} must be a str, int or bool to travel in a query, not {type(value).__name__}")
    return query


def _texts(value: object) -> Iterator[str]:
    """Yield every text inside, of two characters and more."""
    if isinstance(value, str):
        if len(value) > 1:
            yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts(item)
