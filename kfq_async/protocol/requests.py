"""Requests: encoded once per call, completed for each attempt (protocol sections 1.2 to 1.4)."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from attrs import define, field, frozen
from multidict import CIMultiDict, istr
from yarl import URL

from kfq_async.errors import EncodeError, SignerError
from kfq_async.models.fields import MAX_KEY
from kfq_async.models.masking import MaskedBytes, MaskedStr, plain_text, type_name
from kfq_async.protocol.codec import camel, encode, find_invalid_key, to_wire
from kfq_async.protocol.operation import CredentialPlacement, Operation
from kfq_async.protocol.signing import SigningInput
from kfq_async.redaction import printable

if TYPE_CHECKING:
    from kfq_async.protocol.signing import Signer

__all__ = [
    "API_PATH",
    "NOTHING",
    "RESERVED_PARAMETERS",
    "BodyStream",
    "EncodedRequest",
    "HttpRequest",
    "PreparedCall",
    "add_credentials",
    "add_operator",
    "check_type",
    "copy_additions",
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
OPERATOR_ACCOUNT = camel("operator_account")
"""Wire name of the account that the platform acts as."""
PRIVATE_PARAMETERS = frozenset({OPERATOR_ACCOUNT, "callbackPage", "contact", "partyName"})
"""Parameters of a GET that hold personal data or secrets: sent with the credentials, unseen by what shows URLs."""
STATIC_HEADERS = {"Accept": "application/json", "Content-Type": "application/json"}
"""Headers that are the same for every request; the HTTP client sets them once."""
RESERVED_HEADERS = frozenset(
    name.lower()
    for name in (
        *(APP_AUTH_TOKEN, NONCE, SIGN, TIMESTAMP, UNIQUE_CODE),
        # Framing and description of the body, which the session writes.
        *("Content-Encoding", "Content-Length", "Content-Type", "Trailer", "Transfer-Encoding"),
        # ``Expect`` lets the body wait for a response that may never arrive; the response to ``Upgrade`` has no body,
        # and the connection speaks another protocol afterwards; ``TE`` permits trailers, which are not read. With each
        # of them a request that was sent ends without its response.
        *("Expect", "HTTP2-Settings", "TE", "Upgrade"),
        # The connection belongs to the connector, and later requests use it too.
        *("Connection", "Host", "Keep-Alive", "Proxy-Connection"),
        # Through a tunnel the platform would receive it; the session sends that of ``proxy`` to the proxy alone.
        "Proxy-Authorization",
    )
)
"""Headers that a caller must not set, in lower case."""
NOTHING: Mapping[str, Any] = MappingProxyType({})
"""No fields or headers; shared by all calls, since thousands may be queued."""
_MIN_INTEGER, _MAX_INTEGER = -(2**63), 2**64 - 1
"""Range of integers in a query, the same as in a body."""
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
        url: URL, without the credentials and private parameters of a GET.
        headers: Headers of the attempt; secret values are masked in their ``repr``.
        body: Body of a POST, masked in its ``repr``, or the stream of an upload; ``None`` for a GET.
        query_credentials: Credentials and private parameters to add to the query of a GET by `add_credentials`;
            ``None`` if there are none.
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
        url: URL of the request; that of a GET has ``query``, and no credentials.
        body: Fields as JSON, for a POST; ``None`` for a GET.
        query: Fields as text, for a GET, without ``private_query``; empty for a POST.
        private_query: Fields of a GET that are sent with its credentials; empty for a POST.
        client_request_id: Id of the request; ``None`` if it has none.
        extra_headers: Headers to add to every attempt.
        exclusive: Whether every attempt takes the session's ``lane``.
    """

    operation: Operation[Any, Any]
    url: URL = field(repr=False)
    body: bytes | None = field(repr=False)
    query: Mapping[str, str] = field(repr=False)
    private_query: Mapping[str, str] = field(repr=False)
    client_request_id: str | None
    extra_headers: Mapping[str, str] = field(repr=False)
    exclusive: bool

    def write(
        self, app_auth_token: str, *, nonce: str, timestamp: str, unique_code: str, signer: Signer | None
    ) -> HttpRequest:
        """Return the HTTP request of one attempt; ``timestamp`` is in milliseconds since the epoch."""
        body, private_query = self.body, self.private_query
        if self.operation.credentials is CredentialPlacement.PARAMETERS:
            credentials = {str(APP_AUTH_TOKEN): app_auth_token, str(UNIQUE_CODE): unique_code}
            if body is None:
                private_query = {**credentials, **private_query}
            else:
                body = MaskedBytes(_merge_objects(encode(credentials), body))
        query_credentials = MaskedStr(_urlencode(private_query)) if private_query else None
        signature = ""
        if signer is not None:
            signing_input = SigningInput(
                body=None if body is None else bytes(body),
                query={**private_query, **self.query},
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
    operator_account: str | None = None,
) -> PreparedCall:
    """Encode a request for one call; ``operator_account`` joins one of the contract family that names none itself.

    Raises `TypeError` unless the request is the operation's model, a mapping or an `EncodedRequest`, for additions that
    are no mapping, and for an ``extra_body`` beside an `EncodedRequest`; `ValueError` for additions that would
    overwrite a field or header or cannot be sent; `EncodeError` for keys and values that JSON cannot hold.
    """
    if extra_body is not NOTHING or extra_headers is not NOTHING:
        extra_body, extra_headers = copy_additions(extra_body, extra_headers)
    if type(request) is EncodedRequest:
        return _prepare_encoded(operation, request, url, extra_body, extra_headers)
    if type(request) not in (operation.request, dict):
        check_type(operation, request)
    fields = _read("the request", to_wire, request)
    if extra_body:
        if duplicates := fields.keys() & extra_body.keys():
            raise ValueError(f"extra_body must only add fields; the request already has {list_names(duplicates)}")
        fields |= extra_body
    if operation.credentials is CredentialPlacement.PARAMETERS:
        add_operator(fields, operator_account)
    request_id = fields.get(REQUEST_ID)
    if not isinstance(request_id, str) or not request_id:
        request_id = None
    query = private_query = NOTHING
    try:
        if operation.method == "GET":
            query, private_query = _encode_query(fields)
        return PreparedCall(
            operation=operation,
            url=URL(f"{url}?{_urlencode(query)}", encoded=True) if query else url,
            body=MaskedBytes(encode(fields)) if operation.method == "POST" else None,
            query=query,
            private_query=private_query,
            client_request_id=request_id,
            extra_headers=extra_headers,
            exclusive=operation.exclusive is not False and operation.is_exclusive(fields),
        )
    except EncodeError as error:
        error.operation = operation.name
        error.client_request_id = request_id
        raise


