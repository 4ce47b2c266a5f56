"""`AsyncSession`: settings, lifetime and resources. `kfq_async.transport` makes the calls."""

from __future__ import annotations

import os
import sys
import time
from ssl import SSLContext
from typing import TYPE_CHECKING, Any, Self, TypeAlias, TypedDict, TypeVar, Unpack, cast

import attrs
from aiohttp import BaseConnector
from yarl import URL

from kfq_async._version import __version__
from kfq_async.config import Lane, RetryPolicy, Timeouts
from kfq_async.contracts.lanes import ProcessLane
from kfq_async.contracts.waiting import ContractWaits
from kfq_async.hooks import Hooks, check_hooks
from kfq_async.models.files import FileUpload
from kfq_async.models.functions import check_clock, is_asynchronous
from kfq_async.models.masking import MaskedStr, hide_arguments, plain_text, type_name
from kfq_async.models.urls import parse_http_url
from kfq_async.protocol.operation import ApiResponse, Operation
from kfq_async.protocol.requests import API_PATH, NOTHING
from kfq_async.protocol.responses import safe_headers
from kfq_async.protocol.signing import Rsa2Signer
from kfq_async.resources.accounts import Accounts
from kfq_async.resources.auth import Auth
from kfq_async.resources.contracts import Contracts
from kfq_async.resources.files import Files
from kfq_async.transport.call import Call, CallSettings
from kfq_async.transport.client import Client
from kfq_async.transport.download import DownloadCall, Downloader, HeadCall
from kfq_async.transport.limits import PLATFORM_LIMIT
from kfq_async.transport.proxy import find_proxy
from kfq_async.transport.tokens import TokenSource
from kfq_async.transport.upload import UploadCall

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from types import TracebackType

    from kfq_async.protocol.downloads import FileHead
    from kfq_async.protocol.requests import EncodedRequest, PreparedCall
    from kfq_async.protocol.signing import Signer
    from kfq_async.transport.download import FileDownload

__all__ = ["HOSTED", "AsyncSession"]

HOSTED = "https://home.kaifangqian.com/resrun-paas"
"""Base URL of the hosted platform, context path included (protocol section 1.1)."""

RequestT = TypeVar("RequestT")
ResultT = TypeVar("ResultT")


TokenProvider: TypeAlias = "Callable[[], Awaitable[str]]"
"""Async function without parameters that returns an ``appAuthToken``."""


class ViewOptions(TypedDict, total=False):
    """Keywords of `AsyncSession.with_options`."""

    signer: Signer | None
    timeouts: Timeouts
    retry: RetryPolicy
    operator_account: str | None
    hooks: Sequence[Hooks]


class SessionOptions(ViewOptions, total=False):
    """Keywords of `AsyncSession.from_env`."""

    app_auth_token: str | TokenProvider
    base_url: str
    concurrency: int
    connector: BaseConnector | None
    proxy: str | None
    ssl: SSLContext | None
    trust_env: bool
    rate_limit: float | None
    lane: Lane | None
    max_upload: int | None
    clock: Callable[[], float]


