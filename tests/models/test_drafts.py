"""Requests of contracts that are built: parties and steps, their sequence, and what is refused before it is sent."""

from __future__ import annotations

import warnings
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from attrs import evolve

from kfq_async import (
    Annex,
    ContractDraftRequest,
    ContractSigner,
    ContractUser,
    DraftRefused,
    InternalNode,
    KfqError,
    Phase,
    PlatformFaultWarning,
    PositionParam,
    RelationDoc,
    SignDocument,
    SignTemplateParam,
    UploadedAttachment,
    UploadedDocument,
)
from kfq_async.models import drafts

TODAY = datetime.now(UTC).date()
LI, ZHANG = ContractUser.mobile("李四", "13800138000"), ContractUser.email("张三", "zhang@example.com")
PDF = UploadedDocument(doc_id="D-1", name="合同")
OTHER = UploadedDocument(doc_id="D-2", name="附件")
PARTY: Any = ContractSigner
"""The class, also called with what type checkers refuse."""
PLACE = PDF.at(page=1, left=100, top=100)
PERSON = ContractSigner.person(ZHANG, sign=PLACE)
SENDER = ContractSigner.sender(seal=PLACE, seal_id="seal-1", auto=True)
POSITION = PositionParam(
    control_type="SIGNATURE",
    sign_position_type="POSITION",
    relation_doc_list=[RelationDoc(doc_type="1", doc_id="D-1")],
    page_config="1",
    offset_x="0.5",
    offset_y="0.5",
)
KEYWORD = evolve(POSITION, sign_position_type="KEYWORD", page_config=None, keyword="签字", keyword_type="1")
KEYWORD = evolve(KEYWORD, offset_x=None, offset_y=None)


def draft(*signers: ContractSigner, documents: Any = PDF, **options: Any) -> ContractDraftRequest:
    """Return a request."""
    fields: dict[str, Any] = {
        "subject": "劳动合同",
        "sign_re_id": "line-1",
        "operator": LI,
        "signers": signers or [SENDER, PERSON],
    }
    return ContractDraftRequest.of(documents, **(fields | options))


def test_request() -> None:
    """The request is an ordinary one: flags, days and orders are the wire's, and the sequence is that of the list."""
    day = TODAY + timedelta(days=30)
    built = draft(
        documents=[PDF, OTHER],
        expire_date=day,
        send=True,
        sn="PO-1",
        annexes=[UploadedAttachment(file_id="F-1")],
        template_params=[SignTemplateParam(template_id="T-1")],
        auto_finish=False,
        control_change_flag="NECESSARY_AND_ADD",
    )
    assert built == ContractDraftRequest(
        send="1",
        operator=LI,
        expire_date=day.isoformat(),
        sign_re_id="line-1",
        sn="PO-1",
        subject="劳动合同",
        sign_document_list=[SignDocument(doc_id="D-1"), SignDocument(doc_id="D-2")],
        annex_list=[Annex(file_id="F-1")],
        sign_template_param_list=[SignTemplateParam(template_id="T-1")],
        signer_list=[evolve(SENDER, signer_order="1"), evolve(PERSON, signer_order="2")],
        sign_order_type="ORDER",
        control_change_flag="NECESSARY_AND_ADD",
        auto_finish=0,
    )
    plain = draft(together=True)
    assert (plain.send, plain.auto_finish, plain.sign_order_type, plain.annex_list) == ("0", 1, "NO_ORDER", None)


