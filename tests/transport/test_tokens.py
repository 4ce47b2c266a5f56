"""Tokens of an async function: when it is asked, and what its failures become."""

from __future__ import annotations

import asyncio
import io
import logging
from typing import TYPE_CHECKING, Any

import pytest

import kfq_async as kfq
from calls import DRAFT, FAST_RETRY, REQUEST, error_of, refusal
from kfq_async.resources.auth import CORP_IDENT_LINK
from output import package_records
from servers import ReceivedRequest, ScriptedServer, success

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

REFUSED = refusal(41000)


class Vault:
    """Provider that returns its tokens in turn, and the last one from then on; exceptions among them are raised."""

    def __init__(self, *tokens: Any) -> None:
        self._tokens = tokens
        self.asked = 0

    async def __call__(self) -> Any:
        """Return the next token."""
        self.asked += 1
        await asyncio.sleep(0)
        token = self._tokens[min(self.asked, len(self._tokens)) - 1]
        if isinstance(token, Exception):
            raise token
        return token


async def accept_new(_number: int, seen: ReceivedRequest) -> bytes:
    """Refuse the token OLD."""
    return REFUSED if token_of(seen) == "OLD" else success()


def token_of(seen: ReceivedRequest) -> str | None:
    """Return the token of a request of the auth family."""
    return seen.headers.get("appAuthToken")


def make_session(server: ScriptedServer, provider: Callable[[], Awaitable[str]], **options: Any) -> kfq.AsyncSession:
    """Return a session whose token comes from a function."""
    return kfq.AsyncSession(provider, base_url=server.base_url, retry=FAST_RETRY, **options)


async def test_asked_once() -> None:
    """The first calls ask once together, and later ones use the token; views share it."""
    vault = Vault("T1", "T2")
    async with ScriptedServer(accept_new) as server, make_session(server, vault) as session:
        await asyncio.gather(*(session.auth.corp_ident_link(REQUEST) for _ in range(3)))
        await session.with_options(retry=kfq.RetryPolicy()).send(CORP_IDENT_LINK, REQUEST)
    assert {token_of(seen) for seen in server.requests} == {"T1"}
    assert vault.asked == 1


async def test_refused_token_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """The attempt whose token was refused is logged, with its ``uniqueCode``, as one that is retried."""
    caplog.set_level(logging.INFO, logger="kfq_async")
    async with ScriptedServer(accept_new) as server, make_session(server, Vault("OLD", "NEW")) as session:
        await session.auth.corp_ident_link(REQUEST)
    (record,) = package_records(caplog)
    assert record.getMessage().startswith("POST /auth/corp/ident/link: attempt 1 failed with CredentialsError")
    assert (
        f"; retry with a new token; client_request_id={REQUEST.client_request_id} unique_code=" in record.getMessage()
    )
    assert vars(record)["unique_code"] == server.requests[0].headers["uniqueCode"]


async def test_refused_token() -> None:
    """Calls whose token is refused ask once together, and are sent again with the new token and the same id."""
    vault = Vault("OLD", "NEW")
    async with ScriptedServer(accept_new) as server, make_session(server, vault) as session:
        responses = await asyncio.gather(*(session.send(CORP_IDENT_LINK, REQUEST) for _ in range(3)))
        await session.send(CORP_IDENT_LINK, REQUEST)
    assert vault.asked == 2
    assert [token_of(seen) for seen in server.requests] == ["OLD"] * 3 + ["NEW"] * 4
    assert {response.attempts for response in responses} == {2}


async def test_refused_again() -> None:
    """A call asks once: a second refusal is its error. One without another token is not sent again."""
    async with ScriptedServer(lambda *_: refuse()) as server:
        async with make_session(server, Vault("A", "B", "C")) as session:
            error = await error_of(session, DRAFT, {})
        assert (type(error), error.attempts) == (kfq.CredentialsError, 2)
        async with make_session(server, Vault("A")) as session:
            error = await error_of(session)
        assert (type(error), error.attempts) == (kfq.CredentialsError, 1)


async def refuse() -> bytes:
    """Refuse any token."""
    return REFUSED


async def test_refused_after_a_retry() -> None:
    """A token that is refused by a later attempt is renewed, too; the call's hooks see each attempt."""
    events: list[str | None] = []

    class Recorder(kfq.Hooks):
        def on_attempt(self, event: kfq.AttemptEvent) -> None:
            events.append(event.error)

    async def script(number: int, seen: ReceivedRequest) -> bytes | None:
        return None if number == 0 else await accept_new(number, seen)

    async with (
        ScriptedServer(script) as server,
        make_session(server, Vault("OLD", "NEW"), hooks=[Recorder()]) as session,
    ):
        assert (await session.send(CORP_IDENT_LINK, REQUEST)).attempts == 3
    assert events == ["ConnectionLost", "CredentialsError", None]


