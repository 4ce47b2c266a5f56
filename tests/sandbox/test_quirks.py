"""Quirks of the platform: what the sandbox does with each, and without it."""

from __future__ import annotations

import asyncio
import base64
import io
import re
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import orjson
import pytest
from attrs import evolve

import kfq_async.sandbox
from contract_platform import (
    COLLEAGUE,
    PARTNER,
    SECOND,
    ContractPlatform,
    call_sandbox,
    company,
    contract_fixtures,
    node,
    receiver,
    sender,
    text_pdf,
    user,
)
from kfq_async.documents import PdfError, PdfProblem
from kfq_async.protocol.requests import API_PATH
from kfq_async.sandbox import Sandbox, app, files, quirks
from kfq_async.sandbox.app import API
from kfq_async.sandbox.checks import Download
from kfq_async.sandbox.collisions import Collision, DrivingKind
from kfq_async.sandbox.dates import midnight_ms, strict_date
from kfq_async.sandbox.quirks import QUIRKS, Quirk
from self_hosted import OPERATOR, OTHER_TOKEN, PERSON, STRANGER, Platform
from signatures import form_texts, signed_fields

if TYPE_CHECKING:
    from collections.abc import Collection

OK, MISSING, FORMAT, NOT_JSON, BUSINESS, GENERIC, HIDDEN = (
    (10000, False),
    (21000, False),
    (23000, False),
    (25000, False),
    (31000, False),
    (500, True),
    (401, True),
)
DRAFT, APPROVAL, PROXY, ADD, FINISH, RECALL = (
    "/contract/draft",
    "/contract/approval",
    "/contract/sign/personal/proxy",
    "/contract/signer/add",
    "/contract/finish",
    "/contract/recall",
)
GUIDES = Path(kfq_async.sandbox.__file__).parent
EMOJI = "合同😀"
SWITCHED = pytest.mark.parametrize("is_on", [True, False])
"""Runs a test with a quirk, and without it."""


def platform_of(name: str, *, is_on: bool) -> ContractPlatform:
    """Return a platform with all quirks, or with all but one."""
    return ContractPlatform(quirks=QUIRKS.keys() - (set() if is_on else {name}))


def proxy(platform: ContractPlatform, contract_id: str, contact: str = PERSON, **fields: Any) -> tuple[Any, bool]:
    """Sign by proxy, and return the code."""
    asked = {"contractId": contract_id, "signatureSubjectType": "PERSON", "signer": user(contact)}
    return platform.code(PROXY, **asked, **fields)


def add(platform: ContractPlatform, contract_id: str, contact: str = SECOND, order: str = "2") -> tuple[Any, bool]:
    """Add a person, and return the code."""
    return platform.code(ADD, contractId=contract_id, signerList=[platform.signer(contact, order)])


def collide(platform: ContractPlatform, path: str, met: Collision) -> None:
    """Let the calls of an operation meet others from now on."""
    operation = platform.operations[path]
    handler = operation.handler
    platform.operations[path] = evolve(operation, handler=lambda call: handler(evolve(call, collision=met)))


def contacts(platform: ContractPlatform, contract_id: str) -> list[str]:
    """Return who has an open task."""
    return sorted(task["party"]["contact"] for task in platform.tasks(contract_id)[1])


# The table.


@pytest.mark.parametrize("quirk", QUIRKS.values(), ids=lambda quirk: quirk.name)
def test_texts(quirk: Quirk) -> None:
    """A name is in lower case with hyphens; both texts have two sentences."""
    assert re.fullmatch(r"[a-z]+(-[a-z0-9]+)*", quirk.name)
    assert quirk.summary.endswith(".")
    assert len(re.findall(r"[.](?= [A-Z]|$)", quirk.summary)) == 2
    assert quirk.summary_zh.endswith("。")
    assert quirk.summary_zh.count("。") == 2


def test_every_name_is_in_the_table() -> None:
    """Each constant names a quirk, and each quirk has one."""
    named = {value for name, value in vars(quirks).items() if name.isupper() and isinstance(value, str)}
    assert named == QUIRKS.keys()
    assert {name: quirk.name for name, quirk in QUIRKS.items()} == {name: name for name in QUIRKS}


