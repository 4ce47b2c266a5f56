"""Output of `kfq contract`: tasks as text and JSON, and an exit status for each error."""

import json

import pytest

from kfq_async.cli.contract.results import ContractExit, print_failure, print_tasks
from kfq_async.errors import (
    BusinessError,
    ConnectionLost,
    ContractCompleted,
    ContractEnded,
    ContractStuck,
    ContractUnfinished,
    KfqError,
    OutcomeUnknown,
    TasksUnavailable,
    TotalTimeout,
)
from kfq_async.models.contracts import (
    ContractStatus,
    ContractTask,
    ContractTasks,
    TaskParty,
)

PARTY = TaskParty(name="张三", contact_type="MOBILE", contact="13800138000")
TASKS = ContractTasks(
    status="SIGNING",
    todo_task_list=(
        ContractTask(task_id="t-1", task_type="SIGN", party_type="PERSONAL", party_name="13800138000", party=PARTY),
        ContractTask(task_id="t-2", task_type="APPROVE", party_type="SENDER", party_name="某某公司"),
        ContractTask(task_id="t-3", task_type="SIGN", party=TaskParty(contact="13900139000")),
    ),
)


def test_tasks(capsys: pytest.CaptureFixture[str]) -> None:
    """A task shows whom it waits for: the person of the draft, else the party."""
    print_tasks("c-1", TASKS, as_json=False)
    assert capsys.readouterr().out.splitlines() == [
        "contractId: c-1",
        "status: SIGNING",
        "open task: SIGN PERSONAL 张三 13800138000 (t-1)",
        "open task: APPROVE SENDER 某某公司 (t-2)",
        "open task: SIGN 13900139000 (t-3)",
    ]


def test_tasks_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    """JSON has all fields of the tasks, with the platform's names."""
    print_tasks("c-1", TASKS, as_json=True)
    shown = json.loads(capsys.readouterr().out)
    assert (shown["contractId"], shown["status"]) == ("c-1", "SIGNING")
    assert shown["tasks"][0] == {
        "taskId": "t-1",
        "taskType": "SIGN",
        "partyType": "PERSONAL",
        "partyName": "13800138000",
        "party": {"name": "张三", "contactType": "MOBILE", "contact": "13800138000"},
    }
    assert shown["tasks"][1]["party"] is None


LOST = ConnectionLost("the connection was lost")


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ContractStuck("the contract stays in START", contract_id="c-1", tasks=TASKS), ContractExit.STUCK),
        (ContractUnfinished("c-1", TASKS), ContractExit.UNFINISHED),
        (ContractEnded("c-1", TASKS), ContractExit.ENDED),
        (ContractCompleted("c-1", TASKS), ContractExit.ENDED),
        (TotalTimeout.of_wait(60.0, TASKS, None), ContractExit.UNFINISHED),
        (TotalTimeout.of_wait(60.0, None, LOST), ContractExit.FAILED),
        (OutcomeUnknown(LOST), ContractExit.IN_DOUBT),
        (TasksUnavailable("c-1", LOST), ContractExit.IN_DOUBT),
        (LOST, ContractExit.FAILED),
    ],
    ids=lambda value: type(value).__name__,
)
def test_exit_statuses(error: KfqError, status: ContractExit, capsys: pytest.CaptureFixture[str]) -> None:
    """Each kind of error has its exit status, and is shown as text or JSON."""
    assert print_failure(error, as_json=False) is status
    captured = capsys.readouterr()
    assert (captured.out, captured.err.rstrip("\n")) == ("", f"kfq: {type(error).__name__}: {error}")
    assert print_failure(error, as_json=True) is status
    shown = json.loads(capsys.readouterr().out)
    state = {} if getattr(error, "tasks", None) is None else {"status": ContractStatus.SIGNING}
    assert shown == {
        "error": type(error).__name__,
        "code": None,
        "phase": error.phase,
        "attempts": 0,
        "text": str(error),
        **state,
    }


def test_codes(capsys: pytest.CaptureFixture[str]) -> None:
    """JSON has the code of an error that the platform reported."""
    print_failure(BusinessError(31_000, "refused", http_status=200), as_json=True)
    assert json.loads(capsys.readouterr().out)["code"] == 31_000
