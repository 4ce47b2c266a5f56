"""Operation and miss → code, on which client and sandbox agree: each operation of a self-hosted platform, misused.

A row names the operation, what is wrong with the call, and the platform's code.
Where a method of the session cannot be called so, the request is a mapping.
"""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
from attrs import evolve, frozen

import kfq_async as kfq
from kfq_async.sandbox import Sandbox
from kfq_async.transport import retry

TOKEN, STOPPED_TOKEN = "AGREE001", "AGREE002"
CHIEF = kfq.ContractUser(name="丁一", contact_type="MOBILE", contact="13700000001")
CLERK = kfq.ContractUser(name="冯二", contact_type="MOBILE", contact="13700000002")
PERSON = kfq.ContractUser(name="蒋三", contact_type="MOBILE", contact="13700000003")
OUTSIDER = kfq.ContractUser(name="沈四", contact_type="MOBILE", contact="13700000004")
STRANGER = kfq.ContractUser(name="韩五", contact_type="EMAIL", contact="han@example.org")


def account(user: kfq.ContractUser, **more: object) -> dict[str, object]:
    """Return the entry of an account."""
    return {"name": user.name, "contactType": user.contact_type, "contact": user.contact, **more}


FIXTURES: dict[str, Any] = {
    "enterprises": [
        {
            "name": "南方示例有限公司",
            "developers": [{"appAuthToken": TOKEN}, {"appAuthToken": STOPPED_TOKEN, "enabled": False}],
            "members": [account(CHIEF, operatorAccounts={TOKEN: "erp-ding"}), account(CLERK)],
            "lines": [
                {"signReId": "sales", "signReName": "销售"},
                {"signReId": "old", "signReName": "旧业务", "enabled": False},
            ],
        },
        {
            "name": "北方示例有限公司",
            "developers": [{"appAuthToken": "AGREE003"}],
            "members": [account(OUTSIDER)],
            "lines": [{"signReId": "north", "signReName": "北方"}],
        },
    ],
    "persons": [account(PERSON, seals=[{"sealId": "seal-3", "default": True}])],
}
GRANT = {"signReId": "sales", "sealId": "seal-3", "until": "2999-12-31"}
PDF = "\n".join(
    (
        *("%PDF-1.4", "1 0 obj", "<< /Type /Catalog /Pages 2 0 R >>", "endobj"),
        *("2 0 obj", "<< /Type /Pages /Count 1 /Kids [3 0 R] >>", "endobj"),
        *("3 0 obj", "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] >>", "endobj"),
        *("xref", "0 4", "0000000000 65535 f ", "0000000009 00000 n ", "0000000058 00000 n ", "0000000115 00000 n "),
        *("trailer", "<< /Size 4 /Root 1 0 R >>", "startxref", "186", "%%EOF", ""),
    )
).encode()
UPLOAD = kfq.Operation[Any, Any]("POST", "/document/file", credentials=kfq.CredentialPlacement.PARAMETERS)
APPROVAL = kfq.InternalNode(node_type="APPROVER_CHECK", signer_order="1", signer=CHIEF)
SENDER = kfq.ContractSigner(signer_type="SENDER", signer_order="1", internal_node_list=[APPROVAL])
RECEIVER = kfq.ContractSigner(signer_type="RECEIVER_PERSONAL", signer_order="2", receiver=PERSON)


@frozen
class Platform:
    """A session with a sandbox, and contracts in each state that a row needs.

    ``running`` waits for an approval and finishes by itself; ``open`` waits for a person and does not.
    """

    session: kfq.AsyncSession
    request: kfq.ContractDraftRequest
    draft: str
    running: str
    open: str

    async def draft_with(self, **changes: Any) -> object:
        """Draft a contract with changes of a valid request."""
        return await self.session.contracts.draft(evolve(self.request, **changes))

    async def send(self, operation: kfq.Operation[Any, Any], fields: Mapping[str, object]) -> object:
        """Send a mapping."""
        return await self.session.send(operation, fields)


