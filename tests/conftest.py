"""Fixtures of all tests: detection of blocking calls, a sandbox, a session, and a mock of aiohttp."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock

import pytest
from aiohttp import ClientResponse
from aioresponses import aioresponses
from blockbuster import BlockBuster
from hypothesis import settings

from kfq_async import AsyncSession
from kfq_async.sandbox import Sandbox
from postgres_server import postgres, postgres_folder  # noqa: F401  # fixtures
from redis_server import redis, redis_port  # noqa: F401  # fixtures

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

settings.register_profile("kfq", deadline=None)
settings.load_profile("kfq")
VECTORS = Path(__file__).parent / "wire" / "rsa2.json"


SERVICES = {"redis", "redis_port", "postgres", "chromium"}
"""Fixtures that need programs which pip cannot install."""


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name a long value by its argument, since random values would give each run other names."""
    return argname if isinstance(val, str | bytes) and len(val) > 60 else None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that need a program besides Python; ``.ci/run`` installs the programs and selects these tests."""
    for item in items:
        if SERVICES & set(getattr(item, "fixturenames", ())):
            item.add_marker("services")


@pytest.fixture(scope="session")
def blockbuster() -> BlockBuster:
    """Detector of blocking calls of the package, activated by each test.

    The sandbox's SQLite may block: it takes microseconds, and no production service runs in it. So may operations that
    a test calls without HTTP, and the stacks that are printed of a test that takes too long. redis-py may read its own
    version from the disk for each new connection, which the package cannot prevent. Coverage may block too: its tracer,
    which has no frame of its own, waits for a lock before a function's first line.
    """
    blockbuster = BlockBuster("kfq_async")
    acquire = blockbuster.functions["threading.Lock.acquire"]
    does_not_block = acquire.can_block_predicate
    acquire.can_block_predicate = lambda lock, *args, **options: (
        _is_lock_of_tracer(lock) or does_not_block(lock, *args, **options)
    )
    for name, function in blockbuster.functions.items():
        function.can_block_in("redis/utils.py", {"get_lib_version"})
        function.can_block_in("pytest_timeout.py", {"dump_stacks"})
        if name.startswith("sqlite3"):
            function.can_block_in("kfq_async/sandbox/store.py", {"_run"})
        function.can_block_in("tests/self_hosted.py", {"__init__", "respond"})
        function.can_block_in("tests/signing_client.py", {"apply"})
    return blockbuster


def _is_lock_of_tracer(lock: object) -> bool:
    return getattr(getattr(sys.gettrace(), "lock_data", None), "__self__", None) is lock


@pytest.fixture(autouse=True)
def _no_blocking(blockbuster: BlockBuster) -> Iterator[BlockBuster]:
    """Fail the test on a blocking call of the package inside the event loop."""
    blockbuster.activate()
    yield blockbuster
    blockbuster.deactivate()


class _Response(ClientResponse):
    """Response with the argument that aiohttp requires since 3.14 and aioresponses does not pass."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("stream_writer", Mock(output_size=0))
        super().__init__(*args, **kwargs)


@pytest.fixture
def mocked() -> Iterator[Callable[..., None]]:
    """Set one response of aiohttp, to a POST unless ``method`` is given: ``mocked(url, payload=...)``."""
    with aioresponses() as mock:

        def script(url: str, *, method: str = "POST", **options: Any) -> None:
            mock.add(url, method, response_class=_Response, **options)

        yield script


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    """A sandbox in the test's own event loop."""
    async with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
async def session(sandbox: Sandbox) -> AsyncIterator[AsyncSession]:
    """A session on the sandbox."""
    async with AsyncSession(sandbox.token, base_url=sandbox.base_url) as session:
        yield session


@pytest.fixture(scope="session")
def vectors() -> Any:
    """Signatures recorded from the platform's own code, with a key made for these tests."""
    return json.loads(VECTORS.read_text(encoding="utf-8"))
