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


@pytest.fixture
def door(kfq_sandbox: Sandbox) -> list[str]:
    """The options that lead to the sandbox."""
    return ["--token", kfq_sandbox.token, "--base-url", kfq_sandbox.base_url]


def test_options_become_the_request(door: list[str], kfq_sandbox: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    """Every option reaches the platform under its own name."""
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
    assert run(["link", *door, *given, "--json"]) == 0
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


def test_the_link_is_in_one_piece(
    door: list[str], kfq_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without --json there is a line each for order, link, id and attempts, however narrow the terminal is."""
    monkeypatch.setenv("COLUMNS", "40")
    assert run(["link", *door, "--company-name", "甲"]) == 0
    (order,) = kfq_sandbox.orders
    link = f"{kfq_sandbox.origin}/sandbox/identify/{order.order_no}?code={order.code}"
    assert capsys.readouterr().out.splitlines() == [
        f"orderNo: {order.order_no}",
        f"authUrl: {link}",
        f"clientRequestId: {order.client_request_id}",
        "attempts: 1",
    ]


def test_the_environment_holds_token_and_base_url(
    kfq_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """KFQ_APP_AUTH_TOKEN and KFQ_BASE_URL are read, and options win over them."""
    monkeypatch.setenv("KFQ_APP_AUTH_TOKEN", "NOTTHIS1")
    monkeypatch.setenv("KFQ_BASE_URL", kfq_sandbox.base_url)
    assert run(["link", "--company-name", "甲"]) == 1
    assert "CredentialsError" in capsys.readouterr().err
    assert run(["link", "--company-name", "甲", "--token", kfq_sandbox.token]) == 0


def test_a_file_holds_the_whole_request(
    door: list[str], kfq_sandbox: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """--file takes the platform's own JSON; the id in it is kept, and --client-request-id wins over it."""
    file = tmp_path / "request.json"
    file.write_text(json.dumps({"corpIdentInfo": {"companyName": "甲"}, "clientRequestId": "from-file"}))
    assert run(["link", *door, "--file", str(file)]) == 0
    assert run(["link", *door, "--file", str(file), "--client-request-id", "mine"]) == 0
    assert [order.client_request_id for order in kfq_sandbox.orders] == ["from-file", "mine"]
    assert "from-file" in capsys.readouterr().out


def test_standard_input_is_a_file_too(door: list[str], kfq_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--file -` reads standard input, so that nothing personal need stand on a command line."""
    given = io.BytesIO(json.dumps({"corpIdentInfo": {"companyName": "乙"}}).encode())
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=given))
    assert run(["link", *door, "--file", "-"]) == 0
    assert kfq_sandbox.orders[0].company_name == "乙"


@pytest.mark.parametrize(
    ("content", "said"),
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
def test_a_poor_file_is_said(
    content: bytes, said: str, door: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file that is no request exits with 2 and names the place."""
    file = tmp_path / "request.json"
    file.write_bytes(content)
    assert run(["link", *door, "--file", str(file)]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "say which company"),
        (
            ["--company-name", "甲", "--corp-verify-method", "letter", "--file", "x.json"],
            "leave out --company-name, --corp-verify-method",
        ),
        (["--company-name", "\udcff"], "the request cannot be written as JSON: $.corpIdentInfo.companyName"),
        (["--company-name", "甲", "--base-url", "http://foo..bar/resrun-paas"], "kfq: "),
        (["--file", "/nowhere.json"], "--file /nowhere.json: No such file"),
        (["--company-name", "甲", "--token", ""], "--token or in KFQ_APP_AUTH_TOKEN"),
        (["--company-name", "甲", "--base-url", "home.kaifangqian.com"], "base_url must be like https://"),
        (["--company-name", "甲", "--total", "0"], "Timeouts.total must be more than 0"),
    ],
)
def test_wrong_use_is_said(
    arguments: list[str], said: str, door: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Wrong use exits with 2 and says what to give."""
    token, base_url = door[:2], door[2:]
    missing = [*(token if "--token" not in arguments else ()), *(base_url if "--base-url" not in arguments else ())]
    assert run(["link", *missing, *arguments]) == 2
    assert said in capsys.readouterr().err


def test_a_failure_keeps_the_id(door: list[str], kfq_sandbox: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    """A failed call exits with 1 and shows the id under which the same can be asked again."""
    kfq_sandbox.inject_faults(Fault("lose-request"))
    options = [*door, "--company-name", "甲", "--client-request-id", "again-1", "--total", "1.5"]
    assert run(["link", *options]) == 1
    captured = capsys.readouterr()
    assert "ConnectionLost" in captured.err
    assert "--client-request-id again-1" in captured.err


def test_a_refusal_is_not_to_be_asked_again(door: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """After a refusal there is no advice to ask the same again."""
    assert run(["link", "--token", "WRONG001", *door[2:], "--company-name", "甲"]) == 1
    said = capsys.readouterr().err
    assert "CredentialsError" in said
    assert "ask again" not in said


def test_a_failure_of_the_platform_may_be_asked_again(
    door: list[str], kfq_sandbox: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    """The platform's own failure may have come after it acted, so the id is shown, ready for a shell."""
    kfq_sandbox.inject_faults(Fault("internal-500"))
    assert run(["link", *door, "--company-name", "甲", "--client-request-id", "my id", "--total", "2"]) == 1
    said = capsys.readouterr().err
    assert "ServerError" in said
    assert "--client-request-id 'my id'" in said


def test_without_an_id_nothing_can_be_asked_again(
    door: list[str], kfq_sandbox: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A request whose id was set to null has no line that tells how to ask again."""
    kfq_sandbox.inject_faults(Fault("lose-request"))
    file = tmp_path / "request.json"
    file.write_text('{"corpIdentInfo": {"companyName": "甲"}, "clientRequestId": null}')
    assert run(["link", *door, "--file", str(file), "--total", "0.3"]) == 1
    said = capsys.readouterr().err
    assert "ConnectionLost" in said
    assert "ask again" not in said


INTERRUPTIBLE = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell in the background would have it ignored
from kfq_async.cli import main
main(sys.argv[1:])
"""


def test_an_interrupt_keeps_the_id() -> None:
    """Ctrl-C while the answer is awaited shows the id, since the order may exist by now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        base_url = f"http://127.0.0.1:{server.getsockname()[1]}"
        options = ["link", "--company-name", "甲", "--token", "TENANT01", "--base-url", base_url]
        process = subprocess.Popen(
            [sys.executable, "-c", INTERRUPTIBLE, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        connection, _ = server.accept()
        with connection:
            sent = b""
            while not sent.endswith(b"}"):
                sent += connection.recv(65536)
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=20)
    chosen = json.loads(sent.partition(b"\r\n\r\n")[2])["clientRequestId"]
    assert process.returncode == 130
    assert said == f"To ask again for the same: --client-request-id {chosen}\n"


def test_a_failure_as_json(door: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """With --json a failure is an object with class, code, phase and id."""
    options = ["--token", "WRONG001", *door[2:], "--company-name", "甲", "--client-request-id", "again-1"]
    assert run(["link", *options, "--json"]) == 1
    shown = json.loads(capsys.readouterr().out)
    assert shown.pop("text").startswith("POST /auth/corp/ident/link: the platform refused with code 41000")
    assert shown == {
        "error": "CredentialsError",
        "code": 41000,
        "phase": "answered",
        "attempts": 1,
        "clientRequestId": "again-1",
    }
