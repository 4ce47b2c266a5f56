"""The names of the package: one concept has one name, and no former name comes back."""

from __future__ import annotations

import ast
import re
from collections import Counter
from enum import Enum, auto
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from attrs import field, frozen

import kfq_async

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ROOT = Path(kfq_async.__file__).parent


class Use(Enum):
    """The role in which a name is used."""

    DEFINITION = auto()
    """A class, a function or a method."""
    FIELD = auto()
    """A parameter, an annotated field, an enum member, a constant, or an attribute set on ``self``."""
    MENTION = auto()
    """Any other place of a name: a variable, an attribute, a keyword of a call, an import."""
    OPTION = auto()
    """An option of the command line, in any text."""
    TEXT = auto()
    """The whole of a text, such as the name of a fault."""
    COLUMN = auto()
    """A column of a ``CREATE TABLE``."""


ANYWHERE = frozenset({Use.DEFINITION, Use.FIELD, Use.MENTION})
DEFINED = frozenset({Use.DEFINITION})
FIELDS = frozenset({Use.FIELD})
OPTIONS = frozenset({Use.OPTION})
TEXTS = frozenset({Use.TEXT})
COLUMNS = frozenset({Use.COLUMN})


@frozen
class Rename:
    """A name that must not come back within a scope.

    Attributes:
        scope: beginning of a place, as ``transport/``, ``session.py::AsyncSession``, or empty for the whole package.
        old: the former name.
        new: the name of today.
        uses: the roles in which the former name is forbidden, since a common word has other meanings in others.
    """

    scope: str
    old: str
    new: str
    uses: frozenset[Use] = field(default=ANYWHERE)


@frozen
class Name:
    """A name in the source: its place (``module.py::Class.method``), its line and its role."""

    place: str
    line: int
    text: str
    use: Use


