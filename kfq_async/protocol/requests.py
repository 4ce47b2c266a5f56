"""Requests: encoded once per call, completed for each attempt (protocol sections 1.2 to 1.4)."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Coroutine, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from attrs import define, field, frozen
from multidict import CIMultiDict, istr
from yarl import URL

from kfq_async.errors import EncodeError, SignerError
from kfq_async.models.masking import MaskedBytes, MaskedStr
from kfq_async.protocol.codec import camel, encode, to_wire
from kfq_async.protocol.operation import CredentialPlacement, Operation
from kfq_async.protocol.signing import SigningInput

if TYPE_CHECKING:
    from kfq_async.protocol.signing import Signer

__all__ = [
    "API_PATH",
    "RESERVED_PARAMETERS",
    "BodyStream",
    "EncodedRequest",
    "HttpRequest",
    "PreparedCall",
    "add_credentials",
    "check_headers",
    "list_names",
    "prepare",
]

API_PATH = "/kaifangqian/openAPI/V2"
"""Path of the open API, between base URL and operation."""
REQUEST_ID = camel("client_request_id")
"""Wire name of the request id."""
APP_AUTH_TOKEN = istr("appAuthToken")
NONCE = istr("nonce")
SIGN = istr("sign")
TIMESTAMP = istr("timestamp")
UNIQUE_CODE = istr("uniqueCode")
STATIC_HEADERS = {"Accept": "application/json", "Content-Type": "application/json"}
"""Headers that are the same for every request; the HTTP client sets them once."""
RESERVED_HEADERS = frozenset(
    name.lower()
    for name in (
        *(APP_AUTH_TOKEN, NONCE, SIGN, TIMESTAMP, UNIQUE_CODE),
        *("Connection", "Content-Length", "Content-Type", "Host", "Transfer-Encoding"),
    )
)
"""Headers that a caller must not set, in lower case."""
_EMPTY: Mapping[str, str] = MappingProxyType({})
"""Shared by all calls, since thousands may be queued."""
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
RESERVED_PARAMETERS = frozenset({str(APP_AUTH_TOKEN), str(UNIQUE_CODE)})
"""Fields that a request of the contract family must not have."""


@frozen
class EncodedRequest:
    """A request encoded before its call, sent byte for byte.

    Attributes:
        body: Fields as JSON, the id included; may hold personal data, so ``repr`` leaves it out.
        client_request_id: Id in the body.
    """

    body: bytes = field(repr=False, converter=MaskedBytes)
    client_request_id: str


class BodyStream(ABC):
    """Body that is sent in pieces; the transport's own kind of body implements it."""

    @property
    @abstractmethod
    def size(self) -> int | None:
        """Number of bytes, for ``Content-Length``."""


@define(eq=False)
class HttpRequest:
    """HTTP request of one attempt. Not frozen, which would double the cost of creating it; do not modify it.

    Attributes:
        url: URL, without the credentials of a GET.
        headers: Headers of the attempt; secret values are masked in their ``repr``.
        body: Body of a POST, masked in its ``repr``, or the stream of an upload; ``None`` for a GET.
        query_credentials: Credentials to add to the query of a GET by `add_credentials`; ``None`` if headers or body
            have them.
    """

    url: URL = field(repr=False)
    headers: CIMultiDict[str] = field(repr=False)
    body: bytes | BodyStream | None = field(repr=False)
    query_credentials: str | None = field(default=None, repr=False)


@define(eq=False)
class PreparedCall:
    """Request of one call, encoded once: its fields and its ``clientRequestId`` never change afterwards.

    Attributes:
        operation: Operation to call.
        url: URL of the request; that of a GET has the fields as its query, and no credentials.
        body: Fields as JSON, for a POST; ``None`` for a GET.
        query: Fields as text, for a GET; empty for a POST.
        client_request_id: Id of the request; ``None`` if it has none.
        extra_headers: Headers to add to every attempt.
    """

    operation: Operation[Any, Any]
    url: URL = field(repr=False)
    body: bytes | None = field(repr=False)
    query: Mapping[str, str] = field(repr=False)
    client_request_id: str | None
    extra_headers: Mapping[str, str] = field(repr=False)

    def write(
        self, app_auth_token: str, *, nonce: str, timestamp: str, unique_code: str, signer: Signer | None
    ) -> HttpRequest:
        """Return the HTTP request of one attempt; ``timestamp`` is in milliseconds since the epoch."""
        body, query, query_credentials = self.body, self.query, None
        if self.operation.credentials is CredentialPlacement.PARAMETERS:
            credentials = {str(APP_AUTH_TOKEN): app_auth_token, str(UNIQUE_CODE): unique_code}
            if body is None:
                query = {**credentials, **query}
                query_credentials = MaskedStr(_urlencode(credentials))
            else:
                body = MaskedBytes(_merge_objects(encode(credentials), body))
        signature = ""
        if signer is not None:
            signing_input = SigningInput(
                body=None if body is None else bytes(body),
                query=query,
                nonce=nonce,
                timestamp=timestamp,
                uri=add_credentials(self.url.raw_path_qs, query_credentials),
            )
            signature = _sign(signer, signing_input)
        headers = CIMultiDict(self.extra_headers)
        if self.operation.credentials is CredentialPlacement.HEADERS:
            headers[APP_AUTH_TOKEN] = app_auth_token
            headers[NONCE] = nonce
            headers[TIMESTAMP] = timestamp
            headers[UNIQUE_CODE] = unique_code
        headers[SIGN] = signature
        return HttpRequest(self.url, headers, body, query_credentials)


