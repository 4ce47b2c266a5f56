"""`kfq link`: one company from the command line."""

import io
import json
import signal
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from kfq_async.cli.app import run
from kfq_async.sandbox import Fault, Sandbox
from output import quiet_environment


@pytest.fixture
def connection_options(kfq_sandbox: Sandbox) -> list[str]:
    """Options for the token and base URL of the sandbox."""
    return ["--token", kfq_sandbox.token, "--base-url", kfq_sandbox.base_url]


def test_options_become_the_request(
    connection_options: list[str], kfq_sandbox: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every option becomes its field of the request."""
    options = {
        "--company-name": "某某科技有限公司",
        "--credit-code": "91110000MA01234567",
        "--legal-rep-name": "张三",
        "--company-type": "1",
        "--account-name": "13800138000",
        "--client-user-id": "user-1",
        "--operator-name": "李四",
        "--id-card": "110101199001011234",
        "--id-card-type": "1",
        "--mobile": "13800138000",
        "--bank-card": "6222",
        "--corp-verify-method": "letter",
        "--person-verify-method": "face",
        "--callback-page": "https://example.com/done",
        "--auth-callback-url": "https://example.com/hook",
        "--client-request-id": "request-1",
    }
    given = [part for pair in options.items() for part in pair]
    assert run(["link", *connection_options, *given, "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    (order,) = kfq_sandbox.orders
    assert shown["orderNo"] == order.order_no
    assert shown["authUrl"].startswith(kfq_sandbox.origin)
    assert (shown["clientRequestId"], shown["attempts"]) == ("request-1", 1)
    assert json.loads(order.request) == {
        "accountName": "13800138000",
        "clientUserId": "user-1",
        "corpIdentInfo": {
            "companyName": "某某科技有限公司",
            "creditCode": "91110000MA01234567",
            "legalRepName": "张三",
            "companyType": 1,
        },
        "corpIdentConfig": {"corpVerifyMethods": ["letter"]},
        "oprIdentInfo": {
            "name": "李四",
            "idCard": "110101199001011234",
            "idCardType": 1,
            "mobile": "13800138000",
            "bankCard": "6222",
        },
        "oprIdentConfig": {"personVerifyMethods": ["face"]},
        "callbackPage": "https://example.com/done",
        "authCallbackUrl": "https://example.com/hook",
        "clientRequestId": "request-1",
    }


def test_text_output(
    connection_options: list[str],
    kfq_sandbox: Sandbox,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The text output has one line per value, which is not folded on a narrow terminal."""
    monkeypatch.setenv("COLUMNS", "40")
    assert run(["link", *connection_options, "--company-name", "甲"]) == 0
    (order,) = kfq_sandbox.orders
    link = f"{kfq_sandbox.origin}/sandbox/identify/{order.order_no}?code={order.code}"
    assert capsys.readouterr().out.splitlines() == [
        f"orderNo: {order.order_no}",
        f"authUrl: {link}",
        f"clientRequestId: {order.client_request_id}",
        "attempts: 1",
    ]


def test_environment(kfq_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """KFQ_APP_AUTH_TOKEN and KFQ_BASE_URL are read; options take precedence."""
    monkeypatch.setenv("KFQ_APP_AUTH_TOKEN", "NOTTHIS1")
    monkeypatch.setenv("KFQ_BASE_URL", kfq_sandbox.base_url)
    assert run(["link", "--company-name", "甲"]) == 1
    assert "CredentialsError" in capsys.readouterr().err
    assert run(["link", "--company-name", "甲", "--token", kfq_sandbox.token]) == 0


def test_file(
    connection_options: list[str], kfq_sandbox: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """--file reads the platform's JSON with its id; --client-request-id takes precedence."""
    file = tmp_path / "request.json"
    file.write_text(json.dumps({"corpIdentInfo": {"companyName": "甲"}, "clientRequestId": "from-file"}))
    assert run(["link", *connection_options, "--file", str(file)]) == 0
    assert run(["link", *connection_options, "--file", str(file), "--client-request-id", "mine"]) == 0
    assert [order.client_request_id for order in kfq_sandbox.orders] == ["from-file", "mine"]
    assert "from-file" in capsys.readouterr().out


def test_standard_input(connection_options: list[str], kfq_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--file -` reads standard input, so that no personal data appears on a command line."""
    given = io.BytesIO(json.dumps({"corpIdentInfo": {"companyName": "乙"}}).encode())
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=given))
    assert run(["link", *connection_options, "--file", "-"]) == 0
    assert kfq_sandbox.orders[0].company_name == "乙"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"accountName": 1}', "expected a string, not a number @ $.accountName"),
        (b'{"corpIdentInfo": {"name": "x"}}', "unknown key name @ $.corpIdentInfo"),
        (b"[]", "expected an object, not a list @ $"),
        (b'{"a":\n}', "is not JSON in UTF-8, line 2"),
        ("{“a”: 1}".encode("gb18030"), "is not JSON in UTF-8"),
        (b"[" * 200_000, "is nested too deeply for a request"),
        (b'{"corpIdentInfo": {"companyType": 99999999999999999999}}', "$.corpIdentInfo.companyType"),
    ],
)
def test_invalid_file(
    content: bytes, message: str, connection_options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An invalid file is a usage error that names the place."""
    file = tmp_path / "request.json"
    file.write_bytes(content)
    assert run(["link", *connection_options, "--file", str(file)]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "name the company"),
        (
            ["--company-name", "甲", "--corp-verify-method", "letter", "--file", "x.json"],
            "leave out --company-name, --corp-verify-method",
        ),
        (["--company-name", "\udcff"], "the request cannot be written as JSON: $.corpIdentInfo.companyName"),
        (["--company-name", "甲", "--base-url", "http://foo..bar/resrun-paas"], "kfq: "),
        (["--file", "/nowhere.json"], "--file /nowhere.json: No such file"),
        (["--company-name", "甲", "--token", ""], "give --token or set KFQ_APP_AUTH_TOKEN"),
        (["--company-name", "甲", "--base-url", "home.kaifangqian.com"], "base_url must be like https://"),
        (["--company-name", "甲", "--total", "0"], "Timeouts.total must be more than 0"),
    ],
)
def test_usage_errors(
    arguments: list[str], message: str, connection_options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """A usage error exits with 2 and says what to give."""
    token, base_url = connection_options[:2], connection_options[2:]
    missing = [*(token if "--token" not in arguments else ()), *(base_url if "--base-url" not in arguments else ())]
    assert run(["link", *missing, *arguments]) == 2
    assert message in capsys.readouterr().err


def test_failure(connection_options: list[str], kfq_sandbox: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    """A failed call exits with 1 and shows the id for a retry."""
    kfq_sandbox.inject_faults(Fault("lose-request"))
    options = [*connection_options, "--company-name", "甲", "--client-request-id", "retry-1", "--total", "1.5"]
    assert run(["link", *options]) == 1
    captured = capsys.readouterr()
    assert "ConnectionLost" in captured.err
    assert "--client-request-id retry-1" in captured.err


def test_refusal(connection_options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """After a refusal there is no advice to retry."""
    assert run(["link", "--token", "WRONG001", *connection_options[2:], "--company-name", "甲"]) == 1
    error = capsys.readouterr().err
    assert "CredentialsError" in error
    assert "To retry" not in error


def test_server_error(connection_options: list[str], kfq_sandbox: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    """A server error may come after the request was executed, so the id is shown, quoted for a shell."""
    kfq_sandbox.inject_faults(Fault("internal-500"))
    assert (
        run(["link", *connection_options, "--company-name", "甲", "--client-request-id", "my id", "--total", "2"]) == 1
    )
    error = capsys.readouterr().err
    assert "ServerError" in error
    assert "--client-request-id 'my id'" in error


def test_failure_without_an_id(
    connection_options: list[str], kfq_sandbox: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A request whose id was set to null cannot be retried, so there is no advice."""
    kfq_sandbox.inject_faults(Fault("lose-request"))
    file = tmp_path / "request.json"
    file.write_text('{"corpIdentInfo": {"companyName": "甲"}, "clientRequestId": null}')
    assert run(["link", *connection_options, "--file", str(file), "--total", "0.3"]) == 1
    error = capsys.readouterr().err
    assert "ConnectionLost" in error
    assert "To retry" not in error


INTERRUPTIBLE = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell ignores it for background jobs
from kfq_async.cli import main
main(sys.argv[1:])
"""


def test_interrupt() -> None:
    """Ctrl-C during the call shows the id, since the order may exist."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        base_url = f"http://127.0.0.1:{server.getsockname()[1]}"
        options = ["link", "--company-name", "甲", "--token", "TENANT01", "--base-url", base_url]
        process = subprocess.Popen(
            [sys.executable, "-c", INTERRUPTIBLE, *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=quiet_environment(),
        )
        connection, _ = server.accept()
        with connection:
            sent = b""
            while not sent.endswith(b"}"):
                sent += connection.recv(65536)
            process.send_signal(signal.SIGINT)
            _, error = process.communicate(timeout=20)
    request_id = json.loads(sent.partition(b"\r\n\r\n")[2])["clientRequestId"]
    assert process.returncode == 130
    assert error == f"To retry the same request, run the command again with --client-request-id {request_id}\n"


def test_failure_as_json(connection_options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """With --json a failure is an object with class, code, phase and id."""
    options = ["--token", "WRONG001", *connection_options[2:], "--company-name", "甲", "--client-request-id", "retry-1"]
    assert run(["link", *options, "--json"]) == 1
    shown = json.loads(capsys.readouterr().out)
    assert shown.pop("text").startswith("POST /auth/corp/ident/link: the platform reported error 41000")
    assert shown == {
        "error": "CredentialsError",
        "code": 41000,
        "phase": "answered",
        "attempts": 1,
        "clientRequestId": "retry-1",
    }