@pytest.mark.parametrize(("guide", "heading"), [("README.md", "## Quirks"), ("README.zh-CN.md", "## 平台缺陷")])
def test_guide(guide: str, heading: str) -> None:
    """The guide explains each quirk with the text of the table, in its sequence."""
    text = (GUIDES / guide).read_text("utf-8")
    section = text[text.index(heading) :].partition("\n## ")[0]
    shown = re.findall(r"^\| `([a-z0-9-]+)` \| (.*) \|$", section, re.MULTILINE)
    is_english = guide == "README.md"
    assert shown == [(quirk.name, quirk.summary if is_english else quirk.summary_zh) for quirk in QUIRKS.values()]


async def test_a_contract_without_quirks() -> None:
    """Without quirks a contract goes its way over HTTP: approval, dates, an added party, finish."""
    async with Sandbox(quirks=(), fixtures=contract_fixtures()) as sandbox:
        content = base64.b64encode(text_pdf(2, "SIGNHERE")).decode()
        document = await call_sandbox(sandbox, "document/file", fileName="合同", fileSuffix=".pdf", file=content)
        date = {
            "controlType": "SIGN_DATE",
            "signPositionType": "KEYWORD",
            "keyword": "SIGNHERE",
        }
        started = await call_sandbox(
            sandbox,
            "contract/draft",
            send="1",
            operator=user(OPERATOR),
            signReId="sales",
            signDocumentList=[document],
            signerList=[sender(node("APPROVER_CHECK")), receiver(order="2", positionParamList=[date])],
            autoFinish=0,
        )
        person = {"signatureSubjectType": "PERSON", "signer": user(PERSON)}
        await call_sandbox(sandbox, "contract/approval", **started, signer=user(OPERATOR), approval=1)
        await call_sandbox(sandbox, "contract/sign/personal/proxy", **started, **person)
        added = receiver(SECOND, "3", positionParamList=[date])
        await call_sandbox(sandbox, "contract/signer/add", **started, signerList=[added])
        await call_sandbox(sandbox, "contract/sign/personal/proxy", **started, **person | {"signer": user(SECOND)})
        await call_sandbox(sandbox, "contract/finish", **started)
        (contract,) = sandbox.contracts
        sent = [orjson.loads(event.body) for event in sandbox.events]
    assert contract.status == "COMPLETE"
    assert [(event["callbackType"], event["contractStatus"]) for event in sent] == [
        ("SEND_SIGNING", "SIGNING"),
        ("SUBMIT_APPROVE", "SIGNING"),
        ("SUBMIT_SIGN", "SIGNING"),
        ("SUBMIT_SIGN", "SIGNING"),
        ("COMPLETE", "COMPLETED"),
    ]


# Contracts.


@SWITCHED
def test_unsignable_dates(*, is_on: bool) -> None:
    """A date ends the signature in the generic failure, or is stamped in its format."""
    platform = platform_of(quirks.UNSIGNABLE_DATES, is_on=is_on)
    date = platform.position(controlType="SIGN_DATE", signDateFormat="LINE", offsetX="0.1", offsetY="0.1")
    contract_id = platform.draft(receiver(positionParamList=[platform.position(), date]))
    assert proxy(platform, contract_id) == (GENERIC if is_on else OK)
    assert platform.tasks(contract_id)[0] == ("SIGNING" if is_on else "COMPLETE")
    assert len(signed_fields(downloaded(platform, contract_id))) == (0 if is_on else 2)


@pytest.mark.parametrize(
    ("date_format", "text", "size"),
    [
        ("YEAR_MONTH_DAY", "2026年04月01日", (120, 30)),
        ("LINE", "2026-04-01", (60, 10)),
        ("BACK_SLASH", "2026/04/01", (120, 120)),
    ],
)
def test_dates(date_format: str, text: str, size: tuple[int, int]) -> None:
    """Without the quirk a date is the day in China, in a box of any size."""
    platform = platform_of(quirks.UNSIGNABLE_DATES, is_on=False)
    sizes = {"controlWidth": str(size[0]), "controlHeight": str(size[1])}
    date = platform.position(controlType="SIGN_DATE", signDateFormat=date_format, offsetX="0.1", **sizes)
    contract_id = platform.draft(receiver(positionParamList=[date]))
    assert proxy(platform, contract_id) == OK
    content = downloaded(platform, contract_id)
    assert [shown.replace(" ", "") for shown in form_texts(content)] == [f"{text}SANDBOX沙箱"]
    (field,) = signed_fields(content)
    left, bottom, right, top = field.rect
    assert (right - left, top - bottom) == pytest.approx(size)