def add_credentials(target: str, credentials: str | None) -> str:
    """Return a request target, a path or an absolute URL, with ``credentials`` before the other query parameters."""
    if credentials is None:
        return target
    path, _, query = target.partition("?")
    return MaskedStr(f"{path}?{credentials}&{query}" if query else f"{path}?{credentials}")


def prepare(
    operation: Operation[Any, Any],
    request: object,
    *,
    url: URL,
    extra_body: Mapping[str, object],
    extra_headers: Mapping[str, str],
) -> PreparedCall:
    """Encode a request for one call.

    Raises `TypeError` unless the request is the operation's model, a mapping or an `EncodedRequest`, and for an
    ``extra_body`` beside the latter; `ValueError` for additions that would overwrite a field or header or cannot be
    sent; `EncodeError` for values that JSON cannot hold.
    """
    if type(request) is EncodedRequest:
        return _prepare_encoded(operation, request, url, extra_body, extra_headers)
    if type(request) not in (operation.request, dict) and not isinstance(
        request, (Mapping, operation.request or Mapping)
    ):
        expected = f"a {operation.request.__name__} or a mapping" if operation.request else "a mapping"
        raise TypeError(f"{operation.name} takes {expected}, not {type(request).__name__}")
    fields = to_wire(request)
    if extra_body:
        if duplicates := fields.keys() & extra_body.keys():
            raise ValueError(f"extra_body must only add fields; the request already has {list_names(duplicates)}")
        fields |= extra_body
    if operation.credentials is CredentialPlacement.PARAMETERS and (reserved := fields.keys() & RESERVED_PARAMETERS):
        raise ValueError(f"{list_names(reserved)} must not be in the request: set by the session")
    request_id = fields.get(REQUEST_ID)
    if not isinstance(request_id, str) or not request_id:
        request_id = None
    query = _EMPTY
    try:
        if operation.method == "GET":
            query = _encode_query(fields)
        return PreparedCall(
            operation=operation,
            url=URL(f"{url}?{_urlencode(query)}", encoded=True) if query else url,
            body=MaskedBytes(encode(fields)) if operation.method == "POST" else None,
            query=query,
            client_request_id=request_id,
            extra_headers=check_headers(extra_headers) if extra_headers else _EMPTY,
        )
    except EncodeError as error:
        error.operation = operation.name
        error.client_request_id = request_id
        raise


def _prepare_encoded(
    operation: Operation[Any, Any],
    request: EncodedRequest,
    url: URL,
    extra_body: Mapping[str, object],
    extra_headers: Mapping[str, str],
) -> PreparedCall:
    if extra_body or operation.method != "POST" or operation.credentials is not CredentialPlacement.HEADERS:
        raise TypeError(f"{operation.name} cannot send an EncodedRequest unchanged here; pass the model or a mapping")
    return PreparedCall(
        operation=operation,
        url=url,
        body=request.body,
        query=_EMPTY,
        client_request_id=request.client_request_id,
        extra_headers=check_headers(extra_headers) if extra_headers else _EMPTY,
    )


def _sign(signer: Signer, signing_input: SigningInput) -> str:
    """Return the signature; raise `SignerError` without its cause, whose frames show the request."""
    signature: object = None
    try:
        signature = signer.sign(signing_input)
        failure = f"returned {type(signature).__name__} and not str"
    except Exception as problem:  # noqa: BLE001  # a signer may raise anything
        failure = f"raised {type(problem).__name__}"
    if isinstance(signature, str):
        if signature.isascii() and signature.isprintable():
            return MaskedStr(signature)
        failure = "returned text that is not printable ASCII"
    if isinstance(signature, Coroutine):
        signature.close()
        failure = "is a coroutine function: it must be a plain function that returns str"
    raise SignerError(f"the method sign of {type(signer).__name__}, the session's signer, {failure}")


def check_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return a copy of the headers; raise `TypeError` or `ValueError` for one that cannot be sent.

    An invalid name is not shown: it may be a whole header line with a token.
    """
    given: Mapping[Any, Any] = headers
    for name, value in given.items():
        if not isinstance(name, str) or not isinstance(value, str):
            kinds = f"{type(name).__name__} to {type(value).__name__}"
            raise TypeError(f"extra_headers must map str to str, not {kinds}")
        if name.lower() in RESERVED_HEADERS:
            raise ValueError(f"extra_headers must not hold {name}: set by the session")
        if not _HEADER_NAME.fullmatch(name):
            raise ValueError("extra_headers: a header name must be like X-Trace, without its value and a colon")
        if not (value.isascii() and value.isprintable()):
            raise ValueError(f"extra_headers: the value of {name} must be printable ASCII")
    return {name: MaskedStr(value) for name, value in headers.items()}


def _merge_objects(left: bytes, right: bytes) -> bytes:
    """Return the JSON object that has the keys of both, which must differ."""
    return left if right == b"{}" else b"%b,%b" % (left[:-1], right[1:])


def _urlencode(parameters: Mapping[str, str]) -> str:
    return urlencode(parameters, quote_via=quote)


def list_names(names: set[str]) -> str:
    """Return names for a message, sorted."""
    return ", ".join(sorted(names))


def _encode_query(fields: Mapping[str, object]) -> dict[str, str]:
    """Return the fields of a GET as query values."""
    query = {}
    for name, value in fields.items():
        if isinstance(value, bool):
            query[name] = "true" if value else "false"
        elif isinstance(value, str | int):
            query[name] = MaskedStr(_check_utf8(name, str(value)))
        elif value is not None:
            raise TypeError(f"$.{name} must be a str, int or bool in a query, not {type(value).__name__}")
    return query


def _check_utf8(name: str, value: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError:
        problem = f"$.{name}: a lone surrogate cannot be encoded in UTF-8"
    else:
        return value
    raise EncodeError(f"the request cannot be written as a query: {problem}")
