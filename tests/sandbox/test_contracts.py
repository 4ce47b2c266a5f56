"""Operations on contracts, from draft to end, through the gateway."""

from __future__ import annotations

from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest

from contract_platform import (
    BY_MAIL,
    COLLEAGUE,
    COMPANY,
    OTHER_COMPANY,
    PARTNER,
    SECOND,
    UNKNOWN_COMPANY,
    ContractPlatform,
    company,
    contract_fixtures,
    node,
    receiver,
    sender,
    user,
)
from kfq_async.sandbox.contract_repository import ContractRepository
from kfq_async.sandbox.lifecycle import sign, withdraw
from kfq_async.sandbox.quirks import QUIRKS
from self_hosted import OPERATOR, OTHER_TOKEN, PERSON, STRANGER

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kfq_async.sandbox.lifecycle import Change, ContractState

OK, MISSING, FORMAT, BUSINESS, GENERIC = (
    (10000, False),
    (21000, False),
    (23000, False),
    (31000, False),
    (500, True),
)
HIDDEN = (401, True)
PROXY = "/contract/sign/personal/proxy"


@pytest.fixture
def platform() -> ContractPlatform:
    """A platform."""
    return ContractPlatform()


def approval(contact: str = OPERATOR, order: str = "1") -> dict[str, Any]:
    """Return an approval."""
    return node("APPROVER_CHECK", contact, order)


def sign_for(platform: ContractPlatform, contract_id: str, contact: str, subject: str = "PERSON") -> tuple[Any, bool]:
    """Sign for a person, and return the code."""
    return platform.code(PROXY, contractId=contract_id, signatureSubjectType=subject, signer=user(contact))


def decide(platform: ContractPlatform, contract_id: str, contact: str = OPERATOR, **fields: Any) -> tuple[Any, bool]:
    """Decide an approval, and return the code."""
    return platform.code("/contract/approval", contractId=contract_id, signer=user(contact), **fields)


def test_approval_then_two_persons(platform: ContractPlatform) -> None:
    """Parties act in their order; the names of tasks and events are the platform's, not those of the request."""
    contract_id = platform.draft(sender(approval()), platform.signer(PERSON, "2"), platform.signer(SECOND, "3"))
    status, (task,) = platform.tasks(contract_id)
    assert (status, task["taskType"], task["partyType"], task["partyName"], task["party"]) == (
        "SIGNING",
        "APPROVE",
        "SENDER",
        COMPANY,
        None,
    )
    assert sign_for(platform, contract_id, PERSON) == BUSINESS
    assert decide(platform, contract_id, approval=1) == OK
    assert decide(platform, contract_id, approval=1) == BUSINESS
    _, (task,) = platform.tasks(contract_id)
    assert (task["taskType"], task["partyType"], task["partyName"], task["party"]) == (
        "SIGN",
        "PERSONAL",
        PERSON,
        user(PERSON),
    )
    assert sign_for(platform, contract_id, PERSON) == OK
    _, (task,) = platform.tasks(contract_id)
    assert (task["partyName"], task["party"]) == ("方四", user(SECOND))
    assert sign_for(platform, contract_id, SECOND) == OK
    assert platform.tasks(contract_id) == ("COMPLETE", [])
    assert platform.events_of(contract_id) == [
        "SEND_SIGNING/SIGNING",
        "SUBMIT_APPROVE/SIGNING",
        "SUBMIT_SIGN/SIGNING",
        "SUBMIT_SIGN/COMPLETE",
    ]
    _, url, body = platform.events[-1]
    assert url == "http://127.0.0.1:9/events"
    assert body["signer"] == {"contact": SECOND, "contactType": "MOBILE", "name": "方四"}


def test_names_that_the_platform_does_not_know(platform: ContractPlatform) -> None:
    """A task names neither a person nor an enterprise whom the platform does not know."""
    contract_id = platform.draft(
        company(node("AGENT_SIGN", STRANGER), name=UNKNOWN_COMPANY),
        company(node("AGENT_SIGN", PARTNER), name=OTHER_COMPANY, order="2"),
        receiver(STRANGER, "3"),
        signOrderType="NO_ORDER",
    )
    _, tasks = platform.tasks(contract_id)
    assert [(task["partyType"], task["partyName"], task["partyAccount"] is None) for task in tasks] == [
        ("ENTERPRISE", None, True),
        ("ENTERPRISE", OTHER_COMPANY, False),
        ("PERSONAL", None, True),
    ]
    assert [task["party"]["contact"] for task in tasks] == [STRANGER, PARTNER, STRANGER]
    assert sign_for(platform, contract_id, STRANGER) == BUSINESS


