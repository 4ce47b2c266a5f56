"""What can be asked of the platform: an operation is a value."""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from attrs import Attribute, field, frozen, has

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ApiResponse", "CredentialPlacement", "Idempotency", "Operation", "Send"]

RequestT = TypeVar("RequestT")
ResultT = TypeVar("ResultT")


class CredentialPlacement(Enum):
    """Where the credentials travel (protocol section 1.2)."""

    HEADERS = auto()
    """``appAuthToken``, ``nonce``, ``timestamp``, ``sign`` and ``uniqueCode`` as headers: the auth family."""
    PARAMETERS = auto()
    """``appAuthToken`` and ``uniqueCode`` in the JSON body of a POST or the query of a GET: the contract family."""


class Idempotency(Enum):
    """What repeating a request does, and so which failures are repeated."""

    SAFE = auto()
    """It only reads: repeated after every failure that can pass."""
    KEYED = auto()
    """It carries ``clientRequestId``, and a repetition carries the same one."""
    NONE = auto()
    """It acts again each time: repeated only when the first request cannot have been acted on."""


def _method(_instance: object, _attribute: object, value: str) -> None:
    if value not in {"GET", "POST"}:
        raise ValueError(f"method must be 'GET' or 'POST', the two that the platform uses, not {value!r}")


def _path(_instance: object, _attribute: object, value: str) -> None:
    if not value.startswith("/") or set(value) & set("?# \\"):
        raise ValueError(f"path must start with '/' and hold neither query nor fragment, not {value!r}")


def _member(instance: object, attribute: Attribute[Any], value: object) -> None:
    kind = {"credentials": CredentialPlacement, "idempotency": Idempotency}[attribute.name]
    if not isinstance(value, kind):
        members = ", ".join(f"{kind.__name__}.{member.name}" for member in kind)
        raise TypeError(f"{type(instance).__name__}.{attribute.name} must be one of {members}, not {value!r}")


def _shown(result: object) -> str:
    """Show a model, which masks its secrets by itself; plain data would show them."""
    return repr(result) if has(type(result)) else "'***'"


@frozen
class Operation(Generic[RequestT, ResultT]):
    """One operation of the open API.

    ``path`` is relative to ``{base_url}/kaifangqian/openAPI/V2``. ``request`` and ``result`` are model classes;
    without ``result`` an answer's result is the plain JSON value. Raises `ValueError` for another method than
    GET and POST and for a path that is none.
    """

    method: str = field(validator=_method)
    path: str = field(validator=_path)
    request: type[RequestT] | None = field(default=None, kw_only=True)
    result: type[ResultT] | None = field(default=None, kw_only=True)
    credentials: CredentialPlacement = field(default=CredentialPlacement.HEADERS, validator=_member, kw_only=True)
    idempotency: Idempotency = field(default=Idempotency.NONE, validator=_member, kw_only=True)
    rate_limited: bool = field(default=False, kw_only=True)
    """Whether the platform limits how often it is asked (protocol section 1.8)."""
    hosted_only: bool = field(default=False, kw_only=True)
    """Whether a platform built from the open source lacks it."""

    @property
    def name(self) -> str:
        """``METHOD /path``, as errors and logs show it."""
        return f"{self.method} {self.path}"


@frozen(kw_only=True)
class ApiResponse(Generic[ResultT]):
    """What `AsyncSession.send` returns: the result and how it came."""

    result: ResultT = field(repr=_shown)
    """The operation's model, or the plain JSON value of an operation without one."""
    envelope: Any = field(repr=False)
    """The `Envelope` that the result came in."""
    attempts: int
    """Requests made for it, the last one included."""


class Send(Protocol):
    """`AsyncSession.send`, as the resources are handed it."""

    async def __call__(
        self, operation: Operation[RequestT, ResultT], request: RequestT | Mapping[str, object]
    ) -> ApiResponse[ResultT]:
        """Ask, and return the whole answer."""
        ...