def test_parties() -> None:
    """The argument that places a mark is its kind, and every position names its document."""
    chop = PDF.at_fraction(x=0, y=0.5, pages="all")
    sender = ContractSigner.sender(
        seal=[PLACE, PDF.at(page=2, left=1, top=1)], seal_id="s", auto=True, chop=chop, order=5
    )
    [node] = sender.internal_node_list or ()
    assert (sender.signer_type, sender.signer_order) == ("SENDER", "5")
    assert (node.node_type, node.auto_sign, node.seal_id, node.signer, node.signer_order) == (
        *("ENTERPRISE_SEAL", "AUTO_SIGN", "s", None),
        "1",
    )
    positions = node.position_param_list or ()
    assert [position.control_type for position in positions] == ["SEAL", "SEAL", "CHOP_STAMP"]
    assert {position.relation_doc_list for position in positions} == {(RelationDoc(doc_type="1", doc_id="D-1"),)}

    company = ContractSigner.enterprise("另一公司", by=ZHANG, sign=PLACE, seal=PLACE)
    assert [each.node_type for each in company.internal_node_list or ()] == ["AGENT_SIGN", "ENTERPRISE_SEAL"]
    assert [each.signer_order for each in company.internal_node_list or ()] == ["1", "2"]
    assert (company.signer_type, company.signer_name) == ("RECEIVER_ENT", "另一公司")
    signing = ContractSigner.enterprise("另一公司", by=ZHANG, sign=PLACE)
    assert [each.node_type for each in signing.internal_node_list or ()] == ["AGENT_SIGN"]
    sealing = ContractSigner.enterprise("另一公司", by=ZHANG, seal=PLACE)
    assert [each.node_type for each in sealing.internal_node_list or ()] == ["ENTERPRISE_SEAL"]

    person = ContractSigner.person(ZHANG)
    assert (person.receiver, person.signer_name, person.position_param_list) == (ZHANG, "张三", None)


def test_steps() -> None:
    """Several steps follow their list, and the sender's steps without a person are the operator's."""
    steps = [
        InternalNode.approve(),
        InternalNode.sign(PLACE, by=ZHANG),
        InternalNode.seal(PLACE, seal_id="s", auto=True),
    ]
    built = draft(ContractSigner.sender(nodes=steps), PERSON)
    assert built.signer_list is not None
    nodes = built.signer_list[0].internal_node_list or ()
    assert [(node.node_type, node.signer_order, node.signer) for node in nodes] == [
        ("APPROVER_CHECK", "1", LI),
        ("AGENT_SIGN", "2", ZHANG),
        ("ENTERPRISE_SEAL", "3", None),
    ]
    numbered = ContractSigner.sender(nodes=[evolve(InternalNode.approve(), signer_order="7")])
    assert [node.signer_order for node in numbered.internal_node_list or ()] == ["7"]
    company = ContractSigner.enterprise(
        "另一公司", nodes=[InternalNode.sign(PLACE, by=ZHANG, kind="LEGAL_PERSON_SIGN")]
    )
    assert [node.node_type for node in company.internal_node_list or ()] == ["LEGAL_PERSON_SIGN"]


def test_dates_warn() -> None:
    """A date mark warns with the remedy, where it is asked for."""
    with pytest.warns(PlatformFaultWarning, match="leave date out") as caught:
        person = ContractSigner.person(ZHANG, date=PLACE, date_format="LINE")
    assert caught[0].filename == __file__
    [position] = person.position_param_list or ()
    assert (position.control_type, position.sign_date_format) == ("SIGN_DATE", "LINE")
    with pytest.warns(PlatformFaultWarning):
        company = ContractSigner.enterprise("另一公司", by=ZHANG, sign=PLACE, date=PLACE)
    assert len((company.internal_node_list or ())[0].position_param_list or ()) == 2


def test_rule_mode() -> None:
    """A business line that prescribes the parties leaves the sender out, and gives the orders."""
    built = draft(ContractSigner.person(ZHANG, sign=PLACE, order=3), mode="rule")
    assert [signer.signer_order for signer in built.signer_list or ()] == ["3"]
    refused(lambda: draft(SENDER, mode="rule"), "signers[0].order", "must be a whole number from -128 to 127")
    refused(lambda: draft(evolve(SENDER, signer_order="1"), mode="rule"), "signers[0]", "leave the sender out")
    refused(lambda: draft(mode="ruled"), "mode", "must be one of free, rule")


def refused(call: Any, path: str, problem: str) -> None:
    """Check that a call is refused."""
    with pytest.raises(DraftRefused) as caught:
        call()
    assert (caught.value.path, caught.value.phase) == (path, Phase.NOT_SENT)
    assert str(caught.value).startswith(f"{path}: ")
    assert problem in str(caught.value)
    assert isinstance(caught.value, KfqError)
    assert isinstance(caught.value, ValueError)