@SWITCHED
def test_dates_beside_an_automatic_seal(*, is_on: bool) -> None:
    """With an automatic seal a date is refused by the draft, or starts."""
    platform = platform_of(quirks.UNSIGNABLE_DATES, is_on=is_on)
    date = platform.position(controlType="SIGN_DATE", signDateFormat="YEAR_MONTH_DAY")
    fields = platform.draft_fields(sender(platform.seal()), receiver(order="2", positionParamList=[date]))
    assert platform.code(DRAFT, **fields) == (BUSINESS if is_on else OK)


@SWITCHED
def test_late_parties(*, is_on: bool) -> None:
    """A party that is added after the last signature has no task, or has its turn."""
    platform = platform_of(quirks.LATE_PARTIES, is_on=is_on)
    contract_id = platform.draft(platform.signer(), autoFinish=0)
    assert proxy(platform, contract_id) == OK
    assert add(platform, contract_id) == OK
    assert contacts(platform, contract_id) == ([] if is_on else [SECOND])
    assert platform.code(FINISH, contractId=contract_id) == (OK if is_on else BUSINESS)


@SWITCHED
def test_signed_again(*, is_on: bool) -> None:
    """An addition asks all parties again, or the new one only."""
    platform = platform_of(quirks.SIGNED_AGAIN, is_on=is_on)
    contract_id = platform.draft(platform.signer(), platform.signer(COLLEAGUE), autoFinish=0, signOrderType="NO_ORDER")
    assert proxy(platform, contract_id) == OK
    assert add(platform, contract_id) == OK
    assert contacts(platform, contract_id) == sorted([COLLEAGUE, SECOND, *([PERSON] if is_on else [])])


@SWITCHED
@pytest.mark.parametrize("before", ["DRAFT", "RECALLED"])
def test_revived_contracts(before: str, *, is_on: bool) -> None:
    """An addition revives a contract that does not run, or is refused."""
    platform = platform_of(quirks.REVIVED_CONTRACTS, is_on=is_on)
    contract_id = platform.draft(platform.signer(), autoFinish=0, send="0" if before == "DRAFT" else "1")
    if before == "RECALLED":
        platform.code(RECALL, contractId=contract_id)
    assert add(platform, contract_id) == (OK if is_on else BUSINESS)
    assert platform.tasks(contract_id)[0] == ("SIGNING" if is_on else before)


@SWITCHED
def test_leftover_drafts(*, is_on: bool) -> None:
    """A start that is refused leaves its draft, or nothing; so does one that collides."""
    platform = platform_of(quirks.LEFTOVER_DRAFTS, is_on=is_on)
    assert platform.code(DRAFT, **platform.draft_fields()) == BUSINESS
    collide(platform, DRAFT, Collision(kind=DrivingKind.START, crowd=90, chance=0.99))
    assert platform.code(DRAFT, **platform.draft_fields(platform.signer())) == BUSINESS
    assert [contract.status for contract in platform.store.contracts.all()] == ["DRAFT"] * (2 if is_on else 0)


@SWITCHED
@pytest.mark.parametrize(("approval", "code"), [(None, MISSING), (2, FORMAT)])
def test_unchecked_approval(approval: int | None, code: tuple[int, bool], *, is_on: bool) -> None:
    """Another value of an approval is answered with success, or refused."""
    platform = platform_of(quirks.UNCHECKED_APPROVAL, is_on=is_on)
    contract_id = platform.draft(sender(node("APPROVER_CHECK")))
    fields = {"contractId": contract_id, "signer": user(OPERATOR)}
    assert platform.code(APPROVAL, **fields, approval=approval) == (OK if is_on else code)
    assert platform.code(APPROVAL, **fields, approval=1) == OK


