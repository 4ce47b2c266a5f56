"""Operations of the open API as values, and the response to one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, Generic, Protocol

from attrs import Attribute, field, frozen, has

from kfq_async.models.masking import plain_text
from kfq_async.models.urls import is_plain_path

__all__ = ["ApiResponse", "CredentialPlacement", "Fetch", "Idempotency", "Operation", "Send"]

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    RequestT = TypeVar("RequestT", default=Mapping[str, object])
    ResultT = TypeVar("ResultT", default=Any)
else:  # `typing` knows defaults from Python 3.13 on
    from typing import TypeVar

    RequestT = TypeVar("RequestT")
    ResultT = TypeVar("ResultT")


class CredentialPlacement(Enum):
    """Placement of the credentials in a request (protocol section 1.2).

    Attributes:
        HEADERS: Headers ``appAuthToken``, ``nonce``, ``timestamp``, ``sign`` and ``uniqueCode``: the auth family.
        PARAMETERS: ``appAuthToken`` and ``uniqueCode`` in the JSON body of a POST or the query of a GET: contract
            family.
    """

    HEADERS = auto()
    """Headers ``appAuthToken``, ``nonce``, ``timestamp``, ``sign`` and ``uniqueCode``: the auth family."""
    PARAMETERS = auto()
    """``appAuthToken`` and ``uniqueCode`` in the JSON body of a POST or the query of a GET: contract family."""


class Idempotency(Enum):
    """Effect of sending a request twice (幂等); decides which failures are retried.

    Attributes:
        SAFE: Only reads, or does no harm if done twice: retried after every transient failure.
        KEYED: Carries ``clientRequestId``; a retry carries the same one.
        NONE: Acts each time: retried only if the platform cannot have acted on it.
    """

    SAFE = auto()
    """Only reads, or does no harm if done twice: retried after every transient failure."""
    KEYED = auto()
    """Carries ``clientRequestId``; a retry carries the same one."""
    NONE = auto()
    """Acts each time: retried only if the platform cannot have acted on it."""


def _plain(value: str) -> str:
    """Return the text of a ``str``; leave anything else for the validator to refuse."""
    return plain_text(value) if isinstance(value, str) else value  # type: ignore[redundant-expr]  # or a wrong type


def _method(_instance: object, _attribute: object, value: str) -> None:
    if value not in ("GET", "POST"):
        raise ValueError("method must be 'GET' or 'POST', in capitals: the platform supports no other")


def _path(_instance: object, _attribute: object, value: Any) -> None:
    if not isinstance(value, str) or not is_plain_path(value):
        raise ValueError(
            "path must be like '/contract/tasks': ASCII without a query, percent-escapes, spaces, ';' or backslashes, "
            "and no segment may be empty, '.' or '..'"
        )


def _member(instance: object, attribute: Attribute[Any], value: object) -> None:
    kind = {"credentials": CredentialPlacement, "idempotency": Idempotency}[attribute.name]
    if not isinstance(value, kind):
        members = ", ".join(f"{kind.__name__}.{member.name}" for member in kind)
        raise TypeError(
            f"{type(instance).__name__}.{attribute.name} must be one of {members}, not a {type(value).__name__}"
        )


def _repr_result(result: object) -> str:
    """Return the ``repr`` of a model, which masks its own secrets, and mask plain data."""
    return repr(result) if has(type(result)) else "'***'"


@frozen
class Operation(Generic[RequestT, ResultT]):
    """Operation of the open API, for `AsyncSession.send`.

    Create one for an operation that this package does not define. Raises `ValueError` for an invalid method or path and
    `TypeError` for anything but a member of `CredentialPlacement` or `Idempotency` in their place.

    Attributes:
        method: ``"GET"`` or ``"POST"``.
        path: Path below ``{base_url}/kaifangqian/openAPI/V2``, with a leading slash, without a query, percent-escapes
            and ``..`` segments.
        request: Model class of the request; ``None`` takes mappings only.
        result: Model class of the result; ``None`` returns the plain JSON value.
        credentials: Placement of the credentials.
        idempotency: Effect of sending a request twice; decides which failures are retried.
        rate_limited: Whether the platform limits its rate (protocol section 1.8), so the session's ``rate_limit``
            applies.
        hosted_only: Whether a platform built from the open source lacks the operation.
        exclusive: Whether requests must not overlap with others that drive contracts, so that the session's ``lane``
            applies (protocol section 4.17); a function decides from the fields of a request, by wire name.
        name: ``METHOD /path``, for errors and logs.
    """

    method: str = field(converter=_plain, validator=_method)
    """``"GET"`` or ``"POST"``."""
    path: str = field(converter=_plain, validator=_path)
    """Path below ``{base_url}/kaifangqian/openAPI/V2``, with a leading slash, without a query, percent-escapes and
    ``..`` segments."""
    request: type[RequestT] | None = field(default=None, kw_only=True)
    """Model class of the request; ``None`` takes mappings only."""
    result: type[ResultT] | None = field(default=None, kw_only=True)
    """Model class of the result; ``None`` returns the plain JSON value."""
    credentials: CredentialPlacement = field(default=CredentialPlacement.HEADERS, validator=_member, kw_only=True)
    """Placement of the credentials."""
    idempotency: Idempotency = field(default=Idempotency.NONE, validator=_member, kw_only=True)
    """Effect of sending a request twice; decides which failures are retried."""
    rate_limited: bool = field(default=False, kw_only=True)
    """Whether the platform limits its rate (protocol section 1.8), so the session's ``rate_limit`` applies."""
    hosted_only: bool = field(default=False, kw_only=True)
    """Whether a platform built from the open source lacks the operation."""
    exclusive: bool | Callable[[Mapping[str, object]], bool] = field(default=False, kw_only=True)
    """Whether requests must not overlap with others that drive contracts, so that the session's ``lane`` applies
    (protocol section 4.17); a function decides from the fields of a request, by wire name."""

    @property
    def name(self) -> str:
        """``METHOD /path``, for errors and logs."""
        return f"{self.method} {self.path}"

    def is_exclusive(self, fields: Mapping[str, object]) -> bool:
        """Return whether a request with these fields takes the session's ``lane``."""
        return self.exclusive(fields) if callable(self.exclusive) else self.exclusive


