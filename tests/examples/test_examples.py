"""Both example services, run as processes and used over HTTP, without a browser."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

import kfq_async as kfq
from example_process import PageResponse, example, fetch, form_key
from kfq_async.examples.companies import (
    Company,
    CompanyForm,
    CompanyService,
    ServiceSettings,
    parse_arguments,
    parse_form,
)
from kfq_async.examples.pages import status_page
from kfq_async.sandbox import Fault, Sandbox
from senders import IDENTIFIED, make_body

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FRAMEWORKS = ["fastapi", "sanic"]
COMPANY = {"company_name": "某某科技有限公司", "credit_code": "91110000MA01234567", "account_name": "13800138000"}


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Database file of the example."""
    return tmp_path / "companies.db"


@pytest.fixture(params=FRAMEWORKS)
def framework(request: pytest.FixtureRequest) -> str:
    """Each framework."""
    framework: str = request.param
    return framework


@pytest.fixture
def platform(kfq_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    """Sandbox to which the environment points examples that run with ``--no-sandbox``."""
    monkeypatch.setenv("KFQ_APP_AUTH_TOKEN", kfq_sandbox.token)
    monkeypatch.setenv("KFQ_BASE_URL", kfq_sandbox.base_url)
    return kfq_sandbox


@pytest.fixture
def origin(framework: str, database: Path, platform: Sandbox) -> Iterator[str]:
    """Origin of an example whose platform is the test's sandbox."""
    with example(framework, "--no-sandbox", "--database", str(database)) as origin:
        yield origin


def select(database: Path, query: str) -> list[Any]:
    """Return the result of a query on the example's database."""
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute(query).fetchall()


async def submit(origin: str, **changes: str) -> PageResponse:
    """Fill in and submit the form."""
    key = form_key((await fetch(origin + "/")).text)
    return await fetch(origin + "/", {"key": key, **COMPANY, **changes})


async def identify(origin: str) -> str:
    """Submit the form, complete the identification in the sandbox, and return the final status page."""
    submitted = await submit(origin)
    assert submitted.status == 303
    url, _, code = submitted.location.partition("?code=")
    completed = await fetch(url, {"code": code, "action": "complete"})
    assert (completed.status, completed.location.startswith(f"{origin}/done/")) == (303, True)
    for _ in range(400):
        page = (await fetch(completed.location)).text
        if "企业已完成实名认证" in page:
            return page
        await asyncio.sleep(0.05)
    raise AssertionError(page)


async def test_identification(framework: str, database: Path) -> None:
    """One command runs the whole flow: form, row, redirect, notification to the bound URL, status page."""
    with example(framework, "--database", str(database)) as origin:
        assert COMPANY["company_name"] in await identify(origin)
    assert select(database, "SELECT status FROM companies") == [(1,)]
    assert select(database, "SELECT count(*), max(status) FROM notifications") == [(1, 1)]


async def test_double_submit(origin: str, database: Path, platform: Sandbox) -> None:
    """Two concurrent submissions of a form and a third later give one row, one order and one redirect."""
    key = form_key((await fetch(origin + "/")).text)
    form = {"key": key, **COMPANY}
    responses = list(await asyncio.gather(fetch(origin + "/", form), fetch(origin + "/", form)))
    responses.append(await fetch(origin + "/", form))
    assert {response.location for response in responses} == {responses[0].location}
    assert [order.company_name for order in platform.orders] == [COMPANY["company_name"]]
    assert select(database, "SELECT order_no FROM companies") == [(platform.orders[0].order_no,)]


async def test_platform_error(origin: str, platform: Sandbox) -> None:
    """An error of the platform gives an error page, and the same form can be submitted later."""
    key = form_key((await fetch(origin + "/")).text)
    platform.inject_faults(Fault("code-31000"))
    assert (await fetch(origin + "/", {"key": key, **COMPANY})).status == 409
    platform.inject_faults()
    assert (await fetch(origin + "/", {"key": key, **COMPANY})).status == 303
    assert len(platform.orders) == 1


async def test_invalid_forms(origin: str, platform: Sandbox) -> None:
    """An invalid form, or another company under a used key, is rejected without an order."""
    key = form_key((await fetch(origin + "/")).text)
    assert (await submit(origin, company_name=" ")).status == 422
    assert (await fetch(origin + "/", bytes(20_000))).status == 422
    assert (await fetch(origin + "/", {"key": key, **COMPANY})).status == 303
    assert (await fetch(origin + "/", {"key": key, **COMPANY, "company_name": "另一家"})).status == 409
    assert (await fetch(origin + "/done/forged.path")).status == 404
    assert len(platform.orders) == 1


async def test_two_workers(framework: str, database: Path, platform: Sandbox) -> None:
    """Two workers with one database create one order per form, and handle a notification once."""
    with example(framework, "--no-sandbox", "--database", str(database), "--url", "http://127.0.0.1:9") as first:
        await use_two_workers(framework, database, first, platform)
    assert select(database, "SELECT status FROM companies") == [(1,)]
    assert select(database, "SELECT count(*) FROM notifications") == [(1,)]


async def use_two_workers(framework: str, database: Path, first: str, platform: Sandbox) -> None:
    """Start a second worker, and send the same form and notification to both."""
    with example(framework, "--no-sandbox", "--database", str(database), "--url", "http://127.0.0.1:9") as second:
        key = form_key((await fetch(first + "/")).text)
        responses = await asyncio.gather(*(fetch(origin + "/", {"key": key, **COMPANY}) for origin in (first, second)))
        assert responses[0].location == responses[1].location
        (order,) = platform.orders
        ((request_id,),) = select(database, "SELECT client_request_id FROM companies")
        ((secret,),) = select(database, "SELECT secret FROM secrets")
        base = "http://127.0.0.1:9"
        urls = kfq.CallbackUrls([secret], page=f"{base}/done", notify=f"{base}/hooks/kfq")
        bound = urls.bind(kfq.CorpIdentLinkRequest(client_request_id=request_id)).auth_callback_url or ""
        path = bound.removeprefix(base)
        body = make_body(orderNo=order.order_no)
        responses = await asyncio.gather(*(fetch(origin + path, body) for origin in (first, second, first, second)))
        assert "success" in {response.text for response in responses}
        duplicates = await asyncio.gather(*(fetch(origin + path, body) for origin in (first, second)))
        assert [response.text for response in duplicates] == ["success", "success"]


async def test_workers_with_redis(framework: str, database: Path, redis_port: int) -> None:
    """Several worker processes on one port deduplicate through Redis."""
    options = ("--workers", "2", "--redis", f"redis://127.0.0.1:{redis_port}/0", "--database", str(database))
    with example(framework, *options) as origin:
        await identify(origin)
        await asyncio.sleep(2)  # Sanic's manager ignores signals until its workers have started
    assert select(database, "SELECT count(*) FROM notifications") == [(1,)]


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        ([1, 2], 1),
        ([2, 4, 1], 4),
        ([5, 1], 1),
        ([1, 5], 1),
        ([5, 2], 5),
        ([None, 10**30, -(10**30), 1], 1),
        ([10**30], None),
        ([2**63 - 1], 2**63 - 1),
    ],
)
def test_order_of_notifications(database: Path, statuses: list[int | None], expected: int | None) -> None:
    """A final status is kept, and replaces any other, in whatever order notifications arrive; none is an exception."""
    asyncio.run(notify(CompanyService(ServiceSettings(database, "http://127.0.0.1")), database, statuses))
    assert select(database, "SELECT status FROM companies") == [(expected,)]
    assert select(database, "SELECT count(*) FROM notifications") == [(len(statuses),)]


