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
from kfq_async.languages import use_language
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


def test_tasks_in_chinese(capsys: pytest.CaptureFixture[str]) -> None:
    """States and kinds of tasks have their Chinese, with the value of the platform in brackets."""
    with use_language("zh"):
        print_tasks("c-1", TASKS, as_json=False)
    assert capsys.readouterr().out.splitlines() == [
        "合同 ID（contractId）: c-1",
        "状态（status）: 签署中（SIGNING）",
        "待办任务：签署（SIGN） 个人（PERSONAL） 张三 13800138000 (t-1)",
        "待办任务：审批（APPROVE） 发起方（SENDER） 某某公司 (t-2)",
        "待办任务：签署（SIGN） 13900139000 (t-3)",
    ]


PERSONAL_MESSAGE = "张三\n的手机号格式错误"


@pytest.mark.parametrize("show_message", [False, True])
@pytest.mark.parametrize("wrapped", [False, True])
def test_message_of_the_platform(*, show_message: bool, wrapped: bool, capsys: pytest.CaptureFixture[str]) -> None:
    """The text of an error names the switch that shows the whole message, and no attribute of Python."""
    error: KfqError = BusinessError(31000, PERSONAL_MESSAGE, http_status=200, meaning="business failure")
    if wrapped:
        error = OutcomeUnknown(error)
    print_failure(error, as_json=False, show_message=show_message)
    shown = capsys.readouterr().err
    assert "--show-message" in shown
    assert "error.message" not in shown
    assert ("kfq: message of the platform: 张三 的手机号格式错误\n" in shown) is show_message
    assert ("张三" in shown) is show_message


@pytest.mark.parametrize("error", [BusinessError(31000, None, http_status=200), KfqError("the session is closed")])
def test_error_without_a_message(error: KfqError, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a message of the platform, there is nothing more to show."""
    print_failure(error, as_json=False, show_message=True)
    assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.parametrize(
    ("error", "english", "chinese"),
    [
        (ContractUnfinished("c-1", TASKS), "; add --allow-unfinished to", "如需按现状下载，请加 --allow-unfinished"),
        (
            ContractStuck("the contract stays in START", contract_id="c-1", tasks=TASKS),
            "withdraw it with `kfq contract recall`",
            "合同停留在 START 状态；请用 `kfq contract recall` 撤回",
        ),
        (
            TasksUnavailable("c-1", ConnectionLost("the response was cut short")),
            "run `kfq contract status` instead of",
            "请运行 `kfq contract status`，不要重复该操作",
        ),
    ],
)
def test_advice_for_the_command_line(
    error: KfqError, english: str, chinese: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Advice names commands and options."""
    print_failure(error, as_json=False)
    assert english in capsys.readouterr().err
    with use_language("zh"):
        print_failure(error, as_json=False)
    assert chinese in capsys.readouterr().err


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
    assert (captured.out, captured.err.count("\n")) == ("", 1)
    assert captured.err.startswith(f"kfq: {type(error).__name__}: ")
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
