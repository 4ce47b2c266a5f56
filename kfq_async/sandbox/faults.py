"""Fault kinds, their text form, and the plan that decides which request a fault applies to. Pure."""

from __future__ import annotations

import math
import random
import re
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, Self

from attrs import define, evolve, field, frozen

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["FAULT_KINDS", "WAITS", "Fault", "FaultKind", "FaultPlan", "InjectionPoint", "fault_kind"]


class InjectionPoint(Enum):
    """Point at which a fault is injected, and the unit that ``times`` counts."""

    LISTENER = auto()
    """The listening port; applied as soon as the fault is set."""
    CONNECTION = auto()
    """A new connection, before a request is read; counted in connections."""
    REQUEST = auto()
    """A request and its response; counted in requests."""
    NOTIFICATION = auto()
    """The delivery of a notification of an order; counted in attempts."""
    EVENT = auto()
    """A contract event, when it happens; counted in events."""


@frozen
class FaultKind:
    """Behaviour and defaults of a kind of fault."""

    acted: bool
    """Whether the platform acts on the request, unless the fault overrides it."""
    description: str
    point: InjectionPoint = InjectionPoint.REQUEST
    overridable: bool = True
    """Whether a fault may override ``acted``."""
    seconds: float = 0.0
    """Default duration."""


def _on_notification(description: str, seconds: float = 0.0) -> FaultKind:
    return FaultKind(True, description, InjectionPoint.NOTIFICATION, overridable=False, seconds=seconds)


def _on_event(description: str, seconds: float = 0.0) -> FaultKind:
    return FaultKind(True, description, InjectionPoint.EVENT, overridable=False, seconds=seconds)