def test_a_registered_enterprise_is_known(platform: ContractPlatform) -> None:
    """An enterprise is known from its registration on; a receiver without a name is not."""
    platform.ask("/companyCreateAndAuth", companyName=UNKNOWN_COMPANY, account=user(STRANGER))
    contract_id = platform.draft(
        company(node("AGENT_SIGN", STRANGER), name=UNKNOWN_COMPANY),
        company(node("AGENT_SIGN", PARTNER), signerName=None),
        signOrderType="NO_ORDER",
    )
    _, tasks = platform.tasks(contract_id)
    assert [task["partyName"] for task in tasks] == [UNKNOWN_COMPANY, None]


def test_drafts(platform: ContractPlatform) -> None:
    """A draft has no tasks and no events; the same request twice creates two."""
    first = platform.draft(platform.signer(), send="0")
    second = platform.draft(platform.signer(), send="0")
    assert first != second
    assert platform.tasks(first) == ("DRAFT", [])
    assert sign_for(platform, first, PERSON) == BUSINESS
    assert platform.code("/contract/recall", contractId=first) == BUSINESS
    assert platform.events == []


def test_automatic_seal(platform: ContractPlatform) -> None:
    """An automatic seal is applied at the start; its event comes first and names no person."""
    contract_id = platform.draft(sender(platform.seal()), platform.signer(order="2"))
    assert [task["party"] for task in platform.tasks(contract_id)[1]] == [user(PERSON)]
    assert platform.events_of(contract_id) == ["SUBMIT_SIGN/SIGNING", "SEND_SIGNING/SIGNING"]
    assert "signer" not in platform.events[0][2]


def test_refused_approval(platform: ContractPlatform) -> None:
    """A refused approval ends the contract."""
    contract_id = platform.draft(sender(approval()), platform.signer(order="2"))
    assert decide(platform, contract_id, approval=0, comment="不合适") == OK
    assert platform.tasks(contract_id) == ("REFUSAL_SIGN", [])
    assert "reason" not in platform.events[-1][2]
    assert decide(platform, contract_id, approval=1) == BUSINESS
    assert platform.code("/contract/recall", contractId=contract_id) == BUSINESS


@pytest.mark.parametrize("value", [None, 2, -1])
def test_odd_value_of_an_approval(value: int | None, platform: ContractPlatform) -> None:
    """A missing or an odd value of ``approval`` is answered as a success, and changes nothing."""
    contract_id = platform.draft(sender(approval()))
    assert decide(platform, contract_id, approval=value) == OK
    status, tasks = platform.tasks(contract_id)
    assert (status, len(tasks)) == ("SIGNING", 1)
    assert platform.events_of(contract_id) == ["SEND_SIGNING/SIGNING"]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"contractId": None}, BUSINESS),
        ({"contractId": "none"}, BUSINESS),
        ({"appAuthToken": OTHER_TOKEN}, BUSINESS),
        ({"signer": None}, MISSING),
        ({"signer": {"contactType": "MOBILE", "contact": OPERATOR}}, MISSING),
        ({"signer": user(OPERATOR) | {"contactType": "FAX"}}, BUSINESS),
        ({"signer": user(STRANGER)}, BUSINESS),
        ({"signer": user(PERSON)}, BUSINESS),
        ({"signer": user(COLLEAGUE)}, BUSINESS),
    ],
)
def test_refused_decisions(fields: dict[str, Any], code: tuple[int, bool], platform: ContractPlatform) -> None:
    """A decision needs a contract of the enterprise that is being signed, and a member with a task."""
    contract_id = platform.draft(sender(approval()))
    asked = {"contractId": contract_id, "signer": user(OPERATOR), "approval": 1} | fields
    assert platform.code("/contract/approval", **asked) == code