class AsyncSession:
    """Async client for one tenant.

    Use it in ``async with``, or close it with `aclose`. Creating it opens nothing and needs no event loop; it belongs
    to the event loop and the process of its first call.

    Args:
        app_auth_token: The ``appAuthToken`` of the tenant, printable ASCII; or an async function without parameters
            that returns it. The function is asked by the first call, and once more by a call whose token the platform
            refuses (`CredentialsError`); if it then returns another one, that call is sent again. ``timeouts.total``
            includes its time, and what it raises is a `SessionError`.
        base_url: URL of the platform with its context path, by default the hosted platform. Names below ``localhost``
            are connected to 127.0.0.1, unless ``connector`` or ``proxy`` is given.
        operator_account: Account that the platform acts as in operations on contracts, files and accounts, if it has
            linked the account to the token; without effect otherwise. With one, the platform reports in words some
            failures that otherwise end in `HiddenErrorPage`. A request that names an account overrides it; a mapping
            with ``None`` for ``operatorAccount`` sends none.
        signer: Computes the ``sign`` header, such as `Rsa2Signer`; ``None`` sends it empty, as the platform's sample
            does.
        timeouts: Limits of each call, in seconds.
        retry: Retries of each call.
        concurrency: Maximum number of concurrent attempts, at least 1. Further calls queue; only ``timeouts.total``
            includes that time.
        connector: aiohttp connector to use. The session never closes it, and its limits lower ``concurrency``.
        proxy: URL of an HTTP proxy, such as ``http://user:password@host:3128`` or ``https://host``; special characters
            of the password are percent-encoded. For a SOCKS proxy pass a ``connector``.
        ssl: TLS context, such as one that trusts your own CA; cannot be combined with ``connector``.
        trust_env: Whether the proxy is read from the environment, once, when the session is created: ``http_proxy`` or
            ``https_proxy``, else ``all_proxy``, except for the hosts in ``no_proxy``. Nothing else is read from it, and
            not ``~/.netrc``.
        rate_limit: Requests per second to each path that the platform limits. The platform counts per IP address, so
            give each of several processes its share; ``None`` disables the limit.
        lane: Lets requests that drive a contract go one at a time: a draft that is started, `Contracts.approve`,
            `Contracts.refuse`, `Contracts.sign_for_person` and `Contracts.add_signers`. A platform that was measured
            corrupts contracts where they overlap (protocol section 4.17). By default they wait for each other within
            the event loop; ``None`` lets them overlap.
        max_upload: Maximum size of the body of an upload, in bytes, which is four thirds of the file: a larger one is
            refused before it is sent. By default ``None``, no limit: that of the platform is not documented, and
            depends on the proxies in front of it.
        hooks: Observers of calls, instances of `Hooks`: each attempt and each call is reported to them.
        clock: Returns the time in seconds since the epoch.

    Raises:
        TypeError, ValueError: An argument is invalid; the message names it.

    Attributes:
        auth: Identification of enterprises: `Auth.corp_ident_link`.
        accounts: Business lines, and registration of enterprises and persons: `Accounts.business_lines`,
            `Accounts.register_company`, `Accounts.register_person`.
        contracts: Contracts: `Contracts.draft`, `Contracts.tasks`, `Contracts.add_signers`, `Contracts.approve`,
            `Contracts.refuse`, `Contracts.finish`, `Contracts.recall`, `Contracts.sign_for_person`,
            `Contracts.task_url`, `Contracts.page_url`, `Contracts.wait`, `Contracts.watch`, `Contracts.download`,
            `Contracts.download_stream`, `Contracts.find_lost`.
        files: Files: `Files.upload_document`, `Files.upload_attachment`.
        closed: Whether the session was closed.

    `for_token` returns a view for another tenant, `with_options` one with other settings, and `send` calls any
    operation. A call raises `KfqError`; its ``phase`` says whether the platform may have acted.
    """

    @hide_arguments
    def __init__(
        self,
        app_auth_token: str | TokenProvider,
        *,
        base_url: str = HOSTED,
        operator_account: str | None = None,
        signer: Signer | None = None,
        timeouts: Timeouts = Timeouts(),
        retry: RetryPolicy = RetryPolicy(),
        concurrency: int = 100,
        connector: BaseConnector | None = None,
        proxy: str | None = None,
        ssl: SSLContext | None = None,
        trust_env: bool = False,
        rate_limit: float | None = PLATFORM_LIMIT,
        lane: Lane | None = ProcessLane(),
        max_upload: int | None = None,
        hooks: Sequence[Hooks] = (),
        clock: Callable[[], float] = time.time,
    ) -> None:
        if isinstance(concurrency, bool) or not isinstance(concurrency, int):
            raise TypeError(f"concurrency must be an int, not {type(concurrency).__name__}")
        if concurrency < 1:
            raise ValueError(f"concurrency must be at least 1, not {concurrency}")
        if not isinstance(trust_env, bool):
            raise TypeError(f"trust_env must be True or False, not {type_name(trust_env)}")
        if connector is not None and ssl is not None:
            raise ValueError("ssl cannot be combined with connector: set it on the connector")
        if connector is not None:
            _of_type(BaseConnector, "connector", connector)
        if ssl is not None:
            _of_type(SSLContext, "ssl", ssl)
        self._settings = CallSettings(
            **_token_settings(app_auth_token),
            base_url=parse_base_url(base_url),
            operator_account=_check_operator_account(operator_account),
            signer=_signer(signer),
            timeouts=_of_type(Timeouts, "timeouts", timeouts),
            retry=_of_type(RetryPolicy, "retry", retry),
            max_upload=_max_upload(max_upload),
            hooks=check_hooks(hooks),
        )
        self._owner = True
        self._client = Client(
            concurrency=concurrency,
            connector=connector,
            host=URL(self._settings.base_url).host or "",
            proxy=find_proxy(self._settings.base_url, proxy=proxy, trust_env=trust_env),
            ssl=ssl,
            rate_limit=_rate_limit(rate_limit),
            lane=_lane(lane),
            platform=_platform(self._settings.base_url),
            clock=_clock(clock),
            headers={"Host": _host(self._settings.base_url), "User-Agent": f"kfq-async/{__version__}"},
        )
        self._urls: dict[str, URL] = {}
        self._waits = ContractWaits(self._client.interruptible)
        self._add_resources()

    def _add_resources(self) -> None:
        self._auth = Auth(self._fetch)
        self._accounts = Accounts(self._fetch)
        downloads = Downloader(self._receive, self._receive_head)
        tenant = self._settings.token_source or self._settings.app_auth_token, self._settings.operator_account
        self._contracts = Contracts(
            self.send, downloads, attempts=self._settings.retry.attempts, waits=self._waits, tenant=tenant
        )
        self._files = Files(self._fetch, self._client.file_threads.submit)

    @property
    def auth(self) -> Auth:
        """Identification of enterprises.

        ``await session.auth.corp_ident_link(request)`` creates an identification order from a `CorpIdentLinkRequest`,
        and returns a `CorpIdentLink`. ``KEYED``: retried under the same ``client_request_id``.
        """
        return self._auth

    @property
    def accounts(self) -> Accounts:
        """Business lines, and registration of enterprises and persons.

        ``await session.accounts.business_lines(contact)`` returns the business lines of a user as a tuple of
        `BusinessLine`. ``SAFE``: retried.

        ``await session.accounts.register_company(request)`` stores the data of a `RegisterCompanyRequest`, and
        ``await session.accounts.register_person(request)`` those of a `RegisterPersonRequest`. ``NONE``: never retried
        once they may have arrived.
        """
        return self._accounts

    @property
    def contracts(self) -> Contracts:
        """Contracts, their tasks and their pages.

        ``await session.contracts.draft(request)`` creates a contract from a `ContractDraftRequest`, and returns a
        `ContractDraft`, with the tasks of a contract that was started. ``NONE``: never retried once it may have
        arrived; rate limited.

        ``await session.contracts.tasks(contract_id)`` returns the state and the open tasks as `ContractTasks`.
        ``SAFE``: retried.

        ``await session.contracts.add_signers(contract_id, signers)``, ``approve(contract_id, signer=...)``,
        ``refuse(contract_id, signer=...)``, ``finish(contract_id)``, ``recall(contract_id)`` and
        ``sign_for_person(contract_id, signer=...)`` change a contract, and return its `ContractTasks` as read
        afterwards. ``NONE``: if they may have arrived, the contract is looked at before they are retried.

        ``await session.contracts.wait(contract_id)`` returns the `ContractTasks` of a contract once it is complete, and
        ``async for tasks in session.contracts.watch(contract_id)`` yields them whenever they have changed. Looks at the
        contract every 2 to 60 seconds; ``SAFE``: retried.

        ``await session.contracts.task_url(contract_id, task_id)`` and ``page_url(contract_id, contact)`` return a
        `PageLink`. ``SAFE``: retried.

        ``await session.contracts.download(contract_id, contact=..., to=...)`` downloads the documents of a complete
        contract into a file or folder, and returns its path. ``async with
        session.contracts.download_stream(contract_id, contact=...) as chunks`` yields them in chunks. ``SAFE``:
        retried; rate limited.

        ``await session.contracts.find_lost(contract_id, contact=..., reference=...)`` tells whether a contract is the
        one whose draft was lost. ``SAFE``: retried; rate limited.
        """
        return self._contracts

    @property
    def files(self) -> Files:
        """Files: documents to be signed, and attachments.

        ``await session.files.upload_document(source)`` uploads a PDF, Word or Excel file, and returns an
        `UploadedDocument`; ``await session.files.upload_attachment(source)`` uploads an attachment, and returns an
        `UploadedAttachment`. The source is a path, bytes, a binary file or an async iterable of bytes. ``SAFE``:
        retried; rate limited.
        """
        return self._files

    @classmethod
    @hide_arguments
    def from_env(cls, **options: Unpack[SessionOptions]) -> Self:
        """Create a session from ``KFQ_APP_AUTH_TOKEN``, ``KFQ_BASE_URL`` and ``KFQ_PRIVATE_KEY``.

        The last two are optional; with a key, requests are signed by `Rsa2Signer`. ``options`` are the arguments of the
        class and override the environment. Raises `ValueError`, naming the variable.
        """
        readers: dict[str, tuple[str, Callable[[str], object]]] = {
            "app_auth_token": ("KFQ_APP_AUTH_TOKEN", _check_token),
            "base_url": ("KFQ_BASE_URL", parse_base_url),
            "signer": ("KFQ_PRIVATE_KEY", lambda key: Rsa2Signer(key.replace("\\n", "\n"))),
        }
        settings: dict[str, Any] = {**options}
        for option, (variable, read) in readers.items():
            value = os.environ.get(variable)
            if not value or option in settings:
                continue
            try:
                settings[option] = read(value)
            except ValueError as error:
                problem = f"{variable}: {error}"
            else:
                continue
            raise ValueError(problem)
        if "app_auth_token" not in settings:
            raise ValueError("KFQ_APP_AUTH_TOKEN is not set: it holds the appAuthToken of your enterprise")
        return cls(**settings)

    def __repr__(self) -> str:
        if not hasattr(self, "_client"):  # error trackers show a session whose arguments were refused
            return f"<{type(self).__name__}>"
        state = "closed" if self.closed else f"concurrency={self._client.concurrency}"
        return f"<{type(self).__name__} {self._settings.base_url} {state}>"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    @property
    def closed(self) -> bool:
        """Whether the session was closed; a view is closed with its owner."""
        return self._client.closed

    async def aclose(self) -> None:
        """End the calls that are under way with `SessionError`, close the connections, and return when that is done.

        Idempotent; a no-op on views. Cancelling one of several callers does not interrupt the close.
        """
        if self._owner:
            await self._client.aclose()

    @hide_arguments
    def for_token(self, app_auth_token: str | TokenProvider, *, operator_account: str | None = None) -> Self:
        """Return a view for another tenant that shares connections, slots, rate limits and clock.

        ``app_auth_token`` is a token or an async function, as for the session. The view's ``operator_account`` is the
        given one, and never that of this session.
        """
        return self._view(**_token_settings(app_auth_token), operator_account=_check_operator_account(operator_account))

    @hide_arguments
    def with_options(self, **options: Unpack[ViewOptions]) -> Self:
        """Return a view with other ``timeouts``, ``retry``, ``signer``, ``operator_account`` or ``hooks``.

        It shares connections, slots, rate limits and clock.

        Raises `TypeError` for any other name: the other settings belong to the shared connections.
        """
        checks: dict[str, Callable[[Any], Any]] = {
            "timeouts": lambda value: _of_type(Timeouts, "timeouts", value),
            "retry": lambda value: _of_type(RetryPolicy, "retry", value),
            "signer": _signer,
            "operator_account": _check_operator_account,
            "hooks": check_hooks,
        }
        changes: dict[str, Any] = {}
        for name, value in options.items():
            if name not in checks:
                raise TypeError(f"with_options takes {', '.join(checks)}, not {name}: pass it to {type(self).__name__}")
            changes[name] = checks[name](value)
        return self._view(**changes)

    def _view(self, **changes: Any) -> Self:
        view = object.__new__(type(self))
        view._settings = attrs.evolve(self._settings, **changes)
        view._owner = False
        view._client = self._client
        view._urls = self._urls
        view._waits = self._waits
        view._add_resources()
        return view

    async def send(
        self,
        operation: Operation[RequestT, ResultT],
        request: RequestT | Mapping[str, object] = NOTHING,
        *,
        extra_body: Mapping[str, object] = NOTHING,
        extra_headers: Mapping[str, str] = NOTHING,
        timeouts: Timeouts | None = None,
    ) -> ApiResponse[ResultT]:
        """Call any operation, known to this package or not, and return the whole `ApiResponse`.

        Args:
            operation: The operation, such as `CORP_IDENT_LINK`, or an `Operation` that you define.
            request: The operation's request model, or a mapping of wire names to JSON values.
            extra_body: Undocumented fields to add to the request.
            extra_headers: Headers to add.
            timeouts: Limits of this call; ``None`` for those of the session.

        Raises:
            KfqError: The call failed.
            TypeError, ValueError: The request is invalid; nothing was sent.
        """
        started = time.perf_counter()
        try:
            call = self._make_call(operation, request, extra_body, extra_headers, timeouts)
        finally:
            del request, extra_body, extra_headers  # a traceback of this call shows no plain data
        envelope, result = await call.fetch()
        return ApiResponse(
            result=result,
            envelope=envelope,
            attempts=call.attempts,
            http_status=call.http_status,
            unique_code=call.unique_code,
            seconds=time.perf_counter() - started,
            headers=safe_headers(call.headers),
        )

    async def _send_encoded(self, operation: Operation[Any, ResultT], request: EncodedRequest) -> tuple[ResultT, int]:
        """Call an operation with a request as it is; return the result and the number of attempts.

        The other details that `send` returns cost a run with very many requests more than they tell it.
        """
        call = self._make_call(operation, request, NOTHING, NOTHING)
        _, result = await call.fetch()
        return result, call.attempts

    async def _fetch(self, operation: Operation[RequestT, ResultT], request: RequestT) -> ResultT:
        """Call an operation, and return its result."""
        try:
            call = self._make_call(operation, request, NOTHING, NOTHING)
        finally:
            del request  # as in `send`
        if call.observer is not None or self._settings.token_source is not None:
            _, result = await call.fetch()
        else:  # without the coroutine of `fetch`, through which each step of the call would pass
            result = call.read_result(await call.run())
        value: ResultT = result
        return value

    def _make_call(
        self,
        operation: Operation[Any, Any],
        request: object,
        extra_body: Mapping[str, object],
        extra_headers: Mapping[str, str],
        timeouts: Timeouts | None = None,
    ) -> Call:
        settings = self._settings
        if timeouts is not None:
            settings = attrs.evolve(settings, timeouts=_of_type(Timeouts, "timeouts", timeouts))
        kind = UploadCall if issubclass(type(request), FileUpload) else Call
        try:
            if not isinstance(operation, Operation):
                raise TypeError(f"operation must be an Operation, not {type_name(operation)}")
            prepared = kind.prepare(
                operation,
                request,
                url=self._url(operation.path),
                extra_body=extra_body,
                extra_headers=extra_headers,
                operator_account=self._settings.operator_account,
            )
        except Exception as problem:  # noqa: BLE001  # raised again
            raise problem.with_traceback(None) from None  # the frames of `prepare` hold the fields
        finally:
            del request, extra_body, extra_headers
        return kind(self._client, settings, prepared)

    async def _receive(self, operation: Operation[Any, Any], request: object, download: FileDownload) -> None:
        """Call an operation whose success is a file."""
        await DownloadCall(self._client, self._settings, self._prepare_download(operation, request), download).fetch()

    async def _receive_head(self, operation: Operation[Any, Any], request: object) -> FileHead:
        """Call an operation whose success is a file, and return what its header and first bytes tell."""
        return await HeadCall(self._client, self._settings, self._prepare_download(operation, request)).receive()

    def _prepare_download(self, operation: Operation[Any, Any], request: object) -> PreparedCall:
        try:
            return DownloadCall.prepare(
                operation,
                request,
                url=self._url(operation.path),
                extra_body=NOTHING,
                extra_headers={"Accept-Encoding": "identity"},
                operator_account=self._settings.operator_account,
            )
        except Exception as problem:  # noqa: BLE001  # raised again
            raise problem.with_traceback(None) from None  # as in `send`

    def _url(self, path: str) -> URL:
        url = self._urls.get(path)
        if url is None:
            url = self._urls[path] = URL(f"{self._settings.base_url}{API_PATH}{path}")
        return url


