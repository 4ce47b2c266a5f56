"""Riddles of the platform: drafts that it refuses without a clear reason are refused early, naming the argument."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from attrs import evolve

from contract_platform import COLLEAGUE, NAMES, OTHER_COMPANY, PARTNER, contract_fixtures, text_pdf
from kfq_async import (
    ApiError,
    AsyncSession,
    ContractDraftRequest,
    ContractSigner,
    ContractStatus,
    ContractUser,
    DraftRefused,
    InternalNode,
    KfqError,
    OutcomeUnknown,
    UploadedDocument,
)
from kfq_async.models.drafts import check_draft
from kfq_async.sandbox import Sandbox
from self_hosted import OPERATOR, PERSON, TOKEN

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from kfq_async import PositionParam

    Change = Callable[[ContractDraftRequest], ContractDraftRequest]


def user(contact: str) -> ContractUser:
    """Return a person of the fixtures."""
    return ContractUser.mobile(NAMES[contact], contact)


@pytest.fixture
async def session() -> AsyncIterator[AsyncSession]:
    """A session with a self-hosted platform."""
    async with (
        Sandbox(fixtures=contract_fixtures(), rate_limit_form="none") as sandbox,
        AsyncSession(TOKEN, base_url=sandbox.base_url, rate_limit=None) as session,
    ):
        yield session


async def build(session: AsyncSession) -> ContractDraftRequest:
    """Return a draft that is in order: an automatic seal, a company that signs and seals, and a person."""
    document = await session.files.upload_document(text_pdf(3, "SIGNHERE"), name="合同")
    place = document.at(page=1, left=100, top=100)
    return ContractDraftRequest.of(
        document,
        subject="框架合同",
        sign_re_id="sales",
        operator=user(OPERATOR),
        send=True,
        signers=[
            ContractSigner.sender(seal=place, seal_id="seal-a", auto=True),
            ContractSigner.enterprise(OTHER_COMPANY, by=user(PARTNER), sign=place),
            ContractSigner.person(user(PERSON), sign=document.keyword("SIGNHERE", hit="first", search="platform")),
        ],
    )


def party(index: int, **changes: Any) -> Change:
    """Return a change of a party."""

    def change(draft: ContractDraftRequest) -> ContractDraftRequest:
        signers = list(draft.signer_list or ())
        signers[index] = evolve(signers[index], **changes)
        return evolve(draft, signer_list=signers)

    return change


def step(index: int, **changes: Any) -> Change:
    """Return a change of the first step of a party."""

    def change(draft: ContractDraftRequest) -> ContractDraftRequest:
        [node, *others] = (draft.signer_list or ())[index].internal_node_list or ()
        return party(index, internal_node_list=[evolve(node, **changes), *others])(draft)

    return change


def mark(index: int, **changes: Any) -> Change:
    """Return a change of the first position of a party."""

    def change(draft: ContractDraftRequest) -> ContractDraftRequest:
        signer = (draft.signer_list or ())[index]
        if signer.internal_node_list is None:
            return party(index, position_param_list=changed(signer.position_param_list))(draft)
        return step(index, position_param_list=changed(signer.internal_node_list[0].position_param_list))(draft)

    def changed(positions: tuple[PositionParam, ...] | None) -> list[PositionParam]:
        return [evolve(position, **changes) for position in positions or ()]

    return change


def request(**changes: Any) -> Change:
    """Return a change of the request."""
    return lambda draft: evolve(draft, **changes)


LONG = ContractUser.mobile("三" * 51, PERSON)
RIDDLES: list[tuple[str, Change, str, int | None]] = [
    ("long title", request(subject="合" * 201), "subject", 500),
    ("emoji", request(subject="合同😀"), "subject", 500),
    ("long number", request(sn="1" * 201), "sn", 500),
    ("line with a blank", request(sign_re_id="sa les"), "sign_re_id", 23000),
    ("long line", request(sign_re_id="s" * 65), "sign_re_id", 23000),
    ("no line", request(sign_re_id=None), "sign_re_id", 21000),
    ("no operator", request(operator=None), "operator", 21000),
    (
        "operator by phone",
        request(operator=evolve(user(OPERATOR), contact_type="PHONE")),
        "operator.contact_type",
        31000,
    ),
    ("day in the past", request(expire_date="2020-01-01"), "expire_date", 31000),
    ("order of the sender", party(0, signer_order=None), "signers[0].order", 500),
    ("order in words", party(2, signer_order="one"), "signers[2].order", 500),
    ("large order", party(2, signer_order="128"), "signers[2].order", 500),
    ("no steps", party(1, internal_node_list=None), "signers[1].nodes", 21000),
    ("no person", party(2, receiver=None), "signers[2].user", 21000),
    ("long name", party(2, receiver=LONG), "signers[2].user.name", 500),
    ("long contact", party(2, receiver=evolve(user(PERSON), contact="1" * 256)), "signers[2].user.contact", 500),
    ("long company", party(1, signer_name="司" * 51), "signers[1].name", 500),
    ("long name of a step", step(1, signer=evolve(LONG, name="三" * 21)), "signers[1].by.name", 500),
    ("nobody in a step", step(1, signer=None), "signers[1].by", 21000),
    ("seal without id", step(0, seal_id=None), "signers[0].seal_id", 31000),
    ("automatic seal without a place", step(0, position_param_list=None), "signers[0].seal", 31000),
    ("seal of a person", mark(2, control_type="SEAL"), "signers[2].seal", 31000),
    ("cross-page seal of a person", mark(2, control_type="CHOP_STAMP"), "signers[2].chop", 31000),
    ("signature in a seal step", mark(0, control_type="SIGNATURE"), "signers[0].seal", 31000),
    ("no document", mark(2, relation_doc_list=None), "signers[2].sign", 31000),
    ("date without a format", mark(1, control_type="SIGN_DATE"), "signers[1].date", 401),
    ("no kind of hit", mark(2, keyword_type=None), "signers[2].sign", 31000),
    ("keyword with a colon", mark(2, keyword="SIGN:"), "signers[2].sign", 31000),
    ("decimal offset", mark(2, offset_x="1.5"), "signers[2].sign", 500),
    ("pages with a blank", mark(1, page_config="1, 2"), "signers[1].sign", 500),
    ("page 0", mark(1, page_config="0"), "signers[1].sign", 31000),
    ("pages downwards", mark(1, page_config="3-1"), "signers[1].sign", 31000),
    ("no offset", mark(1, offset_y=None), "signers[1].sign", 31000),
    ("large mark", mark(1, control_width="121"), "signers[1].sign", 31000),
]
"""Name, change of a draft in order, path of the early refusal, and the platform's code, 401 for its error page."""