@asynccontextmanager
async def platform_with(fixtures: Mapping[str, Any]) -> AsyncIterator[Platform]:
    """Yield a platform with contracts."""
    policy = kfq.RetryPolicy(attempts=2, initial=0.01, maximum=0.02)
    async with (
        Sandbox(fixtures=fixtures) as sandbox,
        kfq.AsyncSession(TOKEN, base_url=sandbox.base_url, retry=policy, rate_limit=None) as session,
    ):
        file = {"fileName": "协议", "file": base64.b64encode(PDF).decode(), "fileSuffix": ".pdf"}
        uploaded = (await session.send(UPLOAD, file)).result
        request = kfq.ContractDraftRequest(
            send="1",
            operator=CHIEF,
            sign_re_id="sales",
            subject="供货",
            sign_document_list=[kfq.SignDocument(doc_id=uploaded["docId"])],
            signer_list=[SENDER, RECEIVER],
        )
        draft, running, open_ = [
            (await session.contracts.draft(each)).contract_id
            for each in (
                evolve(request, send="0"),
                request,
                evolve(request, auto_finish=0, signer_list=[evolve(SENDER, internal_node_list=()), RECEIVER]),
            )
        ]
        yield Platform(session, request, draft, running, open_)


@pytest.fixture
async def platform(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Platform]:
    """A platform with contracts; the wait after a hidden error page is short."""
    monkeypatch.setattr(retry, "MIN_TOO_FREQUENT", 0.01)
    async with platform_with(FIXTURES) as platform:
        yield platform