@SWITCHED
def test_finish_again(*, is_on: bool) -> None:
    """A finish of a contract that does not run is answered with success, or refused."""
    platform = platform_of(quirks.FINISH_AGAIN, is_on=is_on)
    contract_id = platform.draft(platform.signer(), autoFinish=0)
    proxy(platform, contract_id)
    assert platform.code(FINISH, contractId=contract_id) == OK
    assert platform.code(FINISH, contractId=contract_id) == (OK if is_on else BUSINESS)
    assert platform.events_of(contract_id).count("COMPLETE/COMPLETE") == (2 if is_on else 1)


@SWITCHED
def test_foreign_contracts(*, is_on: bool) -> None:
    """Another enterprise's token reads a contract, or is refused."""
    platform = platform_of(quirks.FOREIGN_CONTRACTS, is_on=is_on)
    contract_id = platform.draft(platform.signer())
    (task,) = platform.tasks(contract_id)[1]
    fields = {"contractId": contract_id, "appAuthToken": OTHER_TOKEN}
    expected = OK if is_on else BUSINESS
    assert platform.code("/contract/tasks", **fields) == expected
    assert platform.code("/contract/taskUrl", **fields, taskId=task["taskId"]) == expected
    assert platform.code("/contract/pageUrl", **fields, contact=PERSON) == expected
    downloaded = platform.respond("/contract/document/download", {**fields, "contact": PERSON})
    assert isinstance(downloaded, Download) is is_on
    assert proxy(platform, contract_id, appAuthToken=OTHER_TOKEN) == expected


@SWITCHED
def test_dropped_parties(*, is_on: bool) -> None:
    """A party of an unknown type is dropped, or refused."""
    platform = platform_of(quirks.DROPPED_PARTIES, is_on=is_on)
    odd = receiver(SECOND, "2", signerType="RECEIVER")
    assert platform.code(DRAFT, **platform.draft_fields(platform.signer(), odd)) == (OK if is_on else FORMAT)


# Fields.


@SWITCHED
@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("sn", {"sn": "1" * 201}),
        ("subject", {"subject": "题" * 201}),
        ("receiver.name", {"receiver": user(PERSON) | {"name": "名" * 51}}),
        ("receiver.contact", {"receiver": user(PERSON) | {"contact": "1" * 256}}),
        ("signerName", {"signer": company(node("AGENT_SIGN", PARTNER), name="司" * 51)}),
        ("signer.name", {"signer": company(node("AGENT_SIGN", signer=user(PARTNER) | {"name": "名" * 21}))}),
    ],
)
def test_overflowing_fields(name: str, changes: dict[str, Any], *, is_on: bool) -> None:
    """Too long a text ends in the generic failure, or is refused with the name of its field."""
    changes = dict(changes)
    platform = platform_of(quirks.OVERFLOWING_FIELDS, is_on=is_on)
    party = changes.pop("signer", None) or receiver(**{key: changes.pop(key) for key in ["receiver"] if key in changes})
    response = platform.ask(DRAFT, **platform.draft_fields(party, **changes))
    assert (response.code, response.internal) == (GENERIC if is_on else FORMAT)
    assert name in response.message


@SWITCHED
def test_characters_beyond_the_bmp(*, is_on: bool) -> None:
    """Emoji end in the generic failure, or are accepted."""
    platform = platform_of(quirks.OVERFLOWING_FIELDS, is_on=is_on)
    fields = platform.draft_fields(platform.signer())
    expected = GENERIC if is_on else OK
    assert platform.code(DRAFT, **fields | {"subject": EMOJI}) == expected
    upload = {"fileName": EMOJI, "file": base64.b64encode(text_pdf(1, "A")).decode(), "fileSuffix": ".pdf"}
    assert platform.code("/document/file", **upload) == expected
    person = {"account": user(STRANGER) | {"name": EMOJI}}
    assert platform.code("/personCreateAndAuth", **person) == expected
    assert platform.code("/companyCreateAndAuth", **person, companyName=EMOJI, legalPerson=EMOJI) == expected


@SWITCHED
def test_a_long_callback_url(*, is_on: bool) -> None:
    """An event for a long callback URL fails the operation, or is sent."""
    fixtures = contract_fixtures()
    fixtures["enterprises"][0]["developers"][0]["callbackUrl"] = f"http://127.0.0.1:9/{'x' * 110}"
    platform = ContractPlatform(fixtures, quirks=QUIRKS.keys() - (set() if is_on else {quirks.OVERFLOWING_FIELDS}))
    assert platform.code(DRAFT, **platform.draft_fields(platform.signer())) == (GENERIC if is_on else OK)
    assert len(platform.events) == (0 if is_on else 1)