@pytest.mark.parametrize(
    ("provided", "failure"),
    [
        (KeyError("SECRET"), "KeyError"),
        (TimeoutError("SECRET"), "TimeoutError"),
        ("two words", "ValueError"),
        ("", "ValueError"),
        (None, "TypeError"),
        (b"T", "TypeError"),
    ],
)
async def test_failing_provider(provided: object, failure: str) -> None:
    """What a provider raises, or returns in place of a token, is named by its class; the next call asks again."""
    vault = Vault(provided, "T")
    async with ScriptedServer(accept_new) as server, make_session(server, vault) as session:
        error = await error_of(session, CORP_IDENT_LINK, REQUEST)
        assert isinstance(error, kfq.SessionError)
        assert str(error).startswith(f"POST /auth/corp/ident/link: the provider of app_auth_token failed: {failure}")
        assert "; it must return the token as a str: await it alone to see the whole error" in str(error)
        assert "SECRET" not in str(error)
        assert (error.phase, error.attempts, error.client_request_id) == ("not_sent", 0, REQUEST.client_request_id)
        assert error.__cause__ is error.__context__ is None
        await session.auth.corp_ident_link(REQUEST)
    assert len(server.requests) == 1


async def test_provider_that_fails_when_asked_again(caplog: pytest.LogCaptureFixture) -> None:
    """The platform's refusal stays the error of the call, and the failure is logged."""
    caplog.set_level(logging.WARNING, logger="kfq_async")
    vault = Vault("OLD", KeyError("SECRET"))
    async with ScriptedServer(accept_new) as server, make_session(server, vault) as session:
        assert type(await error_of(session)) is kfq.CredentialsError
    (record,) = caplog.records
    assert record.getMessage().startswith("no other token after one was refused: ")
    assert "KeyError" in record.getMessage()
    assert "SECRET" not in record.getMessage()


@pytest.mark.parametrize("tokens", [(), ("OLD",)], ids=["first", "renewed"])
async def test_slow_provider(tokens: tuple[str, ...]) -> None:
    """The total timeout of a call bounds its provider, and the next call asks again."""
    provided = list(tokens)
    hanging = True

    async def provide() -> str:
        if provided:
            return provided.pop()
        if hanging:
            await asyncio.Event().wait()
        return "NEW"

    async with ScriptedServer(accept_new) as server, make_session(server, provide) as session:
        limited = session.with_options(timeouts=kfq.Timeouts(total=0.2))
        error = await error_of(limited, CORP_IDENT_LINK, REQUEST)
        assert type(error) is kfq.TotalTimeout
        assert "total timeout (0.2 s) expired while the provider of app_auth_token was asked; let it" in str(error)
        assert (error.attempts, error.client_request_id) == (len(tokens), REQUEST.client_request_id)
        assert error.__cause__ is error.__context__ is None
        hanging = False
        await session.auth.corp_ident_link(REQUEST)


async def test_closing_while_the_provider_is_asked() -> None:
    """Closing the session ends a call that waits for its token."""
    asked = asyncio.Event()

    async def hang() -> str:
        asked.set()
        await asyncio.Event().wait()
        return ""

    async with ScriptedServer(accept_new) as server:
        session = make_session(server, hang)
        call = asyncio.create_task(error_of(session))
        await asked.wait()
        await session.aclose()
        assert isinstance(await call, kfq.SessionError)
    assert server.requests == []


async def test_uploads() -> None:
    """A file that can be read again is sent again with the new token; one that cannot is not."""

    async def script(_number: int, seen: ReceivedRequest) -> bytes:
        return REFUSED if b'"appAuthToken":"OLD"' in seen.body else success({"docId": "d"})

    pdf = b"%PDF-1.4\n%%EOF\n"
    async with ScriptedServer(script) as server:
        for source in (pdf, io.BytesIO(pdf)):
            async with make_session(server, Vault("OLD", "NEW"), rate_limit=None) as session:
                assert (await session.files.upload_document(source, name="a")).doc_id == "d"

        async def pieces() -> Any:
            yield pdf

        async with make_session(server, Vault("OLD", "NEW"), rate_limit=None) as session:
            with pytest.raises(kfq.CredentialsError):
                await session.files.upload_document(pieces(), name="a")
    assert len(server.requests) == 5


async def test_view_for_another_tenant() -> None:
    """``for_token`` takes a function, or a token, whatever the session has."""
    async with ScriptedServer(accept_new) as server, make_session(server, Vault("T1")) as session:
        await session.for_token("T2").auth.corp_ident_link(REQUEST)
        await session.for_token(Vault("T3")).auth.corp_ident_link(REQUEST)
        await session.auth.corp_ident_link(REQUEST)
    assert [token_of(seen) for seen in server.requests] == ["T2", "T3", "T1"]


@pytest.mark.parametrize("provider", [lambda: "T", Vault, print])
def test_plain_functions(provider: Any) -> None:
    """A provider is a coroutine function."""
    with pytest.raises(TypeError, match="app_auth_token must be a str, or an async function"):
        kfq.AsyncSession(provider)