def with_position(**changes: Any) -> ContractSigner:
    """Return a person with a position made by hand."""
    return ContractSigner(
        signer_type="RECEIVER_PERSONAL", receiver=ZHANG, position_param_list=[evolve(POSITION, **changes)]
    )


def with_keyword(**changes: Any) -> ContractSigner:
    """Return a person with a keyword made by hand."""
    return ContractSigner(
        signer_type="RECEIVER_PERSONAL", receiver=ZHANG, position_param_list=[evolve(KEYWORD, **changes)]
    )


def with_node(kind: str = "RECEIVER_ENT", **changes: Any) -> ContractSigner:
    """Return an enterprise with a step made by hand."""
    node = InternalNode(node_type="AGENT_SIGN", signer_order="1", signer=ZHANG)
    return ContractSigner(signer_type=kind, signer_name="另一公司", internal_node_list=[evolve(node, **changes)])


@pytest.mark.parametrize(
    ("options", "path", "problem"),
    [
        ({"subject": "合" * 201}, "subject", "must have at most 200 characters, not 201"),
        ({"subject": "合同😀"}, "subject", "beyond the basic multilingual plane"),
        ({"sn": "1" * 201}, "sn", "must have at most 200 characters"),
        ({"sign_re_id": ""}, "sign_re_id", "is missing"),
        ({"sign_re_id": "a b"}, "sign_re_id", "no blank"),
        ({"sign_re_id": "a" * 65}, "sign_re_id", "at most 64"),
        ({"operator": ContractUser()}, "operator.name", "is missing"),
        (
            {"operator": ContractUser(name="李", contact_type="PHONE", contact="1")},
            "operator.contact_type",
            "MOBILE or EMAIL",
        ),
        ({"expire_date": TODAY - timedelta(days=2)}, "expire_date", "must be after today in China"),
        ({"documents": [PDF, evolve(OTHER, name="合同")]}, "documents[0]", "two documents have one name"),
        ({"signers": []}, "signers", "must name a party"),
    ],
)
def test_refused_requests(options: dict[str, Any], path: str, problem: str) -> None:
    """What the platform refuses in riddles is refused before it is sent, by the name of the argument."""
    refused(lambda: draft(**options), path, problem)


