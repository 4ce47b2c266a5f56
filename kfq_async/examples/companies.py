"""Framework-independent part of both examples: settings, database, notification handler and command line.

SQLite runs in threads, so that the event loop never blocks on disk I/O.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import AsyncExitStack, closing, contextmanager
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self
from urllib.parse import parse_qs

from attrs import field, frozen

import kfq_async as kfq
from kfq_async.callbacks import Purpose
from kfq_async.callbacks.stores_redis import RedisStore
from kfq_async.models.fields import SECRET
from kfq_async.sandbox import Sandbox

__all__ = [
    "CLOSE_WITHIN",
    "MAX_FORM_SIZE",
    "NOTIFY_PATH",
    "Company",
    "CompanyForm",
    "CompanyService",
    "ServiceSettings",
    "parse_arguments",
    "parse_form",
    "platform_environment",
]

NOTIFY_PATH = "/hooks/kfq"
PAGE_PATH = "/done"
MAX_FORM_SIZE = 10_000
"""Maximum size of a submitted form in bytes."""
MAX_FIELD_LENGTH = 100
"""Maximum length of a form field in characters."""
_SQLITE_BITS = 64
CLOSE_WITHIN = 5.0
"""Seconds for which a stopping service waits for its notification handlers, which take milliseconds."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS secrets (id INTEGER PRIMARY KEY CHECK (id = 1), secret BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS companies (
    form_key TEXT PRIMARY KEY,
    client_request_id TEXT NOT NULL UNIQUE,
    company_name TEXT NOT NULL, credit_code TEXT NOT NULL, account_name TEXT NOT NULL,
    order_no TEXT, auth_url TEXT, status INTEGER
);
CREATE TABLE IF NOT EXISTS notifications (
    notification_key TEXT PRIMARY KEY,
    client_request_id TEXT NOT NULL,
    status INTEGER
);
"""


@frozen
class ServiceSettings:
    """Settings of a worker, besides those of its session."""

    database: Path
    """SQLite file, shared by all workers."""
    public_url: str
    """URL at which browsers and the platform reach this service, such as ``https://your-domain.com``."""
    redis_url: str | None = field(default=None, **SECRET)
    """Redis server that several workers share for deduplication; ``None`` for a single worker."""

    @classmethod
    def from_env(cls) -> ServiceSettings:
        """Return the settings in ``EXAMPLE_DATABASE``, ``EXAMPLE_URL`` and ``EXAMPLE_REDIS``."""
        database, public_url = Path(os.environ["EXAMPLE_DATABASE"]), os.environ["EXAMPLE_URL"]
        return cls(database, public_url, os.environ.get("EXAMPLE_REDIS") or None)


@frozen
class CompanyForm:
    """Submitted form. ``key`` is a hidden field, so submitting the same form twice sends the same key."""

    key: str
    company_name: str
    credit_code: str
    account_name: str = field(**SECRET)

    @property
    def is_valid(self) -> bool:
        """Whether the required fields are filled in and no field is too long."""
        required = self.key and self.company_name and self.account_name
        return bool(required) and max(map(len, (self.key, *self.values))) <= MAX_FIELD_LENGTH

    @property
    def values(self) -> tuple[str, str, str]:
        """Values of the visible fields, in the order of the table's columns."""
        return self.company_name, self.credit_code, self.account_name


@frozen
class Company:
    """Row of the table ``companies``."""

    client_request_id: str
    form: CompanyForm
    auth_url: str | None = field(**SECRET)
    status: int | None

    @property
    def link_request(self) -> kfq.CorpIdentLinkRequest:
        """Request for the company's link; a row always gives the same request with the same id."""
        return kfq.CorpIdentLinkRequest(
            client_request_id=self.client_request_id,
            account_name=self.form.account_name,
            corp_ident_info=kfq.CorpIdentInfo(
                company_name=self.form.company_name, credit_code=self.form.credit_code or None
            ),
        )


def parse_form(body: bytes | None) -> CompanyForm | None:
    """Return the form in a URL-encoded body, or ``None`` if it is malformed or invalid."""
    try:
        fields = parse_qs((body or b"").decode("ascii"), errors="strict", max_num_fields=10)
    except ValueError:
        return None
    names = ("key", "company_name", "credit_code", "account_name")
    form = CompanyForm(*(fields.get(name, [""])[0].strip() for name in names))
    return form if form.is_valid else None


