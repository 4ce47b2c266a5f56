"""One call of the open API in the platform's order: rate limit, JSON object, token, fields, operation, audit. No I/O.

Assumed, because only parts of it are known: that a refused credential counts towards the rate limit in the packaging
whose limit is envelope B 500, and in no other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from threading import Lock
from typing import TYPE_CHECKING, Any

from attrs import evolve, field, frozen

from kfq_async.models.fields import SECRET, repr_masked
from kfq_async.protocol.codes import TOO_FREQUENT, TOO_FREQUENT_MESSAGE
from kfq_async.protocol.envelope import SUCCESS
from kfq_async.sandbox.binding import COMMON, BindingError, Shape, bind
from kfq_async.sandbox.checks import (
    HIDDEN_ERROR_PAGE,
    AuditedRefusal,
    Download,
    GenericFailure,
    OperationFailed,
    PlatformResponse,
    Refused,
    parse_object,
)
from kfq_async.sandbox.collisions import Collision
from kfq_async.sandbox.fixtures import MAX_TOKEN, Account, Developer, Enterprise
from kfq_async.sandbox.quirks import GENERIC_FAILURES, HIDDEN_ERRORS, LATE_AUDIT, REPEATED_REQUEST
from kfq_async.sandbox.values import check_values

if TYPE_CHECKING:
    from kfq_async.sandbox.directory import Directory

__all__ = ["RATE_LIMIT_FORMS", "AdmittedCall", "ApiCall", "ApiOperation", "ApiRequest", "Gateway"]

RATE_LIMIT_FORMS = ("internal", "api", "hidden", "none")
"""Forms of a response to a call beyond the rate limit (protocol section 1.8); ``none``: there is no limit.