RENAMES = [
    # public names
    Rename("", "Answer", "ApiResponse"),
    Rename("", "Received", "NotificationDelivery"),
    Rename("", "Placement", "CredentialPlacement"),
    Rename("", "Rejection", "RejectionReason"),
    Rename("", "Unsigned", "SigningInput"),
    Rename("", "UnexpectedAnswer", "UnexpectedResponse"),
    Rename("", "happened", "original_error"),
    Rename("", "patience", "reply_timeout"),
    Rename("", "remember", "retention"),
    Rename("callbacks/", "rejected", "on_rejected", FIELDS),
    Rename("integrations/", "rejected", "on_rejected", FIELDS),
    Rename("protocol/", "alone", "exclusive"),
    Rename("resources/", "alone", "exclusive"),
    Rename("protocol/", "paced", "rate_limited"),
    Rename("resources/", "paced", "rate_limited"),
    Rename("", "completing", "completion_handler"),
    Rename("", "keep_session", "setup_kfq"),
    Rename("sandbox/", "fail", "inject_faults", DEFINED),
    Rename("", "IN_REVIEW", "IN_PROGRESS"),
    # one name for each setting
    Rename("session.py::AsyncSession", "limit", "concurrency", FIELDS),
    Rename("session.py::AsyncSession", "pacing", "rate_limit", FIELDS),
    Rename("session.py::AsyncSession", "per_second", "rate_limit", FIELDS),
    Rename("onboarding/runner.py::Onboarding", "limit", "concurrency", FIELDS),
    Rename("onboarding/runner.py::Onboarding", "in_flight", "concurrency", FIELDS),
    Rename("onboarding/runner.py::Onboarding", "per_second", "rate_limit", FIELDS),
    Rename("onboarding/jobs/worker.py::OnboardingJobs", "limit", "concurrency", FIELDS),
    Rename("onboarding/jobs/worker.py::OnboardingJobs", "in_flight", "concurrency", FIELDS),
    Rename("config.py::Timeouts", "read", "attempt", FIELDS),
    Rename("", "retry_failed", "retry_refused"),
    Rename("", "unsent", "pending"),
    Rename("", "UNSENT", "PENDING"),
    Rename("", "unsent", "pending", TEXTS),
    # transport
    Rename("transport/", "Watch", "Attempt"),
    Rename("transport/", "Ticker", "DeadlineTimer"),
    Rename("transport/", "Verdict", "RetryDecision"),
    Rename("transport/", "AGAIN", "RETRY"),
    Rename("transport/", "Failure", "FailureKind"),
    Rename("transport/", "verdict_on", "decide_retry"),
    Rename("transport/", "failure_of", "classify_failure"),
    Rename("transport/", "repeat", "retry", DEFINED),
    Rename("transport/", "wait_after", "backoff"),
    Rename("transport/", "Pace", "RateLimiter"),
    Rename("transport/", "Turn", "Permit"),
    Rename("transport/", "Slots", "asyncio.Semaphore"),
    Rename("transport/", "Shared", "Client"),
    Rename("transport/", "Settings", "CallSettings"),
    Rename("transport/", "_written", "_build_attempt"),
    Rename("transport/", "open_http", "create_client_session"),
    Rename("transport/", "transmit", "send_once"),
    Rename("transport/", "begun", "may_have_sent"),
    Rename("transport/", "settle", "close", DEFINED),
    # protocol and models
    Rename("", "Encoded", "EncodedRequest"),
    Rename("", "Outgoing", "HttpRequest"),
    Rename("", "RawAnswer", "HttpResponse"),
    Rename("", "Prepared", "PreparedCall"),
    Rename("protocol/", "answers", "responses"),
    Rename("", "meaning_of", "classify_code"),
    Rename("protocol/", "IN_DOUBT", "AMBIGUOUS_CODES"),
    Rename("protocol/", "Form", "EnvelopeKind"),
    Rename("protocol/envelope.py::Envelope", "form", "kind", FIELDS),
    Rename("", "fields_of", "to_wire"),
    Rename("", "_culprit", "_unserializable_path"),
    Rename("", "mask_words", "redact"),
    Rename("", "two_ids", "new_id_pair"),
    # callbacks
    Rename("", "Proof", "Authenticator"),
    Rename("callbacks/", "proofs", "authentication"),
    Rename("callbacks/", "prove", "authenticate"),
    Rename("callbacks/", "public", "to_public_path", DEFINED),
    Rename("", "pairs_of", "normalize_headers"),
    Rename("", "digest_of", "content_digest"),
    Rename("callbacks/", "Store", "NotificationStore"),
    Rename("", "first_use", "register_nonce"),
    Rename("callbacks/", "done", "mark_done", DEFINED),
    # onboarding
    Rename("onboarding/", "Ask", "PendingRequest"),
    Rename("onboarding/", "Ending", "OutcomeStatus"),
    Rename("onboarding/", "Rules", "DecisionContext"),
    Rename("onboarding/", "CallEnd", "CallResult"),
    Rename("onboarding/", "ask", "request_link", DEFINED),
    Rename("onboarding/decisions.py", "settled", "apply_result", DEFINED),
    Rename("onboarding/", "settle", "record", DEFINED),
    Rename("onboarding/", "advice_on", "systemic_failure_advice"),
    Rename("onboarding/", "Brake", "CircuitBreaker"),
    Rename("onboarding/", "Watch", "SystemicFailureDetector"),
    Rename("onboarding/", "Stream", "BatchQueue"),
    Rename("onboarding/", "linger", "max_wait"),
    Rename("onboarding/", "reading", "prefetch", DEFINED),
    Rename("onboarding/", "WaitingRequests", "Outbox"),
    Rename("onboarding/", "Seal", "RequestCipher"),
    Rename("onboarding/", "move", "migrate", DEFINED),
    Rename("", "this_process", "describe_process"),
    Rename("onboarding/", "appearing", "atomic_write"),
    Rename("onboarding/", "lock_of", "advisory_lock_id"),
    *(
        Rename(scope, old, new, uses)
        for scope, uses in (
            ("onboarding/records.py::Entry", FIELDS),
            ("onboarding/ledgers/", COLUMNS),
        )
        for old, new in (("words", "reason"), ("number", "row_number"), ("body", "body_hash"), ("key", "key_hash"))
    ),
    Rename("onboarding/", "unseen", "uncomputed_cells"),
    Rename("onboarding/", "guarded", "escape_formula"),
    Rename("onboarding/", "encoding_of", "detect_encoding"),
    # sandbox
    Rename("sandbox/", "happen", "inject"),
    Rename("sandbox/", "Desk", "OrderService"),
    Rename("sandbox/", "Sheet", "OrderForm"),
    Rename("sandbox/", "sheet", "order_form", DEFINED),
    Rename("sandbox/", "Part", "FormSection"),
    Rename("sandbox/", "Blank", "FormField"),
    Rename("sandbox/", "Letter", "SignedNotification"),
    Rename("sandbox/", "swap", "compare_and_swap", DEFINED),
    Rename("sandbox/", "kept_key", "load_or_create_key"),
    Rename("sandbox/", "lose", "lose-request", TEXTS),
    Rename("sandbox/", "drop", "lose-response", TEXTS),
    # command line and web frameworks
    Rename("cli/", "Watcher", "ProgressReporter"),
    Rename("cli/", "Job", "OnboardRun"),
    Rename("cli/", "rehearse", "dry_run"),
    Rename("cli/", "checked", "preflight", DEFINED),
    Rename("cli/", "_tell", "_print_summary"),
    Rename("cli/onboard/options.py::OnboardOptions", "limit", "concurrency", FIELDS),
    Rename("cli/onboard/options.py::OnboardOptions", "rate", "rate_limit", FIELDS),
    Rename("", "--limit", "--concurrency", OPTIONS),
    Rename("", "--rate", "--rate-limit", OPTIONS),
    Rename("", "--retry-failed", "--retry-refused", OPTIONS),
    Rename("integrations/", "first_bytes", "read_limited"),
    Rename("integrations/", "receive", "handle_notification", DEFINED),
]
"""The names that were given up, scope by scope; `receive`, `Reply` and `repeat_sent` stay."""