@pytest.mark.parametrize(
    ("change", "path", "code"), [riddle[1:] for riddle in RIDDLES], ids=[name for name, *_ in RIDDLES]
)
async def test_riddles(change: Change, path: str, code: int, session: AsyncSession) -> None:
    """The early refusal names the argument; the same draft unchecked gets the platform's answer."""
    draft = change(await build(session))
    with pytest.raises(DraftRefused) as caught:
        check_draft(draft, by_rule=False)
    assert path in {caught.value.path, *(other.partition(": ")[0] for other in caught.value.others)}
    with pytest.raises(KfqError) as answered:
        await session.contracts.draft(draft)
    error = answered.value.original_error if isinstance(answered.value, OutcomeUnknown) else answered.value
    assert isinstance(error, ApiError)
    assert error.code == code


async def test_a_draft_in_order(session: AsyncSession) -> None:
    """The draft that the riddles change is accepted."""
    draft = await session.contracts.draft(await build(session))
    assert draft.tasks is not None
    assert draft.tasks.status is ContractStatus.SIGNING


async def test_a_party_that_is_dropped(session: AsyncSession) -> None:
    """A party of an unknown type is refused early, since the platform starts the contract without it."""
    draft = party(1, signer_type="RECEIVER")(await build(session))
    with pytest.raises(DraftRefused, match="drops any other party silently"):
        check_draft(draft, by_rule=False)
    started = await session.contracts.draft(draft)
    assert started.tasks is not None
    assert [task.party_type for task in started.tasks.todo_task_list] == ["PERSONAL"]


async def test_pages_that_are_swapped(session: AsyncSession) -> None:
    """Even pages are refused early, since the platform accepts them and marks the odd ones."""
    draft = mark(1, page_config="EVEN_NUMBER")(await build(session))
    with pytest.raises(DraftRefused, match="swaps EVEN_NUMBER and ODD_NUMBER"):
        check_draft(draft, by_rule=False)
    assert (await session.contracts.draft(draft)).contract_id


async def test_a_date_that_cannot_be_signed(session: AsyncSession) -> None:
    """A date in another party's step is accepted with its format, and warned of where it is built."""
    draft = mark(1, control_type="SIGN_DATE", sign_date_format="LINE")(await build(session))
    check_draft(draft, by_rule=False)
    with pytest.raises(KfqError):  # with an automatic seal in the same contract
        await session.contracts.draft(draft)


async def test_documents_of_one_name(session: AsyncSession, tmp_path: Path) -> None:
    """Two documents of one name are refused early, since the platform cannot put them into one ZIP."""
    documents = [await session.files.upload_document(text_pdf(1, "SIGNHERE"), name="合同") for _ in range(2)]
    with pytest.raises(DraftRefused, match="two documents have one name"):
        approval(documents)
    draft = approval([evolve(document, name=None) for document in documents])
    contract_id = (await session.contracts.draft(draft)).contract_id
    with pytest.raises(ApiError) as caught:
        await session.contracts.download(contract_id, contact=OPERATOR, to=tmp_path, allow_unfinished=True)
    assert caught.value.code == 31000


def approval(documents: list[UploadedDocument]) -> ContractDraftRequest:
    """Return a contract that a colleague approves."""
    return ContractDraftRequest.of(
        documents,
        subject="合同",
        sign_re_id="sales",
        operator=user(OPERATOR),
        signers=[ContractSigner.sender(nodes=[InternalNode.approve(by=user(COLLEAGUE))])],
        send=True,
    )