Call = Callable[[Platform], Awaitable[object]]
CLASSES: dict[int, type[kfq.ApiError]] = {
    21000: kfq.ParameterError,
    23000: kfq.ParameterError,
    31000: kfq.BusinessError,
    500: kfq.ServerError,
}
ROWS: list[tuple[str, str, int, Call]] = [
    ("signRes", "contact absent", 31000, lambda p: p.send(kfq.BUSINESS_LINES, {})),
    ("signRes", "unknown", 31000, lambda p: p.session.accounts.business_lines("13799999999")),
    ("signRes", "of another enterprise", 31000, lambda p: p.session.accounts.business_lines("13700000004")),
    ("company", "account absent", 21000, lambda p: p.send(kfq.REGISTER_COMPANY, {})),
    *(
        (operation, miss, code, lambda p, operation=operation, user=user: register(p, operation, user))
        for operation, missing_contact in (("company", 21000), ("person", 23000))
        for miss, code, user in (
            ("contactType absent", 21000, evolve(STRANGER, contact_type=None)),
            ("contactType foreign", 31000, evolve(STRANGER, contact_type="PHONE")),
            ("contact absent", missing_contact, evolve(STRANGER, contact=None)),
            ("contact malformed", 23000, evolve(STRANGER, contact="12300000000")),
            ("contact of the other type", 23000, evolve(STRANGER, contact_type="MOBILE")),
        )
    ),
    ("person", "account absent", 21000, lambda p: p.send(kfq.REGISTER_PERSON, {})),
    (
        "person",
        "mobile malformed",
        23000,
        lambda p: p.session.accounts.register_person(kfq.RegisterPersonRequest(account=STRANGER, mobile="1")),
    ),
    *(
        ("draft", miss, code, lambda p, changes=changes: p.draft_with(**changes))
        for miss, code, changes in (
            ("send absent", 21000, {"send": None}),
            ("operator absent", 21000, {"operator": None}),
            ("operator without a name", 21000, {"operator": evolve(CHIEF, name=None)}),
            ("operator without a contact", 21000, {"operator": evolve(CHIEF, contact=None)}),
            ("operator unknown", 31000, {"operator": STRANGER}),
            ("operator of another enterprise", 31000, {"operator": OUTSIDER}),
            ("deadline malformed", 23000, {"expire_date": "31.12.2999"}),
            ("deadline past", 31000, {"expire_date": "2020-02-29"}),
            ("line absent", 21000, {"sign_re_id": None}),
            ("line of 65 characters", 23000, {"sign_re_id": "s" * 65}),
            ("line with a blank", 23000, {"sign_re_id": "sa les"}),
            ("line unknown", 31000, {"sign_re_id": "nothing"}),
            ("line disabled", 31000, {"sign_re_id": "old"}),
            ("line of another enterprise", 31000, {"sign_re_id": "north"}),
            ("document unknown", 21000, {"sign_document_list": [kfq.SignDocument(doc_id="nothing")]}),
            ("title of 201 characters", 500, {"subject": "长" * 201}),
            ("title with an emoji", 500, {"subject": "供货😀"}),
            ("number of 201 characters", 500, {"sn": "1" * 201}),
            ("parties absent", 500, {"signer_list": None}),
            ("sender without an order", 500, {"signer_list": [evolve(SENDER, signer_order=None), RECEIVER]}),
            ("receiver absent", 21000, {"signer_list": [SENDER, evolve(RECEIVER, receiver=None)]}),
        )
    ),
    ("draft", "text for a number", 500, lambda p: p.send(kfq.CONTRACT_DRAFT, {"send": "1", "autoFinish": "yes"})),
    ("tasks", "contract absent", 21000, lambda p: p.send(kfq.CONTRACT_TASKS, {})),
    ("tasks", "contract unknown", 31000, lambda p: p.session.contracts.tasks("nothing")),
    ("taskUrl", "contract absent", 21000, lambda p: p.send(kfq.CONTRACT_TASK_URL, {"taskId": "t"})),
    ("taskUrl", "contract unknown", 31000, lambda p: p.session.contracts.task_url("nothing", "t")),
    ("taskUrl", "task absent", 21000, lambda p: p.send(kfq.CONTRACT_TASK_URL, {"contractId": p.running})),
    ("taskUrl", "task unknown", 31000, lambda p: p.session.contracts.task_url(p.running, "nothing")),
    ("pageUrl", "contract absent", 21000, lambda p: p.send(kfq.CONTRACT_PAGE_URL, {"contact": "13700000003"})),
    ("pageUrl", "contact absent", 21000, lambda p: p.send(kfq.CONTRACT_PAGE_URL, {"contractId": p.running})),
    ("pageUrl", "nobody's contact", 31000, lambda p: p.session.contracts.page_url(p.running, "13799999999")),
    (
        "pageUrl",
        "no boolean",
        500,
        lambda p: p.send(
            kfq.CONTRACT_PAGE_URL, {"contractId": p.running, "contact": "13700000001", "noLogin": "perhaps"}
        ),
    ),
    (
        "pageUrl",
        "end malformed",
        23000,
        lambda p: p.send(
            kfq.CONTRACT_PAGE_URL,
            {"contractId": p.running, "contact": "13700000001", "noLogin": True, "pageUrlExpireTime": "tomorrow"},
        ),
    ),
    ("approval", "contract unknown", 31000, lambda p: p.session.contracts.approve("nothing", signer=CHIEF)),
    ("approval", "contract not started", 31000, lambda p: p.session.contracts.approve(p.draft, signer=CHIEF)),
    ("approval", "signer absent", 21000, lambda p: p.send(kfq.CONTRACT_APPROVAL, {"contractId": p.running})),
    *(
        ("approval", miss, code, lambda p, user=user: p.session.contracts.refuse(p.running, signer=user))
        for miss, code, user in (
            ("signer without a name", 21000, evolve(CHIEF, name=None)),
            ("signer without a contact", 21000, evolve(CHIEF, contact=None)),
            ("contactType foreign", 31000, evolve(CHIEF, contact_type="PHONE")),
            ("signer unknown", 31000, STRANGER),
            ("signer of another enterprise", 31000, OUTSIDER),
            ("signer without an approval", 31000, CLERK),
        )
    ),
    ("finish", "contract unknown", 31000, lambda p: p.session.contracts.finish("nothing")),
    ("finish", "contract finishes by itself", 31000, lambda p: p.session.contracts.finish(p.running)),
    ("finish", "open tasks", 31000, lambda p: p.session.contracts.finish(p.open)),
    ("recall", "contract unknown", 31000, lambda p: p.session.contracts.recall("nothing")),
    ("recall", "contract not started", 31000, lambda p: p.session.contracts.recall(p.draft)),
    ("add", "contract absent", 21000, lambda p: p.send(kfq.CONTRACT_ADD_SIGNERS, {"signerList": []})),
    ("add", "contract of 65 characters", 23000, lambda p: p.session.contracts.add_signers("c" * 65, [RECEIVER])),
    ("add", "contract unknown", 31000, lambda p: p.session.contracts.add_signers("nothing", [RECEIVER])),
    ("add", "contract finishes by itself", 31000, lambda p: p.session.contracts.add_signers(p.running, [RECEIVER])),
    ("add", "parties absent", 500, lambda p: p.send(kfq.CONTRACT_ADD_SIGNERS, {"contractId": p.open})),
    (
        "add",
        "party of an unknown type",
        31000,
        lambda p: p.session.contracts.add_signers(p.open, [evolve(RECEIVER, signer_type="WITNESS")]),
    ),
    ("proxy", "contract unknown", 31000, lambda p: p.session.contracts.sign_for_person("nothing", signer=PERSON)),
    ("proxy", "contract not started", 31000, lambda p: p.session.contracts.sign_for_person(p.draft, signer=PERSON)),
    (
        "proxy",
        "subject foreign",
        31000,
        lambda p: p.session.contracts.sign_for_person(p.open, signer=PERSON, subject_type="COMPANY"),
    ),
    ("proxy", "signer unknown", 31000, lambda p: p.session.contracts.sign_for_person(p.open, signer=STRANGER)),
    ("proxy", "no authorisation", 31000, lambda p: p.session.contracts.sign_for_person(p.open, signer=PERSON)),
    (
        "proxy",
        "signer without a name",
        21000,
        lambda p: p.session.contracts.sign_for_person(p.open, signer=evolve(PERSON, name=None)),
    ),
]


