"""A contract that is built from places of its document: marks stand where they were asked for."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import TYPE_CHECKING, Any

import pytest
from pypdf import PdfReader

from calls import open_session
from contract_platform import NAMES, contract_fixtures
from kfq_async import (
    AsyncSession,
    ContractDraftRequest,
    ContractSigner,
    ContractStatus,
    ContractUser,
    DraftRefused,
    FileRefused,
    UploadedDocument,
)
from kfq_async.resources import files
from kfq_async.sandbox import Sandbox
from pdfs import A4, pdf, show
from self_hosted import OPERATOR, PERSON, TOKEN

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

OPERATOR_USER = ContractUser.mobile(NAMES[OPERATOR], OPERATOR)
PERSON_USER = ContractUser.mobile(NAMES[PERSON], PERSON)
TEXT = show("Clause 1: Party A (seal) is named.", 60, 700) + show("Party A (seal): ____  Party B (sign): ____", 60, 300)


@pytest.fixture
async def session() -> AsyncIterator[AsyncSession]:
    """A session with a self-hosted platform."""
    async with (
        Sandbox(fixtures=contract_fixtures()) as sandbox,
        open_session(sandbox, rate_limit=None) as session,
    ):
        yield session.for_token(TOKEN)


def rects(content: bytes) -> list[tuple[int, float, float]]:
    """Return page, left and bottom edge of each mark, in points."""
    found = []
    for number, page in enumerate(PdfReader(BytesIO(content)).pages, 1):
        for annotation in page.get("/Annots", ()):
            left, bottom, *_ = (float(edge) for edge in annotation.get_object()["/Rect"])
            found.append((number, left, bottom))
    return found


@pytest.mark.parametrize("boxes", [A4, "/MediaBox[0 0 595 842]/CropBox[10 20 585 822]"])
async def test_marks_stand_at_their_keywords(boxes: str, session: AsyncSession, tmp_path: Path) -> None:
    """Seal and signature stand at the last hit of their keywords, on an ordinary page and on a cropped one."""
    document = await session.files.upload_document(pdf([TEXT], boxes=boxes), name="contract")
    assert document.name == "contract"
    request = ContractDraftRequest.of(
        document,
        subject="contract",
        sign_re_id="sales",
        operator=OPERATOR_USER,
        expire_date=datetime.now(UTC).date() + timedelta(days=30),
        send=True,
        signers=[
            ContractSigner.sender(
                seal=document.keyword("Party A (seal)", hit="last", down=20, width=60, height=60),
                seal_id="seal-a",
                auto=True,
            ),
            ContractSigner.person(PERSON_USER, sign=document.keyword("Party B (sign)", hit="last", right=60)),
        ],
    )
    draft = await session.contracts.draft(request)
    assert draft.tasks is not None
    assert [task.task_type for task in draft.tasks.todo_task_list] == ["SIGN"]
    tasks = await session.contracts.sign_for_person(draft.contract_id, signer=PERSON_USER, auto_finish=True)
    assert tasks.status is ContractStatus.COMPLETED
    path = await session.contracts.download(draft.contract_id, contact=OPERATOR, to=tmp_path / "signed.pdf")
    (first, seal_left, seal_bottom), (second, sign_left, sign_bottom) = rects(path.read_bytes())
    assert first == second == 1
    assert (seal_left, seal_bottom) == pytest.approx((60, 300 - 20 - 0.382 * 60), abs=0.1)
    before = "Party A (seal): ____  "
    assert sign_left == pytest.approx(60 + 60 + width_of(before), abs=0.1)
    assert sign_bottom == pytest.approx(300 - 0.382 * 52, abs=0.1)


def width_of(text: str) -> float:
    """Return the width of a text in Helvetica at 10 points."""
    widths = {"P": 667, "a": 556, "r": 333, "t": 278, "y": 500, " ": 278, "A": 667, "(": 333, ")": 333}
    widths |= {"s": 500, "e": 556, "l": 222, ":": 278, "_": 556}
    return sum(widths[character] for character in text) / 100


@pytest.mark.parametrize(("options", "has_layout"), [({}, True), ({"read_text": False}, False)])
async def test_layout_of_an_upload(options: dict[str, Any], session: AsyncSession, *, has_layout: bool) -> None:
    """An upload reads the layout of a PDF, unless it is told not to."""
    document = await session.files.upload_document(pdf([TEXT]), name="合同.pdf", reference="PO-1", **options)
    assert (document.layout is not None) is has_layout
    assert document.name == "合同〔PO-1〕"


async def test_names_of_uploads(session: AsyncSession, tmp_path: Path) -> None:
    """The name is that of the path or the open file, without the extension."""
    path = tmp_path / "劳动合同.pdf"
    path.write_bytes(pdf([TEXT]))
    assert (await session.files.upload_document(path)).name == "劳动合同"
    with path.open("rb") as file:
        document = await session.files.upload_document(file)
    assert document.name == "劳动合同"
    with pytest.raises(DraftRefused, match="only the text of a path or of bytes is read"):
        document.keyword("Party A", hit="last")
    assert document == UploadedDocument(doc_id=document.doc_id)


@pytest.mark.parametrize("read_text", [True, False])
async def test_refused_uploads(session: AsyncSession, *, read_text: bool) -> None:
    """An upload that fails leaves no layout behind."""
    with pytest.raises(FileRefused):
        await session.files.upload_document(b"PK", name="a.xyz", read_text=read_text)


async def test_layouts_that_take_too_long(session: AsyncSession, monkeypatch: pytest.MonkeyPatch) -> None:
    """A layout that is not read in time is given up, and the document is there."""
    release = threading.Event()
    monkeypatch.setattr(files, "MAX_READING", 0.05)
    monkeypatch.setattr(files, "_read_layout", lambda _: release.wait())
    document = await session.files.upload_document(pdf([TEXT]), name="a")
    release.set()
    assert (document.layout, bool(document.doc_id)) == (None, True)