@pytest.mark.parametrize(
    ("signer", "path", "problem"),
    [
        (ContractSigner(signer_type="RECEIVER"), "", "drops any other party silently"),
        (evolve(PERSON, signer_order="128"), ".order", "from -128 to 127"),
        (evolve(PERSON, signer_order="a"), ".order", "from -128 to 127"),
        (evolve(PERSON, receiver=None), ".user", "is missing: pass ContractUser.mobile"),
        (ContractSigner.person(ContractUser.mobile("三" * 51, "13900139000")), ".user.name", "at most 50 characters"),
        (
            ContractSigner.person(ContractUser.mobile("𠮷", "13900139000")),
            ".user.name",
            "beyond the basic multilingual plane",
        ),
        (ContractSigner.person(ContractUser.mobile("三", "1" * 256)), ".user.contact", "at most 255 characters"),
        (ContractSigner.person(ContractUser.mobile("三", "139")), ".user.contact", "no account of the platform"),
        (ContractSigner.person(ContractUser.email("三", "a@b")), ".user.contact", "no account of the platform"),
        (ContractSigner.enterprise("司" * 51, by=ZHANG, seal=PLACE), ".name", "at most 50 characters"),
        (ContractSigner.enterprise("", by=ZHANG, seal=PLACE), ".name", "is missing"),
        (ContractSigner.enterprise("另一公司", nodes=[]), ".nodes", "must hold a step"),
        (ContractSigner.enterprise("另一公司", seal=PLACE), ".by", "is missing"),
        (
            ContractSigner.enterprise("另一公司", by=ContractUser.mobile("三" * 21, "13900139000")),
            ".by.name",
            "at most 20 characters",
        ),
        (ContractSigner.enterprise("另一公司", nodes=[InternalNode.approve(by=LI)]), "", "for the sender only"),
        (
            ContractSigner.enterprise("另一公司", nodes=[InternalNode.seal(PLACE, by=LI, auto=True)]),
            ".auto",
            "only the sender's seal",
        ),
        (with_node(node_type="SIGN"), "", "node_type must be one of"),
        (with_node(signer_order=None), ".order", "from -128 to 127"),
        (
            ContractSigner.enterprise(
                "另一公司", nodes=[InternalNode.sign(PLACE, by=LI), InternalNode.sign(PLACE, kind="PERSONAL_SIGN")]
            ),
            ".nodes[1].by",
            "is missing",
        ),
        (with_position(control_type="SEAL"), ".seal", "only an enterprise's seal step takes a seal"),
        (with_position(control_type="CHOP_STAMP"), ".chop", "only an enterprise's seal step takes a seal"),
        (with_node(node_type="ENTERPRISE_SEAL", position_param_list=[POSITION]), ".sign", "takes no signature"),
        (with_position(control_type="STAMP"), "", "control_type must be one of"),
        (with_position(control_type="SIGN_DATE"), ".date", "sign_date_format must be one of"),
        (with_position(relation_doc_list=None), ".sign", "relation_doc_list is missing"),
        (with_position(relation_doc_list=[RelationDoc(doc_type="1", doc_id="D-9")]), ".sign", "not one of the draft's"),
        (with_position(relation_doc_list=[RelationDoc(doc_type="3")]), ".sign", 'doc_type must be "1"'),
        (with_position(sign_position_type="PLACE"), ".sign", "sign_position_type must be POSITION or KEYWORD"),
        (with_position(page_config="EVEN_NUMBER"), ".sign", "the platform swaps EVEN_NUMBER and ODD_NUMBER"),
        (with_position(page_config="1, 2"), ".sign", "page_config must be ALL, or a list"),
        (with_position(page_config=None), ".sign", "page_config must be ALL, or a list"),
        (with_position(page_config="0"), ".sign", "must count pages from 1 on"),
        (with_position(page_config="3-1"), ".sign", "must count pages from 1 on"),
        (with_position(offset_x=None), ".sign", "offset_x is missing"),
        (with_position(offset_x=""), ".sign", "offset_x must be a number from -1 to 1"),
        (with_position(offset_y="300"), ".sign", "offset_y must be a number from -1 to 1"),
        (with_position(control_width="NaN"), ".sign", "control_width must be a number from 10 to 120"),
        (with_position(control_height="9"), ".sign", "control_height must be a number from 10 to 120"),
        (with_keyword(keyword=None), ".sign", "keyword is missing"),
        (with_keyword(keyword="签字:"), ".sign", "the platform never finds a keyword with :"),
        (with_keyword(keyword_type=None), ".sign", 'keyword_type must be "1", "0" or "-1"'),
        (with_keyword(offset_x="1.5"), ".sign", "offset_x must be a whole number of points"),
    ],
)
def test_refused_parties(signer: ContractSigner, path: str, problem: str) -> None:
    """A party that the platform refuses, drops or misplaces is named by its place in the list."""
    refused(lambda: draft(SENDER, signer), f"signers[1]{path}", problem)


@pytest.mark.parametrize(
    ("signer", "options", "path", "problem"),
    [
        (ContractSigner.sender(seal_id="s", auto=True), {}, "signers[0].seal", "an automatic seal needs a place"),
        (ContractSigner.sender(seal=PLACE), {"send": True}, "signers[0].seal_id", "needed when the contract starts"),
        (ContractSigner.sender(nodes=[]), {}, "signers[0].nodes", "must hold a step"),
        (
            ContractSigner.person(ZHANG),
            {"control_change_flag": "NECESSARY_NO_ADD"},
            "signers[0]",
            "lets the signer add none",
        ),
    ],
)
def test_refused_combinations(signer: ContractSigner, options: dict[str, Any], path: str, problem: str) -> None:
    """What a party needs depends on the rest of the draft."""
    refused(lambda: draft(signer, **options), path, problem)


def test_several_problems() -> None:
    """All problems of a draft are told at once."""
    with pytest.raises(DraftRefused) as caught:
        draft(SENDER, evolve(PERSON, receiver=None), with_node(node_type="SIGN"), subject="合" * 201)
    paths = [caught.value.path, *(other.partition(":")[0] for other in caught.value.others)]
    assert paths == ["subject", "signers[1].user", "signers[2]"]
    assert all(other in str(caught.value) for other in caught.value.others)
    with pytest.raises(DraftRefused, match="control_type must be one of") as caught:
        draft(with_position(control_type="STAMP"), ContractSigner(signer_type="OTHER"))
    assert len(caught.value.others) == 1


