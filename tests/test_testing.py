"""The pytest fixture `kfq_sandbox`, in this suite and in a user's project."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import TYPE_CHECKING

from kfq_async import AsyncSession, CorpIdentLinkRequest
from kfq_async.sandbox import Fault
from output import quiet_environment

if TYPE_CHECKING:
    from pathlib import Path

    from kfq_async.sandbox import Sandbox

USER_TESTS = """
import asyncio
import threading
import urllib.request

import pytest

from kfq_async import AsyncSession, CorpIdentLinkRequest


async def link(sandbox):
    async with AsyncSession(sandbox.token, base_url=sandbox.base_url) as session:
        return await session.auth.corp_ident_link(CorpIdentLinkRequest(account_name="13800138000"))


def test_plain(kfq_sandbox):
    found = asyncio.run(link(kfq_sandbox))
    assert [order.order_no for order in kfq_sandbox.orders] == [found.order_no]


def test_fresh(kfq_sandbox):
    assert kfq_sandbox.orders == ()


def test_page(kfq_sandbox):
    found = asyncio.run(link(kfq_sandbox))
    with urllib.request.urlopen(found.auth_url) as page:
        assert page.status == 200


@pytest.mark.asyncio
async def test_asynchronous(kfq_sandbox):
    found = await link(kfq_sandbox)
    assert [order.order_no for order in kfq_sandbox.orders] == [found.order_no]


def test_stopped():
    assert "kfq-sandbox" not in [thread.name for thread in threading.enumerate()]
"""


def run_pytest(folder: Path, *arguments: str) -> tuple[int, str]:
    """Run pytest as a user does, with warnings as errors; return its exit status and its output."""
    settings = ["-p", "no:cacheprovider", "-W", "error", "-o", "asyncio_default_fixture_loop_scope=function"]
    command = [sys.executable, "-m", "pytest", *settings, *arguments]
    done = subprocess.run(
        command, cwd=folder, env=quiet_environment(), capture_output=True, text=True, timeout=60, check=False
    )
    return done.returncode, done.stdout + done.stderr


def test_fixture_in_a_plain_test(kfq_sandbox: Sandbox) -> None:
    """The fixture serves over real HTTP, and lists the orders that were made."""

    async def link() -> str:
        async with AsyncSession(kfq_sandbox.token, base_url=kfq_sandbox.base_url) as session:
            return (await session.auth.corp_ident_link(CorpIdentLinkRequest(account_name="13800138000"))).order_no

    number = asyncio.run(link())
    assert [order.order_no for order in kfq_sandbox.orders] == [number]


async def test_fixture_in_an_asynchronous_test(kfq_sandbox: Sandbox) -> None:
    """The fixture serves an asynchronous test, and `inject_faults` applies to its requests."""
    kfq_sandbox.inject_faults(Fault("lose-request", times=1))
    async with AsyncSession(kfq_sandbox.token, base_url=kfq_sandbox.base_url) as session:
        link = await session.auth.corp_ident_link(CorpIdentLinkRequest(account_name="13800138000"))
    assert [order.order_no for order in kfq_sandbox.orders] == [link.order_no]


ACTIVE = 'pytest_plugins = ["kfq_async.testing"]\n'


def test_fixture_in_a_users_project(tmp_path: Path) -> None:
    """A project that activates the plugin gets a new sandbox for each test."""
    (tmp_path / "conftest.py").write_text(ACTIVE, encoding="utf-8")
    (tmp_path / "test_service.py").write_text(USER_TESTS, encoding="utf-8")
    status, output = run_pytest(tmp_path, "-q")
    assert status == 0, output
    assert "5 passed" in output


def test_fixture_is_documented(tmp_path: Path) -> None:
    """`pytest --fixtures` shows the fixture with its docstring where the plugin is active, and nowhere else."""
    status, output = run_pytest(tmp_path, "--fixtures")
    assert status in {0, 5}, output
    assert "kfq_sandbox" not in output
    (tmp_path / "conftest.py").write_text(ACTIVE, encoding="utf-8")
    status, output = run_pytest(tmp_path, "--fixtures")
    assert status in {0, 5}, output
    assert "kfq_sandbox" in output
    assert "A new sandbox for each test" in output


def test_the_plugin_is_cheap() -> None:
    """Loading the plugin does not import the sandbox."""
    code = "import sys, pytest, kfq_async.testing; print(*(name for name in sys.modules if 'kfq_async.' in name))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "kfq_async.sandbox" not in done.stdout
