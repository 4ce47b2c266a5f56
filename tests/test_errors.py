"""Exceptions: the documented tree, pickling and copying, and texts of one line without secrets."""

from __future__ import annotations

import copy
import errno
import inspect
import json
import pickle
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import kfq_async
from kfq_async import base_errors, errors
from kfq_async.errors import (
    ApiError,
    AttemptTimeout,
    BusinessError,
    CallbackRejected,
    CertificateError,
    ClockError,
    ConnectError,
    ConnectionLost,
    ConnectTimeout,
    ContractCompleted,
    ContractEnded,
    ContractStateError,
    ContractStuck,
    ContractUnfinished,
    CredentialsError,
    DecodeError,
    DraftRefused,
    EncodeError,
    FileChanged,
    FileNotWritten,
    FileRefused,
    GatewayError,
    HiddenErrorPage,
    KfqError,
    LedgerError,
    NonceError,
    NotFoundError,
    OnboardingError,
    OutcomeUnknown,
    ParameterError,
    Phase,
    PlatformMessage,
    PoolTimeout,
    ProxyError,
    RejectionReason,
    RunPaused,
    ServerError,
    SessionError,
    SignatureError,
    SignerError,
    SourceError,
    StallTimeout,
    TasksUnavailable,
    TooFrequentError,
    TotalTimeout,
    TransportError,
    UnexpectedResponse,
)
from kfq_async.models.contracts import ContractTasks
from kfq_async.protocol.envelope import parse_envelope

API_ERRORS = (
    ApiError,
    BusinessError,
    ClockError,
    CredentialsError,
    HiddenErrorPage,
    NonceError,
    NotFoundError,
    ParameterError,
    ServerError,
    SignatureError,
    TooFrequentError,
)
TASKS = ContractTasks(status="SIGNING", todo_task_list=())
PLAIN_ERRORS = (
    AttemptTimeout,
    CertificateError,
    ConnectError,
    ConnectTimeout,
    ConnectionLost,
    EncodeError,
    FileChanged,
    FileRefused,
    KfqError,
    LedgerError,
    OnboardingError,
    PoolTimeout,
    SessionError,
    SignerError,
    SourceError,
    StallTimeout,
    TotalTimeout,
    TransportError,
)


def api_error(kind: type[ApiError] = ApiError) -> ApiError:
    """Make an `ApiError` with everything that a response can give it."""
    error = kind(31000, "手机号13800138000已存在", http_status=200, meaning="business failure", hint="Wait")
    error.retry_after = 2.5
    error.envelope = parse_envelope('{"code":31000,"message":"手机号13800138000已存在","traceId":"t"}'.encode())
    return error


def with_call(error: KfqError) -> KfqError:
    """Add to an error the attributes that a call sets."""
    error.operation = "POST /auth/corp/ident/link"
    error.attempts = 3
    error.client_request_id = "client-1"
    error.unique_code = "unique-1"
    error.phase = Phase.SENT
    return error


EXAMPLES: list[KfqError] = [
    *(kind("the text") for kind in PLAIN_ERRORS),
    *(api_error(kind) for kind in API_ERRORS),
    GatewayError(502, retry_after=3.0),
    ProxyError("the text", http_status=407),
    UnexpectedResponse("HTTP 200 with a page", http_status=200),
    DecodeError(("required key missing @ $.result.orderNo",)),
    DraftRefused("signers[1].date", "the problem"),
    FileNotWritten(Path("/x/a.pdf"), errno.ENOSPC),
    ContractStateError("the text", contract_id="C-1", tasks=TASKS),
    ContractStuck("the text", contract_id="C-1", tasks=TASKS),
    ContractCompleted("C-1", TASKS),
    ContractEnded("C-1", TASKS, advice="the advice", reason="the reason"),
    ContractUnfinished("C-1", TASKS),
    TotalTimeout.of_wait(60, TASKS, with_call(ConnectionLost("the text"))),
    OutcomeUnknown(with_call(api_error(ServerError))),
    TasksUnavailable("C-1", with_call(ConnectionLost("the text", phase=Phase.SENT))),
    RunPaused(with_call(api_error(CredentialsError)), "Set another token"),
    CallbackRejected(RejectionReason.HEADER_MISSING, "sign"),
]


def contents(error: KfqError) -> dict[str, Any]:
    """Return everything that an error holds, nested errors included."""
    attributes = {
        name: contents(value) if isinstance(value, KfqError) else value for name, value in vars(error).items()
    }
    return {"class": type(error), "args": error.args, **attributes}


