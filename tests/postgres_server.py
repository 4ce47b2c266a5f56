"""A PostgreSQL server for the tests of ledgers and jobs; without one they fail, since skipped tests prove nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import psycopg
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

OPTIONS = "-c listen_addresses= -c fsync=off -c max_connections=60"


@pytest.fixture(scope="session")
def postgres_folder() -> Iterator[Path]:
    """Folder of the socket of a server without a port, which stops after the tests."""
    programs = _programs()
    folder = Path(tempfile.mkdtemp(prefix="kfq-pg-"))
    user = _unprivileged(folder)
    data = folder / "data"

    def run(program: str, *arguments: str) -> None:
        subprocess.run([programs / program, "-D", data, *arguments], check=True, user=user, stdout=subprocess.DEVNULL)

    try:
        run("initdb", "--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync")
        options = f"{OPTIONS} -c unix_socket_directories={folder}"
        run("pg_ctl", "--wait", f"--log={folder}/log", f"--options={options}", "start")
        try:
            yield folder
        finally:
            run("pg_ctl", "--wait", "--mode=immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _programs() -> Path:
    """Return the folder of the newest server's programs; Debian keeps them off the PATH."""
    found = shutil.which("initdb")
    if found:
        return Path(found).parent
    newest = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    assert newest, "these tests need a PostgreSQL server (on Debian: apt-get install postgresql)"
    return newest[-1].parent


def _unprivileged(folder: Path) -> str | None:
    """Return the user to run the server as, since it refuses root; ``None`` for the current one."""
    if os.geteuid() != 0:
        return None
    shutil.chown(folder, "postgres")
    return "postgres"


@pytest.fixture
def postgres(postgres_folder: Path) -> Iterator[str]:
    """Connection string of an empty database."""
    name = f"test_{uuid4().hex}"
    server = f"host={postgres_folder} user=postgres"
    with psycopg.connect(f"{server} dbname=postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        yield f"{server} dbname={name}"
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