@SWITCHED
@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("2026-04-31", FORMAT),
        ("2026-13-01", FORMAT),
        ("2026-05-01 12:00", FORMAT),
        ("2026-5-1", FORMAT),
        ("2026-05-01", OK),
    ],
)
def test_rolling_dates(text: str, code: tuple[int, bool], *, is_on: bool) -> None:
    """A day that does not exist rolls over, or is refused."""
    platform = platform_of(quirks.ROLLING_DATES, is_on=is_on)
    fields = platform.draft_fields(platform.signer(), expireDate=text)
    assert platform.code(DRAFT, **fields) == (OK if is_on else code)


@SWITCHED
def test_early_deadlines(*, is_on: bool) -> None:
    """A contract expires at the beginning of its last day, or at its end."""
    platform = platform_of(quirks.EARLY_DEADLINES, is_on=is_on)
    contract_id = platform.draft(platform.signer(), expireDate="2026-05-01")
    platform.now_ms = midnight_ms(strict_date("2026-05-01"))
    assert platform.tasks(contract_id)[0] == ("EXPIRED" if is_on else "SIGNING")
    platform.now_ms = midnight_ms(strict_date("2026-05-02"))
    assert platform.tasks(contract_id)[0] == "EXPIRED"


@SWITCHED
@pytest.mark.parametrize(("page_config", "swapped"), [("EVEN_NUMBER", [1, 3]), ("ODD_NUMBER", [2]), ("1", [1])])
def test_swapped_pages(page_config: str, swapped: list[int], *, is_on: bool) -> None:
    """Even pages are the odd ones, or the even ones; explicit pages stay as they are."""
    platform = platform_of(quirks.SWAPPED_PAGES, is_on=is_on)
    contract_id = platform.draft(receiver(positionParamList=[platform.position(pageConfig=page_config)]))
    assert proxy(platform, contract_id) == OK
    straight = {"EVEN_NUMBER": [2], "ODD_NUMBER": [1, 3], "1": [1]}[page_config]
    assert marked_pages(platform, contract_id) == (swapped if is_on else straight)


@SWITCHED
def test_cross_page_seals_are_not_swapped(*, is_on: bool) -> None:
    """The pages of a cross-page seal are the same with the quirk and without."""
    platform = platform_of(quirks.SWAPPED_PAGES, is_on=is_on)
    stamp = platform.position(controlType="CHOP_STAMP", pageConfig="EVEN_NUMBER")
    contract_id = platform.draft(sender(platform.seal(positionParamList=[stamp])))
    assert marked_pages(platform, contract_id) == [2]


def marked_pages(platform: ContractPlatform, contract_id: str) -> list[int]:
    """Return the pages that have a mark."""
    return [field.page for field in signed_fields(downloaded(platform, contract_id))]


def downloaded(platform: ContractPlatform, contract_id: str) -> bytes:
    """Return the document of a contract."""
    download = platform.download(contract_id)
    assert isinstance(download, Download)
    return download.content


@SWITCHED
def test_unresolved_documents(*, is_on: bool) -> None:
    """A position without documents is refused, or gets the first one."""
    platform = platform_of(quirks.UNRESOLVED_DOCUMENTS, is_on=is_on)
    position = platform.position(relationDocList=None)
    party = receiver(positionParamList=[position])
    assert platform.code(DRAFT, **platform.draft_fields(party)) == (BUSINESS if is_on else OK)
    contract_id = platform.draft(receiver())
    assert proxy(platform, contract_id, positionParamList=[position]) == (BUSINESS if is_on else OK)


@SWITCHED
@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"controlType": "SIGN_DATE"}, HIDDEN),
        ({"signPositionType": "KEYWORD", "keyword": "SIGNHERE", "offsetX": None, "offsetY": None}, BUSINESS),
    ],
)
def test_missing_defaults(changes: dict[str, Any], code: tuple[int, bool], *, is_on: bool) -> None:
    """A position without the fields that have a documented default is refused, or gets the default."""
    platform = platform_of(quirks.MISSING_DEFAULTS, is_on=is_on)
    fields = platform.draft_fields(receiver(positionParamList=[platform.position(**changes)]))
    assert platform.code(DRAFT, **fields) == (code if is_on else OK)


