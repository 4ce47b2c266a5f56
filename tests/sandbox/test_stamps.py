"""Marks of signatures in the documents of contracts."""

from __future__ import annotations

import io
import sys
import zipfile
from threading import Barrier, Thread
from typing import TYPE_CHECKING, Any

import pytest

from contract_platform import (
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
    text_pdf,
    user,
)
from kfq_async.documents import MarkImage, PositionFields, mark_of, open_pdf, place
from kfq_async.sandbox.checks import Download, Refused
from kfq_async.sandbox.fixtures import DefaultFixtures
from kfq_async.sandbox.lifecycle import sign
from kfq_async.sandbox.signing import PdfSigner, SigningError
from pdfs import A4, pdf, show
from self_hosted import OPERATOR, PERSON, STRANGER, TOKEN
from signatures import form_texts, signed_fields, validations

if TYPE_CHECKING:
    from kfq_async.models.parties import PositionParam

PROXY = "/contract/sign/personal/proxy"


@pytest.fixture
def platform() -> ContractPlatform:
    """A platform."""
    return ContractPlatform()


def documents(platform: ContractPlatform, contract_id: str) -> list[bytes]:
    """Return the documents of a contract as they are."""
    contract = platform.repository.find(contract_id, platform.now_ms)
    return [file.content for file in platform.contract_files.current(contract)]


def sign_for(platform: ContractPlatform, contract_id: str, contact: str = PERSON, **fields: Any) -> tuple[Any, bool]:
    """Sign for a person by proxy, and return the code."""
    asked = {"contractId": contract_id, "signatureSubjectType": "PERSON", "signer": user(contact)} | fields
    return platform.code(PROXY, **asked)


def sign_on_a_page(
    platform: ContractPlatform, contract_id: str, index: int = 0, positions: tuple[PositionParam, ...] = ()
) -> None:
    """Sign an open task as its person does it on a page."""
    task_id = platform.tasks(contract_id)[1][index]["taskId"]
    contract = platform.repository.find(contract_id, platform.now_ms)
    platform.repository.apply(contract, lambda state: sign(state, task_id, by_proxy=False, positions=positions))


def texts(platform: ContractPlatform, contract_id: str) -> list[str]:
    """Return the text of the pictures in the first document, without blanks and the note of the sandbox."""
    (content, *_) = documents(platform, contract_id)
    return [text.replace(" ", "").removesuffix("SANDBOX沙箱") for text in form_texts(content)]


def test_a_step_on_a_page_and_one_by_proxy(platform: ContractPlatform) -> None:
    """Each step appends to the file: an automatic seal at the start, then a person by proxy, then one on a page."""
    upload = text_pdf(3, "SIGNHERE")
    contract_id = platform.draft(
        sender(platform.seal()), platform.signer(PERSON, "2"), platform.signer(SECOND, "3"), send="0"
    )
    assert documents(platform, contract_id) == [upload]
    contract_id = platform.draft(sender(platform.seal()), platform.signer(PERSON, "2"), platform.signer(SECOND, "3"))
    (sealed,) = documents(platform, contract_id)
    assert sealed.startswith(upload)
    assert sign_for(platform, contract_id) == (10000, False)
    (signed,) = documents(platform, contract_id)
    assert signed.startswith(sealed)
    sign_on_a_page(platform, contract_id)
    (complete,) = documents(platform, contract_id)
    assert complete.startswith(signed)
    assert documents(platform, contract_id) == [complete]
    assert texts(platform, contract_id) == [f"{COMPANY}合同章", "林二", "方四"]
    assert [(common_name, valid) for _, common_name, valid, _ in validations(complete)] == [
        (f"SANDBOX 沙箱 · {COMPANY}", True),
        ("SANDBOX 沙箱 · 林二", True),
        ("SANDBOX 沙箱 · 方四", True),
    ]
    assert platform.tasks(contract_id) == ("COMPLETE", [])


