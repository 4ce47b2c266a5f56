"""Hooks and the log: what they are told of each attempt and each call."""

from __future__ import annotations

import asyncio
import logging
import re
from typing import TYPE_CHECKING, Any

import attrs
import pytest
from yarl import URL

import kfq_async as kfq
from calls import (
    DRAFT,
    FAST_RETRY,
    NO_RETRY,
    RATE_LIMITED,
    REQUEST,
    TOKEN,
    error_of,
    never_respond,
    open_session,
    refusal,
    respond,
)
from kfq_async.cli import app
from kfq_async.resources.auth import CORP_IDENT_LINK
from kfq_async.resources.contracts import CONTRACT_DRAFT
from servers import SUCCESS, ReceivedRequest, ScriptedServer, http_response, success

if TYPE_CHECKING:
    from collections.abc import Iterator

OPERATION = "POST /auth/corp/ident/link"


class Recorder(kfq.Hooks):
    """Keeps all events."""

    def __init__(self) -> None:
        self.starts: list[kfq.AttemptStart] = []
        self.attempts: list[kfq.AttemptEvent] = []
        self.calls: list[kfq.CallEvent] = []

    def on_attempt_start(self, event: kfq.AttemptStart) -> None:
        """Keep an event."""
        self.starts.append(event)

    def on_attempt(self, event: kfq.AttemptEvent) -> None:
        """Keep an event."""
        self.attempts.append(event)

    def on_call(self, event: kfq.CallEvent) -> None:
        """Keep an event."""
        self.calls.append(event)


def facts(event: Any) -> dict[str, Any]:
    """Return an event without ids and times."""
    values = attrs.asdict(event)
    for name in ("seconds", "slot_wait", "rate_limit_wait"):
        assert values.pop(name) >= 0
    for name in ("offset", "attempt_events"):
        values.pop(name, None)
    return {name: value for name, value in values.items() if name not in {"client_request_id", "unique_code"}}


async def test_call_with_a_retry() -> None:
    """Each attempt is reported with its own ``uniqueCode``, and the call once, with the last one."""
    hooks = Recorder()
    async with (
        ScriptedServer(respond(http_response({}, 503), success())) as server,
        open_session(server, hooks=[kfq.Hooks(), hooks]) as session,
    ):
        response = await session.send(CORP_IDENT_LINK, REQUEST)
        url = f"{server.base_url}/kaifangqian/openAPI/V2/auth/corp/ident/link"
    assert [facts(event) for event in hooks.attempts] == [
        {
            "operation": OPERATION,
            "url": url,
            "attempt": 1,
            "error": "GatewayError",
            "phase": kfq.Phase.SENT,
            "http_status": 503,
            "code": None,
        },
        {
            "operation": OPERATION,
            "url": url,
            "attempt": 2,
            "error": None,
            "phase": kfq.Phase.ANSWERED,
            "http_status": 200,
            "code": response.envelope.code,
        },
    ]
    (call,) = hooks.calls
    assert facts(call) == {
        "operation": OPERATION,
        "attempts": 2,
        "error": None,
        "phase": kfq.Phase.ANSWERED,
        "http_status": 200,
        "code": response.envelope.code,
        "order_no": response.result.order_no,
        "contract_id": None,
        "stopped": None,
    }
    ids = {event.client_request_id for event in hooks.attempts} | {call.client_request_id}
    assert ids == {REQUEST.client_request_id}
    assert hooks.attempts[0].unique_code != hooks.attempts[1].unique_code == response.unique_code == call.unique_code
    assert call.attempt_events == tuple(hooks.attempts)
    names = list(attrs.fields_dict(kfq.AttemptStart))
    assert [attrs.asdict(start) for start in hooks.starts] == [
        {name: getattr(event, name) for name in names} for event in hooks.attempts
    ]
    first, second = hooks.attempts
    assert 0 <= first.offset <= first.offset + first.seconds <= second.offset
    assert call.seconds >= sum(event.seconds for event in hooks.attempts)