def test_recall(platform: ContractPlatform) -> None:
    """A recall ends a running contract, once; its reason is fixed."""
    contract_id = platform.draft(platform.signer())
    assert platform.code("/contract/recall", contractId=contract_id, appAuthToken=OTHER_TOKEN) == BUSINESS
    assert platform.code("/contract/recall", contractId=contract_id) == OK
    assert platform.tasks(contract_id) == ("RECALLED", [])
    assert platform.events[-1][2] == {
        "callbackType": "RECALLED",
        "contractId": contract_id,
        "contractStatus": "RECALLED",
        "reason": "通过API撤销",
        "taskId": "",
    }
    assert platform.code("/contract/recall", contractId=contract_id) == BUSINESS
    assert sign_for(platform, contract_id, PERSON) == BUSINESS
    assert platform.code("/contract/recall") == BUSINESS


def test_tasks_of_unknown_contracts(platform: ContractPlatform) -> None:
    """A missing id is told from an unknown one; the enterprise of the token is not looked at."""
    assert platform.code("/contract/tasks") == MISSING
    assert platform.code("/contract/tasks", contractId="none") == BUSINESS
    contract_id = platform.draft(platform.signer())
    assert platform.code("/contract/tasks", contractId=contract_id, appAuthToken=OTHER_TOKEN) == OK


def test_kept_open(platform: ContractPlatform) -> None:
    """A contract that is kept open takes more parties, and is finished by a call, repeatedly."""
    contract_id = platform.draft(sender(internalNodeList=None), autoFinish=0)
    assert platform.tasks(contract_id) == ("SIGNING", [])
    more = receiver(PERSON, "2", positionParamList=[platform.position(relationDocList=None)])
    assert platform.code("/contract/signer/add", contractId=contract_id, signerList=[more]) == OK
    assert platform.code("/contract/finish", contractId=contract_id) == BUSINESS
    assert sign_for(platform, contract_id, PERSON) == OK
    assert platform.tasks(contract_id) == ("SIGNING", [])
    assert platform.code("/contract/finish", contractId=contract_id, appAuthToken=OTHER_TOKEN) == BUSINESS
    assert platform.code("/contract/finish", contractId=contract_id) == OK
    assert platform.tasks(contract_id) == ("COMPLETE", [])
    assert platform.code("/contract/finish", contractId=contract_id) == OK
    assert platform.code("/contract/signer/add", contractId=contract_id, signerList=[more]) == BUSINESS
    assert platform.events_of(contract_id) == [
        "SEND_SIGNING/SIGNING",
        "SUBMIT_SIGN/SIGNING",
        "COMPLETE/COMPLETE",
        "COMPLETE/COMPLETE",
    ]


def test_no_finish_of_a_contract_that_finishes_itself(platform: ContractPlatform) -> None:
    """``contract/finish`` and ``signer/add`` need a contract that is kept open."""
    contract_id = platform.draft(platform.signer())
    assert platform.code("/contract/finish", contractId=contract_id) == BUSINESS
    assert platform.code("/contract/finish") == BUSINESS
    assert platform.code("/contract/signer/add", contractId=contract_id, signerList=[receiver()]) == BUSINESS


def test_adding_to_a_draft_starts_it(platform: ContractPlatform) -> None:
    """A draft to which a party is added is being signed, without a task."""
    contract_id = platform.draft(platform.signer(), send="0", autoFinish=0)
    added = platform.code("/contract/signer/add", contractId=contract_id, signerList=[platform.signer(SECOND, "2")])
    assert added == OK
    assert platform.tasks(contract_id) == ("SIGNING", [])


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"contractId": None}, MISSING),
        ({"contractId": "a b"}, FORMAT),
        ({"contractId": "c" * 65}, FORMAT),
        ({"contractId": "none"}, BUSINESS),
        ({"appAuthToken": OTHER_TOKEN}, BUSINESS),
        ({"signerList": None}, GENERIC),
        ({"signerList": []}, BUSINESS),
        ({"signerList": [receiver(signerType="WITNESS")]}, BUSINESS),
        ({"signerList": [receiver(receiver=None)]}, MISSING),
        ({"signerList": [sender(internalNodeList=None)]}, GENERIC),
        ({"signerList": [company(internalNodeList=None)]}, GENERIC),
        ({"signerList": [sender(node("ENTERPRISE_SEAL"))]}, BUSINESS),
    ],
)
def test_refused_additions(fields: dict[str, Any], code: tuple[int, bool], platform: ContractPlatform) -> None:
    """Additions are checked like drafts; an enterprise without steps is a generic failure."""
    contract_id = platform.draft(sender(internalNodeList=None), autoFinish=0)
    asked = {"contractId": contract_id, "signerList": [receiver()]} | fields
    assert platform.code("/contract/signer/add", **asked) == code