def parse_base_url(value: object) -> str:
    """Return the base URL without a slash at its end; raise `TypeError` or `ValueError` if it is invalid."""
    return str(parse_http_url("base_url", value, example=HOSTED, find_problem=_find_user)).rstrip("/")


def _find_user(url: URL) -> str | None:
    return None if url.user is url.password is None else "it has a user name or a password"


def _host(base_url: str) -> str:
    """Return the ``Host`` header; it has a port only if that is not the scheme's default."""
    return URL(base_url).host_port_subcomponent or ""


def _token_settings(value: object) -> dict[str, Any]:
    """Return the settings of a token, or of the async function that provides it."""
    if not callable(value):
        return {"app_auth_token": _check_token(value), "token_source": None}
    if not is_asynchronous(value):
        raise TypeError("app_auth_token must be a str, or an async function without parameters that returns one")
    return {"app_auth_token": "", "token_source": TokenSource(cast("TokenProvider", value), _check_token)}


def _check_token(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"app_auth_token must be a str, not {type_name(value)}")
    value = plain_text(value)
    if not value:
        raise ValueError("app_auth_token must not be empty: it is issued in the platform's administration pages")
    if not (value.isascii() and value.isprintable()) or " " in value:
        raise ValueError(
            "app_auth_token must be printable ASCII without spaces: check it for line breaks and typographic quotes"
        )
    return MaskedStr(value)