async def test_failed_call() -> None:
    """The call's event has the error that was raised, which may differ from that of the attempt."""
    hooks = Recorder()
    async with (
        ScriptedServer(respond(refusal(41000), refusal(91000))) as server,
        open_session(server, hooks=[hooks]) as session,
    ):
        await error_of(session)
        await error_of(session, DRAFT, {})
    assert [(event.error, event.phase, event.code) for event in hooks.calls] == [
        ("CredentialsError", kfq.Phase.ANSWERED, 41000),
        ("OutcomeUnknown", kfq.Phase.ANSWERED, None),
    ]
    assert [event.error for event in hooks.attempts] == ["CredentialsError", "ServerError"]


async def test_unreadable_result() -> None:
    """A result that cannot be read is a failure of the call, and none of the attempt."""
    hooks = Recorder()
    async with (
        ScriptedServer(respond(success({"orderNo": 1}))) as server,
        open_session(server, hooks=[hooks]) as session,
    ):
        await error_of(session)
    assert (hooks.attempts[0].error, hooks.calls[0].error) == (None, "DecodeError")


async def test_call_that_ends_in_the_queue() -> None:
    """A call that is never sent has no attempt; its wait for a slot is reported."""
    hooks, sent = Recorder(), asyncio.Event()

    async def receive(number: int, seen: ReceivedRequest) -> bytes | None:
        sent.set()
        return await never_respond(number, seen)

    async with (
        ScriptedServer(receive) as server,
        open_session(server, hooks=[hooks], concurrency=1, retry=NO_RETRY) as session,
    ):
        first = asyncio.create_task(session.auth.corp_ident_link(REQUEST))
        await sent.wait()
        await error_of(session.with_options(timeouts=kfq.Timeouts(total=0.05)))
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
    queued, cancelled = hooks.calls
    assert (queued.error, queued.attempts, queued.unique_code, queued.http_status) == ("PoolTimeout", 0, None, None)
    assert queued.phase is kfq.Phase.NOT_SENT
    assert queued.slot_wait > 0
    assert (cancelled.error, cancelled.phase, cancelled.attempts) == ("CancelledError", kfq.Phase.SENT, 1)
    (attempt,) = hooks.attempts
    assert (attempt.error, attempt.phase, attempt.http_status) == ("CancelledError", kfq.Phase.SENT, None)


async def test_wait_for_the_rate_limit() -> None:
    """The wait of a rate-limited operation is told apart from the duration of its attempt."""
    hooks = Recorder()
    async with (
        ScriptedServer(respond(success())) as server,
        open_session(server, hooks=[hooks], rate_limit=20) as session,
    ):
        await asyncio.gather(*(session.send(RATE_LIMITED, {}) for _ in range(2)))
    first, second = hooks.calls
    assert first.rate_limit_wait < second.rate_limit_wait <= second.seconds
    assert second.slot_wait <= second.seconds - second.rate_limit_wait


async def test_wait_for_the_rate_limit_that_is_cut_short() -> None:
    """A wait that the total timeout ends is reported as well."""
    hooks = Recorder()
    async with (
        ScriptedServer(respond(success())) as server,
        open_session(server, hooks=[hooks], rate_limit=0.01, timeouts=kfq.Timeouts(total=0.1)) as session,
    ):
        await session.send(RATE_LIMITED, {})
        await error_of(session, RATE_LIMITED, {})
    assert [event.error for event in hooks.calls] == [None, "PoolTimeout"]
    assert hooks.calls[1].rate_limit_wait > 0