async def register(platform: Platform, operation: str, user: kfq.ContractUser) -> None:
    """Register an enterprise or a person with an account."""
    accounts = platform.session.accounts
    if operation == "company":
        await accounts.register_company(kfq.RegisterCompanyRequest(account=user, company_name="西方示例有限公司"))
    else:
        await accounts.register_person(kfq.RegisterPersonRequest(account=user))


@pytest.mark.parametrize(
    ("code", "call"), [pytest.param(code, call, id=f"{name}: {miss}") for name, miss, code, call in ROWS]
)
async def test_misses(code: int, call: Call, platform: Platform) -> None:
    """Each miss has the code that the platform gives it, the class of that code, and changes nothing."""
    before = await platform.session.contracts.tasks(platform.running)
    with pytest.raises(kfq.ApiError) as caught:
        await call(platform)
    error = caught.value
    assert (error.code, type(error), error.http_status) == (code, CLASSES[code], 200)
    assert (error.phase, error.attempts) == (kfq.Phase.ANSWERED, 1)
    assert TOKEN not in f"{error} {error.message and error.message.raw}"
    assert await platform.session.contracts.tasks(platform.running) == before


EVERY_OPERATION = [
    *(kfq.BUSINESS_LINES, kfq.REGISTER_COMPANY, kfq.REGISTER_PERSON, kfq.CONTRACT_DRAFT, kfq.CONTRACT_TASKS),
    *(kfq.CONTRACT_ADD_SIGNERS, kfq.CONTRACT_APPROVAL, kfq.CONTRACT_FINISH, kfq.CONTRACT_RECALL),
    *(kfq.CONTRACT_PROXY_SIGN, kfq.CONTRACT_TASK_URL, kfq.CONTRACT_PAGE_URL),
]


@pytest.mark.parametrize("operation", EVERY_OPERATION, ids=lambda operation: operation.path)
@pytest.mark.parametrize(("token", "code"), [("AGREE009", 41000), (STOPPED_TOKEN, 42000)])
async def test_refused_tokens(token: str, code: int, operation: kfq.Operation[Any, Any], platform: Platform) -> None:
    """A token that is unknown, or whose developer is disabled, is a `CredentialsError` of every operation."""
    with pytest.raises(kfq.CredentialsError) as caught:
        await platform.session.for_token(token).send(operation, {})
    assert (caught.value.code, caught.value.attempts) == (code, 1)