def test_accepted_combinations() -> None:
    """What looks alike and is in order passes."""
    draft(ContractSigner.sender(seal=PLACE))
    draft(ContractSigner.sender(nodes=[]), PERSON, auto_finish=False)
    draft(ContractSigner.sender(nodes=[InternalNode.approve()]), control_change_flag="NECESSARY_NO_ADD")
    draft(with_keyword(offset_x="-3", offset_y="10"), with_position(page_config="1,3-5", offset_x="-0.1"))
    draft(with_position(relation_doc_list=[RelationDoc(doc_type="2", doc_id="T-1")]))
    sealed = PositionParam(
        control_type="CHOP_STAMP",
        sign_position_type="POSITION",
        page_config="EVEN_NUMBER",
        offset_y="0.5",
        relation_doc_list=[RelationDoc(doc_type="1", doc_id="D-1")],
    )
    draft(with_node(node_type="ENTERPRISE_SEAL", position_param_list=[sealed]))
    draft(PERSON, documents=[UploadedDocument(doc_id="D-1"), UploadedDocument(doc_id="D-2")])


def test_days(monkeypatch: pytest.MonkeyPatch) -> None:
    """The deadline is compared with the day in China, which begins eight hours early."""

    class Clock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return datetime(2026, 12, 31, 17, tzinfo=UTC).astimezone(tz)

    monkeypatch.setattr(drafts, "datetime", Clock)
    refused(lambda: draft(expire_date=date(2027, 1, 1)), "expire_date", "must be after today in China")
    assert draft(expire_date=date(2027, 1, 2)).expire_date == "2027-01-02"


@pytest.mark.parametrize(
    ("call", "problem"),
    [
        (lambda: PARTY.person(ZHANG, seal=PLACE), "unexpected keyword argument 'seal'"),
        (lambda: PARTY.person("张三", sign=PLACE), "user must be a ContractUser, such as"),
        (lambda: PARTY.person(ZHANG, sign="签字"), "sign must be an anchor, such as document.keyword"),
        (lambda: PARTY.person(ZHANG, sign=["签字"]), "sign must hold anchors"),
        (lambda: PARTY.person(ZHANG, sign=PLACE, order="1"), "order must be a whole number, not str"),
        (lambda: PARTY.sender(nodes=InternalNode.approve()), "nodes must be a sequence of InternalNode"),
        (lambda: PARTY.sender(nodes=[], seal=PLACE), "seal does not go with nodes"),
        (lambda: draft(send="1"), "send must be a bool, not str"),
        (lambda: draft(expire_date="2027-01-01"), "expire_date must be a date, such as"),
        (lambda: draft(documents="D-1"), "documents must be a sequence, not str"),
        (lambda: draft(together=1), "together must be a bool, not int"),
    ],
)
def test_arguments_of_a_wrong_type(call: Any, problem: str) -> None:
    """An argument of a wrong type is refused by its name."""
    with pytest.raises(TypeError, match=problem):
        call()


def test_places_that_cannot_be_reached() -> None:
    """A place without a position is refused by the argument."""
    refused(lambda: PARTY.person(ZHANG, sign=PDF.at(page=1, left=590, top=1)), "sign", "not inside an upright A4")
    keyword = PDF.keyword("章", hit="last", search="platform")
    refused(lambda: PARTY.sender(chop=keyword, seal_id="s"), "chop", "pass document.at or at_fraction")
    for top in (-0.5, 842.5):  # a longer page reaches there, but not the fraction that is sent
        chop = PDF.at(page=1, left=0, top=top)
        refused(
            lambda chop=chop: PARTY.sender(chop=chop, seal_id="s"),
            "chop",
            f"from 0 to 842 points for a cross-page seal, not {top}",
        )
    for top in (0, 842):
        assert PARTY.sender(chop=PDF.at(page=1, left=0, top=top), seal_id="s").internal_node_list


def test_nothing_else_warns() -> None:
    """Building warns of dates only."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        draft()