@frozen(kw_only=True)
class ApiResponse(Generic[ResultT]):
    """Response to `AsyncSession.send`.

    Attributes:
        result: Result: a model, or the plain JSON value if the operation has no result model.
        envelope: `Envelope` of the response.
        attempts: Attempts made for the call, the last one included.
        http_status: HTTP status of the response.
        unique_code: ``uniqueCode`` (流水号) of the last attempt, by which the platform's log knows it.
        seconds: Duration of the call in seconds, waits and retries included.
        headers: Headers of the response that hold no secrets, by lower-case name: ``content-type``, ``date``,
            ``server``, ``via``, ``x-request-id`` and the like.
    """

    result: ResultT = field(repr=_repr_result)
    """Result: a model, or the plain JSON value if the operation has no result model."""
    envelope: Any = field(repr=False)
    """`Envelope` of the response."""
    attempts: int
    """Attempts made for the call, the last one included."""
    http_status: int
    """HTTP status of the response."""
    unique_code: str
    """``uniqueCode`` (流水号) of the last attempt, by which the platform's log knows it."""
    seconds: float = field(default=0.0, repr=False)
    """Duration of the call in seconds, waits and retries included."""
    headers: Mapping[str, str] = field(factory=dict, repr=False)
    """Headers of the response that hold no secrets, by lower-case name: ``content-type``, ``date``, ``server``,
    ``via``, ``x-request-id`` and the like."""


class Fetch(Protocol):
    """Function of the session for its resources: makes a call, and returns its result."""

    async def __call__(self, operation: Operation[RequestT, ResultT], request: RequestT) -> ResultT:
        """Send a request and return the result."""
        ...


class Send(Protocol):
    """Signature of `AsyncSession.send`, which the session passes to its resources."""

    async def __call__(
        self, operation: Operation[RequestT, ResultT], request: RequestT | Mapping[str, object]
    ) -> ApiResponse[ResultT]:
        """Send a request and return the whole response."""
        ...