@pytest.mark.parametrize(
    ("name", "changes", "text", "width"),
    [
        (OTHER_COMPANY, {}, f"{OTHER_COMPANY}财务章", 60),
        (OTHER_COMPANY, {"sealId": "seal-w"}, f"{OTHER_COMPANY}合同章", 120),
        (OTHER_COMPANY, {"sealId": "seal-unknown"}, f"{OTHER_COMPANY}财务章", 60),
        (UNKNOWN_COMPANY, {}, UNKNOWN_COMPANY, 120),
        (None, {}, "", 120),
    ],
)
def test_seal_of_a_receiving_enterprise(name: str | None, changes: dict[str, str], text: str, width: int) -> None:
    """An enterprise seals with the seal of the step, or its default one; one without a seal gets a square one."""
    fixtures = contract_fixtures()
    fixtures["enterprises"][1]["seals"] = [
        {"sealId": "seal-w", "name": "合同章"},
        {"sealId": "seal-d", "name": "财务章", "pixelHeight": 240, "default": True},
    ]
    platform = ContractPlatform(fixtures)
    step = node("ENTERPRISE_SEAL", PARTNER, positionParamList=[platform.position(controlType="SEAL")], **changes)
    contract_id = platform.draft(company(step, signerName=name))
    sign_on_a_page(platform, contract_id)
    assert texts(platform, contract_id) == [text]
    ((_, (left, _, right, _), _),) = signed_fields(documents(platform, contract_id)[0])
    assert right - left == width


@pytest.mark.parametrize(("contact", "text"), [(PERSON, "林二"), (STRANGER, "外人"), (SECOND, "方四")])
def test_name_of_a_person(contact: str, text: str, platform: ContractPlatform) -> None:
    """A person signs with the name of the account, or else that of the request."""
    signer = platform.signer(contact)
    if contact == SECOND:
        signer["receiver"] = user(contact) | {"name": "别名"}
    contract_id = platform.draft(signer)
    sign_on_a_page(platform, contract_id)
    assert texts(platform, contract_id) == [text]