def add_operator(fields: dict[str, object], operator_account: str | None) -> None:
    """Add the account to the fields of the contract family, unless they have one; ``None`` adds none."""
    if reserved := fields.keys() & RESERVED_PARAMETERS:
        raise ValueError(f"{list_names(reserved)} must not be in the request: set by the session")
    if operator_account is not None:
        fields.setdefault(OPERATOR_ACCOUNT, operator_account)


def copy_additions(extra_body: object, extra_headers: object) -> tuple[dict[Any, Any], dict[str, str]]:
    """Return copies of a caller's additions; raise `TypeError` or `ValueError` for what cannot be sent."""
    return _copy_mapping("extra_body", extra_body), _check_headers(_copy_mapping("extra_headers", extra_headers))


def check_type(operation: Operation[Any, Any], request: object) -> None:
    """Raise `TypeError` unless a request is a mapping or the operation's model."""
    if not isinstance(request, (Mapping, operation.request or Mapping)):
        expected = f"a {operation.request.__name__} or a mapping" if operation.request else "a mapping"
        raise TypeError(f"{operation.name} takes {expected}, not {type_name(request)}")


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
        query=NOTHING,
        private_query=NOTHING,
        client_request_id=request.client_request_id,
        extra_headers=extra_headers,
        exclusive=operation.is_exclusive(NOTHING),
    )


def _copy_mapping(name: str, value: object) -> dict[Any, Any]:
    if not isinstance(value, Mapping):
        raise TypeError(f"{name} must be a mapping, not {type_name(value)}")
    return _read(name, dict, value)


def _read(name: str, read: Callable[[Any], dict[Any, Any]], value: object) -> dict[Any, Any]:
    """Return ``read(value)``; raise `TypeError` without its cause for whatever the methods of the value raise."""
    try:
        return read(value)
    except BaseException as problem:  # noqa: BLE001  # as in `_sign`
        failure = _name_failure(problem)
    raise TypeError(f"{name} cannot be read: its {type_name(value)} raised {failure}")


