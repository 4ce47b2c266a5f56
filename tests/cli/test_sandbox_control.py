"""`kfq sandbox complete` and the other commands that drive a running sandbox."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest

from kfq_async.cli.app import run
from kfq_async.models.notifications import IdentityStatus
from kfq_async.sandbox import Sandbox
from servers import ReceivedRequest, ScriptedServer, http_response

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def running(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """The sandbox that the environment names; a proxy there does not matter."""
    with Sandbox(retry_after=[]) as sandbox:
        monkeypatch.setenv("KFQ_BASE_URL", sandbox.base_url)
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
        yield sandbox


@pytest.fixture
def order(running: Sandbox, capsys: pytest.CaptureFixture[str]) -> str:
    """The number of an order, made by another command."""
    options = ["--company-name", "甲", "--auth-callback-url", "http://127.0.0.1:1/hook", "--client-request-id", "row-1"]
    assert run(["link", "--json", "--token", running.token, *options]) == 0
    order_no: str = json.loads(capsys.readouterr().out)["orderNo"]
    return order_no


@pytest.mark.parametrize(
    ("action", "status"),
    [
        ("complete", IdentityStatus.IDENTIFIED),
        ("review", IdentityStatus.IN_PROGRESS),
        ("abandon", IdentityStatus.WITHDRAWN),
        ("expire", IdentityStatus.EXPIRED),
    ],
)
def test_actions(
    action: str, status: IdentityStatus, order: str, running: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    """An action changes the order and prints its state; a second time it is impossible, and said so."""
    assert run(["sandbox", action, order]) == 0
    assert capsys.readouterr().out == f"{order}  {status.name} ({status})\n"
    assert running.orders[0].status == status
    assert run(["sandbox", action, order]) == 1
    assert f"SandboxError: cannot {action} order {order}" in capsys.readouterr().err


def test_orders(order: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Orders are listed with their states, as text or as JSON."""
    assert run(["sandbox", "orders"]) == 0
    assert run(["sandbox", "complete", order, "--json"]) == 0
    assert run(["sandbox", "orders", "--json"]) == 0
    listed, changed, document = capsys.readouterr().out.splitlines()
    assert listed.split() == [order, "NEW", "row-1", "甲"]
    assert json.loads(changed) == {"orderNo": order, "orderStatus": 1}
    assert [each["orderStatus"] for each in json.loads(document)["orders"]] == [1]


def test_orders_in_chinese(order: str, capsys: pytest.CaptureFixture[str]) -> None:
    """States have their Chinese, with the value of the platform in brackets."""
    assert run(["sandbox", "orders", "--lang", "zh"]) == 0
    assert run(["sandbox", "complete", order, "--lang", "zh"]) == 0
    listed, changed = capsys.readouterr().out.splitlines()
    assert listed.split() == [order, "待认证（NEW）", "row-1", "甲"]
    assert changed.split() == [order, "已认证（IDENTIFIED，1）"]


def test_resend(order: str, running: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    """The newest notification is sent once more, with a fault on request."""
    assert run(["sandbox", "resend", order]) == 1
    assert "has no notification yet" in capsys.readouterr().err
    assert run(["sandbox", "complete", order]) == 0
    assert run(["sandbox", "resend", order, "--fault", "callback-corrupt", "--json"]) == 0
    assert run(["sandbox", "resend", order, "--fault", "502", "--json"]) == 1
    *_, refused = capsys.readouterr().out.splitlines()
    assert "does not apply to notifications" in json.loads(refused)["text"]
    asyncio.run(running.wait_for_notifications())
    (notification,) = running.notifications
    assert "callback-corrupt" in {attempt.fault for attempt in notification.attempts}


def test_no_sandbox(capsys: pytest.CaptureFixture[str]) -> None:
    """Where nothing listens, the command that starts a sandbox is named."""
    assert run(["sandbox", "orders", "--base-url", "http://127.0.0.1:1/resrun-paas"]) == 1
    shown = capsys.readouterr().err
    assert "no sandbox responds at http://127.0.0.1:1 (" in shown
    assert "start it with `kfq sandbox`" in shown


@pytest.mark.parametrize(
    "response",
    [
        http_response("<html>"),
        http_response("<html>", 403),
        http_response([]),
        http_response({"code": 40000}, 401),
    ],
)
async def test_no_response_of_a_sandbox(response: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    """Responses of other servers are recognised."""

    async def respond(_number: int, _request: ReceivedRequest) -> bytes:
        return response

    async with ScriptedServer(respond) as server:
        assert await asyncio.to_thread(run, ["sandbox", "orders", "--base-url", server.base_url]) == 1
        assert f"{server.origin} does not respond as a sandbox" in capsys.readouterr().err


async def test_access(capsys: pytest.CaptureFixture[str]) -> None:
    """A refusal of the sandbox, such as of the name under which it was reached, is shown."""

    async def respond(_number: int, _request: ReceivedRequest) -> bytes:
        return http_response("沙箱拒绝了该请求\n", 403).replace(b"text/html", b"text/plain")

    async with ScriptedServer(respond) as server:
        assert await asyncio.to_thread(run, ["sandbox", "orders", "--base-url", server.base_url]) == 1
    assert capsys.readouterr().err == "kfq: SandboxError: 沙箱拒绝了该请求 \n"


async def test_no_http(capsys: pytest.CaptureFixture[str]) -> None:
    """A server that does not speak HTTP is no sandbox."""

    async def respond(_number: int, _request: ReceivedRequest) -> bytes:
        return b"SSH-2.0-OpenSSH\r\n"

    async with ScriptedServer(respond, keep_alive=False) as server:
        assert await asyncio.to_thread(run, ["sandbox", "orders", "--base-url", server.base_url]) == 1
        assert f"no sandbox responds at {server.origin} (" in capsys.readouterr().err


def test_usage(capsys: pytest.CaptureFixture[str]) -> None:
    """An invalid base URL is a usage error; the help of the sandbox lists the commands and its own options."""
    assert run(["sandbox", "orders", "--base-url", "nonsense"]) == 2
    assert "--base-url must be like http://127.0.0.1:8899/resrun-paas" in capsys.readouterr().err
    assert run(["sandbox", "--help"]) == 0
    shown = capsys.readouterr().out
    assert all(f"│ {name} " in shown for name in ("complete", "review", "abandon", "expire", "resend", "orders"))
    assert "--port" in shown
