"""Marks and signatures of a PDF, as readers see them that the package does not use."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, NamedTuple

import pypdfium2
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation import validate_pdf_signature
from pyhanko_certvalidator import ValidationContext
from pypdf import PdfReader

if TYPE_CHECKING:
    from PIL.Image import Image


class SignedField(NamedTuple):
    """A signature field: its page from 1 on, its rectangle in raw user space, and the number of its value."""

    page: int
    rect: tuple[float, float, float, float]
    value: int


class Validation(NamedTuple):
    """What pyHanko's validator says of the signature of a field."""

    field: str
    common_name: str
    valid: bool
    coverage: str


def signed_fields(content: bytes) -> list[SignedField]:
    """Return the signature fields that stand on a page, read by pypdf."""
    return [
        SignedField(number, tuple(round(float(edge), 3) for edge in widget["/Rect"]), widget.raw_get("/V").idnum)  # type: ignore[arg-type]  # four edges
        for number, page in enumerate(PdfReader(io.BytesIO(content)).pages, start=1)
        for widget in (each.get_object() for each in page.get("/Annots", ()))
        if widget.get("/FT") == "/Sig"
    ]


def validations(content: bytes) -> list[Validation]:
    """Return what pyHanko says of each signature; its certificate is trusted."""
    found = []
    for signature in PdfFileReader(io.BytesIO(content), strict=False).embedded_signatures:
        certificate = signature.signer_cert
        trusted = ValidationContext(trust_roots=[certificate], allow_fetching=False)
        status = validate_pdf_signature(signature, trusted)
        common_name = certificate.subject.native["common_name"]
        coverage = "" if status.coverage is None else status.coverage.name
        found.append(Validation(signature.field_name, common_name, status.bottom_line, coverage))
    return found


def pdfium_signatures(content: bytes) -> int:
    """Return the number of signatures that PDFium finds."""
    document = pypdfium2.PdfDocument(content)
    count = int(pypdfium2.raw.FPDF_GetSignatureCount(document.raw))
    document.close()
    return count


def rendered(content: bytes, page: int = 1) -> Image:
    """Return a page as PDFium draws it, with its annotations, at one pixel a point."""
    document = pypdfium2.PdfDocument(content)
    document.init_forms()
    image: Any = document[page - 1].render().to_pil().convert("RGB")
    document.close()
    return image  # type: ignore[no-any-return]  # pypdfium2 is not annotated


def red_box(image: Image) -> tuple[int, int, int, int] | None:
    """Return the smallest box around the red pixels of an image: left, top, right, bottom."""
    red, green, _ = image.split()
    mask = red.point(lambda value: 255 if value > 150 else 0)
    mask.paste(0, mask=green.point(lambda value: 255 if value > 100 else 0))
    return mask.getbbox()


def form_texts(content: bytes) -> list[str]:
    """Return the text of the pictures of all signature fields, as it can be copied."""
    texts = []
    for page in PdfReader(io.BytesIO(content)).pages:
        for widget in (each.get_object() for each in page.get("/Annots", ())):
            appearance = widget["/AP"]["/N"]
            picture = appearance["/Resources"]["/XObject"]["/P"]
            texts.append(page.extract_xform_text(picture, (0, 90, 180, 270)).replace("\n", ""))
    return texts