``internal``: envelope B with 500. ``api``: envelope A with 999999. ``hidden``: the hidden error page, or envelope A
with 999999 if the request names an ``operatorAccount``.
"""
WINDOW_MS = 1000
WINDOW_CALLS = 5
MAX_WINDOWS = 1000
"""Number of windows beyond which those that have ended are dropped."""
MAX_UNIQUE_CODE = 255
MAX_REPEATED = 65_000
"""Characters of a request body that a message repeats (protocol section 2.5)."""


@frozen(kw_only=True)
class ApiCall:
    """A call that passed the checks that all operations share.

    Attributes:
        fields: The operation's fields, bound to its shape: without nulls and without the credentials.
        token: ``appAuthToken`` as the fixtures write it.
        enterprise: Enterprise of the token.
        developer: The token's entry, with its callback URL.
        operator: Account that ``operatorAccount`` is linked to, or ``None``.
        now_ms: Time of the call in milliseconds since the epoch.
        origin: ``http://host:port`` of the request, for links.
        quirks: Quirks of the platform that are imitated.
        collision: What the call met if others drive contracts at the same time, or ``None``.
    """

    fields: Mapping[str, Any] = field(repr=repr_masked)
    token: str = field(**SECRET)
    enterprise: Enterprise
    developer: Developer
    operator: Account | None
    now_ms: int
    origin: str
    quirks: frozenset[str]
    collision: Collision | None = None


@frozen(kw_only=True)
class ApiOperation:
    """An operation of the open API.

    Attributes:
        method: ``GET`` or ``POST``.
        path: Path below the API path, such as ``/contract/draft``.
        shape: Fields that it reads, without the credentials.
        handler: Performs it; raises `Refused` or `AuditedRefusal`.
        limited: Whether the platform limits its rate (protocol section 1.8).
        thread_above: Size of a body in bytes above which the call may take so long that a thread handles it; ``None``
            for a call that is always short.
    """

    method: str
    path: str
    shape: Mapping[str, Shape]
    handler: Callable[[ApiCall], PlatformResponse | Download]
    limited: bool = False
    thread_above: int | None = None


@frozen(kw_only=True)
class ApiRequest:
    """A request as it arrived.

    Attributes:
        body: Body, empty for a GET.
        query: Parameters of a GET; those that were repeated are joined with commas.
        compressed: Whether the body is compressed, which the platform does not understand.
        address: Address of the client, which the rate limit counts by.
        now_ms: Time in milliseconds since the epoch.
        origin: ``http://host:port``.
    """

    body: bytes = field(default=b"", repr=False)
    query: Mapping[str, str] = field(factory=dict, repr=False)
    compressed: bool = False
    address: str
    now_ms: int
    origin: str


@frozen(kw_only=True)
class AdmittedCall:
    """A call that can be performed.

    Attributes:
        operation: Its operation.
        call: The call.
        common: Fields that all operations have, as far as the request has them.
    """

    operation: ApiOperation
    call: ApiCall
    common: Mapping[str, str] = field(repr=False)


class Gateway:
    """Performs the calls of the open API. Thread-safe.

    ``rate_limit_form`` is one of `RATE_LIMIT_FORMS`; ``strict`` refuses unknown fields, and improper values;
    ``quirks`` are the names of those that are imitated.
    """

    def __init__(self, directory: Directory, *, strict: bool, rate_limit_form: str, quirks: frozenset[str]) -> None:
        self._directory = directory
        self._strict = strict
        self._rate_limit_form = rate_limit_form
        self._quirks = quirks
        self._windows: dict[tuple[str, str], tuple[int, int]] = {}
        self._lock = Lock()

    def respond(self, operation: ApiOperation, request: ApiRequest) -> PlatformResponse | Download:
        """Perform a call, and return the platform's response."""
        admitted = self.admit(operation, request)
        return admitted if isinstance(admitted, PlatformResponse) else self.perform(admitted)

    def admit(self, operation: ApiOperation, request: ApiRequest) -> AdmittedCall | PlatformResponse:
        """Check what all operations share; return the call, or the platform's response if it refuses it."""
        if self._rate_limit_form == "internal" and not self._admit(operation, request):
            return PlatformResponse(500, TOO_FREQUENT_MESSAGE, internal=True)
        try:
            fields = _fields(operation, request)
            return self._check(operation, request, fields, self._bind(request, fields, COMMON))
        except Refused as refused:
            return refused.answer(self._quirks)

    def perform(self, admitted: AdmittedCall, collision: Collision | None = None) -> PlatformResponse | Download:
        """Perform a call, and return the platform's response; ``collision`` is what it met."""
        try:
            response = admitted.operation.handler(evolve(admitted.call, collision=collision))
        except OperationFailed as failed:
            return HIDDEN_ERROR_PAGE if self._hides_errors else failed.response
        except Refused as refused:
            return refused.answer(self._quirks)
        except AuditedRefusal as refused:
            return self._audited(refused.response, admitted.common)
        succeeded = isinstance(response, PlatformResponse) and response.code == SUCCESS
        if succeeded and LATE_AUDIT in self._quirks and not _is_auditable(admitted.common):
            # The operation has taken effect, and only then its audit record fails (protocol section 1.3).
            return PlatformResponse(500, "沙箱：操作失败，null", internal=True)
        return response

    def _check(
        self, operation: ApiOperation, request: ApiRequest, fields: Mapping[str, Any], common: Mapping[str, str]
    ) -> AdmittedCall | PlatformResponse:
        token = common.get("appAuthToken")
        if not token:
            raise Refused(40000, "缺少 appAuthToken")
        if len(token) > MAX_TOKEN and self._hides_errors:
            return HIDDEN_ERROR_PAGE
        found = self._directory.developer(token)
        if found is None:
            raise Refused(41000, "appAuthToken 无效")
        enterprise, developer = found
        if not developer.enabled:
            raise Refused(42000, "开发者已停用")
        if self._rate_limit_form != "internal" and not self._admit(operation, request):
            too_frequent = PlatformResponse(TOO_FREQUENT, TOO_FREQUENT_MESSAGE)
            return too_frequent if self._rate_limit_form == "api" else self._audited(too_frequent, common)
        own = {name: value for name, value in fields.items() if name not in COMMON}
        bound = self._bind(request, own, operation.shape, query=operation.method == "GET")
        if self._strict:
            check_values(operation.path, bound)
        call = ApiCall(
            fields=bound,
            token=developer.app_auth_token,
            enterprise=enterprise,
            developer=developer,
            operator=self._directory.operator(developer.app_auth_token, common.get("operatorAccount")),
            now_ms=request.now_ms,
            origin=request.origin,
            quirks=self._quirks,
        )
        return AdmittedCall(operation=operation, call=call, common=common)

    def _bind(
        self, request: ApiRequest, fields: Mapping[str, Any], shape: Mapping[str, Shape], *, query: bool = False
    ) -> dict[str, Any]:
        """Bind fields; a value of a wrong structure is answered with the whole body (protocol section 2.5)."""
        strict = self._strict and shape is not COMMON
        try:
            return bind(fields, shape, strict=strict, query=query)
        except BindingError as problem:
            if strict:
                raise Refused(23000, f"请求字段校验失败：{problem}") from None
            repeats = REPEATED_REQUEST in self._quirks and GENERIC_FAILURES in self._quirks
            repeated = f"：{request.body.decode(errors='replace')[:MAX_REPEATED]}" if repeats else ""
            raise GenericFailure(f"{problem}{repeated}") from None

    def _audited(self, refusal: PlatformResponse, common: Mapping[str, str]) -> PlatformResponse:
        """Return a refusal that is written into the audit records first, or the error page if that fails."""
        told = not self._hides_errors or (_is_auditable(common) and "operatorAccount" in common)
        return refusal if told else HIDDEN_ERROR_PAGE

    @property
    def _hides_errors(self) -> bool:
        return HIDDEN_ERRORS in self._quirks

    def _admit(self, operation: ApiOperation, request: ApiRequest) -> bool:
        """Count a call in the fixed window of its path and client, which starts with the first call."""
        if not operation.limited or self._rate_limit_form == "none":
            return True
        key, now = (operation.path, request.address), request.now_ms
        with self._lock:
            start, calls = self._windows.get(key, (now, 0))
            if now - start >= WINDOW_MS:
                start, calls = now, 0
            if len(self._windows) >= MAX_WINDOWS:
                self._windows = {each: window for each, window in self._windows.items() if now - window[0] < WINDOW_MS}
            self._windows[key] = start, calls + 1
        return calls < WINDOW_CALLS


def _fields(operation: ApiOperation, request: ApiRequest) -> Mapping[str, Any]:
    if operation.method == "GET":
        return request.query
    if request.compressed:
        raise GenericFailure("请求体经过压缩", 25000)
    return parse_object(request.body)


def _is_auditable(common: Mapping[str, str]) -> bool:
    """Return whether the audit record of a call can be written; an empty ``uniqueCode`` counts as given."""
    return "uniqueCode" in common and len(common["uniqueCode"]) <= MAX_UNIQUE_CODE