def names_in(tree: ast.AST, place: str, scope: str = "") -> Iterator[Name]:
    """Return every name in a syntax tree with its role."""
    for node in ast.iter_child_nodes(tree):
        inner = scope
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield Name(f"{place}::{scope}", node.lineno, node.name, Use.DEFINITION)
            inner = f"{scope}.{node.name}".lstrip(".")
        for text, use in _names_of(node, in_body=isinstance(tree, ast.ClassDef | ast.Module)):
            yield Name(f"{place}::{inner}", getattr(node, "lineno", 0), text, use)
        yield from names_in(node, place, inner)


def _names_of(node: ast.AST, *, in_body: bool) -> Iterator[tuple[str, Use]]:
    match node:
        case ast.arg(arg=name):
            yield name, Use.FIELD
        case ast.AnnAssign(target=ast.Name(id=name)) if in_body:
            yield name, Use.FIELD
        case ast.Assign(targets=targets) if in_body:
            parts = [part for target in targets for part in ast.walk(target)]
            yield from ((part.id, Use.FIELD) for part in parts if isinstance(part, ast.Name))
        case ast.Attribute(value=ast.Name(id="self"), attr=name, ctx=ast.Store()):
            yield name, Use.FIELD
        case ast.Attribute(attr=name) | ast.Name(id=name) | ast.keyword(arg=str(name)):
            yield name, Use.MENTION
        case ast.alias(name=name, asname=other):
            yield from ((part, Use.MENTION) for part in [*name.split("."), *([other] if other else [])])
        case ast.Constant(value=str(text)):
            yield text, Use.TEXT
            yield from ((option, Use.OPTION) for option in re.findall(r"(?<![\w-])--[a-z][a-z-]*[a-z]", text))
            for table in re.findall(r"CREATE TABLE \w+ \(([^;]*)", text):
                yield from ((column, Use.COLUMN) for column in re.findall(r"(?:^|,)\s*([a-z_]+)\b", table))


def former_names(names: Iterable[Name]) -> list[str]:
    """Return the names that were given up, each with its place and the name of today."""
    return [
        f"{name.text} ({name.place}, line {name.line}) is called {rename.new}"
        for name in names
        for rename in BY_NAME.get(name.text, ())
        if name.use in rename.uses and name.place.startswith(rename.scope)
    ]


