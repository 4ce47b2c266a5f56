"""The examples, used as a company's operator would use them, without a browser."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

import kfq_async as kfq
from example_process import ApiResponse, ask, example, key_of
from kfq_async.examples.companies import Company, Form, read_form
from kfq_async.examples.pages import state_page
from kfq_async.sandbox import Fault, Sandbox
from senders import make_body

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FRAMEWORKS = ["fastapi", "sanic"]
COMPANY = {"company_name": "某某科技有限公司", "credit_code": "91110000MA01234567", "account_name": "13800138000"}


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Where the example keeps its rows."""
    return tmp_path / "companies.db"


@pytest.fixture(params=FRAMEWORKS)
def framework(request: pytest.FixtureRequest) -> str:
    """One framework after the other."""
    found: str = request.param
    return found


@pytest.fixture
def environment(kfq_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    """What examples without a sandbox of their own read."""
    monkeypatch.setenv("KFQ_APP_AUTH_TOKEN", kfq_sandbox.token)
    monkeypatch.setenv("KFQ_BASE_URL", kfq_sandbox.base_url)
    return kfq_sandbox


@pytest.fixture
def beside(framework: str, database: Path, environment: Sandbox) -> Iterator[str]:
    """The example beside a sandbox that the test holds in its hand."""
    with example(framework, "--no-sandbox", "--database", str(database)) as origin:
        yield origin


def rows(database: Path, query: str) -> list[Any]:
    """Read the example's file."""
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute(query).fetchall()


async def submit(origin: str, **changes: str) -> ApiResponse:
    """Fill in the form and send it."""
    key = key_of((await ask(origin + "/")).text)
    return await ask(origin + "/", {"key": key, **COMPANY, **changes})


async def test_the_whole_circle(framework: str, database: Path) -> None:
    """One command serves it all: form, row, redirection, signed notification to the bound URL, state."""
    with example(framework, "--database", str(database)) as origin:
        sent = await submit(origin)
        assert sent.status == 303
        page, _, code = sent.location.partition("?code=")
        back = await ask(page, {"code": code, "action": "complete"})
        assert (back.status, back.location.startswith(f"{origin}/done/")) == (303, True)
        for _ in range(100):
            state = await ask(back.location)
            if "企业已完成实名认证" in state.text:
                break
            await asyncio.sleep(0.05)
        assert "企业已完成实名认证" in state.text
        assert COMPANY["company_name"] in state.text
    assert rows(database, "SELECT status FROM companies") == [(1,)]
    assert rows(database, "SELECT count(*), max(status) FROM notifications") == [(1, 1)]


async def test_a_double_click(beside: str, database: Path, environment: Sandbox) -> None:
    """Two clicks at once, and a third afterwards, make one row and one order, and lead to one page."""
    key = key_of((await ask(beside + "/")).text)
    form = {"key": key, **COMPANY}
    answers = list(await asyncio.gather(ask(beside + "/", form), ask(beside + "/", form)))
    answers.append(await ask(beside + "/", form))
    assert {answer.location for answer in answers} == {answers[0].location}
    assert [order.company_name for order in environment.orders] == [COMPANY["company_name"]]
    assert rows(database, "SELECT order_no FROM companies") == [(environment.orders[0].order_no,)]


async def test_a_platform_that_fails(beside: str, environment: Sandbox) -> None:
    """When the platform says no, the page says so and nothing about it; the same form can be sent again."""
    key = key_of((await ask(beside + "/")).text)
    environment.inject_faults(Fault("code-31000"))
    assert (await ask(beside + "/", {"key": key, **COMPANY})).status == 409
    environment.inject_faults()
    assert (await ask(beside + "/", {"key": key, **COMPANY})).status == 303
    assert len(environment.orders) == 1


async def test_forms_that_are_none(beside: str, environment: Sandbox) -> None:
    """What is empty, too long, no form at all, or another company under a used key, is refused without an order."""
    key = key_of((await ask(beside + "/")).text)
    assert (await submit(beside, company_name=" ")).status == 422
    assert (await ask(beside + "/", bytes(20_000))).status == 422
    assert (await ask(beside + "/", {"key": key, **COMPANY})).status == 303
    assert (await ask(beside + "/", {"key": key, **COMPANY, "company_name": "另一家"})).status == 409
    assert (await ask(beside + "/done/forged.path")).status == 404
    assert len(environment.orders) == 1


async def test_two_workers(framework: str, database: Path, environment: Sandbox) -> None:
    """Two workers on one file make one order of one form, and handle one notification once."""
    with example(framework, "--no-sandbox", "--database", str(database), "--url", "http://127.0.0.1:9") as one:
        await circle_of_two(framework, database, one, environment)
    assert rows(database, "SELECT status FROM companies") == [(1,)]
    assert rows(database, "SELECT count(*) FROM notifications") == [(1,)]


async def circle_of_two(framework: str, database: Path, one: str, sandbox: Sandbox) -> None:
    """Start a second worker, and let both hear of the same."""
    with example(framework, "--no-sandbox", "--database", str(database), "--url", "http://127.0.0.1:9") as two:
        key = key_of((await ask(one + "/")).text)
        answers = await asyncio.gather(*(ask(origin + "/", {"key": key, **COMPANY}) for origin in (one, two)))
        assert answers[0].location == answers[1].location
        (order,) = sandbox.orders
        ((request_id,),) = rows(database, "SELECT client_request_id FROM companies")
        ((secret,),) = rows(database, "SELECT secret FROM secrets")
        base = "http://127.0.0.1:9"
        urls = kfq.CallbackUrls([secret], page=f"{base}/done", notify=f"{base}/hooks/kfq")
        bound = urls.bind(kfq.CorpIdentLinkRequest(client_request_id=request_id)).auth_callback_url or ""
        path = bound.removeprefix(base)
        body = make_body(orderNo=order.order_no)
        heard = await asyncio.gather(*(ask(origin + path, body) for origin in (one, two, one, two)))
        assert "success" in {answer.text for answer in heard}
        again = await asyncio.gather(*(ask(origin + path, body) for origin in (one, two)))
        assert [answer.text for answer in again] == ["success", "success"]


async def test_workers_that_share_redis(framework: str, database: Path, redis_port: int) -> None:
    """With several processes behind one port, the store is in Redis."""
    shared = ("--workers", "2", "--redis", f"redis://127.0.0.1:{redis_port}/0", "--database", str(database))
    with example(framework, *shared) as origin:
        sent = await submit(origin)
        page, _, code = sent.location.partition("?code=")
        back = await ask(page, {"code": code, "action": "complete"})
        for _ in range(100):
            state = await ask(back.location)
            if "企业已完成实名认证" in state.text:
                break
            await asyncio.sleep(0.05)
        assert "企业已完成实名认证" in state.text
        await asyncio.sleep(2)  # Sanic's manager overlooks a signal while it still waits for its workers
    assert rows(database, "SELECT count(*) FROM notifications") == [(1,)]


def test_workers_without_redis(framework: str) -> None:
    """Several workers without a shared store are refused, with the reason."""
    command = [sys.executable, "-m", f"kfq_async.examples.{framework}_app", "--workers", "2"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, "--workers needs --redis" in done.stderr) == (2, True)


@pytest.mark.parametrize("body", [None, b"", b"\xff", b"key=%FF", b"a=1&" * 20])
def test_bodies_that_are_no_form(body: bytes | None) -> None:
    """What cannot be read is no form, whatever a browser would not send."""
    assert read_form(body) is None


@pytest.mark.parametrize(
    ("status", "title", "look_again"),
    [
        (None, "等待认证结果", True),
        (1, "企业已完成实名认证", False),
        (2, "认证中", True),
        (3, "认证已撤销", False),
        (4, "认证已失效", False),
        (9, "未知状态", True),
    ],
)
def test_states(status: int | None, title: str, look_again: bool) -> None:  # noqa: FBT001
    """Every state has its words; the page looks again until it is final, and shows what was typed as text."""
    form = Form("k", "<script>alert(1)</script>", "", "13800138000")
    page = state_page(Company("id", form, "https://example.com/?a=1&b=2", status)).html
    assert f"<h1>{title}</h1>" in page
    assert ('http-equiv="refresh"' in page) == look_again
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
