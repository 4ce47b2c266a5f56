"""Checks of drafts, with the platform's codes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from contract_platform import (
    BY_MAIL,
    OTHER_COMPANY,
    PARTNER,
    SECOND,
    ContractPlatform,
    company,
    contract_fixtures,
    node,
    receiver,
    sender,
    text_pdf,
    user,
)
from kfq_async.sandbox.contract_repository import state_of
from self_hosted import OPERATOR, PERSON, STRANGER

if TYPE_CHECKING:
    from collections.abc import Callable

OK, MISSING, FORMAT, BUSINESS, GENERIC = (
    (10000, False),
    (21000, False),
    (23000, False),
    (31000, False),
    (500, True),
)
HIDDEN = (401, True)


@pytest.fixture
def platform() -> ContractPlatform:
    """A platform."""
    return ContractPlatform()


def code_of(platform: ContractPlatform, *signers: dict[str, Any], **changes: Any) -> tuple[int | None, bool]:
    """Draft a contract that is not started, unless changed, and return the code."""
    fields = platform.draft_fields(*(signers or (receiver(),)), **{"send": "0", **changes})
    return platform.code("/contract/draft", **fields)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({}, OK),
        ({"send": None}, MISSING),
        ({"send": ""}, MISSING),
        ({"send": 0}, OK),
        ({"operator": None}, MISSING),
        ({"operator": {"contactType": "MOBILE", "contact": OPERATOR}}, MISSING),
        ({"operator": {"name": "陈一", "contact": OPERATOR}}, MISSING),
        ({"operator": {"name": "陈一", "contactType": "MOBILE"}}, MISSING),
        ({"operator": user(STRANGER)}, BUSINESS),
        ({"operator": user(PERSON)}, BUSINESS),
        ({"expireDate": "2026-04-01"}, OK),
        ({"expireDate": "2031-02-30 and more"}, OK),
        ({"expireDate": "99999-12-31"}, OK),
        ({"expireDate": "2026-03-31"}, BUSINESS),
        ({"expireDate": "31.12.2031"}, FORMAT),
        ({"signReId": None}, MISSING),
        ({"signReId": "sales west"}, FORMAT),
        ({"signReId": "s" * 65}, FORMAT),
        ({"signReId": "s" * 64}, BUSINESS),
        ({"signReId": "west"}, BUSINESS),
        ({"signReId": "old"}, BUSINESS),
        ({"sn": "号" * 200, "subject": "题" * 200}, OK),
        ({"sn": "n" * 201}, GENERIC),
        ({"subject": "s" * 201}, GENERIC),
        ({"subject": "合同\N{PAGE FACING UP}"}, GENERIC),
        ({"signDocumentList": None}, OK),
        ({"signDocumentList": [{"docId": "none"}]}, MISSING),
        ({"signDocumentList": [{}]}, MISSING),
        ({"annexList": [{"fileId": "a-1"}]}, OK),
        ({"signerList": None}, GENERIC),
        ({"signerList": []}, OK),
    ],
)
def test_fields(changes: dict[str, Any], code: tuple[int, bool], platform: ContractPlatform) -> None:
    """Each field has its code; a refused draft is not stored."""
    assert code_of(platform, **changes) == code
    assert platform.store.contracts.count() == (code == OK)


@pytest.mark.parametrize(
    ("signer", "code"),
    [
        (receiver(signerType=None), MISSING),
        (receiver(signerType="WITNESS", receiver=None), OK),
        (receiver(receiver=None), MISSING),
        (receiver(receiver={"contactType": "MOBILE", "contact": PERSON}), MISSING),
        (receiver(receiver={"name": "林二", "contact": PERSON}), MISSING),
        (receiver(receiver={"name": "林二", "contactType": "MOBILE"}), MISSING),
        (receiver(receiver=user(PERSON) | {"contactType": "FAX"}), BUSINESS),
        (receiver(receiver=user(PERSON) | {"contact": "not checked"}), OK),
        (receiver(receiver=user(PERSON) | {"name": "长" * 50}), OK),
        (receiver(receiver=user(PERSON) | {"name": "长" * 51}), GENERIC),
        (receiver(receiver=user(PERSON) | {"contact": "1" * 256}), GENERIC),
        (receiver(signerOrder=None), OK),
        (receiver(signerOrder=""), OK),
        (receiver(signerOrder=-128), OK),
        (receiver(order="128"), GENERIC),
        (receiver(order="first"), GENERIC),
        (receiver(order="1.0"), GENERIC),
        (sender(node("APPROVER_CHECK")), OK),
        (sender(node("APPROVER_CHECK"), signerOrder=None), GENERIC),
        (sender(signerOrder=None, internalNodeList=None), MISSING),
        (sender(internalNodeList=None), MISSING),
        (sender(node("SOMETHING")), OK),
        (sender(node("APPROVER_CHECK", nodeType=None)), MISSING),
        (sender(node("APPROVER_CHECK", signerOrder=None)), MISSING),
        (sender(node("APPROVER_CHECK", order="x")), GENERIC),
        (sender(node("APPROVER_CHECK", signer=None)), MISSING),
        (sender(node("APPROVER_CHECK", STRANGER)), BUSINESS),
        (sender(node("APPROVER_CHECK", PERSON)), BUSINESS),
        (sender(node("ENTERPRISE_SEAL", signer=None, autoSign="AUTO_SIGN")), OK),
        (sender(node("APPROVER_CHECK", signer=None, autoSign="AUTO_SIGN")), MISSING),
        (company(node("AGENT_SIGN", STRANGER)), OK),
        (company(node("ENTERPRISE_SEAL", signer=None, autoSign="AUTO_SIGN")), MISSING),
        (company(internalNodeList=None), MISSING),
        (company(), MISSING),
        (company(node("AGENT_SIGN"), signerName=None, signerOrder=None), OK),
        (company(node("AGENT_SIGN"), name="名" * 51), GENERIC),
        (company(node("AGENT_SIGN", signer=user(PARTNER) | {"name": "长" * 20})), OK),
        (company(node("AGENT_SIGN", signer=user(PARTNER) | {"name": "长" * 21})), GENERIC),
    ],
)
def test_parties(signer: dict[str, Any], code: tuple[int, bool], platform: ContractPlatform) -> None:
    """Each field of a party has its code; a party of an unknown type is dropped."""
    assert code_of(platform, signer) == code


def test_a_party_as_an_object(platform: ContractPlatform) -> None:
    """One party need not be in a list."""
    assert code_of(platform, signerList=receiver()) == OK
    (contract,) = platform.store.contracts.all()
    assert len(state_of(contract).parties) == 1


def test_the_first_miss_of_all_parties_counts(platform: ContractPlatform) -> None:
    """A missing field is reported before a value that cannot be stored."""
    assert code_of(platform, receiver(order="x"), receiver(receiver=None)) == MISSING


@pytest.mark.parametrize(
    ("signers", "changes", "code"),
    [
        (lambda _: [sender(node("APPROVER_CHECK"))], {}, OK),
        (lambda platform: [sender(platform.seal())], {}, OK),
        (lambda _: [sender(node("APPROVER_CHECK"))], {"signDocumentList": None}, BUSINESS),
        (lambda _: [], {}, BUSINESS),
        (lambda _: [receiver(signerType="WITNESS")], {}, BUSINESS),
        (lambda _: [sender(node("ENTERPRISE_SEAL"))], {}, BUSINESS),
        (lambda _: [sender(node("ENTERPRISE_SEAL", sealId="seal-x"))], {}, BUSINESS),
        (lambda _: [sender(node("ENTERPRISE_SEAL", sealId="seal-a"))], {}, OK),
        (lambda _: [company(node("ENTERPRISE_SEAL"))], {}, OK),
        (lambda platform: [sender(platform.seal(positionParamList=None))], {}, BUSINESS),
        (
            lambda platform: [sender(platform.seal(positionParamList=[_date(platform)]))],
            {},
            BUSINESS,
        ),
        (
            lambda platform: [sender(platform.seal()), receiver(positionParamList=[_date(platform)])],
            {},
            BUSINESS,
        ),
        (
            lambda platform: [
                sender(platform.seal(positionParamList=[platform.position(controlType="SEAL", controlWidth="NaN")]))
            ],
            {},
            BUSINESS,
        ),
    ],
)
def test_starts(
    signers: Callable[[ContractPlatform], list[dict[str, Any]]],
    changes: dict[str, Any],
    code: tuple[int, bool],
    platform: ContractPlatform,
) -> None:
    """A start that is refused leaves a draft behind."""
    assert code_of(platform, signerList=signers(platform), send="1", **changes) == code
    (contract,) = platform.store.contracts.all()
    assert (contract.status == "DRAFT") == (code == BUSINESS)


def _date(platform: ContractPlatform) -> dict[str, Any]:
    return platform.position(controlType="SIGN_DATE", signDateFormat="LINE")


def test_a_cross_page_seal_of_too_many_pages(platform: ContractPlatform) -> None:
    """A picture of 200 columns cannot be cut for 201 pages."""
    fits, exceeds = platform.upload("长", text_pdf(200, "A")), platform.upload("更长", text_pdf(201, "A"))
    for doc_id, code in ((fits, OK), (exceeds, BUSINESS)):
        position = platform.position(
            controlType="CHOP_STAMP", pageConfig="ALL", relationDocList=[{"docType": "1", "docId": doc_id}]
        )
        signers = sender(platform.seal(positionParamList=[position]))
        assert code_of(platform, signers, send="1", signDocumentList=[{"docId": doc_id}]) == code


@pytest.mark.parametrize(
    ("sign_re_id", "requested", "ordered"),
    [
        ("sales", None, True),
        ("sales", "NO_ORDER", False),
        ("free-order", None, False),
        ("free-order", "ORDER", True),
        ("free-order", "RANDOM", False),
    ],
)
def test_sign_order_type(sign_re_id: str, requested: str | None, *, ordered: bool, platform: ContractPlatform) -> None:
    """The sequence is the request's or, without one, the business line's."""
    platform.draft(receiver(), receiver(SECOND), signReId=sign_re_id, signOrderType=requested)
    (contract,) = platform.store.contracts.all()
    assert state_of(contract).ordered == ordered


@pytest.mark.parametrize(("value", "auto_finish"), [(None, True), (1, True), (0, False), (7, True)])
def test_auto_finish(value: int | None, *, auto_finish: bool, platform: ContractPlatform) -> None:
    """Only 0 keeps a contract open."""
    platform.draft(receiver(), autoFinish=value)
    (contract,) = platform.store.contracts.all()
    assert state_of(contract).auto_finish == auto_finish


def test_rule_mode_with_a_person(platform: ContractPlatform) -> None:
    """The business line prescribes the sender; the request names the receivers by their order."""
    contract_id = platform.draft(platform.signer(order="2"), signReId="hiring")
    _, (task,) = platform.tasks(contract_id)
    assert (task["taskType"], task["partyType"]) == ("APPROVE", "SENDER")


def test_rule_mode_with_an_enterprise(platform: ContractPlatform) -> None:
    """Steps of a receiving enterprise are matched by their order; the operator acts where no member is named."""
    nodes = [
        node("ENTERPRISE_SEAL", STRANGER, "2", positionParamList=[platform.position(controlType="SEAL")]),
        node("PERSONAL_SIGN", BY_MAIL, "1", positionParamList=[platform.position()]),
    ]
    platform.draft(company(*nodes), signReId="leasing")
    (contract,) = platform.store.contracts.all()
    steps = [
        (party.party_type, party.name, step.node_type, step.person and step.person.contact)
        for party in state_of(contract).parties
        for step in party.steps
    ]
    assert steps == [
        ("ENTERPRISE", OTHER_COMPANY, "AGENT_SIGN", BY_MAIL),
        ("ENTERPRISE", OTHER_COMPANY, "ENTERPRISE_SEAL", PARTNER),
        ("SENDER", "东方示例有限公司", "ENTERPRISE_SEAL", OPERATOR),
    ]


@pytest.mark.parametrize(
    ("line", "signers", "code"),
    [
        ("hiring", [], BUSINESS),
        ("hiring", None, BUSINESS),
        ("hiring", [receiver(order="1")], BUSINESS),
        ("hiring", [receiver(order="2"), receiver(SECOND, order="2")], BUSINESS),
        ("hiring", [receiver(order="2"), sender(node("APPROVER_CHECK"))], BUSINESS),
        ("hiring", [receiver(order="x")], GENERIC),
        ("hiring", [receiver(order="2", receiver=None)], MISSING),
        ("leasing", [company(node("AGENT_SIGN"))], BUSINESS),
        ("leasing", [company(node("AGENT_SIGN"), node("ENTERPRISE_SEAL", order="3"))], BUSINESS),
        ("leasing", [company(node("AGENT_SIGN", signer=None), node("ENTERPRISE_SEAL", order="2"))], MISSING),
        ("leasing", [company(node("AGENT_SIGN"), node("ENTERPRISE_SEAL", order="2"), name="名" * 51)], GENERIC),
    ],
)
def test_refused_in_rule_mode(
    line: str, signers: list[dict[str, Any]] | None, code: tuple[int, bool], platform: ContractPlatform
) -> None:
    """Receivers must fit the business line in number and order."""
    assert code_of(platform, signReId=line, signerList=signers) == code


def test_an_unknown_member_of_a_business_line() -> None:
    """A receiving enterprise's step may name an account that the platform does not know: refused."""
    fixtures = contract_fixtures()
    nodes = fixtures["enterprises"][0]["lines"][-1]["parties"][0]["internalNodeList"]
    nodes[1]["signer"] = STRANGER
    platform = ContractPlatform(fixtures)
    parties = company(node("AGENT_SIGN"), node("ENTERPRISE_SEAL", order="2"))
    assert code_of(platform, parties, signReId="leasing") == BUSINESS


def test_a_damaged_document(platform: ContractPlatform) -> None:
    """A document that was damaged at upload fails the draft in the platform's second form."""
    doc_id = platform.upload("坏", text_pdf(1, "A").replace(b"/Root", b"/Boot").replace(b"/Pages", b"/Pug"))
    assert code_of(platform, signDocumentList=[{"docId": doc_id}]) == HIDDEN
    assert code_of(platform, signDocumentList=[{"docId": doc_id}], operatorAccount="erp-chen") == (None, False)


def test_strict() -> None:
    """A strict platform names a field that it does not know."""
    platform = ContractPlatform(strict=True)
    response = platform.ask("/contract/draft", **platform.draft_fields(receiver(), subjct="x"))
    assert (response.code, "subjct" in response.message) == (23000, True)