def _by_name() -> dict[str, list[Rename]]:
    found: dict[str, list[Rename]] = {}
    for rename in RENAMES:
        found.setdefault(rename.old, []).append(rename)
        if not rename.uses & {Use.OPTION, Use.TEXT, Use.COLUMN}:
            found.setdefault(f"_{rename.old}", []).append(rename)
    return found


BY_NAME = _by_name()
MODULES = sorted(path.relative_to(ROOT).as_posix() for path in ROOT.rglob("*.py"))


@cache
def names_of(module: str) -> list[Name]:
    """Return every name in a file of the package."""
    return list(names_in(ast.parse((ROOT / module).read_text(encoding="utf-8")), module))


@pytest.mark.parametrize("module", MODULES)
def test_former_names_are_gone(module: str) -> None:
    """No module uses a name that was given up."""
    assert former_names(names_of(module)) == []


def test_one_class_for_each_name() -> None:
    """No two classes of the package share a name."""
    names = Counter(
        name.text
        for module in MODULES
        for name in names_of(module)
        if name.use is Use.DEFINITION and name.text.lstrip("_")[0].isupper()
    )
    assert {name: count for name, count in names.items() if count > 1} == {}


def test_scopes_exist() -> None:
    """Each scope is a place of the package, so that no rename loses its effect when a module moves."""
    places = {name.place for module in MODULES for name in names_of(module)}
    scopes = {rename.scope for rename in RENAMES}
    assert {scope for scope in scopes if not any(place.startswith(scope) for place in places)} == set()


@pytest.mark.parametrize(
    ("module", "source", "found"),
    [
        ("errors.py", "class Answer: ...", {"Answer"}),
        ("errors.py", "class KfqError:\n    happened: str", {"happened"}),
        ("errors.py", "from kfq_async.errors import Answer as Response", {"Answer"}),
        ("errors.py", "def explain(error): return error.happened", {"happened"}),
        ("errors.py", "raise OutcomeUnknown(happened=error)", {"happened"}),
        ("callbacks/stores.py", "class MemoryStore:\n    async def done(self): ...", {"done"}),
        ("transport/call.py", "if task.done(): ...", set()),
        ("transport/retry.py", "def repeat(): ...", {"repeat"}),
        ("transport/retry.py", "from itertools import repeat", set()),
        ("onboarding/output/files.py", "def repeat(): ...", set()),
        ("transport/retry.py", "def _wait_after(): ...", {"_wait_after"}),
        ("transport/retry.py", "class RetryDecision(Enum):\n    AGAIN = 1", {"AGAIN"}),
        ("session.py", "class AsyncSession:\n    def __init__(self, *, limit=100): ...", {"limit"}),
        ("session.py", "class AsyncSession:\n    def __init__(self):\n        self._limit = 1", {"_limit"}),
        ("session.py", "class AsyncSession:\n    def open(self): return TCPConnector(limit=100)", set()),
        ("callbacks/stores.py", "class MemoryStore:\n    def __init__(self, *, limit=100): ...", set()),
        ("config.py", "class Timeouts:\n    read: float", {"read"}),
        ("cli/onboard/options.py", 'raise UsageError("--rate must be positive")', {"--rate"}),
        ("cli/onboard/options.py", 'raise UsageError("--rate-limit must be positive")', set()),
        ("cli/onboard/options.py", "class OnboardOptions:\n    retry_failed: bool", {"retry_failed"}),
        ("sandbox/faults.py", 'KINDS = {"lose": 1, "lose-request": 2}', {"lose"}),
        ("onboarding/ledgers/postgres.py", 'SQL = "CREATE TABLE a (key bytea, run int)"', {"key"}),
        ("onboarding/ledgers/postgres.py", 'SQL = "CREATE TABLE a (key_hash bytea,\\n words text)"', {"words"}),
        ("onboarding/records.py", "class Entry(NamedTuple):\n    number: int", {"number"}),
        ("onboarding/records.py", "class Row(NamedTuple):\n    key: int", set()),
    ],
)
def test_former_names_are_found(module: str, source: str, found: set[str]) -> None:
    """A former name is found in its scope and role, and the same word is allowed elsewhere."""
    messages = former_names(names_in(ast.parse(source), module))
    assert {message.split()[0] for message in messages} == found