def test_signature_of_an_employee(platform: ContractPlatform) -> None:
    """A member signs a step of the sender that a person signs; the event names the enterprise and the step."""
    position = [platform.position()]
    contract_id = platform.draft(sender(node("PERSONAL_SIGN", COLLEAGUE, positionParamList=position)))
    assert sign_for(platform, contract_id, COLLEAGUE) == BUSINESS
    assert sign_for(platform, contract_id, PERSON, "EMPLOYEE") == BUSINESS
    assert sign_for(platform, contract_id, OPERATOR, "EMPLOYEE") == BUSINESS
    assert sign_for(platform, contract_id, COLLEAGUE, "EMPLOYEE") == OK
    body = platform.events[-1][2]
    assert (body["nodeType"], body["signerName"], body["signer"]) == (
        "PERSONAL_SIGN",
        COMPANY,
        {"contact": COLLEAGUE, "contactType": "MOBILE", "name": COLLEAGUE},
    )


def test_a_seal_is_no_step_of_an_employee(platform: ContractPlatform) -> None:
    """Neither a seal of the sender nor a step of a receiving enterprise can be signed by proxy."""
    contract_id = platform.draft(
        sender(platform.seal(autoSign=None)), company(node("AGENT_SIGN", PARTNER)), signOrderType="NO_ORDER"
    )
    assert sign_for(platform, contract_id, OPERATOR, "EMPLOYEE") == BUSINESS
    assert sign_for(platform, contract_id, PARTNER) == BUSINESS


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"contractId": None}, BUSINESS),
        ({"contractId": "none"}, BUSINESS),
        ({"signatureSubjectType": None}, BUSINESS),
        ({"signatureSubjectType": "COMPANY"}, BUSINESS),
        ({"signer": None}, MISSING),
        ({"signer": user(STRANGER)}, BUSINESS),
        ({"signer": user(SECOND)}, BUSINESS),
        ({"positionParamList": [{"controlType": "SEAL"}]}, BUSINESS),
    ],
)
def test_refused_signatures(fields: dict[str, Any], code: tuple[int, bool], platform: ContractPlatform) -> None:
    """A signature by proxy needs a running contract, a kind of signer, and a person with a task."""
    contract_id = platform.draft(platform.signer())
    asked = {"contractId": contract_id, "signatureSubjectType": "PERSON", "signer": user(PERSON)} | fields
    assert platform.code(PROXY, **asked) == code
    assert platform.tasks(contract_id)[0] == "SIGNING"


def test_a_signature_needs_a_grant(platform: ContractPlatform) -> None:
    """A person must have granted a seal for the business line, and the grant must not have ended."""
    contract_id = platform.draft(platform.signer(BY_MAIL))
    assert sign_for(platform, contract_id, BY_MAIL) == BUSINESS
    contract_id = platform.draft(platform.signer())
    platform.now_ms += 5 * 366 * 24 * 60 * 60 * 1000
    assert sign_for(platform, contract_id, PERSON) == BUSINESS


def test_positions_of_a_signature(platform: ContractPlatform) -> None:
    """Positions may come with the signature; without any the platform fails in its second form."""
    contract_id = platform.draft(receiver())
    assert sign_for(platform, contract_id, PERSON) == HIDDEN
    asked = {"contractId": contract_id, "signatureSubjectType": "PERSON", "signer": user(PERSON)}
    assert platform.code(PROXY, **asked, operatorAccount="erp-nobody") == (None, False)
    assert platform.code(PROXY, **asked, positionParamList=[platform.position(relationDocList=None)]) == BUSINESS
    assert platform.code(PROXY, **asked, positionParamList=[platform.position()]) == OK
    assert platform.tasks(contract_id)[0] == "COMPLETE"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"controlType": "SIGN_DATE", "signDateFormat": "LINE"}, GENERIC),
        ({"controlHeight": "NaN"}, HIDDEN),
    ],
)
def test_controls_that_cannot_be_signed(
    changes: dict[str, str], code: tuple[int, bool], platform: ContractPlatform
) -> None:
    """A date, and a size that is no number, are accepted in a draft and fail at the signature."""
    contract_id = platform.draft(receiver(positionParamList=[platform.position(**changes)]))
    assert sign_for(platform, contract_id, PERSON) == code
    assert platform.tasks(contract_id)[0] == "SIGNING"


