"""What both examples share: settings from the environment, the companies' table, and the handler of notifications.

Nothing here knows a web framework. SQLite is asked in threads, so that the event loop never waits for a disk.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import AsyncExitStack, closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self
from urllib.parse import parse_qs

from attrs import frozen
from redis.asyncio import Redis

import kfq_async as kfq
from kfq_async.callbacks import Purpose
from kfq_async.callbacks.stores_redis import RedisStore
from kfq_async.sandbox import Sandbox

__all__ = ["FORM_BYTES", "HOOKS", "Companies", "Company", "Form", "Settings", "options", "platform", "read_form"]

HOOKS = "/hooks/kfq"
DONE = "/done"
FORM_BYTES = 10_000
"""The largest form that is read."""
LONGEST = 100
"""Characters of a field."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS secrets (one INTEGER PRIMARY KEY CHECK (one = 1), secret BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS companies (
    form_key TEXT PRIMARY KEY,
    client_request_id TEXT NOT NULL UNIQUE,
    company_name TEXT NOT NULL, credit_code TEXT NOT NULL, account_name TEXT NOT NULL,
    order_no TEXT, auth_url TEXT, status INTEGER
);
CREATE TABLE IF NOT EXISTS notifications (
    received_key TEXT PRIMARY KEY,
    client_request_id TEXT NOT NULL,
    status INTEGER
);
"""


@frozen
class Settings:
    """What each worker needs to know; the session reads its own variables."""

    database: Path
    public_url: str
    """Where browsers and the platform reach this service, as ``https://your-domain.com``."""
    redis: str | None = None
    """Several workers share a store there."""

    @classmethod
    def from_env(cls) -> Settings:
        """Read ``EXAMPLE_DATABASE``, ``EXAMPLE_URL`` and ``EXAMPLE_REDIS``."""
        environment = os.environ
        return cls(
            Path(environment["EXAMPLE_DATABASE"]), environment["EXAMPLE_URL"], environment.get("EXAMPLE_REDIS") or None
        )


@frozen
class Form:
    """What a browser sent. ``key`` was hidden in the form, so a second click sends the same one."""

    key: str
    company_name: str
    credit_code: str
    account_name: str

    @property
    def usable(self) -> bool:
        """Whether it can become a row."""
        needed = self.key and self.company_name and self.account_name
        return bool(needed) and max(map(len, (self.key, *self.fields))) <= LONGEST

    @property
    def fields(self) -> tuple[str, str, str]:
        """What the company is."""
        return self.company_name, self.credit_code, self.account_name


@frozen
class Company:
    """A row."""

    client_request_id: str
    form: Form
    auth_url: str | None
    status: int | None

    @property
    def request(self) -> kfq.CorpIdentLinkRequest:
        """The request: the same row makes the same one, under the same id."""
        return kfq.CorpIdentLinkRequest(
            client_request_id=self.client_request_id,
            account_name=self.form.account_name,
            corp_ident_info=kfq.CorpIdentInfo(
                company_name=self.form.company_name, credit_code=self.form.credit_code or None
            ),
        )


def read_form(body: bytes | None) -> Form | None:
    """Read what a browser sends for a form, or return ``None`` if it is none."""
    try:
        fields = parse_qs((body or b"").decode("ascii"), errors="strict", max_num_fields=10)
    except ValueError:
        return None
    names = ("key", "company_name", "credit_code", "account_name")
    form = Form(*(fields.get(name, [""])[0].strip() for name in names))
    return form if form.usable else None


