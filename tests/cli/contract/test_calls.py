"""`kfq contract status`, `link`, `wait`, `recall` and `download` against a platform."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from contract_platform import call_sandbox, user
from kfq_async.cli.app import run
from kfq_async.errors import TotalTimeout
from kfq_async.models.contracts import ContractStatus, ContractTasks
from kfq_async.resources.contracts import Contracts
from kfq_async.sandbox import Fault, Sandbox
from self_hosted import OPERATOR, TOKEN


def call(*arguments: str, capsys: pytest.CaptureFixture[str], status: int = 0) -> dict[str, Any]:
    """Run a command with --json, and return its output."""
    assert run(["contract", *arguments, "--json"]) == status
    values: dict[str, Any] = json.loads(capsys.readouterr().out)
    return values


def approve(platform: Sandbox, contract_id: str) -> None:
    """Approve a contract, which completes it."""
    asyncio.run(call_sandbox(platform, "contract/approval", contractId=contract_id, signer=user(OPERATOR), approval=1))


def test_status(contract_id: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The state and the open tasks are printed."""
    assert run(["contract", "status", contract_id]) == 0
    first, second, task = capsys.readouterr().out.splitlines()
    assert (first, second) == (f"contractId: {contract_id}", "status: SIGNING")
    assert task.startswith("open task: APPROVE SENDER ")
    shown = call("status", contract_id, capsys=capsys)
    assert (shown["status"], [one["taskType"] for one in shown["tasks"]]) == ("SIGNING", ["APPROVE"])


def test_link(contract_id: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A link for one account is printed on one line."""
    assert run(["contract", "link", contract_id, "--contact", OPERATOR]) == 0
    assert capsys.readouterr().out.startswith("pageUrl: http://127.0.0.1:")
    options = ["--no-login", "--hours", "1.5", "--party-name", "东方示例有限公司"]
    assert "code=" in call("link", contract_id, "--contact", OPERATOR, *options, capsys=capsys)["pageUrl"]


def test_wait(platform: Sandbox, contract_id: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A wait ends in the state that is waited for, and has a status of its own if the contract ends otherwise."""
    assert call("wait", contract_id, "--until", "SIGNING", "--until", "EXPIRED", capsys=capsys)["status"] == "SIGNING"
    approve(platform, contract_id)
    assert run(["contract", "wait", contract_id, "--auto-finish"]) == 0
    assert capsys.readouterr().out.splitlines() == [f"contractId: {contract_id}", "status: COMPLETED"]
    ended = call("wait", contract_id, "--until", "recalled", capsys=capsys, status=5)
    assert (ended["error"], ended["status"]) == ("ContractCompleted", "COMPLETED")


def test_options_of_a_wait(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The options are those of the library; a wait whose time is up shows the last state."""
    seen = []
    tasks = ContractTasks(status="SIGNING", todo_task_list=())

    async def wait(_: Contracts, contract_id: str, **options: object) -> None:
        seen.append((contract_id, options))
        raise TotalTimeout.of_wait(60.0, tasks, None)

    monkeypatch.setattr(Contracts, "wait", wait)
    options = ["--total", "60", "--auto-finish", "--until", "recalled", "--token", TOKEN]
    timeout = call("wait", "c-1", *options, capsys=capsys, status=6)
    assert seen == [("c-1", {"until": (ContractStatus.RECALLED,), "total": 60.0, "auto_finish": True})]
    assert (timeout["error"], timeout["status"]) == ("TotalTimeout", "SIGNING")


def test_recall(contract_id: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A contract is withdrawn once; the second time the platform refuses."""
    assert call("recall", contract_id, capsys=capsys)["status"] == "RECALLED"
    assert run(["contract", "recall", contract_id]) == 1
    assert "BusinessError" in capsys.readouterr().err


def test_download(platform: Sandbox, contract_id: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Only a complete contract is downloaded, unless the other is meant; the path is printed."""
    options = ["download", contract_id, "--contact", OPERATOR, "--to", f"{tmp_path}/"]
    assert call(*options, capsys=capsys, status=6)["error"] == "ContractUnfinished"
    assert list(tmp_path.iterdir()) == []
    early = call(*options, "--allow-unfinished", capsys=capsys)
    approve(platform, contract_id)
    assert run(["contract", *options]) == 0
    _, line = capsys.readouterr().out.splitlines()
    path = Path(line.removeprefix("path: "))
    assert path.read_bytes().startswith(b"%PDF")
    assert {str(path), early["path"]} == set(map(str, tmp_path.iterdir()))


def test_failures(platform: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    """A failure of the platform is printed with its exit status."""
    platform.inject_faults(Fault("internal-500", times=99))
    assert call("status", "c-1", capsys=capsys, status=1)["error"] == "ServerError"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["status"], "CONTRACT_ID"),
        (["status", "c-1", "--token", ""], "give --token or set KFQ_APP_AUTH_TOKEN"),
        (["status", "c-1", "--base-url", "ftp://example.com"], "base_url must be like https://"),
        (["status", "\udcff"], "the request cannot be written"),
        (["link", "c-1"], "--contact"),
        (["link", "c-1", "--contact", OPERATOR, "--no-login", "--hours", "73"], "--hours must be more than 0"),
        (["link", "c-1", "--contact", OPERATOR, "--hours", "1"], "expires_at needs no_login=True"),
        (["wait", "c-1", "--total", "-1"], "total"),
        (["wait", "c-1", "--until", "DONE"], "--until"),
    ],
)
def test_usage_errors(
    arguments: list[str], message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A usage error exits with 2 and says what to give; nothing is sent."""
    monkeypatch.setenv("KFQ_APP_AUTH_TOKEN", TOKEN)
    monkeypatch.setenv("KFQ_BASE_URL", "http://127.0.0.1:9/resrun-paas")
    assert run(["contract", *arguments]) == 2
    assert message in capsys.readouterr().err


def test_contacts_are_masked(contract_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A contact and a token are masked where variables are shown."""
    seen: list[Any] = []

    def run_call(*arguments: object) -> int:
        seen.extend(arguments)
        return 0

    monkeypatch.setattr("kfq_async.cli.contract.link.run_call", run_call)
    assert run(["contract", "link", contract_id, "--contact", OPERATOR]) == 0
    connection, call_platform = seen
    shown = repr([connection, *(cell.cell_contents for cell in call_platform.__closure__)])
    assert contract_id in shown
    assert OPERATOR not in shown
    assert connection.token not in shown