FAULT_KINDS = {
    "refuse": FaultKind(
        False, "refuse new connections for SECONDS", InjectionPoint.LISTENER, overridable=False, seconds=0.5
    ),
    "reset-connect": FaultKind(
        False, "reset the connection before a request is read", InjectionPoint.CONNECTION, overridable=False
    ),
    "reset-reading": FaultKind(False, "reset the connection while the request is read", overridable=False),
    "lose-request": FaultKind(False, "read the request, do not act, reset the connection", overridable=False),
    "lose-response": FaultKind(True, "act, then reset the connection without a response", overridable=False),
    "close": FaultKind(False, "close the connection without a response"),
    "close-idle": FaultKind(False, "close a kept-alive connection at the moment of its reuse", overridable=False),
    "delay-reading": FaultKind(True, "wait SECONDS before reading the request body", overridable=False),
    "delay-acting": FaultKind(True, "wait SECONDS before acting", overridable=False),
    "delay": FaultKind(True, "act, then wait SECONDS before responding", overridable=False),
    "cut-head": FaultKind(True, "send half of the response head, then close"),
    "cut-body": FaultKind(True, "send half of the response body, then close"),
    "long-length": FaultKind(True, "announce more bytes than are sent, then close"),
    "short-length": FaultKind(True, "announce fewer bytes than are sent"),
    "trickle": FaultKind(True, "send one byte every SECONDS", seconds=0.05),
    "endless": FaultKind(True, "send a body that never ends"),
    "huge": FaultKind(True, "send 9 MiB of JSON"),
    "gzip": FaultKind(True, "compress the response", overridable=False),
    "bad-gzip": FaultKind(True, "label an uncompressed response as gzip"),
    "digits": FaultKind(True, "send code and timestamp as strings of digits", overridable=False),
    "html": FaultKind(False, "respond with an HTML page and HTTP 200"),
    "malformed": FaultKind(False, "respond with malformed JSON and HTTP 200"),
    "list": FaultKind(False, "respond with a JSON list and HTTP 200"),
    "redirect": FaultKind(False, "redirect to another host"),
    "413": FaultKind(False, "respond as a proxy does when the body is too large"),
    "429": FaultKind(False, "respond with HTTP 429, and Retry-After if SECONDS are given"),
    "502": FaultKind(False, "respond as a proxy does when the server is unreachable"),
    "503": FaultKind(False, "respond with HTTP 503, and Retry-After if SECONDS are given"),
    "504": FaultKind(False, "respond as a proxy does when the server times out"),
    "framework-404": FaultKind(False, "respond with the framework's error document for an unknown path"),
    "framework-500": FaultKind(False, "respond with the framework's error document and a stack trace"),
    "internal-401": FaultKind(False, "respond with the hidden error page: HTTP 401, success true beside code 401"),
    "internal-500": FaultKind(False, "respond with the internal envelope and code 500"),
    "code-null": FaultKind(False, "respond with an error whose code is null"),
    "code-31000": FaultKind(False, "respond with code 31000, business failure"),
    "code-41001": FaultKind(False, "respond with code 41001, timestamp out of range", overridable=False),
    "code-41002": FaultKind(False, "respond with code 41002, nonce repeated"),
    "code-43000": FaultKind(False, "respond with code 43000, call timed out"),
    "code-91000": FaultKind(False, "respond with code 91000, unknown server error"),
    "frequent-a": FaultKind(False, "rate limit: respond with code 999999", overridable=False),
    "frequent-b": FaultKind(False, "rate limit: respond with the internal envelope", overridable=False),
    "frequent-c": FaultKind(False, "rate limit: respond with the framework's error document", overridable=False),
    "callback-duplicate": _on_notification("send the same notification twice, the second copy SECONDS later"),
    "callback-delay": _on_notification("sign a notification, send it SECONDS later", 5.0),
    "callback-reorder": _on_notification(
        "sign a notification, send it after the next one, or after SECONDS at the latest", 5.0
    ),
    "callback-corrupt": _on_notification("change a notification's orderStatus after signing"),
    "event-lose": _on_event("send a contract event never"),
    "event-duplicate": _on_event("send a contract event again after its delivery, SECONDS later"),
    "event-delay": _on_event("send a contract event SECONDS later", 5.0),
    "event-hold": _on_event("hold a contract event back until it is released"),
    "event-reorder": _on_event("send a contract event after the next one, or after SECONDS at the latest", 5.0),
}
"""All kinds by name; `fault_kind` takes any other error code as well."""

_ANY_CODE = re.compile(r"(?:code-\d{3,6}|internal-\d{3})", re.ASCII)


def fault_kind(name: str) -> FaultKind:
    """Return a kind of `FAULT_KINDS`, or that of ``code-NNNNN`` or ``internal-NNN`` for any other error code.

    Raises `ValueError` for an unknown name.
    """
    kind = FAULT_KINDS.get(name)
    if kind is None and _ANY_CODE.fullmatch(name):
        kind = FaultKind(False, f"respond with {name}")
    if kind is None:
        raise ValueError(f"fault {name!r} does not exist; the kinds are {', '.join(FAULT_KINDS)}")
    return kind


_ACTED = {"acted": True, "unacted": False}