async def test_failing_hooks(caplog: pytest.LogCaptureFixture) -> None:
    """What a hook raises is logged by its name, and neither the call nor other hooks notice."""

    class Broken(kfq.Hooks):
        def on_attempt_start(self, event: kfq.AttemptStart) -> None:
            raise LookupError(event.unique_code)

        def on_attempt(self, event: kfq.AttemptEvent) -> None:
            raise ZeroDivisionError(event.unique_code)

        def on_call(self, event: kfq.CallEvent) -> None:
            raise KeyError(event.unique_code)

    hooks = Recorder()
    async with (
        ScriptedServer(respond(success())) as server,
        open_session(server, hooks=[Broken(), hooks]) as session,
    ):
        await session.auth.corp_ident_link(REQUEST)
    assert (len(hooks.attempts), len(hooks.calls)) == (1, 1)
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == [
        "Broken.on_attempt_start raised LookupError",
        "Broken.on_attempt raised ZeroDivisionError",
        "Broken.on_call raised KeyError",
    ]


class Adding(kfq.Hooks):
    """Adds headers to each attempt."""

    def __init__(self, headers: Any) -> None:
        self._headers = headers

    def on_attempt_start(self, event: kfq.AttemptStart) -> Any:
        """Return the headers, with the number of the attempt."""
        return {name: value.format(event.attempt) for name, value in self._headers.items()}


async def test_headers_of_hooks() -> None:
    """What hooks return is sent with each attempt; headers of the caller take precedence, whatever their spelling."""
    hooks = [Adding({"X-Attempt": "first hooks {}", "X-Trace": "t{}"}), Adding({"X-Attempt": "{}", "x-own": "hooks"})]
    async with (
        ScriptedServer(respond(http_response({}, 503), success())) as server,
        open_session(server, hooks=hooks) as session,
    ):
        await session.send(CORP_IDENT_LINK, REQUEST, extra_headers={"X-Own": "caller"})
    assert [(seen.headers["X-Attempt"], seen.headers["X-Trace"]) for seen in server.requests] == [
        ("1", "t1"),
        ("2", "t2"),
    ]
    assert [seen.headers.getall("X-Own") for seen in server.requests] == [["caller"]] * 2


async def test_headers_of_a_get() -> None:
    """A request with its credentials in the query gets the headers as well, and its URL is reported without them."""
    hooks = Recorder()
    async with (
        ScriptedServer(respond(success({"status": "1", "todoTaskList": []}))) as server,
        open_session(server, hooks=[hooks, Adding({"X-Trace": "t{}"})]) as session,
    ):
        await session.contracts.tasks("C-1")
        assert hooks.starts[0].url == f"{server.base_url}/kaifangqian/openAPI/V2/contract/tasks"
    assert server.requests[0].headers["X-Trace"] == "t1"


@pytest.mark.parametrize(
    ("headers", "problem"),
    [
        ({"Host": "x"}, "extra_headers must not hold Host: reserved for the session"),
        ({"X-Name": "张三"}, "extra_headers: the value of X-Name must be printable ASCII"),
    ],
)
async def test_invalid_headers_of_hooks(headers: Any, problem: str, caplog: pytest.LogCaptureFixture) -> None:
    """Headers that cannot be sent are logged and left out."""
    async with (
        ScriptedServer(respond(success())) as server,
        open_session(server, hooks=[Adding(headers), Adding({"X-Trace": "t{}"})]) as session,
    ):
        await session.auth.corp_ident_link(REQUEST)
    assert (server.requests[0].headers.get("X-Name"), server.requests[0].headers["X-Trace"]) == (None, "t1")
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == [
        f"Adding.on_attempt_start returned no valid headers: {problem}"
    ]


async def test_views() -> None:
    """A view has the hooks of its session, unless it is given others."""
    inherited, own = Recorder(), Recorder()
    async with (
        ScriptedServer(respond(success())) as server,
        open_session(server, hooks=[inherited]) as session,
    ):
        await session.for_token("OTHER").auth.corp_ident_link(REQUEST)
        await session.with_options(hooks=(own,)).auth.corp_ident_link(REQUEST)
    assert (len(inherited.calls), len(own.calls)) == (1, 1)