class CompanyService:
    """Links and notifications of the companies in the database. Use it in ``async with``."""

    def __init__(self, settings: ServiceSettings) -> None:
        self._database = settings.database
        self._redis_url = settings.redis_url
        self._stack = AsyncExitStack()
        with self._transaction() as database:
            database.execute("PRAGMA journal_mode = WAL")
            database.executescript(_SCHEMA)
            # The first worker stores a secret for all of them. A real service reads it from a secret store.
            database.execute("INSERT OR IGNORE INTO secrets VALUES (1, ?)", (secrets.token_bytes(32),))
            (secret,) = database.execute("SELECT secret FROM secrets").fetchone()
        self.urls: kfq.CallbackUrls = kfq.CallbackUrls(
            [secret], page=settings.public_url + PAGE_PATH, notify=settings.public_url + NOTIFY_PATH
        )
        self.receiver: kfq.NotificationReceiver = kfq.NotificationReceiver(
            self._handle, urls=self.urls, store=self._make_store()
        )

    def _make_store(self) -> kfq.MemoryStore | RedisStore:
        if self._redis_url is None:
            return kfq.MemoryStore()
        from redis.asyncio import Redis  # noqa: PLC0415  # not installed without the extra

        client = Redis.from_url(self._redis_url, socket_timeout=2, socket_connect_timeout=2)
        self._stack.push_async_callback(client.aclose)
        return RedisStore(client)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connection to Redis."""
        await self._stack.aclose()

    async def request_link(self, session: kfq.AsyncSession, form: CompanyForm) -> str | None:
        """Return the URL to redirect the browser to; ``None`` if the form's key was used for another company.

        The row is stored before the request is sent. Submitting the form twice finds the same row, and therefore
        sends the same request, or none if the link is known.
        """
        company = await asyncio.to_thread(self._get_or_create, form)
        if company.form != form:
            return None
        if company.auth_url is not None:
            return company.auth_url
        link = await session.auth.corp_ident_link(self.urls.bind(company.link_request))
        await asyncio.to_thread(self._store_link, company.client_request_id, link)
        return link.auth_url

    async def company_at(self, path: str | bytes) -> Company:
        """Return the company whose page has this path; raise `CallbackRejected` if the path was not bound."""
        client_request_id = self.urls.match(path, purpose=Purpose.PAGE)
        return await asyncio.to_thread(self._find, "client_request_id", client_request_id)

    async def _handle(self, delivery: kfq.NotificationDelivery[kfq.IdentityNotification]) -> None:
        await asyncio.to_thread(self._apply_notification, delivery)

    def _apply_notification(self, delivery: kfq.NotificationDelivery[kfq.IdentityNotification]) -> None:
        """Store the key and the new status in one transaction, so that a duplicate in any worker finds the key."""
        status, client_request_id = delivery.notification.order_status, delivery.client_request_id
        if status is not None and status.bit_length() >= _SQLITE_BITS:  # none that is documented
            status = None
        with self._transaction() as database:
            inserted = database.execute(
                "INSERT OR IGNORE INTO notifications VALUES (?, ?, ?)", (delivery.key, client_request_id, status)
            )
            if not inserted.rowcount:
                return
            query = "SELECT status FROM companies WHERE client_request_id = ?"
            (recorded,) = database.execute(query, (client_request_id,)).fetchone()
            if kfq.supersedes(status, recorded):  # notifications can overtake each other
                database.execute(
                    "UPDATE companies SET status = ? WHERE client_request_id = ?", (status, client_request_id)
                )

    def _get_or_create(self, form: CompanyForm) -> Company:
        with self._transaction() as database:
            database.execute(
                "INSERT OR IGNORE INTO companies (form_key, client_request_id, company_name, credit_code, account_name)"
                " VALUES (?, ?, ?, ?, ?)",
                (form.key, secrets.token_hex(16), *form.values),
            )
        return self._find("form_key", form.key)

    def _store_link(self, client_request_id: str, link: kfq.CorpIdentLink) -> None:
        with self._transaction() as database:
            database.execute(
                "UPDATE companies SET order_no = ?, auth_url = ? WHERE client_request_id = ?",
                (link.order_no, link.auth_url, client_request_id),
            )

    def _find(self, column: str, value: str) -> Company:
        columns = "client_request_id, form_key, company_name, credit_code, account_name, auth_url, status"
        query = f"SELECT {columns} FROM companies WHERE {column} = ?"  # noqa: S608  # one of two constants
        with self._transaction() as database:
            row = database.execute(query, (value,)).fetchone()
        return Company(row[0], CompanyForm(*row[1:5]), *row[5:])

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self._database, timeout=10)) as database, database:
            yield database


def parse_arguments(framework: str) -> argparse.Namespace:
    """Parse the command line of an example."""
    parser = argparse.ArgumentParser(description=f"Serve the company identification example with {framework}.")
    parser.add_argument("--port", type=int, default=8000, help="port on 127.0.0.1 (default: 8000)")
    parser.add_argument(
        "--workers", type=int, default=1, help="number of processes (default: 1); more than one requires --redis"
    )
    parser.add_argument("--redis", default="", help="URL of a Redis server shared by the workers")
    parser.add_argument("--database", type=Path, help="SQLite file (default: temporary)")
    parser.add_argument("--url", help="public URL of this service (default: http://127.0.0.1:PORT)")
    parser.add_argument(
        "--sandbox",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="run a sandbox as the platform; --no-sandbox uses KFQ_APP_AUTH_TOKEN and KFQ_BASE_URL",
    )
    arguments = parser.parse_args()
    if arguments.workers > 1 and not arguments.redis:
        parser.error("--workers needs --redis: without a shared store, duplicates reach several workers")
    if arguments.redis and find_spec("redis") is None:
        parser.error("--redis needs the package redis: run pip install 'kfq-async[redis]'")
    return arguments


@contextmanager
def platform_environment(arguments: argparse.Namespace) -> Iterator[None]:
    """Set the environment variables of the workers, and run the sandbox unless it is disabled."""
    with TemporaryDirectory() as folder:
        os.environ["EXAMPLE_DATABASE"] = str(arguments.database or Path(folder) / "companies.db")
        os.environ["EXAMPLE_URL"] = arguments.url or f"http://127.0.0.1:{arguments.port}"
        os.environ["EXAMPLE_REDIS"] = arguments.redis
        if not arguments.sandbox:
            yield
            return
        with Sandbox() as sandbox:
            os.environ["KFQ_APP_AUTH_TOKEN"] = sandbox.token
            os.environ["KFQ_BASE_URL"] = sandbox.base_url
            yield
