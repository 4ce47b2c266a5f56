"""Writing a request: encoded once for a call, completed for each attempt (protocol sections 1.2 to 1.4)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote, urlencode

import orjson
from attrs import define, field
from multidict import CIMultiDict, istr
from yarl import URL

from kfq_async.errors import EncodeError
from kfq_async.protocol.codec import camel, encode, to_wire
from kfq_async.protocol.operation import CredentialPlacement, Operation
from kfq_async.protocol.signing import SigningInput

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kfq_async.protocol.signing import Signer

__all__ = ["API_PATH", "EncodedRequest", "HttpRequest", "PreparedCall", "prepare"]

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
    name.lower()
    for name in (
        *(APP_AUTH_TOKEN, NONCE, SIGN, TIMESTAMP, UNIQUE_CODE),
        *("Connection", "Content-Length", "Content-Type", "Host", "Transfer-Encoding"),
    )
)
_NOTHING: Mapping[str, str] = MappingProxyType({})
"""One for all calls, since thousands may wait."""
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
RESERVED_PARAMETERS = frozenset({str(APP_AUTH_TOKEN), str(UNIQUE_CODE)})


class EncodedRequest(NamedTuple):
    """A request that was written before its call, to be sent byte for byte as it is."""

    body: bytes
    """The fields as JSON, the id included."""
    client_request_id: str

    def __repr__(self) -> str:
        """Leave the body out, which may hold personal data."""
        return f"{type(self).__name__}(<{len(self.body)}>, client_request_id={self.client_request_id!r})"


@define(eq=False)
class HttpRequest:
    """One attempt, as it goes on the wire. Nobody changes it; frozen, it would cost twice as much to make."""

    url: URL = field(repr=False)
    headers: CIMultiDict[str] = field(repr=False)
    body: bytes | None = field(repr=False)


@define(eq=False)
class PreparedCall:
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
    ) -> HttpRequest:
        """Complete the request for one attempt; ``timestamp`` is in milliseconds."""
        url, body, query = self.url, self.body, self.query
        if self.operation.credentials is CredentialPlacement.PARAMETERS:
            credentials = {str(APP_AUTH_TOKEN): app_auth_token, str(UNIQUE_CODE): unique_code}
            if body is None:
                query = {**credentials, **query}
            else:
                body = _join(encode(credentials), body)
        if query:
            url = URL(f"{url}?{urlencode(query, quote_via=quote)}", encoded=True)
        signature = ""
        if signer is not None:
            signing_input = SigningInput(body=body, query=query, nonce=nonce, timestamp=timestamp, uri=url.raw_path_qs)
            signature = signer.sign(signing_input)
        headers = CIMultiDict(self.extra_headers)
        if self.operation.credentials is CredentialPlacement.HEADERS:
            headers[APP_AUTH_TOKEN] = app_auth_token
            headers[NONCE] = nonce
            headers[TIMESTAMP] = timestamp
            headers[UNIQUE_CODE] = unique_code
        headers[SIGN] = signature
        return HttpRequest(url, headers, body)

    def sensitive_values(self) -> set[str]:
        """Return every text that the request carries, so that an error can leave it out of its words."""
        return set(_texts([orjson.loads(self.body or b"{}"), dict(self.query)]))


def prepare(
    operation: Operation[Any, Any],
    request: object,
    *,
    url: URL,
    extra_body: Mapping[str, object],
    extra_headers: Mapping[str, str],
) -> PreparedCall:
    """Encode a request once.

    Raises `TypeError` for a request that is neither the operation's model nor a mapping nor `EncodedRequest`, and for
    additions to the latter; `ValueError` for additions that would overwrite what is there or cannot be sent, and
    `EncodeError` for what JSON cannot carry.
    """
    if type(request) is EncodedRequest:
        return _as_it_is(operation, request, url, extra_body, extra_headers)
    if type(request) not in (operation.request, dict) and not isinstance(
        request, (Mapping, operation.request or Mapping)
    ):
        wanted = f"a {operation.request.__name__} or a mapping" if operation.request else "a mapping"
        raise TypeError(f"{operation.name} takes {wanted}, not {type(request).__name__}")
    fields = to_wire(request)
    if extra_body:
        if doubled := fields.keys() & extra_body.keys():
            raise ValueError(f"extra_body must only add fields; the request has {_listed(doubled)} already")
        fields |= extra_body
    if operation.credentials is CredentialPlacement.PARAMETERS and (doubled := fields.keys() & RESERVED_PARAMETERS):
        raise ValueError(f"{_listed(doubled)} must not be in the request: the session fills it in")
    key = fields.get(REQUEST_ID)
    key = key if isinstance(key, str) and key else None
    try:
        return PreparedCall(
            operation=operation,
            url=url,
            body=encode(fields) if operation.method == "POST" else None,
            query=_as_text(fields) if operation.method == "GET" else _NOTHING,
            client_request_id=key,
            extra_headers=_checked(extra_headers) if extra_headers else _NOTHING,
        )
    except EncodeError as problem:
        problem.operation = operation.name
        problem.client_request_id = key
        raise


def _as_it_is(
    operation: Operation[Any, Any],
    request: EncodedRequest,
    url: URL,
    extra_body: Mapping[str, object],
    extra_headers: Mapping[str, str],
) -> PreparedCall:
    if extra_body or operation.method != "POST" or operation.credentials is not CredentialPlacement.HEADERS:
        raise TypeError(f"{operation.name} needs the request's fields here, and not what is written already")
    return PreparedCall(
        operation=operation,
        url=url,
        body=request.body,
        query=_NOTHING,
        client_request_id=request.client_request_id,
        extra_headers=_checked(extra_headers) if extra_headers else _NOTHING,
    )


def _checked(headers: Mapping[str, str]) -> dict[str, str]:
    """Return a copy of headers that can be sent, or say which cannot."""
    given: Mapping[Any, Any] = headers
    for name, value in given.items():
        if not isinstance(name, str) or not isinstance(value, str):
            raise TypeError(f"extra_headers must map str to str; {name!r} does not")
        if name.lower() in RESERVED_HEADERS:
            raise ValueError(f"extra_headers must not hold {name}: the session fills it in")
        if not _HEADER_NAME.fullmatch(name):
            raise ValueError(f"extra_headers: {name!r} is no name of a header")
        if not (value.isascii() and value.isprintable()):
            raise ValueError(f"extra_headers: the value of {name} must be printable ASCII")
    return dict(headers)


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
            query[name] = _utf8(name, str(value))
        elif value is not None:
            raise TypeError(f"$.{name} must be a str, int or bool to travel in a query, not {type(value).__name__}")
    return query


def _utf8(name: str, value: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError:
        problem = f"$.{name}: a lone surrogate cannot be written in UTF-8"
    else:
        return value
    raise EncodeError(f"the request cannot be written as a query: {problem}")


def _texts(value: object) -> Iterator[str]:
    """Yield every text inside, of two characters and more."""
    if isinstance(value, str):
        if len(value) > 1:
            yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts(item)