@pytest.mark.parametrize("hooks", [Recorder(), None, [Recorder], ["on_call"], {1: 2}])
def test_invalid_hooks(hooks: Any) -> None:
    """Anything but a sequence of hooks is refused with the way to write it."""
    with pytest.raises(TypeError, match=r"^hooks must .*: pass a list of instances of kfq_async.Hooks$"):
        kfq.AsyncSession(TOKEN, hooks=hooks)
    with pytest.raises(TypeError, match=r"^hooks must "):
        kfq.AsyncSession(TOKEN).with_options(hooks=hooks)


async def test_log_of_a_call(caplog: pytest.LogCaptureFixture) -> None:
    """At level DEBUG each call is one line with its ids, which are attributes of the record too."""
    caplog.set_level(logging.DEBUG, logger="kfq_async")
    async with ScriptedServer(respond(refusal(41000), success())) as server, open_session(server) as session:
        await error_of(session, CORP_IDENT_LINK, REQUEST)
        response = await session.send(CORP_IDENT_LINK, attrs.evolve(REQUEST, client_request_id=None))
    failed, succeeded = [record for record in caplog.records if record.name == "kfq_async"]
    assert failed.getMessage().startswith(
        f"{OPERATION}: CredentialsError (answered): the platform reported error 41000"
    )
    assert "; attempts=1 seconds=" in failed.getMessage()
    assert f"client_request_id={REQUEST.client_request_id} unique_code=" in failed.getMessage()
    assert vars(failed)["client_request_id"] == REQUEST.client_request_id
    assert "attempt_events" not in vars(failed)
    assert (vars(failed)["code"], vars(failed)["phase"]) == (41000, "answered")
    assert succeeded.getMessage().startswith(f"{OPERATION}: code {response.envelope.code}; attempts=1 seconds=")
    assert succeeded.getMessage().endswith(f" client_request_id=none unique_code={response.unique_code} order_no=N1")
    assert {failed.levelname, succeeded.levelname} == {"DEBUG"}