def test_deadline(platform: ContractPlatform) -> None:
    """A running contract expires at the beginning of its last day; the event carries the status before."""
    contract_id = platform.draft(platform.signer(), expireDate="2026-04-03")
    draft_id = platform.draft(platform.signer(), expireDate="2026-04-03", send="0")
    platform.now_ms = 1_775_145_600_000 - 1  # 2026-04-03 00:00 in China
    assert platform.tasks(contract_id)[0] == "SIGNING"
    platform.now_ms += 1
    assert platform.tasks(contract_id) == ("EXPIRED", [])
    assert platform.tasks(draft_id)[0] == "DRAFT"
    assert platform.events_of(contract_id) == ["SEND_SIGNING/SIGNING", "EXPIRED/SIGNING"]


def test_deadline_today(platform: ContractPlatform) -> None:
    """A contract whose last day is today does not expire before midnight."""
    contract_id = platform.draft(platform.signer(), expireDate="2026-04-01")
    assert platform.tasks(contract_id)[0] == "SIGNING"
    platform.now_ms += 24 * 60 * 60 * 1000
    assert platform.tasks(contract_id)[0] == "EXPIRED"


def test_a_start_that_fails_leaves_a_draft(platform: ContractPlatform) -> None:
    """A start that is refused leaves the draft behind, without an event."""
    fields = platform.draft_fields(sender(approval()), signDocumentList=None)
    assert platform.code("/contract/draft", **fields) == BUSINESS
    (contract,) = platform.store.contracts.all()
    assert (contract.status, platform.events) == ("DRAFT", [])


def test_no_callback_url(platform: ContractPlatform) -> None:
    """Without a callback URL there are no events."""
    contract_id = platform.draft(
        receiver(),
        appAuthToken=OTHER_TOKEN,
        signReId="west",
        operator=user(PARTNER),
    )
    assert platform.tasks(contract_id)[0] == "SIGNING"
    assert platform.events == []


def test_callback_url_that_is_too_long() -> None:
    """An event for a callback URL of more than 128 characters fails the operation, which has no effect."""
    fixtures = contract_fixtures()
    (developer, *_) = fixtures["enterprises"][0]["developers"]
    developer["callbackUrl"] = "http://127.0.0.1:9/" + "x" * 110
    platform = ContractPlatform(fixtures)
    assert platform.code("/contract/draft", **platform.draft_fields(platform.signer())) == GENERIC
    (contract,) = platform.store.contracts.all()
    assert contract.status == "DRAFT"


def test_events_keep_the_sequence_of_the_changes(platform: ContractPlatform) -> None:
    """A change in another thread publishes its event after those of the change before."""
    contract_id = platform.draft(platform.signer(), platform.signer(SECOND), signOrderType="NO_ORDER")
    published: list[str] = []
    threads: list[Thread] = []

    def publish(_contract_id: str, _url: str, body: Mapping[str, object]) -> None:
        if not threads:
            threads.append(Thread(target=change, args=(lambda state: withdraw(state, "撤回"),)))
            threads[0].start()
            threads[0].join(timeout=0.2)
        published.append(str(body["callbackType"]))

    repository = ContractRepository(
        platform.store, platform.directory, platform.stamper, publish, quirks=frozenset(QUIRKS)
    )

    def change(transition: Callable[[ContractState], Change]) -> None:
        repository.apply(repository.find(contract_id, platform.now_ms), transition)

    _, (task, _) = platform.tasks(contract_id)
    change(lambda state: sign(state, task["taskId"], by_proxy=False))
    threads[0].join()
    assert published == ["SUBMIT_SIGN", "RECALLED"]


def test_a_change_meanwhile(platform: ContractPlatform) -> None:
    """A transition is applied to the state that another call left."""
    contract_id = platform.draft(platform.signer(), platform.signer(SECOND), signOrderType="NO_ORDER")
    contract = platform.repository.find(contract_id, platform.now_ms)
    _, (_, second) = platform.tasks(contract_id)
    interrupted: list[bool] = []

    def transition(state: ContractState) -> Change:
        if not interrupted:
            interrupted.append(sign_for(platform, contract_id, PERSON) == OK)
        return sign(state, second["taskId"], by_proxy=False)

    assert platform.repository.apply(contract, transition).status == "COMPLETE"
    assert interrupted == [True]
    assert platform.events_of(contract_id)[-2:] == ["SUBMIT_SIGN/COMPLETE", "COMPLETE/COMPLETE"]