def _check_operator_account(value: object) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise TypeError(f"operator_account must be a str or None, not {type_name(value)}")
    account = plain_text(value)
    if not account or not account.isprintable():
        raise ValueError("operator_account must not be empty or hold control characters; None sends none")
    return MaskedStr(account)


def _signer(value: Any) -> Any:
    if isinstance(value, type):
        raise TypeError(f"signer must be an instance, such as Rsa2Signer(key), not the class {value.__name__}")
    if value is not None and not callable(getattr(value, "sign", None)):
        raise TypeError(f"signer must have a method sign, as Rsa2Signer(key) has, not be a {type_name(value)}")
    return value


def _rate_limit(value: object) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"rate_limit must be a number of requests per second, or None, not {type(value).__name__}")
    if not sys.float_info.min <= value <= sys.float_info.max:  # its inverse is finite, too
        raise ValueError("rate_limit must be more than 0 requests per second and finite, or None to disable it")
    return value


def _lane(value: Any) -> Lane | None:
    if isinstance(value, type):
        raise TypeError(f"lane must be an instance, such as ProcessLane(), not the class {value.__name__}")
    if value is not None and not callable(getattr(value, "acquire", None)):
        raise TypeError(f"lane must have a method acquire, as ProcessLane() has, or be None, not {type_name(value)}")
    return cast("Lane | None", value)


def _platform(base_url: str) -> str:
    """Return a base URL in the form that all sessions of a platform have in common: with its port."""
    url = URL(base_url)
    return f"{url.scheme}://{url.host}:{url.port}{url.raw_path}".rstrip("/")


def _clock(value: Any) -> Callable[[], float]:
    check_clock(value)
    return cast("Callable[[], float]", value)


def _max_upload(value: object) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"max_upload must be a number of bytes, or None, not {type(value).__name__}")
    if value < 1:
        raise ValueError(f"max_upload must be at least 1 byte, or None to disable it, not {value}")
    return value


def _of_type(kind: Any, name: str, value: Any) -> Any:
    if not isinstance(value, kind):
        raise TypeError(f"{name} must be a {kind.__name__}, not {type_name(value)}")
    return value