def documented_tree() -> dict[str, tuple[str, ...]]:
    """Parse the tree in the module's docstring: each class and its bases."""
    tree: dict[str, tuple[str, ...]] = {}
    above: list[str] = []
    line = re.compile(r"^((?:[│ ] {3})*(?:[├└]── )?)(\w+)(?: \((\w+)\))?(?: {2,}\S.*)?$", re.MULTILINE)
    for branch, name, builtin in line.findall(errors.__doc__ or ""):
        del above[len(branch) // 4 :]
        tree[name] = (*above[-1:], *([builtin] if builtin else []))
        above.append(name)
    return tree


def test_documented_tree() -> None:
    """The tree in the docstring shows every exception class with its bases."""
    classes = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, KfqError)]
    real = {kind.__name__: tuple(base.__name__ for base in kind.__bases__) for kind in classes}
    assert documented_tree() == real | {"KfqError": ()}


def test_examples_cover_every_error() -> None:
    """The tests below cover every exception class."""
    assert {type(error).__name__ for error in EXAMPLES} == documented_tree().keys()


def test_printing_a_message_shows_only_what_the_error_shows() -> None:
    """Sentry prints ``error.message`` in place of the error; comparisons, JSON and ``raw`` see the whole message."""
    message = api_error().message
    assert message is not None
    printed = {str(message), f"{message}", f"{message:.80}", "%s" % message}  # noqa: UP031  # as logging does
    assert printed == {"手机号…已存在"}
    assert str(PlatformMessage("张三")) == "…"
    assert message == message.raw == json.loads(json.dumps(message)) == orjson.loads(orjson.dumps(message))
    assert "13800138000" in message
    assert type(message.raw) is str
    assert "13800138000" in pickle.loads(pickle.dumps(message)).raw


def sort_key(name: str) -> tuple[int, str]:
    """Sort constants first, then classes, then the rest."""
    return (0 if name.isupper() else 1 if name[0].isupper() else 2), name


@pytest.mark.parametrize("module", [errors, kfq_async], ids=["errors", "kfq_async"])
def test_all_is_sorted_and_importable(module: ModuleType) -> None:
    """``__all__`` is sorted, and every name in it can be imported."""
    assert module.__all__ == sorted(module.__all__, key=sort_key)
    assert [name for name in module.__all__ if not hasattr(module, name)] == []


def test_errors_are_exported() -> None:
    """Every exception can be imported from the package itself."""
    modules = {errors.__name__, base_errors.__name__}
    public = {name for name, value in vars(errors).items() if getattr(value, "__module__", "") in modules}
    assert set(errors.__all__) == {name for name in public if not name.startswith("_")}
    assert set(errors.__all__) <= set(kfq_async.__all__)


def test_all_lists_every_public_name() -> None:
    """Every name without an underscore in the package is in its ``__all__``."""
    bound = {name for name, value in vars(kfq_async).items() if not isinstance(value, ModuleType)}
    assert {name for name in bound if not name.startswith("_")} == set(kfq_async.__all__) - {"__version__"}


@pytest.mark.parametrize(
    ("kind", "builtin"),
    [
        (ConnectTimeout, TimeoutError),
        (PoolTimeout, TimeoutError),
        (AttemptTimeout, TimeoutError),
        (TotalTimeout, TimeoutError),
        (EncodeError, ValueError),
        (FileRefused, ValueError),
        (StallTimeout, TimeoutError),
        (SessionError, RuntimeError),
        (SourceError, ValueError),
    ],
)
def test_builtin_bases(kind: type[KfqError], builtin: type[Exception]) -> None:
    """Code that knows only built-in exceptions can catch the corresponding ones."""
    with pytest.raises(builtin, match=r"^the text$") as caught:
        raise kind("the text")
    assert isinstance(caught.value, KfqError)