class Companies:
    """The service: open it in ``async with``."""

    def __init__(self, settings: Settings) -> None:
        self._database = settings.database
        self._redis = settings.redis
        self._stack = AsyncExitStack()
        with self._transaction() as database:
            database.execute("PRAGMA journal_mode = WAL")
            database.executescript(SCHEMA)
            # All workers share the first one's secret; in a service of yours it comes from where secrets are kept.
            database.execute("INSERT OR IGNORE INTO secrets VALUES (1, ?)", (secrets.token_bytes(32),))
            (secret,) = database.execute("SELECT secret FROM secrets").fetchone()
        self.urls = kfq.CallbackUrls([secret], page=settings.public_url + DONE, notify=settings.public_url + HOOKS)
        self.receiver = kfq.NotificationReceiver(self._notified, urls=self.urls, store=self._store())

    def _store(self) -> kfq.MemoryStore | RedisStore:
        if self._redis is None:
            return kfq.MemoryStore()
        client = Redis.from_url(self._redis, socket_timeout=2, socket_connect_timeout=2)
        self._stack.push_async_callback(client.aclose)
        return RedisStore(client)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections to Redis."""
        await self._stack.aclose()

    async def link(self, session: kfq.AsyncSession, form: Form) -> str | None:
        """Return where to send the browser; ``None`` if the form's key was used for another company.

        The row is stored before anything is sent. A second click finds the first one's row, so it asks for the same
        order, or needs not ask at all.
        """
        company = await asyncio.to_thread(self._add, form)
        if company.form != form:
            return None
        if company.auth_url is not None:
            return company.auth_url
        link = await session.auth.corp_ident_link(self.urls.bind(company.request))
        await asyncio.to_thread(self._linked, company.client_request_id, link)
        return link.auth_url

    async def company(self, path: str | bytes) -> Company:
        """Return the company whose page this is; `CallbackRejected` for a path that was not given out."""
        client_request_id = self.urls.match(path, purpose=Purpose.PAGE)
        return await asyncio.to_thread(self._find, "client_request_id", client_request_id)

    async def _notified(self, received: kfq.NotificationDelivery[kfq.IdentityNotification]) -> None:
        await asyncio.to_thread(self._settle, received)

    def _settle(self, received: kfq.NotificationDelivery[kfq.IdentityNotification]) -> None:
        """Take the key and do the work in one transaction: whoever comes second, from any worker, finds the key."""
        status = received.notification.order_status
        with self._transaction() as database:
            first = database.execute(
                "INSERT OR IGNORE INTO notifications VALUES (?, ?, ?)",
                (received.key, received.client_request_id, status),
            )
            if first.rowcount:
                # They may overtake each other: what is final stays.
                database.execute(
                    "UPDATE companies SET status = ? WHERE client_request_id = ? AND (status IS NULL OR status = ?)",
                    (status, received.client_request_id, kfq.IdentityStatus.IN_PROGRESS),
                )

    def _add(self, form: Form) -> Company:
        with self._transaction() as database:
            database.execute(
                "INSERT OR IGNORE INTO companies (form_key, client_request_id, company_name, credit_code, account_name)"
                " VALUES (?, ?, ?, ?, ?)",
                (form.key, secrets.token_hex(16), *form.fields),
            )
        return self._find("form_key", form.key)

    def _linked(self, client_request_id: str, link: kfq.CorpIdentLink) -> None:
        with self._transaction() as database:
            database.execute(
                "UPDATE companies SET order_no = ?, auth_url = ? WHERE client_request_id = ?",
                (link.order_no, link.auth_url, client_request_id),
            )

    def _find(self, column: str, value: str) -> Company:
        columns = "client_request_id, form_key, company_name, credit_code, account_name, auth_url, status"
        query = f"SELECT {columns} FROM companies WHERE {column} = ?"  # noqa: S608  # one of two words of ours
        with self._transaction() as database:
            row = database.execute(query, (value,)).fetchone()
        return Company(row[0], Form(*row[1:5]), *row[5:])

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self._database, timeout=10)) as database, database:
            yield database


def options(framework: str) -> argparse.Namespace:
    """Read the command line of an example."""
    parser = argparse.ArgumentParser(description=f"Identify companies, with {framework}: open the address it prints.")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--workers", type=int, default=1, help="processes; more than one need --redis")
    parser.add_argument("--redis", default="", help="URL of a Redis server that the workers share")
    parser.add_argument("--database", type=Path, help="SQLite file; without it, one that is gone at the end")
    parser.add_argument("--url", help="where browsers and the platform reach this service")
    parser.add_argument(
        "--sandbox",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="run the platform in a box beside it; otherwise KFQ_APP_AUTH_TOKEN and KFQ_BASE_URL tell the platform",
    )
    found = parser.parse_args()
    if found.workers > 1 and not found.redis:
        parser.error("--workers needs --redis: otherwise each worker remembers for itself what it received")
    return found


@contextmanager
def platform(found: argparse.Namespace) -> Iterator[None]:
    """Leave in the environment what the workers read, and run the sandbox if one is wanted."""
    with TemporaryDirectory() as folder:
        os.environ["EXAMPLE_DATABASE"] = str(found.database or Path(folder) / "companies.db")
        os.environ["EXAMPLE_URL"] = found.url or f"http://127.0.0.1:{found.port}"
        os.environ["EXAMPLE_REDIS"] = found.redis
        if not found.sandbox:
            yield
            return
        with Sandbox() as sandbox:
            os.environ["KFQ_APP_AUTH_TOKEN"] = sandbox.token
            os.environ["KFQ_BASE_URL"] = sandbox.base_url
            yield
