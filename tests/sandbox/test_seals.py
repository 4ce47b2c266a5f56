"""Pictures of seals and signatures."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from kfq_async.documents import Rect
from kfq_async.sandbox.seals import Picture, draw_enterprise_seal, draw_person_seal
from kfq_async.sandbox.signing import PdfSigner, SignatureDetails, Stamp
from kfq_async.sandbox.store import process_key
from pdfs import pdf
from signatures import form_texts, red_box, rendered

LONG = "某省某市高新技术产业开发区国际贸易进出口物流供应链管理服务股份有限责任公司第一分公司张䶮甲乙丙丁"


def shown(picture: Picture) -> bytes:
    """Return a PDF with a picture at its own size, 50 points from the left and from the bottom."""
    content = pdf([""])
    rect = Rect(50.0, 50.0, 50.0 + picture.width, 50.0 + picture.height)
    details = SignatureDetails("甲", "SANDBOX-1", datetime(2026, 4, 1, tzinfo=UTC))
    return content + PdfSigner(process_key()).sign(content, [Stamp(1, rect, picture)], details)


@pytest.mark.parametrize("size", [(120, 120), (240, 120), (100, 200), (30, 30)])
@pytest.mark.parametrize("name", ["测试科技有限公司", LONG, "Example (Shanghai) Co., Ltd."])
def test_seal_of_an_enterprise(name: str, size: tuple[int, int]) -> None:
    """The ring fills the picture, and both names can be copied from the PDF."""
    width, height = size
    content = shown(draw_enterprise_seal(name, "合同专用章", width, height))
    left, top, right, bottom = red_box(rendered(content)) or (0, 0, 0, 0)
    assert abs((right - left) - width * 117 / 120) <= 3
    assert abs((bottom - top) - height * 117 / 120) <= 3
    assert abs((left + right) / 2 - 50 - width / 2) <= 1.5
    (text,) = form_texts(content)
    assert text.replace(" ", "") == f"{name}合同专用章SANDBOX沙箱".replace(" ", "")


def test_seal_without_names() -> None:
    """A seal of an enterprise without a name still says SANDBOX."""
    assert [text.strip() for text in form_texts(shown(draw_enterprise_seal("", "", 120, 120)))] == ["SANDBOX 沙箱"]


@pytest.mark.parametrize("size", [(120, 120), (112, 52), (60, 120), (400, 40)])
@pytest.mark.parametrize("name", ["张䶮", "欧阳娜娜", "阿卜杜热西提·麦麦提", "John Smith", "13900000001", "𠮷野", ""])
def test_seal_of_a_person(name: str, size: tuple[int, int]) -> None:
    """The name stands inside a frame in any size of picture, and can be copied."""
    width, height = size
    picture = draw_person_seal(name, width, height)
    content = shown(picture)
    left, top, right, bottom = red_box(rendered(content)) or (0, 0, 0, 0)
    assert left >= 50
    assert right <= 50 + width
    assert 0.8 * width <= right - left
    assert 842 - 50 - height <= top
    assert bottom <= 842 - 50
    (text,) = form_texts(content)
    assert text.replace(" ", "") == f"{name}SANDBOX沙箱".replace(" ", "")


@pytest.mark.parametrize("name", ["\u200b", "\u0301\u0301", "\n", "\uffff", "  "])
def test_names_without_a_shape(name: str) -> None:
    """Marks, blanks and characters that no font has break no picture."""
    for picture in (draw_person_seal(name, 120, 120), draw_enterprise_seal(name, name, 120, 120)):
        assert red_box(rendered(shown(picture))) is not None


def test_the_same_arguments_give_the_same_picture() -> None:
    """A picture depends on its arguments alone."""
    assert draw_enterprise_seal("甲公司", "", 120, 120) == draw_enterprise_seal("甲公司", "", 120, 120)
    assert draw_person_seal("甲", 120, 120) == draw_person_seal("甲", 120, 120)