@pytest.mark.parametrize(
    ("error", "phase"),
    [
        (ConnectError("x"), Phase.NOT_SENT),
        (PoolTimeout("x"), Phase.NOT_SENT),
        (ConnectionLost("x", phase=Phase.SENT), Phase.SENT),
        (GatewayError(503), Phase.SENT),
        (UnexpectedResponse("x", http_status=200), Phase.SENT),
        (UnexpectedResponse("x", http_status=404, phase=Phase.ANSWERED), Phase.ANSWERED),
        (DecodeError(("x",)), Phase.ANSWERED),
        (ServerError(91000, None, http_status=200), Phase.ANSWERED),
        (OutcomeUnknown(GatewayError(504)), Phase.SENT),
        (OutcomeUnknown(ServerError(91000, None, http_status=200)), Phase.ANSWERED),
        (TasksUnavailable("C-1", GatewayError(504)), Phase.ANSWERED),
        (RunPaused(GatewayError(504), "Wait"), Phase.SENT),
    ],
)
def test_phases(error: KfqError, phase: Phase) -> None:
    """Every error has a phase, and a wrapping error takes over that of its original error."""
    assert error.phase is phase


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_pickling(error: KfqError, protocol: int) -> None:
    """An error keeps all its attributes when it is sent to another process."""
    with_call(error)
    twin = pickle.loads(pickle.dumps(error, protocol))
    assert contents(twin) == contents(error)
    assert str(twin) == str(error)


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_copying(error: KfqError, copied: Any) -> None:
    """A copy of an error has the same attributes, and changing it leaves the original unchanged."""
    with_call(error)
    twin = copied(error)
    assert contents(twin) == contents(error)
    twin.attempts = 4
    assert error.attempts == 3


def test_api_error_attributes() -> None:
    """An `ApiError` exposes code, message, status, ``Retry-After`` and envelope as received."""
    error = api_error()
    assert (error.code, error.message, error.http_status) == (31000, "手机号13800138000已存在", 200)
    assert error.retry_after == 2.5
    assert error.envelope.extra == {"traceId": "t"}


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (KfqError("the text"), "the text"),
        (GatewayError(502), "a gateway responded with HTTP 502 instead of the platform"),
        (DecodeError(("this @ $.a", "that @ $.b")), "the result is unreadable: this @ $.a; that @ $.b"),
        (ApiError(None, None, http_status=500), "the platform reported an error without a code"),
        (ApiError(27, "", http_status=200), "the platform reported error 27"),
        (
            ApiError(27, "in deserunt", http_status=200),
            "the platform reported error 27, whose message is in error.message.raw",
        ),
        (ApiError(27, "手机号已存在", http_status=200), "the platform reported error 27 “手机号已存在”"),
        (
            api_error(),
            "the platform reported error 31000 (business failure) “手机号…已存在”, in full in error.message.raw. Wait",
        ),
        (ApiError(0, None, http_status=200), "the platform reported error 0"),
        (ApiError(999999, None, http_status=200), "the platform reported error 999999"),
        (
            ApiError(13800138000, None, http_status=200),
            "the platform reported an error with an unknown code, see error.code",
        ),
        (ApiError(-1, None, http_status=200), "the platform reported an error with an unknown code, see error.code"),
        (CallbackRejected(RejectionReason.STALE), "the timestamp is out of range"),
        (CallbackRejected(RejectionReason.HEADER_MISSING, "sign"), "a header is missing or blank: sign"),
        (
            OutcomeUnknown(ConnectionLost("cut short")),
            "it may have taken effect (ConnectionLost: cut short); check the platform before retrying",
        ),
    ],
)
def test_texts(error: KfqError, text: str) -> None:
    """The text of an error describes the failure in one line."""
    assert str(error) == text


@pytest.mark.parametrize(("attempts", "counted"), [(0, "0 attempts"), (1, "1 attempt"), (2, "2 attempts")])
def test_text_of_a_finished_call(attempts: int, counted: str) -> None:
    """After a call, the text names the operation, the phase, the attempts and the ``uniqueCode``."""
    error = with_call(KfqError("the text"))
    error.attempts = attempts
    assert str(error) == f"POST /auth/corp/ident/link: the text [sent, {counted}, uniqueCode unique-1]"


EVIL = "\x1b[2J\x1b]0;owned\x07\r\n2026-01-01 ERROR forged\u2028\u202e\u200b\x85\x9b\x7f"