@pytest.mark.parametrize("operation", EVERY_OPERATION, ids=lambda operation: operation.path)
async def test_long_token(operation: kfq.Operation[Any, Any], platform: Platform) -> None:
    """A token of 70 characters ends in the hidden error page, which leaves it open whether a write took effect."""
    safe = operation.idempotency is kfq.Idempotency.SAFE
    with pytest.raises(
        kfq.HiddenErrorPage if safe else kfq.OutcomeUnknown, match="says nothing about the token"
    ) as caught:
        await platform.session.for_token("A" * 70).send(operation, {})
    assert caught.value.attempts == (2 if safe else 1)


async def test_identification_links(platform: Platform) -> None:
    """A self-hosted platform offers none, and says so by the hidden error page."""
    with pytest.raises(kfq.HiddenErrorPage, match="does not offer identification links") as caught:
        await platform.session.auth.corp_ident_link(kfq.CorpIdentLinkRequest(account_name="13800138000"))
    assert (caught.value.code, caught.value.http_status, caught.value.attempts) == (401, 401, 1)


async def test_operator_account() -> None:
    """A signature without a sign position fails in words if an account is named, else by the hidden error page.

    Either way it is a failure inside the operation, which may have left something behind.
    """
    persons = [{**FIXTURES["persons"][0], "grants": [GRANT]}]
    async with platform_with({**FIXTURES, "persons": persons}) as platform:
        with pytest.raises(kfq.OutcomeUnknown) as unknown:
            await platform.session.contracts.sign_for_person(platform.open, signer=PERSON)
        assert type(unknown.value.original_error) is kfq.HiddenErrorPage
        named = platform.session.with_options(operator_account="erp-ding")
        with pytest.raises(kfq.OutcomeUnknown) as caught:
            await named.contracts.sign_for_person(platform.open, signer=PERSON)
        error: Any = caught.value.original_error
        assert (type(error), error.code, bool(error.message)) == (kfq.ApiError, None, True)


async def test_life(platform: Platform) -> None:
    """A contract is approved, linked to, and withdrawn; each step returns the tasks that follow."""
    contracts = platform.session.contracts
    (line,) = await platform.session.accounts.business_lines("13700000002")
    assert line == kfq.BusinessLine(sign_re_id="sales", sign_re_name="销售")
    (approval,) = (await contracts.tasks(platform.running)).todo_task_list
    assert (approval.task_type, approval.party_type) == ("APPROVE", "SENDER")
    after = await contracts.approve(platform.running, signer=CHIEF, comment="同意")
    (signature,) = after.todo_task_list
    assert (after.status, signature.task_type) == (kfq.ContractStatus.SIGNING, "SIGN")
    assert signature.party is not None
    assert signature.party.contact == "13700000003"
    task_page = await contracts.task_url(platform.running, signature.task_id, callback_page="https://h.example/back")
    page = await contracts.page_url(platform.running, "13700000003", task_id=signature.task_id)
    assert len({task_page.page_url, page.page_url}) == 2
    withdrawn = await contracts.recall(platform.running)
    assert (withdrawn.status, withdrawn.todo_task_list) == (kfq.ContractStatus.RECALLED, ())


async def test_refusal_and_addition(platform: Platform) -> None:
    """A refused contract has ended; a contract kept open takes another party."""
    contracts = platform.session.contracts
    refused = await contracts.refuse(platform.running, signer=CHIEF)
    assert (refused.status, refused.todo_task_list) == (kfq.ContractStatus.REFUSAL_SIGN, ())
    second = evolve(RECEIVER, signer_order="3", receiver=CLERK)
    added = await contracts.add_signers(platform.open, [second])
    assert added.status is kfq.ContractStatus.SIGNING
    assert added.todo_task_list
