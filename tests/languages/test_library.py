"""Chinese of texts as the library really makes them: codes, errors, problems of rows, faults of the sandbox."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from attrs import evolve

from kfq_async.contracts.lifecycle import find_addition_obstacle, find_stuck
from kfq_async.errors import (
    ApiError,
    ContractCompleted,
    ContractStuck,
    ContractUnfinished,
    HiddenErrorPage,
    KfqError,
    OutcomeUnknown,
    RunPaused,
    SourceError,
    TasksUnavailable,
    TotalTimeout,
)
from kfq_async.languages import catalogue_for
from kfq_async.models.contracts import ContractStatus, ContractTask, ContractTasks
from kfq_async.models.identity import CorpIdentInfo, CorpIdentLinkRequest, OprIdentInfo
from kfq_async.onboarding.failures import systemic_failure_advice
from kfq_async.onboarding.input.mapping import FIELDS, Columns
from kfq_async.onboarding.input.remarks import remark_error
from kfq_async.onboarding.input.validation import validate
from kfq_async.protocol.codes import classify_code
from kfq_async.protocol.envelope import Envelope, EnvelopeKind
from kfq_async.protocol.responses import HttpResponse, read_response
from kfq_async.resources.auth import CORP_IDENT_LINK
from kfq_async.resources.contracts import CONTRACT_TASKS
from kfq_async.sandbox.faults import FAULT_KINDS, Fault
from kfq_async.sandbox.quirks import QUIRKS

if TYPE_CHECKING:
    from kfq_async.protocol.operation import Operation

translate = catalogue_for("zh").translate
ENGLISH = re.compile("[a-z]+ [a-z]+ [a-z]+")
"""Three English words in a row."""


@pytest.mark.parametrize("kind", list(EnvelopeKind))
def test_codes(kind: EnvelopeKind) -> None:
    """Each meaning of a code has its Chinese, and so has the error with that code."""
    codes = (None, *range(400, 600), *range(20_000, 52_100), 91_000, 999_999)
    meanings = {classify_code(Envelope(kind=kind, code=code), 200)[1]: code for code in codes}
    assert [meaning for meaning in meanings if translate(meaning) == meaning] == []
    for meaning, code in meanings.items():
        for message in (None, "手机号格式错误", "张三 手机号格式错误", "张三"):
            text = str(ApiError(code, message, http_status=200, meaning=meaning))
            assert not ENGLISH.search(translate(text)), text


@pytest.mark.parametrize(
    ("text", "translated"),
    [
        (
            "foo",
            "'foo' 不是有效的故障，格式应如 'delay:0.2@0.1' 或 'lose-response*2'：没有故障 'foo'；可用类型：refuse, ",
        ),
        ("502/maybe", "'maybe' 既不是 'acted' 也不是 'unacted'"),
        ("refuse/acted", "：故障 'refuse' 总是在不执行的情况下发生"),
        ("delay:soon", "：'soon' 不是数字"),
        ("delay:-1", "：SECONDS 应为不小于 0 的有限秒数，而不是 -1.0"),
        ("delay*often", "：'often' 不是整数"),
        ("delay*-1", "：TIMES 应不小于 0，而不是 -1"),
        ("delay@2", "：PROBABILITY 应为 0 至 1，而不是 2.0"),
    ],
)
def test_texts_that_are_no_fault(text: str, translated: str) -> None:
    """What is wrong with the text of a fault is told in Chinese."""
    with pytest.raises(ValueError, match="is not a fault such as") as caught:
        Fault.parse(text)
    assert translated in translate(str(caught.value))


@pytest.mark.parametrize("count", [1, 2, 3])
def test_keywords_that_are_not_found(count: int) -> None:
    """Similar texts of a document are listed in Chinese."""
    found = ", ".join(f"“乙方; {number}” on page {number}" for number in range(1, count + 1))
    shown = "，".join(f"第 {number} 页“乙方; {number}”" for number in range(1, count + 1))
    text = f"keyword: “乙方盖章” was not found; found instead: {found}"
    assert translate(text) == f"未找到关键字“乙方盖章”；近似内容：{shown}"


@pytest.mark.parametrize("description", [kind.description for kind in FAULT_KINDS.values()])
def test_faults(description: str) -> None:
    """Each fault that the sandbox can inject is described in Chinese."""
    assert translate(description) != description


def test_quirks() -> None:
    """Each quirk that the sandbox imitates is described in Chinese."""
    assert [quirk.name for quirk in QUIRKS.values() if translate(quirk.summary) == quirk.summary] == []


BAD_REQUESTS = [
    CorpIdentLinkRequest(
        account_name="x",
        callback_page="x",
        auth_callback_url="https://h.example/" + "x" * 5000,
        corp_ident_info=CorpIdentInfo(credit_code=code, company_type=9),
        opr_ident_info=OprIdentInfo(id_card=card, mobile="1", bank_card="6222020000000000000"),
    )
    for code, card in (
        ("1", "1"),
        ("91110000MA0000000I", "110101199013011234"),
        ("911100000000000000", "110101199001010000"),
        ("9111XXXXMA01234567", "110101199001011"),
        ("91110000MA01234567", "110101199001011234"),
    )
]


@pytest.mark.parametrize("request_", BAD_REQUESTS)
def test_problems_of_numbers(request_: CorpIdentLinkRequest) -> None:
    """Each finding about a number has its Chinese."""
    problems = validate(request_)
    assert len(problems) > 6
    assert [problem.message for problem in problems if translate(problem.message) == problem.message] == []


CELLS = (
    "1.38E+10",
    "a\nb",
    "#N/A",
    "a\ufffd",
    "a\ue000",
    "&amp;",
    "---",
    "0000",
    "a" * 1001,
    "a" * 100_000,
    "a\x00",
    "张 三",
    "１x",
    "*",
    "é",
    "1.5",
)


@pytest.mark.parametrize("field", FIELDS)
def test_problems_of_cells(field: str) -> None:
    """Each error about a cell has its Chinese, whatever the field."""
    errors = {FIELDS[field].parse(cell)[1] for cell in CELLS} - {""}
    assert errors
    assert [error for error in errors if translate(error) == error or ENGLISH.search(translate(error))] == []


def test_rows_that_are_no_company() -> None:
    """Remarks and repeated headings are refused in Chinese."""
    columns = Columns.of(("企业名称", "账号"))
    for cells in (("企业名称", "账号"), ("合计", "")):
        error = remark_error(cells, columns)
        assert error
        assert translate(error) != error


@pytest.mark.parametrize(
    ("headings", "text"),
    [
        (("甲", "乙"), "没有对应 credit_code 或 account_name 的列；现有表头：甲, 乙"),
        (("名单",), "没有对应 credit_code 或 account_name 的列；现有表头：名单；若这是标题，请用 --header-row"),
        (("信用代马", "乙"), "没有对应 credit_code 或 account_name 的列；是否为“信用代马”？现有表头：信用代马, 乙"),
        (("13800138000",), "没有对应 credit_code 或 account_name 的列；第一行像是数据，请在其上方加一行表头"),
        (
            ("账号", "经办人账号"),
            "“账号”与“经办人账号”两列都对应 account_name；请将其中一列改名，或用 --column account",
        ),
    ],
)
def test_headings(headings: tuple[str, ...], text: str) -> None:
    """What is composed of parts is translated as a whole."""
    with pytest.raises(SourceError) as caught:
        Columns.of(headings)
    assert translate(str(caught.value)).startswith(text)


@pytest.mark.parametrize(
    "kwargs", [{"operation": "POST /x", "attempts": 1}, {"operation": "POST /x", "attempts": 3, "unique_code": "u"}]
)
def test_details_of_a_call(kwargs: dict[str, object]) -> None:
    """The details of a call follow its text in Chinese, too."""
    error = KfqError("total timeout (5 s) expired before an attempt")
    for name, value in kwargs.items():
        setattr(error, name, value)
    text = translate(str(error))
    assert text.startswith("POST /x：总超时（5 秒）在发出请求前已到［未发送，尝试 ")
    assert text.endswith("次］" if error.unique_code is None else "，uniqueCode u］")


def test_pause() -> None:
    """A pause names the error and its remedy."""
    advice = systemic_failure_advice(ApiError(41003, None, http_status=200))
    assert advice is not None
    paused = RunPaused(ApiError(41003, "余额不足", http_status=200, meaning="no balance"), advice)
    assert translate(str(paused)) == "已暂停：平台返回错误 41003（余额不足）“余额不足”。请为账户充值"


@pytest.mark.parametrize(
    "text", ["a: " * 3000, "a; " * 3000, "a. " * 3000, "[" * 9000, "{} {x} %s", "HTTP 1 with " * 500]
)
def test_any_text(text: str) -> None:
    """Nested and long texts, and those with braces, stay as they are."""
    assert translate(text) == text


HIDDEN_PAGE = '{"code": 401, "message": "应用Token失效，请重新获取", "success": true}'.encode()


@pytest.mark.parametrize(
    "operation",
    [CORP_IDENT_LINK, CONTRACT_TASKS, evolve(CONTRACT_TASKS, rate_limited=not CONTRACT_TASKS.rate_limited)],
    ids=lambda each: each.path,
)
def test_hidden_error_page(operation: Operation[Any, Any]) -> None:
    """The hidden error page is explained in Chinese, also in a pause and where the outcome is unknown."""
    error = read_response(HttpResponse(401, {}, HIDDEN_PAGE), operation, "https://h.example/resrun-paas")
    assert isinstance(error, HiddenErrorPage)
    advice = systemic_failure_advice(error)
    assert advice is not None
    for shown in (error, OutcomeUnknown(error), RunPaused(error, advice), TasksUnavailable("1", error)):
        text = translate(str(shown))
        assert "与令牌无关：" in text
        assert not ENGLISH.search(text)


def contract_tasks(status: ContractStatus, count: int = 0) -> ContractTasks:
    """Return the tasks of a contract in a state, with a number of open ones."""
    task = ContractTask(task_id="1", task_type="SIGN", party_type="PERSONAL")
    return ContractTasks(status=status, todo_task_list=(task,) * count)


@pytest.mark.parametrize("status", list(ContractStatus))
def test_states_of_contracts(status: ContractStatus) -> None:
    """Each error about the state of a contract has its Chinese."""
    tasks = contract_tasks(status)
    found = [
        find_stuck("1", tasks),
        find_addition_obstacle("1", tasks, revive=False),
        ContractCompleted("1", tasks),
        ContractStuck("the contract stays in START", contract_id="1", tasks=tasks),
        *(ContractUnfinished("1", contract_tasks(status, count)) for count in (0, 1, 2)),
        TotalTimeout.of_wait(5.0, tasks, None),
        TotalTimeout.of_wait(5.0, None, KfqError("the response was cut short")),
    ]
    errors = [error for error in found if error is not None]
    assert [text for error in errors if ENGLISH.search(text := translate(str(error)))] == []


def test_problems_of_results() -> None:
    """Each problem of a result is translated, with its path."""
    text = "required key missing @ $.result.a; expected a string, not a number @ $.result.b"
    assert translate(text) == "缺少必填字段 @ $.result.a；应为字符串，而不是数字 @ $.result.b"
