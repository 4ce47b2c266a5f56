"""Fixtures with a real Redis; without redis-server the tests fail instead of being skipped."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from typing import TYPE_CHECKING

import pytest
from redis.asyncio import Redis

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def redis_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Port of a redis-server on loopback that writes nothing to disk and ends with the tests."""
    server = shutil.which("redis-server")
    assert server is not None, "these tests need redis-server (on Debian: apt-get install redis-server)"
    process, port = _start(server, tmp_path_factory.mktemp("redis"))
    try:
        yield port
    finally:
        process.terminate()
        process.wait(10)


def _start(server: str, folder: Path) -> tuple[subprocess.Popen[bytes], int]:
    for _ in range(5):  # another process may take the port before redis-server does
        port = _free_port()
        options = f"--port {port} --bind 127.0.0.1 --appendonly no --dir {folder}".split()
        process = subprocess.Popen([server, *options, "--save", ""], stdout=subprocess.DEVNULL)
        if _listens(process, port):
            return process, port
        process.kill()
        process.wait(10)
    pytest.fail("redis-server could not be started")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _listens(process: subprocess.Popen[bytes], port: int) -> bool:
    deadline = time.monotonic() + 10
    while process.poll() is None and time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return True
        time.sleep(0.01)
    return False


@pytest.fixture
async def redis(redis_port: int) -> AsyncIterator[Redis]:
    """Client of an empty database."""
    async with Redis(host="127.0.0.1", port=redis_port) as client:
        await client.flushdb()
        yield client