@SWITCHED
@pytest.mark.parametrize("size", ["controlWidth", "controlHeight"])
def test_nan_sizes(size: str, *, is_on: bool) -> None:
    """NaN as a size is accepted, and the contract cannot be signed; or it is refused as other sizes are."""
    platform = platform_of(quirks.NAN_SIZES, is_on=is_on)
    fields = platform.draft_fields(receiver(positionParamList=[platform.position(**{size: "NaN"})]))
    assert platform.code(DRAFT, **fields) == (OK if is_on else BUSINESS)
    assert platform.code(DRAFT, **platform.draft_fields(platform.signer())) == OK


# Files.


@SWITCHED
def test_unchecked_uploads(*, is_on: bool) -> None:
    """Content that is no base64, or a damaged PDF, is found out by the draft, or refused."""
    platform = platform_of(quirks.UNCHECKED_UPLOADS, is_on=is_on)
    encoded = base64.b64encode(text_pdf(1, "A")).decode()
    expected = OK if is_on else BUSINESS
    upload = {"fileName": "合同", "fileSuffix": ".pdf"}
    assert platform.code("/document/file", **upload, file=f"*{encoded}") == expected
    assert platform.code("/annex/file", **upload, file=f"*{encoded}") == expected
    damaged = platform.ask("/document/file", **upload, file=base64.b64encode(b"%PDF-1.7\n").decode())
    assert (damaged.code, damaged.internal) == expected
    if is_on:
        assert isinstance(damaged.result, dict)
        fields = platform.draft_fields(receiver(), signDocumentList=[{"docId": damaged.result["docId"]}])
        assert platform.code(DRAFT, **fields) == HIDDEN
    assert platform.code("/document/file", **upload, file=encoded) == OK


