"""Faults on demand: what can go wrong, how often, and whether this request's turn has come. Pure."""

from __future__ import annotations

import math
import random
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, Self

from attrs import evolve, field, frozen

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["KINDS", "Fault", "Faults", "Kind", "Stage"]


class Stage(Enum):
    """Where in the life of a request a fault happens."""

    LISTENING = auto()
    """At once, when it is given."""
    CONNECTING = auto()
    """Before a request is read; counted in connections."""
    HANDLING = auto()
    """While a request is read, acted on and answered; counted in requests."""
    NOTIFYING = auto()
    """When the sandbox sends a notification; counted in attempts."""


@frozen
class Kind:
    """One way to go wrong."""

    acted: bool
    """Whether the platform acts, if the fault does not say otherwise."""
    what: str
    stage: Stage = Stage.HANDLING
    free: bool = True
    """Whether a fault may say otherwise."""
    seconds: float = 0.0
    """The duration, if the fault does not say otherwise."""


def _notifying(what: str, seconds: float = 0.0) -> Kind:
    return Kind(True, what, Stage.NOTIFYING, free=False, seconds=seconds)


KINDS = {
    "refuse": Kind(False, "refuse new connections from now on, for SECONDS", Stage.LISTENING, free=False, seconds=0.5),
    "reset-connect": Kind(False, "reset the connection before a request", Stage.CONNECTING, free=False),
    "reset-reading": Kind(False, "reset the connection in the middle of the request", free=False),
    "lose": Kind(False, "read the request, do not act, reset the connection", free=False),
    "drop": Kind(True, "act, and reset the connection without an answer", free=False),
    "close": Kind(False, "close the connection without an answer"),
    "close-idle": Kind(False, "close a connection that was idle, at the moment of its reuse", free=False),
    "delay-reading": Kind(True, "wait SECONDS before reading the request's body", free=False),
    "delay-acting": Kind(True, "wait SECONDS before acting", free=False),
    "delay": Kind(True, "wait SECONDS after acting", free=False),
    "cut-head": Kind(True, "answer half a head, and close"),
    "cut-body": Kind(True, "answer half a body, and close"),
    "long-length": Kind(True, "announce more bytes than come, and close"),
    "short-length": Kind(True, "announce fewer bytes than come"),
    "trickle": Kind(True, "answer one byte every SECONDS", seconds=0.05),
    "endless": Kind(True, "answer a body that never ends"),
    "huge": Kind(True, "answer 9 MiB of JSON"),
    "gzip": Kind(True, "compress the answer", free=False),
    "bad-gzip": Kind(True, "call the answer compressed, though it is not"),
    "digits": Kind(True, "answer code and timestamp as digits in strings", free=False),
    "html": Kind(False, "answer an HTML page with HTTP 200"),
    "malformed": Kind(False, "answer what is not JSON with HTTP 200"),
    "list": Kind(False, "answer a JSON list with HTTP 200"),
    "redirect": Kind(False, "redirect to another host"),
    "413": Kind(False, "answer as a proxy does to a body that is too large"),
    "429": Kind(False, "answer HTTP 429, with Retry-After if SECONDS are given"),
    "502": Kind(False, "answer as a proxy does that reaches nobody"),
    "503": Kind(False, "answer HTTP 503, with Retry-After if SECONDS are given"),
    "504": Kind(False, "answer as a proxy does that waited in vain"),
    "framework-404": Kind(False, "answer the framework's error document for an unknown path"),
    "framework-500": Kind(False, "answer the framework's error document with a stack trace"),
    "internal-401": Kind(False, "answer the internal envelope: success true beside code 401"),
    "internal-500": Kind(False, "answer the internal envelope: code 500"),
    "code-null": Kind(False, "answer an error whose code is null"),
    "code-31000": Kind(False, "answer code 31000, business failure"),
    "code-41001": Kind(False, "answer code 41001, timestamp out of range", free=False),
    "code-41002": Kind(False, "answer code 41002, nonce repeated"),
    "code-43000": Kind(False, "answer code 43000, call timed out"),
    "code-91000": Kind(False, "answer code 91000, unknown server error"),
    "frequent-a": Kind(False, "answer too frequent as code 999999", free=False),
    "frequent-b": Kind(False, "answer too frequent in the internal envelope", free=False),
    "frequent-c": Kind(False, "answer too frequent in the framework's error document", free=False),
    "callback-duplicate": _notifying("send a notification twice, to the letter, the second SECONDS after the first"),
    "callback-delay": _notifying("sign a notification, and send it SECONDS later", 5.0),
    "callback-reorder": _notifying("sign a notification, and send it after the next one, or after SECONDS", 5.0),
    "callback-corrupt": _notifying("change a notification's orderStatus after it was signed"),
}