@pytest.mark.parametrize(
    "error",
    [
        *(kind(EVIL) for kind in PLAIN_ERRORS),
        *(kind(31000, EVIL, http_status=200, meaning=EVIL, hint=EVIL) for kind in API_ERRORS),
        UnexpectedResponse(EVIL, http_status=200),
        DecodeError((f"unknown key {EVIL} @ $.{EVIL}", EVIL)),
        CallbackRejected(RejectionReason.HEADER_MISSING, EVIL),
        OutcomeUnknown(UnexpectedResponse(EVIL, http_status=200)),
        RunPaused(CredentialsError(41000, EVIL, http_status=200), EVIL),
    ],
    ids=lambda error: type(error).__name__,
)
def test_text_is_one_line(error: KfqError) -> None:
    """Line breaks, escape sequences and invisible characters of others are in no text, also after pickling."""
    finished = with_call(copy.copy(error))
    finished.operation = f"POST /{EVIL}"
    for copied in (error, pickle.loads(pickle.dumps(error)), finished):
        assert str(copied).isprintable()
        assert copied.args[0].isprintable()
    if isinstance(error, DecodeError):
        assert "".join(error.problems).isprintable()


@pytest.mark.parametrize(
    ("error", "length"),
    [
        (ConnectError("x" * 10_000_000), 4_001),
        (ServerError(91000, "失败，" * 3_000_000, http_status=200), 400),
        (CallbackRejected(RejectionReason.HEADER_MISSING, "x" * 1_000_000), 600),
        (DecodeError(("x" * 1_000_000, "y" * 1_000_000)), 1_100),
    ],
)
def test_text_is_bounded(error: KfqError, length: int) -> None:
    """Megabytes from elsewhere do not reach a log, and each problem of a response has its place."""
    assert len(str(error)) <= length
    if isinstance(error, DecodeError):
        assert [len(problem) for problem in error.problems] == [501, 501]


mobiles = st.from_regex(r"1[3-9][0-9]{9}", fullmatch=True)
secrets = st.one_of(
    mobiles,
    mobiles.map(lambda number: f"{number[:3]} {number[3:7]} {number[7:]}"),
    st.from_regex(r"[1-9][0-9]{16}[0-9Xx]", fullmatch=True),
    st.from_regex(r"62[0-9]{14,17}", fullmatch=True),
    st.from_regex(r"9[0-9]{7}MA[0-9A-Z]{8}", fullmatch=True),
    st.from_regex(r"[A-Z]{3}[0-9][A-Z0-9]{4}", fullmatch=True),
    st.from_regex(r"[a-z]{1,8}\.[a-z]{1,8}@[a-z]{1,8}\.com", fullmatch=True),
    st.from_regex(r"https://[a-z]{1,8}\.com/[A-Za-z]{8}\?code=[A-Za-z]{8}", fullmatch=True),
)
fillers = st.text("手机号身份证已被使用不存在。，：、 ", max_size=8)


@given(before=fillers, secret=secrets, after=fillers, name=st.text("张王李赵三四五六", min_size=2, max_size=4))
@example(before="手机号", secret="13800138000", after="已被使用", name="张三")
def test_no_personal_data_in_texts(before: str, secret: str, after: str, name: str) -> None:
    """Neither an `ApiError` nor a wrapping error shows personal data; ``message`` holds it as received."""
    message = f"{before}{secret}{after}{name}"
    error = ApiError(31000, message, http_status=200)
    assert error.message == message
    for text in (str(error), repr(error), str(OutcomeUnknown(error)), str(with_call(OutcomeUnknown(error)))):
        assert secret not in text
        assert name not in text
        assert not re.search(r"\d{6}|@|code=", text)


@pytest.mark.parametrize(
    ("reason", "code", "status"),
    [
        ("header_missing", 21000, 400),
        ("header_repeated", 23000, 400),
        ("header_malformed", 23000, 400),
        ("timestamp_malformed", 41001, 400),
        ("body_too_large", 23000, 400),
        ("body_timeout", 91000, 503),
        ("body_incomplete", 25000, 400),
        ("body_malformed", 25000, 400),
        ("field_malformed", 23000, 400),
        ("wrong_kind", 23000, 400),
        ("unknown_path", 26000, 401),
        ("wrong_app", 41000, 401),
        ("stale", 41001, 401),
        ("bad_signature", 26000, 401),
        ("replayed", 41002, 401),
        ("busy", 91000, 503),
        ("unfinished", 91000, 503),
        ("handler_failed", 91000, 503),
        ("store_failed", 91000, 503),
        ("closing", 91000, 503),
    ],
)
def test_rejection_reasons(reason: str, code: int, status: int) -> None:
    """Each reason is a plain string, with its error code and HTTP status."""
    error = CallbackRejected(RejectionReason(reason))
    assert (error.reason, error.code, error.http_status) == (reason, code, status)
    assert len(RejectionReason) == 20