@frozen
class Fault:
    """A fault to inject, for a number of requests or with a probability.

    Delays and broken connections:

    - ``refuse``: refuse new connections for ``seconds`` (0.5)
    - ``reset-connect``: reset the connection before a request is read
    - ``reset-reading``: reset the connection while the request is read
    - ``lose-request``: read the request, do not act, reset the connection
    - ``lose-response``: act, then reset the connection without a response
    - ``close``: close the connection without a response, and do not act (unless ``acted=True``)
    - ``close-idle``: close a kept-alive connection at the moment of its reuse
    - ``delay-reading``, ``delay-acting``, ``delay``: wait ``seconds`` before reading the request body, before acting,
      or between acting and responding

    Damaged responses, to requests that the platform acts on (unless ``acted=False``):

    - ``cut-head``, ``cut-body``: send half of the head or of the body, then close
    - ``long-length``, ``short-length``: announce more or fewer bytes than are sent
    - ``trickle``: send one byte every ``seconds`` (0.05)
    - ``endless``, ``huge``: send a body that never ends, or 9 MiB of JSON
    - ``gzip``, ``bad-gzip``: compress the response, or only claim to
    - ``digits``: send code and timestamp as strings of digits

    Error responses, to requests that the platform does not act on (unless ``acted=True``):

    - ``html``, ``malformed``, ``list``: HTTP 200 with an HTML page, malformed JSON or a JSON list
    - ``redirect``: redirect to another host
    - ``413``, ``429``, ``502``, ``503``, ``504``: that status in the form of a proxy; with ``seconds`` as Retry-After
    - ``framework-404``, ``framework-500``: the framework's error document
    - ``internal-401``, ``internal-500``, ``internal-NNN``: the internal envelope with that code
    - ``code-null``, ``code-31000``, ``code-41001``, ``code-41002``, ``code-43000``, ``code-91000``, ``code-NNNNN``:
      the platform's envelope with that code, of 3 to 6 digits
    - ``frequent-a``, ``frequent-b``, ``frequent-c``: rate limit exceeded, in each of the platform's three forms

    Notification faults:

    - ``callback-duplicate``: send the same notification twice, the second copy ``seconds`` later
    - ``callback-delay``: sign, then send ``seconds`` (5) later
    - ``callback-reorder``: sign, then send after the next notification, or after ``seconds`` (5) at the latest
    - ``callback-corrupt``: change orderStatus after signing

    Faults of contract events, beside what the platform's own schedule does:

    - ``event-lose``: never send it
    - ``event-duplicate``: send it again after its delivery, ``seconds`` later
    - ``event-delay``: send it ``seconds`` (5) later
    - ``event-hold``: hold it back until `Sandbox.release`, or the button of the console
    - ``event-reorder``: send it after the next event, or after ``seconds`` (5) at the latest

    Args:
        kind: Name of one of the kinds above.
        seconds: Duration in seconds, 0 or more. The default depends on the kind, as shown in parentheses; otherwise 0.
        times: Number of requests (connections, delivery attempts, events) to affect, 0 or more. ``None`` sets no limit.
        probability: Share of the requests to affect, from 0 to 1 (default 1). The sandbox's ``seed`` decides which,
            for each fault independently of the others.
        acted: Whether the platform acts on the request. The default depends on the kind, and some kinds allow no
            other value.

    Raises `ValueError` that names the argument.
    """

    kind: str = field()
    seconds: float = field(kw_only=True)
    times: int | None = field(default=None, kw_only=True)
    probability: float = field(default=1.0, kw_only=True)
    acted: bool = field(kw_only=True)

    @seconds.default
    def _default_seconds(self) -> float:
        return fault_kind(self.kind).seconds

    @seconds.validator
    def _check_seconds(self, _attribute: object, value: float) -> None:
        if not 0 <= value < math.inf:
            raise ValueError(f"seconds must be finite and 0 or more, not {value}")

    @times.validator
    def _check_times(self, _attribute: object, value: int | None) -> None:
        if value is not None and value < 0:
            raise ValueError(f"times must be 0 or more, not {value}")

    @probability.validator
    def _check_probability(self, _attribute: object, value: float) -> None:
        if not 0 <= value <= 1:
            raise ValueError(f"probability must be between 0 and 1, not {value}")

    @acted.default
    def _default_acted(self) -> bool:
        return fault_kind(self.kind).acted

    @acted.validator
    def _check_acted(self, _attribute: object, value: bool) -> None:  # noqa: FBT001  # attrs passes it by position
        kind = fault_kind(self.kind)
        if value is not kind.acted and not kind.overridable:
            raise ValueError(f"fault {self.kind!r} is always {'acted on' if kind.acted else 'not acted on'}")

    def __str__(self) -> str:
        """Return the text form, which `parse` reads."""
        acted = "" if self.acted is fault_kind(self.kind).acted else "/acted" if self.acted else "/unacted"
        times = "" if self.times is None else f"*{self.times}"
        probability = "" if self.probability == 1 else f"@{self.probability:g}"
        return f"{self.kind}{acted}:{self.seconds:g}{times}{probability}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse ``KIND[/acted|/unacted][:SECONDS][*TIMES][@PROBABILITY]``, such as ``502/acted*1``.

        Raises `ValueError` that quotes the text.
        """
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
            reason = f"{acted!r} is neither 'acted' nor 'unacted'"
        except ValueError as problem:
            reason = str(problem)
        raise ValueError(f"{text!r} is not a fault such as 'delay:0.2@0.1' or 'lose-response*2': {reason}")


WAITS = frozenset({"delay-reading", "delay-acting", "delay"})
"""Kinds that can be injected into a request together with others."""


@define
class _Entry:
    """A fault of a plan, how often it remains, and its own random choice."""

    fault: Fault
    remaining: int | None
    choice: random.Random

    @property
    def scripted(self) -> bool:
        """Whether the fault takes its turn: it has a number of times, and no probability."""
        return self.fault.times is not None and self.fault.probability == 1


class FaultPlan:
    """Faults that remain to be injected. ``seed`` makes the random choice repeatable.

    Faults with ``times`` and no ``probability`` are a script: each takes its turn after the one before it is used up.
    All others are drawn independently: the choice of each depends on the seed, on its kind, and on how many of the same
    kind stand before it. If several apply to one request, it waits for all delays, and of the other
    faults the first one given is injected. Of a notification or a contract event, only the first one is.
    """

    def __init__(self, faults: Iterable[Fault] = (), seed: int = 0) -> None:
        self._entries: list[_Entry] = []
        self.replace(faults, seed)

    def replace(self, faults: Iterable[Fault], seed: int) -> None:
        """Replace all faults, and restart the random choice."""
        entries: list[_Entry] = []
        for fault in faults:
            same = sum(entry.fault.kind == fault.kind for entry in entries)
            choice = random.Random(f"{seed} {fault.kind} {same}")  # noqa: S311  # no secret
            entries.append(_Entry(fault, fault.times, choice))
        self._entries = entries

    def remaining(self) -> list[Fault]:
        """Return the faults that are not used up; ``times`` holds the remaining number."""
        return [evolve(entry.fault, times=entry.remaining) for entry in self._entries if entry.remaining != 0]

    def draw(self, point: InjectionPoint = InjectionPoint.REQUEST) -> Fault | None:
        """Return the first fault to inject now, if any."""
        return next(iter(_use(self._hits(point, reused=True)[:1])), None)

    def draw_for_request(self, *, reused: bool) -> tuple[Fault, ...]:
        """Return the faults to inject into a request: delays, and at most one other.

        ``reused`` tells whether the connection was used before.
        """
        hits = self._hits(InjectionPoint.REQUEST, reused=reused)
        waits = [entry for entry in hits if entry.fault.kind in WAITS]
        return _use(waits + [entry for entry in hits if entry.fault.kind not in WAITS][:1])

    def _hits(self, point: InjectionPoint, *, reused: bool) -> list[_Entry]:
        """Draw each fault of an injection point once."""
        hits = []
        has_turn = False
        for entry in self._entries:  # another thread may replace the list
            if entry.remaining == 0 or fault_kind(entry.fault.kind).point is not point:
                continue
            hit = entry.choice.random() < entry.fault.probability
            if entry.fault.kind == "close-idle" and not reused:
                continue
            if hit and not (entry.scripted and has_turn):
                hits.append(entry)
                has_turn = has_turn or entry.scripted
        return hits


def _use(entries: list[_Entry]) -> tuple[Fault, ...]:
    """Count an injection of each fault."""
    for entry in entries:
        if entry.remaining is not None:
            entry.remaining -= 1
    return tuple(entry.fault for entry in entries)
