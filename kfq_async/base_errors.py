"""Root of the errors, and the error of a draft, which the models raise; `kfq_async.errors` has them all."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from kfq_async.redaction import printable

__all__ = ["DraftRefused", "KfqError", "Phase"]

_MAX_TEXT = 4_000
"""Maximum number of characters of an error's text."""


class Phase(StrEnum):
    """Progress of a call when it failed: whether the platform may have acted on it.

    Attributes:
        NOT_SENT: The platform cannot have acted on any byte of the request.
        SENT: The platform may have acted on the request.
        ANSWERED: The platform itself responded.
    """

    NOT_SENT = "not_sent"
    """The platform cannot have acted on any byte of the request."""
    SENT = "sent"
    """The platform may have acted on the request."""
    ANSWERED = "answered"
    """The platform itself responded."""


class KfqError(Exception):
    """Base class of the package's errors.

    The text of an error is safe to log: one line without tokens, links or personal data. ``args[0]`` is the same text
    without the details of the call. All errors can be pickled.

    Attributes:
        phase: Whether the platform may have acted on the request.
        operation: ``METHOD /path`` of the operation; ``None`` outside a call.
        attempts: Attempts made for this call, the last one included.
        client_request_id: Id of the request, under which it can be retried; ``None`` if it has none.
        unique_code: ``uniqueCode`` (流水号) of the last attempt; ``None`` if none was made.
        in_lane: Whether the session's ``lane`` was held until the response to the last attempt was received.
    """

    phase: Phase
    """Whether the platform may have acted on the request."""
    operation: str | None = None
    """``METHOD /path`` of the operation; ``None`` outside a call."""
    attempts: int = 0
    """Attempts made for this call, the last one included."""
    client_request_id: str | None = None
    """Id of the request, under which it can be retried; ``None`` if it has none."""
    unique_code: str | None = None
    """``uniqueCode`` (流水号) of the last attempt; ``None`` if none was made."""
    in_lane: bool = False
    """Whether the session's ``lane`` was held until the response to the last attempt was received."""

    def __init__(self, text: str, *, phase: Phase = Phase.NOT_SENT) -> None:
        super().__init__(printable(text, _MAX_TEXT))
        self.phase = phase

    def __str__(self) -> str:
        text = str(self.args[0])
        if self.operation is None:
            return text
        times = "1 attempt" if self.attempts == 1 else f"{self.attempts} attempts"
        code = f", uniqueCode {self.unique_code}" if self.unique_code else ""
        return printable(f"{self.operation}: {text} [{self.phase}, {times}{code}]")

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.args, self.__dict__)


def _rebuild(cls: type[KfqError], args: tuple[Any, ...], state: dict[str, Any]) -> KfqError:
    error = cls.__new__(cls)
    error.args = args  # OSError, the base of TimeoutError, ignores args in __new__ when a subclass overrides __init__
    error.__dict__.update(state)
    return error


class DraftRefused(KfqError, ValueError):
    """The draft cannot be built: the platform would refuse it, or make of it what is not meant. Nothing was sent.

    Attributes:
        path: Argument at fault, such as ``signers[1].date``.
        others: Further problems of the same draft, each with its path.
    """

    path: str
    """Argument at fault, such as ``signers[1].date``."""
    others: tuple[str, ...]
    """Further problems of the same draft, each with its path."""

    def __init__(self, path: str, problem: str, *others: str) -> None:
        super().__init__("; ".join((f"{path}: {problem}", *others)))
        self.path = path
        self.others = others