@pytest.mark.parametrize(
    ("operation", "result", "name", "shown"),
    [
        (CORP_IDENT_LINK, SUCCESS, "order_no", SUCCESS["orderNo"]),
        (CORP_IDENT_LINK, {**SUCCESS, "orderNo": "13800138000"}, "order_no", "***"),
        (CONTRACT_DRAFT, {"contractId": "C-1"}, "contract_id", "C-1"),
        (CONTRACT_DRAFT, {"contractId": "https://h.example/?token=1"}, "contract_id", "***"),
    ],
)
async def test_ids_of_a_result(
    operation: Any, result: Any, name: str, shown: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A successful call tells which order or contract came of it, if the id has the form of one."""
    caplog.set_level(logging.DEBUG, logger="kfq_async")
    hooks = Recorder()
    async with (
        ScriptedServer(respond(success(result))) as server,
        open_session(server, hooks=[hooks]) as session,
    ):
        await session.send(operation, REQUEST if operation is CORP_IDENT_LINK else {})
    other = {"order_no": "contract_id", "contract_id": "order_no"}[name]
    (event,), (record,) = hooks.calls, [record for record in caplog.records if record.name == "kfq_async"]
    assert (getattr(event, name), getattr(event, other)) == (shown, None)
    assert record.getMessage().endswith(f" unique_code={event.unique_code} {name}={shown}")
    assert vars(record)[name] == shown


@pytest.mark.parametrize(
    ("options", "stopped", "words"),
    [
        (
            {"timeouts": kfq.Timeouts(total=5)},
            "total",
            "; not retried: no time for another attempt in Timeouts(total=...); attempts=1 ",
        ),
        ({"retry": NO_RETRY}, "attempts", "; not retried: all attempts of RetryPolicy were made; attempts=1 "),
    ],
)
async def test_limit_of_the_retries(
    options: dict[str, Any], stopped: str, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    """An error that could be retried tells the limit that it met; another error meets none."""
    caplog.set_level(logging.DEBUG, logger="kfq_async")
    hooks = Recorder()
    limited = http_response({"code": 999999, "message": "x"}, 429, Retry_After="30")
    async with (
        ScriptedServer(respond(limited, refusal(31000))) as server,
        open_session(server, hooks=[hooks], **options) as session,
    ):
        await error_of(session)
        await error_of(session)
    assert [(event.error, event.stopped) for event in hooks.calls] == [
        ("TooFrequentError", stopped),
        ("BusinessError", None),
    ]
    first, second = [record for record in caplog.records if record.name == "kfq_async"]
    assert words in first.getMessage()
    assert (vars(first)["stopped"], vars(second)["stopped"]) == (stopped, None)
    assert "not retried" not in second.getMessage()


async def test_log_of_a_cancelled_call(caplog: pytest.LogCaptureFixture) -> None:
    """A call that was cancelled is logged by the name of the exception; a wait for a slot is told apart."""
    caplog.set_level(logging.DEBUG, logger="kfq_async")
    sent = asyncio.Event()

    async def receive(number: int, seen: ReceivedRequest) -> bytes | None:
        sent.set()
        return await never_respond(number, seen)

    async with ScriptedServer(receive) as server, open_session(server, concurrency=1) as session:
        first = asyncio.create_task(session.auth.corp_ident_link(REQUEST))
        await sent.wait()
        await error_of(session.with_options(timeouts=kfq.Timeouts(total=0.05)))
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
    queued, cancelled = [record.getMessage() for record in caplog.records if record.name == "kfq_async"]
    assert re.search(r"; attempts=0 seconds=0\.\d{3} slot_wait=0\.\d{3} client_request_id=", queued)
    assert cancelled.startswith(f"{OPERATION}: CancelledError (sent); attempts=1 seconds=")


async def test_every_unique_code_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """The log tells of each attempt that arrived what became of it, whichever way it failed."""
    caplog.set_level(logging.DEBUG, logger="kfq_async")
    answers = [None, http_response({}, 503), refusal(41000), refusal(41002), success(), refusal(31000), b"HTTP/1.1 x"]
    tokens = iter(["OLD", "NEW"])

    async def provide() -> str:
        return next(tokens)

    async with ScriptedServer(respond(*answers)) as server:
        retry = kfq.RetryPolicy(attempts=9, initial=0.001)
        async with kfq.AsyncSession(provide, base_url=server.base_url, retry=retry) as session:
            await session.auth.corp_ident_link(REQUEST)
            await error_of(session)
            await error_of(session.with_options(retry=NO_RETRY), DRAFT, {})
    codes = [seen.headers.get("uniqueCode") or URL(seen.target).query["uniqueCode"] for seen in server.requests[:-1]]
    lines = [record.getMessage() for record in caplog.records if record.name == "kfq_async"]
    assert [next(line for line in lines if code in line).partition(": ")[2].partition(" (")[0] for code in codes] == [
        "attempt 1 failed with ConnectionLost",
        "attempt 2 failed with GatewayError",
        "attempt 3 failed with CredentialsError",
        "attempt 4 failed with NonceError",
        f"code 10000; attempts=5 seconds={lines[4].partition('seconds=')[2]}",
        "BusinessError",
    ]
    assert lines[-1].startswith(f"{DRAFT.name}: OutcomeUnknown (sent): it may have taken effect (")
    assert len(lines) == len(server.requests)


async def test_log_is_one_line(caplog: pytest.LogCaptureFixture) -> None:
    """An id with a line break does not begin another line."""
    caplog.set_level(logging.DEBUG, logger="kfq_async")
    async with ScriptedServer(respond(success())) as server, open_session(server) as session:
        await session.auth.corp_ident_link(attrs.evolve(REQUEST, client_request_id="a\nINFO forged"))
    assert all("\n" not in record.getMessage() for record in caplog.records if record.name == "kfq_async")


async def test_duration_and_headers_of_a_response() -> None:
    """A response has the duration of its call, and the headers that are safe."""
    sent: dict[str, Any] = {"X_Request_Id": "r\t1", "Set_Cookie": "session=1", "Location": "https://h.example/?token=1"}
    body = {"code": 10000, "message": "成功", "result": SUCCESS, "timestamp": 1775010802000}
    async with (
        ScriptedServer(respond(http_response({}, 503), http_response(body, **sent))) as server,
        open_session(server, retry=FAST_RETRY) as session,
    ):
        response = await session.send(CORP_IDENT_LINK, REQUEST)
    assert response.seconds > 0
    assert response.headers["x-request-id"] == "r 1"
    assert response.headers["content-type"] == "application/json"
    assert not {"set-cookie", "location"} & response.headers.keys()


async def test_timeouts_of_one_call() -> None:
    """``timeouts`` of one call replace those of the session, for this call alone."""
    async with (
        ScriptedServer(never_respond) as server,
        open_session(server, timeouts=kfq.Timeouts(attempt=30), retry=NO_RETRY) as session,
    ):
        with pytest.raises(kfq.AttemptTimeout, match=r"0\.05 s"):
            await session.send(CORP_IDENT_LINK, REQUEST, timeouts=kfq.Timeouts(attempt=0.05))
        with pytest.raises(TypeError, match="timeouts must be a Timeouts, not int"):
            await session.send(CORP_IDENT_LINK, REQUEST, timeouts=5)  # type: ignore[arg-type]
        assert session._settings.timeouts == kfq.Timeouts(attempt=30)


@pytest.fixture
def logger(monkeypatch: pytest.MonkeyPatch) -> Iterator[logging.Logger]:
    """The logger of the package, restored afterwards."""
    monkeypatch.delenv("KFQ_LOG", raising=False)
    logger = logging.getLogger("kfq_async")
    before, level = list(logger.handlers), logger.level
    yield logger
    logger.handlers[:] = before
    logger.setLevel(level)


@pytest.mark.parametrize(
    ("given", "level"),
    [((None, None), "INFO"), (("", None), "INFO"), (("Debug", None), "DEBUG"), (("debug", "WARNING"), "WARNING")],
)
def test_log_to_stderr(
    logger: logging.Logger,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    given: tuple[str | None, str | None],
    level: str,
) -> None:
    """The level is that of the argument, else of the environment variable, else ``info``; a second call replaces it."""
    variable, argument = given
    if variable is not None:
        monkeypatch.setenv("KFQ_LOG", variable)
    kfq.log_to_stderr("critical")
    kfq.log_to_stderr(argument)
    assert logging.getLevelName(logger.level) == level
    logger.error("a line")
    assert capsys.readouterr().err.endswith(" ERROR kfq_async: a line\n")
    assert len([each for each in logger.handlers if type(each).__module__ == "kfq_async.logs"]) == 1


@pytest.mark.parametrize(("argument", "name"), [("loud", "level"), ("", "level"), (None, "KFQ_LOG")])
def test_unknown_level(
    logger: logging.Logger, monkeypatch: pytest.MonkeyPatch, argument: str | None, name: str
) -> None:
    """An unknown level is refused with where it was given, and the levels that exist."""
    monkeypatch.setenv("KFQ_LOG", "verbose")
    before = list(logger.handlers)
    with pytest.raises(ValueError, match=rf"^{name} must be one of debug, info, "):
        kfq.log_to_stderr(argument)
    assert logger.handlers == before


def test_log_of_the_command(
    logger: logging.Logger, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`kfq` reads KFQ_LOG; a level that does not exist is a usage error."""
    monkeypatch.setenv("KFQ_LOG", "debug")
    assert app.run(["--version"]) == 0
    assert logger.level == logging.DEBUG
    monkeypatch.setenv("KFQ_LOG", "loud")
    assert app.run(["--version"]) == 2
    assert "kfq: KFQ_LOG must be one of debug" in capsys.readouterr().err