def test_encrypted_uploads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the quirk an upload that cannot be looked into is accepted: encrypted, or without the extra."""
    platform = platform_of(quirks.UNCHECKED_UPLOADS, is_on=False)
    upload = {"fileName": "合同", "fileSuffix": ".pdf", "file": base64.b64encode(text_pdf(1, "A")).decode()}
    for problem in (PdfError("is encrypted", PdfProblem.ENCRYPTED), ModuleNotFoundError("pdfminer")):
        monkeypatch.setattr(files, "open_pdf", _raising(problem))
        assert platform.code("/document/file", **upload) == OK


def _raising(problem: Exception) -> Any:
    def fail(_: bytes) -> None:
        raise problem

    return fail


@SWITCHED
def test_pdf_2(*, is_on: bool) -> None:
    """A PDF 2.0 is refused, or accepted."""
    platform = platform_of(quirks.REFUSED_PDF_2, is_on=is_on)
    content = text_pdf(1, "A").replace(b"%PDF-1.7", b"%PDF-2.0")
    assert content.startswith(b"%PDF-2.0")
    upload = {"fileName": "合同", "fileSuffix": ".pdf", "file": base64.b64encode(content).decode()}
    assert platform.code("/document/file", **upload) == (BUSINESS if is_on else OK)


@SWITCHED
def test_duplicate_names(*, is_on: bool) -> None:
    """Documents of the same name cannot be packed, or are numbered."""
    platform = platform_of(quirks.DUPLICATE_NAMES, is_on=is_on)
    ids = [platform.doc_id, *(platform.upload(name, text_pdf(1, "A")) for name in ("合同", "合同 (2)", "合同"))]
    fields = platform.draft_fields(receiver(), signDocumentList=[{"docId": each} for each in ids])
    result = platform.ask(DRAFT, **fields).result
    assert isinstance(result, dict)
    download = platform.download(result["contractId"])
    assert isinstance(download, Download) is not is_on
    if isinstance(download, Download):
        names = zipfile.ZipFile(io.BytesIO(download.content)).namelist()
        assert names == ["合同.pdf", "合同 (2).pdf", "合同 (2) (2).pdf", "合同 (3).pdf"]


# Responses.


@SWITCHED
@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"signerList": None}, MISSING),
        ({"order": "first"}, FORMAT),
        ({"order": "128"}, FORMAT),
        ({"sender_order": None}, MISSING),
        ({"pageConfig": "1, 2"}, FORMAT),
        ({"pageConfig": "9"}, FORMAT),
        ({"operator": "陈一"}, FORMAT),
    ],
)
def test_generic_failures(changes: dict[str, Any], code: tuple[int, bool], *, is_on: bool) -> None:
    """A value that the platform fails to handle ends in the generic failure, or has a code that tells the fault."""
    changes = dict(changes)
    platform = platform_of(quirks.GENERIC_FAILURES, is_on=is_on)
    position = platform.position(pageConfig=changes.pop("pageConfig", "1"))
    parties = [receiver(order=changes.pop("order", "1"), positionParamList=[position])]
    if "sender_order" in changes:
        parties.append(sender(node("APPROVER_CHECK"), signerOrder=changes.pop("sender_order")))
    assert platform.code(DRAFT, **platform.draft_fields(*parties) | changes) == (GENERIC if is_on else code)


@SWITCHED
def test_generic_failures_of_other_calls(*, is_on: bool) -> None:
    """So do additions without parties or steps, links, and a compressed body."""
    platform = platform_of(quirks.GENERIC_FAILURES, is_on=is_on)
    contract_id = platform.draft(platform.signer(), autoFinish=0)
    assert platform.code(ADD, contractId=contract_id) == (GENERIC if is_on else MISSING)
    empty = [company(order="2", internalNodeList=None)]
    assert platform.code(ADD, contractId=contract_id, signerList=empty) == (GENERIC if is_on else MISSING)
    link = {"contractId": contract_id, "contact": PERSON, "noLogin": "perhaps"}
    assert platform.code("/contract/pageUrl", **link) == (GENERIC if is_on else FORMAT)
    response = platform.call(ADD, compressed=True)
    assert (response.code, response.internal) == (GENERIC if is_on else NOT_JSON)


@pytest.mark.parametrize(
    ("switched_off", "code", "repeated"),
    [
        (set(), GENERIC, True),
        ({quirks.REPEATED_REQUEST}, GENERIC, False),
        ({quirks.GENERIC_FAILURES}, FORMAT, False),
    ],
)
def test_repeated_request(switched_off: Collection[str], code: tuple[int, bool], *, repeated: bool) -> None:
    """The message about a wrong structure repeats the request, or names the field alone."""
    platform = ContractPlatform(quirks=QUIRKS.keys() - switched_off)
    response = platform.ask(DRAFT, operator="SECRET")
    assert (response.code, response.internal) == code
    assert ("SECRET" in response.message) is repeated
    assert "operator" in response.message


@SWITCHED
def test_hidden_error_page(*, is_on: bool) -> None:
    """Faults are hidden behind an answer about the token, or told in their own words."""
    platform = platform_of(quirks.HIDDEN_ERRORS, is_on=is_on)
    position = platform.position(controlType="SIGN_DATE")
    response = platform.ask(DRAFT, **platform.draft_fields(receiver(positionParamList=[position])))
    assert (response.code, "signDateFormat" in response.message) == ((401, False) if is_on else (None, True))
    assert platform.code("/contract/tasks", appAuthToken="T" * 65) == (HIDDEN if is_on else (41000, False))


@SWITCHED
def test_hidden_additions(*, is_on: bool) -> None:
    """An addition that collides is answered with the hidden error page, or says so."""
    platform = platform_of(quirks.HIDDEN_ERRORS, is_on=is_on)
    contract_id = platform.draft(platform.signer(), autoFinish=0)
    collide(platform, ADD, Collision(kind=DrivingKind.ADDITION, crowd=10, chance=0.99))
    assert add(platform, contract_id) == (HIDDEN if is_on else BUSINESS)


@SWITCHED
def test_hidden_rate_limit(*, is_on: bool) -> None:
    """In the packaging that hides the rate limit, it is told without the quirk."""
    chosen = QUIRKS.keys() - (set() if is_on else {quirks.HIDDEN_ERRORS})
    platform = Platform(rate_limit_form="hidden", quirks=chosen)
    codes = {platform.call("/annex/file", {"fileName": None}).code for _ in range(6)}
    assert codes == {21000, 401 if is_on else 999999}


@SWITCHED
async def test_hidden_paths(monkeypatch: pytest.MonkeyPatch, *, is_on: bool) -> None:
    """An unknown path, and half a body, are answered with the hidden error page, or with what they are."""
    monkeypatch.setattr(app, "READ_TIMEOUT", 0.01)
    chosen = QUIRKS.keys() - (set() if is_on else {quirks.HIDDEN_ERRORS})
    async with Sandbox(quirks=chosen, fixtures=contract_fixtures()) as sandbox, aiohttp.ClientSession() as http:
        async with http.get(f"{sandbox.base_url}{API_PATH}/none") as response:
            document = await response.json()
        assert response.status == (401 if is_on else 404)
        if not is_on:
            assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", document.pop("timestamp"))
            assert document == {"status": 404, "error": "Not Found", "path": f"{API}/none"}
        reader, writer = await asyncio.open_connection("127.0.0.1", int(sandbox.origin.rpartition(":")[2]))
        writer.write(f"POST {API}{RECALL} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{{".encode())
        answer = await reader.readuntil(b"0\r\n\r\n")
        writer.close()
        await writer.wait_closed()
    assert answer.startswith(b"HTTP/1.1 401" if is_on else b"HTTP/1.1 200")
    assert (b'"code":25000' in answer) is not is_on


@SWITCHED
@pytest.mark.parametrize("unique_code", [None, "u" * 256])
def test_late_audit(unique_code: str | None, *, is_on: bool) -> None:
    """A call without a usable uniqueCode takes effect, and is answered with an error or with success."""
    platform = platform_of(quirks.LATE_AUDIT, is_on=is_on)
    contract_id = platform.draft(platform.signer())
    response = platform.ask(RECALL, contractId=contract_id, uniqueCode=unique_code)
    assert (response.code, response.internal) == (GENERIC if is_on else OK)
    assert platform.tasks(contract_id)[0] == "RECALLED"


# Events.


@SWITCHED
def test_silent_completion(*, is_on: bool) -> None:
    """No event, or one, says that a signature by proxy has completed a contract."""
    platform = platform_of(quirks.SILENT_COMPLETION, is_on=is_on)
    contract_id = platform.draft(platform.signer())
    proxy(platform, contract_id)
    completed = [] if is_on else ["COMPLETE/COMPLETE"]
    assert platform.events_of(contract_id) == ["SEND_SIGNING/SIGNING", "SUBMIT_SIGN/COMPLETE", *completed]


@SWITCHED
def test_early_completion(*, is_on: bool) -> None:
    """The event COMPLETE comes while a contract is kept open, or not before it is finished."""
    platform = platform_of(quirks.EARLY_COMPLETION, is_on=is_on)
    contract_id = platform.draft(sender(node("APPROVER_CHECK")), autoFinish=0)
    platform.code(APPROVAL, contractId=contract_id, signer=user(OPERATOR), approval=1)
    assert ("COMPLETE/SIGNING" in platform.events_of(contract_id)) is is_on
    platform.code(FINISH, contractId=contract_id)
    assert platform.events_of(contract_id)[-1] == "COMPLETE/COMPLETE"


@SWITCHED
def test_stale_expiry(*, is_on: bool) -> None:
    """The event of an expiry carries the status before, or that of now."""
    platform = platform_of(quirks.STALE_EXPIRY, is_on=is_on)
    contract_id = platform.draft(platform.signer(), expireDate="2026-05-01")
    platform.now_ms = midnight_ms(strict_date("2026-05-01"))
    assert platform.tasks(contract_id)[0] == "EXPIRED"
    assert platform.events_of(contract_id)[-1] == f"EXPIRED/{'SIGNING' if is_on else 'EXPIRED'}"


@SWITCHED
def test_undocumented_statuses(*, is_on: bool) -> None:
    """Tasks and events spell a status as the platform does, or as its documentation does."""
    platform = platform_of(quirks.UNDOCUMENTED_STATUSES, is_on=is_on)
    contract_id = platform.draft(platform.signer())
    proxy(platform, contract_id)
    status = "COMPLETE" if is_on else "COMPLETED"
    assert platform.tasks(contract_id) == (status, [])
    assert platform.events_of(contract_id) == ["SEND_SIGNING/SIGNING", f"SUBMIT_SIGN/{status}"]