_ACTED = {"acted": True, "unacted": False}


@frozen
class Fault:
    """One thing that goes wrong: for the next ``times`` requests, or with a ``probability``.

    ``kind`` is one of `KINDS`. ``acted`` says whether the platform acts on the request all the same, for kinds
    that leave it open. Raises `ValueError`, naming the argument.
    """

    kind: str = field()
    seconds: float = field(kw_only=True)
    times: int | None = field(default=None, kw_only=True)
    probability: float = field(default=1.0, kw_only=True)
    acted: bool = field(kw_only=True)

    @kind.validator
    def _known(self, _attribute: object, value: str) -> None:
        if value not in KINDS:
            raise ValueError(f"fault {value!r} does not exist; there are {', '.join(KINDS)}")

    @seconds.default
    def _usual_seconds(self) -> float:
        return KINDS[self.kind].seconds if self.kind in KINDS else 0.0

    @seconds.validator
    def _finite(self, _attribute: object, value: float) -> None:
        if not 0 <= value < math.inf:
            raise ValueError(f"a fault's seconds are 0 or more, not {value}")

    @times.validator
    def _countable(self, _attribute: object, value: int | None) -> None:
        if value is not None and value < 0:
            raise ValueError(f"a fault happens 0 times or more, not {value}")

    @probability.validator
    def _between(self, _attribute: object, value: float) -> None:
        if not 0 <= value <= 1:
            raise ValueError(f"a fault's probability is between 0 and 1, not {value}")

    @acted.default
    def _usually_acted(self) -> bool:
        return self.kind in KINDS and KINDS[self.kind].acted

    @acted.validator
    def _possible(self, _attribute: object, value: bool) -> None:  # noqa: FBT001  # attrs calls it so
        kind = KINDS[self.kind]
        if value is not kind.acted and not kind.free:
            raise ValueError(f"fault {self.kind!r} is always {'acted on' if kind.acted else 'not acted on'}")

    def __str__(self) -> str:
        """Write the fault as `parse` reads it."""
        acted = "" if self.acted is KINDS[self.kind].acted else "/acted" if self.acted else "/unacted"
        times = "" if self.times is None else f"*{self.times}"
        probability = "" if self.probability == 1 else f"@{self.probability:g}"
        return f"{self.kind}{acted}:{self.seconds:g}{times}{probability}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``KIND[/acted|/unacted][:SECONDS][*TIMES|@PROBABILITY]``, as in ``502/acted*1`` or ``delay:0.2@0.1``."""
        rest, at, probability = text.partition("@")
        rest, star, times = rest.partition("*")
        rest, colon, seconds = rest.partition(":")
        kind, slash, acted = (part.strip() for part in rest.partition("/"))
        options: dict[str, Any] = {}
        try:
            if slash:
                options["acted"] = _ACTED[acted]
            if colon:
                options["seconds"] = float(seconds)
            if star:
                options["times"] = int(times)
            if at:
                options["probability"] = float(probability)
            return cls(kind, **options)
        except KeyError:
            what = f"{acted!r} is neither 'acted' nor 'unacted'"
        except ValueError as problem:
            what = str(problem)
        raise ValueError(f"{text!r} is no fault, as 'delay:0.2@0.1' and 'drop*2' are: {what}")


class Faults:
    """The faults that are still to come, in the order in which they were given."""

    def __init__(self, faults: Iterable[Fault] = (), seed: int = 0) -> None:
        self._left: list[tuple[Fault, int | None]] = []
        self._random = random.Random(seed)  # noqa: S311  # a repeatable choice, nothing secret
        self.set(faults, seed)

    def set(self, faults: Iterable[Fault], seed: int) -> None:
        """Replace what is to come."""
        self._left = [(fault, fault.times) for fault in faults]
        self._random = random.Random(seed)  # noqa: S311

    def left(self) -> list[Fault]:
        """Return what is still to come."""
        return [evolve(fault, times=left) for fault, left in self._left if left != 0]

    def draw(self, stage: Stage = Stage.HANDLING, *, reused: bool = True) -> Fault | None:
        """Return what goes wrong now, if anything does; ``reused`` says whether the connection was used before."""
        for index, (fault, left) in enumerate(self._left):
            if left == 0 or KINDS[fault.kind].stage is not stage or (fault.kind == "close-idle" and not reused):
                continue
            if self._random.random() >= fault.probability:
                continue
            self._left[index] = fault, None if left is None else left - 1
            return fault
        return None
