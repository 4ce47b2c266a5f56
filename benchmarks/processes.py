"""Processes of a measurement: the server, and one client per contestant, with a pinned allocator."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Self

import trustme

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

ROOT = Path(__file__).parent.parent
ENVIRONMENT = {
    **os.environ,
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": "4194304",  # glibc adapts both at run time, and with them the cost of a receive buffer
    "MALLOC_TRIM_THRESHOLD_": "16777216",
    "PYTHONDONTWRITEBYTECODE": "",  # compile once instead of at each import
    "PYTHONHASHSEED": "0",
}


def _started(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=ENVIRONMENT,
        cwd=ROOT,
        text=True,
    )


def _pipes(process: subprocess.Popen[str]) -> tuple[IO[str], IO[str]]:
    assert process.stdin is not None
    assert process.stdout is not None
    return process.stdin, process.stdout


class Client:
    """A contestant in its own process, idle until its turn."""

    def __init__(self, name: str, base_url: str, *, loop: str = "asyncio", ca_file: str | None = None) -> None:
        self._process = _started("benchmarks.client", name, base_url, loop, *([ca_file] if ca_file else []))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate()

    def measure(self, links: int, in_flight: int, limit: int) -> dict[str, float]:
        """Request the links; return ``cpu``, ``wall``, ``rss`` and ``peak``."""
        stdin, stdout = _pipes(self._process)
        stdin.write(json.dumps({"links": links, "in_flight": in_flight, "limit": limit}) + "\n")
        stdin.flush()
        line = stdout.readline()
        if not line:
            raise RuntimeError(f"the client ended with status {self._process.wait()}")
        measured: dict[str, Any] = json.loads(line)
        return measured


@contextmanager
def server(certificate: Path | None = None) -> Iterator[str]:
    """Run the static server on its own core and yield its base URL."""
    process = _started("benchmarks.server", *([str(certificate)] if certificate else []))
    _, stdout = _pipes(process)
    try:
        scheme = "https" if certificate else "http"
        yield f"{scheme}://127.0.0.1:{stdout.readline().strip()}/resrun-paas"
    finally:
        process.communicate()


def certificates(folder: Path) -> tuple[Path, Path]:
    """Create a temporary authority and a certificate for 127.0.0.1; return the server's file and the authority's."""
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    issued.private_key_and_cert_chain_pem.write_to_path(folder / "server.pem")
    authority.cert_pem.write_to_path(folder / "ca.pem")
    return folder / "server.pem", folder / "ca.pem"