def _name_failure(problem: BaseException) -> str:
    """Return the class of an exception that code of the caller raised, and raise it if it ends the process.

    A cancellation that such code raises is a failure like any other: nobody has cancelled the call, and its task would
    count as cancelled.
    """
    if isinstance(problem, KeyboardInterrupt | SystemExit):
        raise problem
    return type(problem).__name__


def _sign(signer: Signer, signing_input: SigningInput) -> str:
    """Return the signature; raise `SignerError` without its cause, whose frames show the request."""
    signature: object = None
    try:
        signature = signer.sign(signing_input)
        failure = f"returned {type(signature).__name__} and not str"
    except BaseException as problem:  # noqa: BLE001  # a signer may raise anything
        failure = f"raised {_name_failure(problem)}"
    if isinstance(signature, str):
        signature = plain_text(signature)
        if signature.isascii() and signature.isprintable():
            return MaskedStr(signature)
        failure = "returned text that is not printable ASCII"
    if isinstance(signature, Coroutine):
        signature.close()
        failure = "is a coroutine function: it must be a plain function that returns str"
    raise SignerError(f"the method sign of {type(signer).__name__}, the session's signer, {failure}")


def _check_headers(headers: dict[Any, Any]) -> dict[str, str]:
    """Return the headers with masked values; raise `TypeError` or `ValueError` for one that cannot be sent.

    An invalid name is not shown: it may be a whole header line with a token.
    """
    checked: dict[str, str] = {}
    for name, value in headers.items():
        if not isinstance(name, str) or not isinstance(value, str):
            kinds = f"{type(name).__name__} to {type(value).__name__}"
            raise TypeError(f"extra_headers must map str to str, not {kinds}")
        header, text = plain_text(name), plain_text(value)
        if header.lower() in RESERVED_HEADERS:
            raise ValueError(f"extra_headers must not hold {header}: reserved for the session")
        if not _HEADER_NAME.fullmatch(header):
            raise ValueError("extra_headers: a header name must be like X-Trace, without its value and a colon")
        if not (text.isascii() and text.isprintable()):
            raise ValueError(f"extra_headers: the value of {header} must be printable ASCII")
        checked[header] = MaskedStr(text)
    return checked


def _merge_objects(left: bytes, right: bytes) -> bytes:
    """Return the JSON object that has the keys of both, which must differ."""
    return left if right == b"{}" else b"%b,%b" % (left[:-1], right[1:])


def _urlencode(parameters: Mapping[str, str]) -> str:
    return urlencode(parameters, quote_via=quote)


def list_names(names: set[str]) -> str:
    """Return names for a message, sorted."""
    return ", ".join(printable(name, MAX_KEY) for name in sorted(names, key=str))


def _encode_query(fields: Mapping[str, object]) -> tuple[dict[str, str], dict[str, str]]:
    """Return the fields of a GET as query values, and apart from them the private ones."""
    if problem := find_invalid_key(fields):
        raise _query_error("$", problem)
    query: dict[str, str] = {}
    for name, value in fields.items():
        if isinstance(value, bool):
            query[name] = "true" if value else "false"
        elif isinstance(value, str):
            if not _is_utf8(value):
                raise _query_error(_path(name), "a lone surrogate cannot be encoded in UTF-8")
            query[name] = MaskedStr(plain_text(value))
        elif isinstance(value, int):
            if not _MIN_INTEGER <= value <= _MAX_INTEGER:
                raise _query_error(_path(name), "Integer exceeds 64-bit range")
            query[name] = MaskedStr(int.__repr__(value))  # `str` of an enumeration's member is its name
        elif value is not None:
            raise TypeError(f"{_path(name)} must be a str, int or bool in a query, not {type(value).__name__}")
    private_query = {name: query.pop(name) for name in tuple(query) if name in PRIVATE_PARAMETERS}
    return query, private_query


def _is_utf8(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:  # it holds the value: the error to raise must not have it as its context
        return False
    return True


def _path(name: str) -> str:
    return f"$.{printable(name, MAX_KEY)}"


def _query_error(path: str, problem: str) -> EncodeError:
    return EncodeError(f"the request cannot be written as a query: {path}: {problem}")
