"""Calls under tracers and error trackers, as a process, since such tools patch modules for good.

Reads base URL and values of the requests as JSON from standard input, where no tool sees them, and writes to standard
output, as JSON, the texts that each tool recorded.
"""

from __future__ import annotations

import asyncio
import json
import sys
import traceback
from typing import TYPE_CHECKING, Any

import aiohttp
import sentry_sdk
from loguru import logger
from rich.traceback import Traceback
from sentry_sdk.transport import Transport

from calls import DRAFT, KEYED, SAFE_GET
from kfq_async import (
    CORP_IDENT_LINK,
    AsyncSession,
    CorpIdentInfo,
    CorpIdentLink,
    CorpIdentLinkRequest,
    Operation,
    OprIdentInfo,
    RetryPolicy,
    Rsa2Signer,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sentry_sdk.envelope import Envelope

VALUES: dict[str, str] = {}
"""Values of the requests. Frames must not hold them, so each use calls `value`."""
RECORDED: dict[str, list[str]] = {"traceback": [], "rich": [], "loguru": [], "sentry": []}
SIGNALS = (
    "on_request_start",
    "on_connection_create_start",
    "on_connection_create_end",
    "on_request_headers_sent",
    "on_request_chunk_sent",
    "on_request_end",
)
"""Hooks of a tracer that are called in the course of every POST on a new connection."""


def value(name: str) -> str:
    """Return a value of the requests."""
    return VALUES[name]


class Recorder(Transport):
    """Records what Sentry would send."""

    def capture_envelope(self, envelope: Envelope) -> None:
        """Record every item."""
        RECORDED["sentry"] += [readable(item.get_bytes()) for item in envelope.items]


def readable(document: bytes) -> str:
    """Return JSON with its text unescaped."""
    return json.dumps(json.loads(document), ensure_ascii=False)


def record(error: BaseException) -> None:
    """Show an error with the local variables of its frames, by every tool."""
    shown = traceback.TracebackException.from_exception(error, capture_locals=True)
    RECORDED["traceback"].append("".join(shown.format()))
    options: dict[str, Any] = {"locals_max_length": sys.maxsize, "locals_max_string": sys.maxsize}
    trace = Traceback.extract(type(error), error, error.__traceback__, show_locals=True, **options)
    frames = [frame for stack in trace.stacks for frame in stack.frames]
    lines = [f"{frame.filename} {name} = {node}" for frame in frames for name, node in (frame.locals or {}).items()]
    RECORDED["rich"].append("\n".join(lines))
    logger.opt(exception=error).error("failed")
    sentry_sdk.capture_exception(error)


async def observe(call: Callable[[AsyncSession], Awaitable[object]]) -> None:
    """Make a call that fails, and record its error; ``control`` shows that local variables are recorded."""
    control = value("control")
    retry = RetryPolicy(attempts=1)
    async with AsyncSession(value("token"), base_url=value("base_url"), retry=retry, signer=signer()) as session:
        try:
            raise AssertionError(await call(session), control)
        except AssertionError:
            raise
        except Exception as error:  # noqa: BLE001  # a hook's own errors are among them
            record(error)


def signer() -> Rsa2Signer:
    """Return a signer with the private key."""
    return Rsa2Signer(value("key"))


def request(**more: Any) -> CorpIdentLinkRequest:
    """Return a request with personal data."""
    return CorpIdentLinkRequest(
        account_name=value("mobile"),
        corp_ident_info=CorpIdentInfo(legal_rep_name=value("name"), **more),
        opr_ident_info=OprIdentInfo(name=value("name"), id_card=value("id card"), mobile=value("mobile")),
        callback_page=value("page"),
    )


def fields() -> dict[str, object]:
    """Return the fields of a request as a mapping."""
    return {"name": value("name"), "idCard": value("id card"), "pages": [value("page"), {"mobile": value("mobile")}]}


def at(path: str) -> Operation[Any, CorpIdentLink]:
    """Return an operation at another path of the server."""
    return Operation("POST", path, result=CorpIdentLink)


async def cancelled(session: AsyncSession) -> None:
    """Cancel a call while it receives its response."""
    async with asyncio.timeout(0.2):
        await session.send(at("/half"), fields())


FAILURES: tuple[Callable[[AsyncSession], Awaitable[object]], ...] = (
    lambda session: session.send(at("/refused"), request()),
    lambda session: session.send(at("/refused"), fields()),
    lambda session: session.send(at("/lost"), fields()),
    lambda session: session.send(at("/unreadable"), fields()),
    lambda session: session.send(DRAFT, fields(), extra_body=fields()),
    lambda session: session.send(DRAFT, {**fields(), "unsupported": object()}),
    lambda session: session.send(SAFE_GET, {"name": value("name"), "unsupported": fields()}),
    lambda session: session.send(KEYED, fields(), extra_headers={"X-Name": value("name")}),
    cancelled,
)
"""Calls that fail by themselves."""
POSTS: tuple[Callable[[AsyncSession], Awaitable[object]], ...] = (
    lambda session: session.auth.corp_ident_link(request()),
    lambda session: session.send(CORP_IDENT_LINK, request(license="x" * 70_000)),
    lambda session: session.send(DRAFT, fields(), extra_headers={"Authorization": value("token")}),
)
"""Calls that succeed unless a hook or a middleware raises."""


class Instrumentation:
    """A tracer and a middleware on every client session, one part of which raises."""

    def __init__(self) -> None:
        self.failing: str | None = None
        """Signal whose hook raises, or ``before`` or ``after`` for the middleware."""
        self._trace = aiohttp.TraceConfig()
        for name in SIGNALS:
            getattr(self._trace, name).append(self._hook(name))
        self._trace.on_request_exception.append(self._on_exception)
        initialize, send = aiohttp.ClientSession.__init__, aiohttp.ClientSession._request

        def traced(session: aiohttp.ClientSession, *args: Any, trace_configs: Any = None, **options: Any) -> None:
            initialize(session, *args, trace_configs=[*(trace_configs or ()), self._trace], **options)

        async def wrapped(session: aiohttp.ClientSession, *args: Any, **options: Any) -> aiohttp.ClientResponse:
            return await send(session, *args, middlewares=(self._middleware,), **options)

        aiohttp.ClientSession.__init__ = traced  # type: ignore[assignment, method-assign]  # as tracers do
        aiohttp.ClientSession._request = wrapped  # type: ignore[assignment, method-assign]  # the same

    def _check(self, name: str) -> None:
        if name == self.failing:
            raise LookupError

    def _hook(self, name: str) -> Any:
        async def hook(_session: object, _context: object, _params: object) -> None:
            self._check(name)

        return hook

    async def _on_exception(self, _session: object, _context: object, params: Any) -> None:
        record(params.exception)

    async def _middleware(self, sent: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> Any:
        try:
            self._check("before")
            response = await handler(sent)
            self._check("after")
        except Exception as error:
            record(error)
            raise
        return response


async def main() -> None:
    """Make all calls."""
    for call in FAILURES:
        await observe(call)
    instrumentation = Instrumentation()
    for instrumentation.failing in (*SIGNALS, "before", "after"):
        for call in POSTS:
            await observe(call)
        if instrumentation.failing != "on_request_chunk_sent":  # a GET has no body
            await observe(lambda session: session.contracts.tasks("C-1"))
    instrumentation.failing = None
    with sentry_sdk.start_transaction(name="calls"):
        async with AsyncSession(value("token"), base_url=value("base_url"), signer=signer()) as session:
            await session.auth.corp_ident_link(request())
            await session.contracts.tasks("C-1")
            sentry_sdk.capture_message("done")


if __name__ == "__main__":
    VALUES = json.load(sys.stdin)
    logger.remove()
    logger.add(lambda text: RECORDED["loguru"].append(str(text)), diagnose=True, backtrace=True)
    sentry_sdk.init(dsn="http://key@127.0.0.1:9/1", transport=Recorder, traces_sample_rate=1.0)
    asyncio.run(main())
    json.dump(RECORDED, sys.stdout)