async def notify(service: CompanyService, database: Path, statuses: list[int | None]) -> None:
    """Make the row of a company, and deliver a notification with each status."""
    form = CompanyForm("key", "某某科技有限公司", "", "13800138000")
    once = kfq.RetryPolicy(attempts=1)
    async with service, kfq.AsyncSession("T", base_url="http://127.0.0.1:9", retry=once) as session:
        with pytest.raises(kfq.ConnectError):
            await service.request_link(session, form)
        ((request_id,),) = select(database, "SELECT client_request_id FROM companies")
        request = service.urls.bind(kfq.CorpIdentLinkRequest(client_request_id=request_id))
        path = (request.auth_callback_url or "").removeprefix("http://127.0.0.1")
        for status in statuses:
            body = json.dumps({**IDENTIFIED, "orderStatus": status}).encode()
            assert (await service.receiver.receive(body, {}, path)).status == 200


def test_workers_without_redis(framework: str) -> None:
    """Several workers without Redis are a usage error that names the missing option."""
    command = [sys.executable, "-m", f"kfq_async.examples.{framework}_app", "--workers", "2"]
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (process.returncode, "--workers needs --redis" in process.stderr) == (2, True)


def test_redis_that_is_not_installed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The examples need Redis for --redis only, and name the command that installs its client."""
    code = "import sys; sys.modules['redis'] = None; import kfq_async.examples.companies"
    subprocess.run([sys.executable, "-c", code], check=True)
    monkeypatch.setitem(sys.modules, "redis", None)
    monkeypatch.setattr(sys, "argv", ["example", "--redis", "redis://127.0.0.1/0"])
    with pytest.raises(SystemExit):
        parse_arguments("FastAPI")
    assert "run pip install 'kfq-async[redis]'" in capsys.readouterr().err


@pytest.mark.parametrize("body", [None, b"", b"\xff", b"key=%FF", b"a=1&" * 20])
def test_malformed_form(body: bytes | None) -> None:
    """A body that is not a valid form is parsed as ``None``."""
    assert parse_form(body) is None


@pytest.mark.parametrize(
    ("status", "title", "refreshes"),
    [
        (None, "等待认证结果", True),
        (1, "企业已完成实名认证", False),
        (2, "认证中", True),
        (3, "认证已撤销", False),
        (4, "认证已失效", False),
        (9, "未知状态", True),
    ],
)
def test_status_page(status: int | None, title: str, refreshes: bool) -> None:  # noqa: FBT001
    """Each status has a title; the page refreshes until the status is final, and escapes user input."""
    form = CompanyForm("k", "<script>alert(1)</script>", "", "13800138000")
    page = status_page(Company("id", form, "https://example.com/?a=1&b=2", status)).html
    assert f"<h1>{title}</h1>" in page
    assert ('http-equiv="refresh"' in page) == refreshes
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