def test_name_without_fixtures(platform: ContractPlatform, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without fixtures, where an account is named after its contact, the name of the request is written."""
    contract_id = platform.draft(platform.signer())
    monkeypatch.setattr(platform.directory, "_fixtures", DefaultFixtures.for_tokens([TOKEN]))
    sign_on_a_page(platform, contract_id)
    assert texts(platform, contract_id) == ["林二"]


def test_an_employee_and_then_an_automatic_seal(platform: ContractPlatform) -> None:
    """A signature and the automatic seal that follows it are two updates, in this order."""
    steps = [node("PERSONAL_SIGN", COLLEAGUE, positionParamList=[platform.position()]), platform.seal("2")]
    contract_id = platform.draft(sender(*steps))
    assert sign_for(platform, contract_id, COLLEAGUE, signatureSubjectType="EMPLOYEE") == (10000, False)
    assert texts(platform, contract_id) == ["何三", f"{COMPANY}合同章"]
    assert [update.task_id[:4] for update in platform.store.updates.all()] == [
        field[8:12] for field, *_ in validations(documents(platform, contract_id)[0])
    ]


def test_an_approval_and_then_an_automatic_seal(platform: ContractPlatform) -> None:
    """An approval leaves no mark; the automatic seal that follows it does."""
    contract_id = platform.draft(sender(node("APPROVER_CHECK"), platform.seal("2")))
    assert documents(platform, contract_id) == [text_pdf(3, "SIGNHERE")]
    assert platform.code("/contract/approval", contractId=contract_id, signer=user(OPERATOR), approval=1)[0] == 10000
    assert texts(platform, contract_id) == [f"{COMPANY}合同章"]


def test_several_documents(platform: ContractPlatform) -> None:
    """Each document that a step marks gets a signature of its own; another one stays as it was uploaded."""
    second, third = platform.upload("附件", text_pdf(2, "B")), platform.upload("附图", text_pdf(1, "C"))
    related = [{"docType": "1", "docId": doc_id} for doc_id in (second, platform.doc_id)]
    positions = [platform.position(relationDocList=related), platform.position(offsetX="0.1")]
    listed = [{"docId": doc_id} for doc_id in (platform.doc_id, second, third)]
    contract_id = platform.draft(receiver(positionParamList=positions), signDocumentList=listed)
    assert sign_for(platform, contract_id) == (10000, False)
    one, other, last = documents(platform, contract_id)
    assert [len(signed_fields(content)) for content in (one, other)] == [2, 1]
    assert last == text_pdf(1, "C")
    assert [coverage for content in (one, other) for *_, coverage in validations(content)] == ["ENTIRE_FILE"] * 3
    download, again = platform.download(contract_id), platform.download(contract_id)
    assert isinstance(download, Download)
    assert download == again
    with zipfile.ZipFile(io.BytesIO(download.content)) as archive:
        assert [archive.read(name) for name in archive.namelist()] == [one, other, last]


def test_a_signature_without_a_position(platform: ContractPlatform) -> None:
    """A person who signs on a page without a position leaves the document as it is."""
    contract_id = platform.draft(receiver())
    sign_on_a_page(platform, contract_id)
    assert documents(platform, contract_id) == [text_pdf(3, "SIGNHERE")]
    assert platform.tasks(contract_id) == ("COMPLETE", [])


BOXES = [A4, f"{A4}/Rotate 90", "/MediaBox[0 0 300 400]/Rotate 180", f"{A4}/CropBox[50 60 500 700]/Rotate 270"]
MARKS = [
    {"pageConfig": "1-4,2", "offsetX": "0.3", "offsetY": "0.7", "controlWidth": "80", "controlHeight": "33"},
    {"pageConfig": "ALL", "offsetX": "-0.1", "offsetY": "1"},
    {"pageConfig": "EVEN_NUMBER", "controlHeight": "10"},
    {"signPositionType": "KEYWORD", "keyword": "HERE", "keywordType": "0", "offsetX": "20", "offsetY": "-30"},
    {"signPositionType": "KEYWORD", "keyword": "HERE", "keywordType": "-1", "offsetX": None, "offsetY": None},
    {"controlType": "CHOP_STAMP", "pageConfig": "ALL", "offsetX": None, "offsetY": "0.4"},
    {"controlType": "CHOP_STAMP", "pageConfig": "EVEN_NUMBER", "offsetX": None, "controlWidth": "60"},
]


@pytest.mark.parametrize("changes", MARKS)
def test_places(changes: dict[str, Any], platform: ContractPlatform) -> None:
    """Marks land where the package computes them, on pages of any size and turn."""
    content = pdf([show("HERE", 100, 200 + 20 * number) for number in range(4)], boxes=BOXES)
    doc_id = platform.upload("页面", content)
    sealed = changes.get("controlType") == "CHOP_STAMP"
    position = platform.position(relationDocList=[{"docType": "1", "docId": doc_id}], **changes)
    node_ = platform.seal(positionParamList=[position])
    signer = sender(node_) if sealed else receiver(positionParamList=[position])
    contract_id = platform.draft(signer, signDocumentList=[{"docId": doc_id}])
    if not sealed:
        assert sign_for(platform, contract_id) == (10000, False)
    names = {"controlType": "control_type", "signPositionType": "sign_position_type", "pageConfig": "page_config"}
    names |= {"offsetX": "offset_x", "offsetY": "offset_y", "controlWidth": "control_width"}
    names |= {"controlHeight": "control_height", "keyword": "keyword", "keywordType": "keyword_type"}
    fields = PositionFields(**{names[name]: value for name, value in position.items() if name in names})
    image = MarkImage(200 if sealed else 120)
    predicted = [mark_of(box, image) for box in place([open_pdf(content)], fields)]
    expected = [(mark.page, *(round(edge, 3) for edge in _edges(mark.rect))) for mark in predicted]
    found = [(field.page, *field.rect) for field in signed_fields(documents(platform, contract_id)[0])]
    assert len(found) == len(expected)
    for one, other in zip(sorted(found), sorted(expected), strict=True):
        assert one == pytest.approx(other, abs=0.01)


def _edges(rect: Any) -> tuple[float, float, float, float]:
    return rect.x0, rect.y0, rect.x1, rect.y1


def test_a_refused_step_changes_nothing(platform: ContractPlatform, monkeypatch: pytest.MonkeyPatch) -> None:
    """A document that cannot be signed refuses the step, and neither state nor documents nor events change."""
    second = platform.upload("附件", text_pdf(2, "B"))
    related = [{"docType": "1", "docId": doc_id} for doc_id in (platform.doc_id, second)]
    listed = [{"docId": doc_id} for doc_id in (platform.doc_id, second)]
    positions = [platform.position(relationDocList=related)]
    contract_id = platform.draft(receiver(positionParamList=positions), signDocumentList=listed)
    before = platform.repository.find(contract_id, platform.now_ms), documents(platform, contract_id)
    sign_one = PdfSigner.sign

    def fail(signer: PdfSigner, content: bytes, *rest: Any) -> bytes:
        if content == text_pdf(2, "B"):
            raise SigningError("broken")
        return sign_one(signer, content, *rest)

    monkeypatch.setattr(PdfSigner, "sign", fail)
    response = platform.ask(
        PROXY, contractId=contract_id, signatureSubjectType="PERSON", signer=user(PERSON), positionParamList=None
    )
    assert (response.code, "附件 无法签署：broken" in response.message) == (31000, True)
    assert (platform.repository.find(contract_id, platform.now_ms), documents(platform, contract_id)) == before
    assert platform.events_of(contract_id) == ["SEND_SIGNING/SIGNING"]
    monkeypatch.undo()
    assert sign_for(platform, contract_id) == (10000, False)


def test_a_failed_seal_at_the_start_leaves_a_draft(platform: ContractPlatform, monkeypatch: pytest.MonkeyPatch) -> None:
    """An automatic seal that cannot be applied refuses the start, and the draft stays."""

    def fail(*_: object) -> bytes:
        raise SigningError("broken")

    monkeypatch.setattr(PdfSigner, "sign", fail)
    fields = platform.draft_fields(sender(platform.seal()), platform.signer(PERSON, "2"))
    assert platform.code("/contract/draft", **fields) == (31000, False)
    (contract,) = platform.store.contracts.all()
    assert (contract.status, platform.store.updates.all(), platform.events) == ("DRAFT", [], [])


@pytest.mark.parametrize("missing", ["pyhanko.sign", "fontTools.fontBuilder", "justmytype_intl_cjk"])
def test_without_the_extra(missing: str, platform: ContractPlatform, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the extra a signature with a position says what to install; one without a position works."""
    contract_id = platform.draft(platform.signer(), platform.signer(SECOND), signOrderType="NO_ORDER")
    with_a_place, without = platform.draft(platform.signer()), platform.draft(receiver())
    monkeypatch.setitem(sys.modules, missing, None)
    from kfq_async.sandbox import fonts

    fonts._cut_down.cache_clear()
    fonts._paths.cache_clear()
    with pytest.raises(Refused) as refused:
        sign_on_a_page(platform, with_a_place)
    assert "pip install 'kfq-async[sandbox]'" in refused.value.response.message
    assert platform.tasks(with_a_place)[0] == "SIGNING"
    sign_on_a_page(platform, without)
    assert platform.tasks(without)[0] == "COMPLETE"
    monkeypatch.undo()
    fonts._paths.cache_clear()
    assert sign_for(platform, contract_id) == (10000, False)


def test_two_steps_at_once(platform: ContractPlatform, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two persons who sign in the same moment both leave their marks: the second one signs what the first has made."""
    contract_id = platform.draft(platform.signer(), platform.signer(SECOND), signOrderType="NO_ORDER")
    barrier, sign_one, calls = Barrier(2), PdfSigner.sign, []

    def meet(signer: PdfSigner, *arguments: Any) -> bytes:
        calls.append(arguments)
        if len(calls) <= 2:
            barrier.wait(timeout=30)
        return sign_one(signer, *arguments)

    monkeypatch.setattr(PdfSigner, "sign", meet)
    threads = [Thread(target=sign_for, args=(platform, contract_id, contact)) for contact in (PERSON, SECOND)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(texts(platform, contract_id)) == ["方四", "林二"]
    assert [coverage for *_, coverage in validations(documents(platform, contract_id)[0])] == [
        "ENTIRE_REVISION",
        "ENTIRE_FILE",
    ]
    assert (platform.tasks(contract_id), len(calls)) == (("COMPLETE", []), 3)
