"""Signatures in PDFs: marks as signature fields that share one value, appended as an incremental update.

The platform signs with SM2 in a format of its own (protocol section 4.15), which common tools cannot verify. The
sandbox signs with RSA and a certificate that says SANDBOX, in the format that readers know (ISO 32000-1, 12.8).

Assumed, because only rectangles were measured: that marks stand upright on turned pages.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import math
import struct
import zlib
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from attrs import frozen

from kfq_async.documents import PdfError, Rect, open_pdf
from kfq_async.sandbox.fonts import ASCENT, DESCENT
from kfq_async.sandbox.seals import FONT, Picture

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from asn1crypto.x509 import Certificate
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from pyhanko.pdf_utils.generic import DictionaryObject, IndirectObject
    from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter

    from kfq_async.documents import PdfDocument
    from kfq_async.sandbox.fonts import EmbeddedFont

__all__ = ["PdfSigner", "SignatureDetails", "SigningError", "Stamp"]

REASON = "SANDBOX 沙箱签名，仅供测试，没有法律效力"
ORGANIZATION = "kfq_async sandbox, not a real signature"
MAX_COMMON_NAME = 64
"""Maximum length of the name in a certificate (RFC 5280, appendix A.1)."""
VALID_FROM, VALID_UNTIL = datetime(2000, 1, 1, tzinfo=UTC), datetime(2099, 12, 31, tzinfo=UTC)
"""Validity of a certificate: a sandbox's clock may show any time."""
RESERVED = 2048
"""Bytes reserved for a signature, besides three times the size of the key; the longest name takes 1600."""
HASH = "sha256"
PRINTED_AND_LOCKED = 4 + 128
"""Flags of an annotation: it is printed, and cannot be moved (ISO 32000-1, 12.5.3)."""


class SigningError(ValueError):
    """Raised for a PDF that cannot be signed; the text says why."""


@frozen
class Stamp:
    """A mark to be put on a page.

    Attributes:
        page: Page number, from 1 on.
        rect: Rectangle in raw user space.
        picture: Picture that fills the rectangle.
        rotate: Clockwise turn of the page as shown: 0, 90, 180 or 270 degrees.
        slice_index: Which vertical slice of the picture is shown, from 0 on.
        slices: Number of slices, 1 for the whole picture.
    """

    page: int
    rect: Rect
    picture: Picture
    rotate: int = 0
    slice_index: int = 0
    slices: int = 1


@frozen
class SignatureDetails:
    """What a signature says of itself.

    Attributes:
        name: Name of the signer.
        field_name: Beginning of the names of the signature fields, unique in the PDF, without a dot.
        moment: Time of the signature, with a time zone.
    """

    name: str
    field_name: str
    moment: datetime


class PdfSigner:
    """Signs PDFs with a key. Thread-safe. Takes CPU time: call it outside the event loop."""

    def __init__(self, key: RSAPrivateKey) -> None:
        self._key = key

    def sign(self, content: bytes, stamps: Sequence[Stamp], details: SignatureDetails) -> bytes:
        """Return the bytes to append to a PDF, so that it has the marks and is signed.

        Args:
            content: The PDF as it is, which may have been signed before.
            stamps: Marks, which share one signature; at least one.
            details: What the signature says of itself.

        Raises:
            SigningError: The PDF cannot be read, or not be changed.
            ModuleNotFoundError: pyHanko is not installed (extra ``sandbox``).
        """
        import pyhanko.sign  # noqa: F401  # a missing library is no fault of the PDF

        if not all(math.isfinite(edge) for stamp in stamps for edge in _edges(stamp.rect)):
            raise SigningError("a mark is too far away from its page")
        try:
            document = open_pdf(content)
        except PdfError as problem:
            raise SigningError(str(problem)) from None
        with suppress(Exception):  # pyHanko raises nearly everything for a damaged PDF
            return self._signed(content, document, stamps, details)[len(content) :]
        try:
            mended = content + _cross_reference_stream(content, document)
            return self._signed(mended, document, stamps, details)[len(content) :]
        except Exception as problem:  # noqa: BLE001  # as above
            kind = type(problem).__name__
            raise SigningError(f"the PDF is damaged ({kind}); save it again with another program") from None

    def _signed(
        self, content: bytes, document: PdfDocument, stamps: Sequence[Stamp], details: SignatureDetails
    ) -> bytes:
        from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
        from pyhanko.sign.fields import SigSeedSubFilter
        from pyhanko.sign.signers.cms_embedder import PdfCMSEmbedder, SigIOSetup, SigObjSetup
        from pyhanko.sign.signers.pdf_byterange import SignatureObject

        writer = IncrementalPdfFileWriter(io.BytesIO(content), strict=False)
        if writer.trailer["/Size"] <= max(document.locations()):
            raise ValueError("the cross-reference table has too few entries")
        pages = list(_pages(writer))
        if len(pages) != len(document.pages):
            raise ValueError("the page tree cannot be read")
        fields = _Marks(writer, pages).add(stamps, details.field_name)
        embedder = PdfCMSEmbedder().write_cms(details.field_name + "-1", writer, existing_fields_only=True)
        next(embedder)
        placeholder = SignatureObject(
            timestamp=details.moment,
            subfilter=SigSeedSubFilter.ADOBE_PKCS7_DETACHED,
            name=f"SANDBOX {details.name}",
            reason=REASON,
            bytes_reserved=2 * (RESERVED + 3 * self._key.key_size // 8),  # in hexadecimal digits
        )
        value = embedder.send(SigObjSetup(sig_placeholder=placeholder))
        for mark in fields:
            mark.get_object()["/V"] = value
        digest, output = embedder.send(SigIOSetup(md_algorithm=HASH))
        embedder.send(self._cms(digest.document_digest, details))
        return bytes(output.getvalue())

    def _cms(self, digest: bytes, details: SignatureDetails) -> Any:
        """Return the signature of a digest, which is detached from what it signs."""
        from asn1crypto.keys import PrivateKeyInfo
        from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
        from pyhanko.sign.signers import SimpleSigner
        from pyhanko.sign.signers.pdf_cms import PdfCMSSignedAttributes
        from pyhanko_certvalidator.registry import SimpleCertificateStore

        private = self._key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        signer = SimpleSigner(
            signing_cert=self._certificate(details.name),
            signing_key=PrivateKeyInfo.load(private),
            cert_registry=SimpleCertificateStore(),
        )
        settings = PdfCMSSignedAttributes(signing_time=details.moment)
        return asyncio.run(signer.async_sign(digest, HASH, signed_attr_settings=settings))

    def _certificate(self, name: str) -> Certificate:
        """Return a certificate that the key has signed itself, the same for the same name.

        Written with asn1crypto, which counts the characters of a name, as the standard does, and not its bytes.
        """
        from asn1crypto import x509
        from asn1crypto.keys import PublicKeyInfo
        from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        common_name = f"SANDBOX 沙箱 · {name}"[:MAX_COMMON_NAME]
        subject = x509.Name.build({"common_name": common_name, "organization_name": ORGANIZATION})
        public = self._key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        algorithm = {"algorithm": "sha256_rsa"}
        unsigned = x509.TbsCertificate(
            {
                "version": "v3",
                "serial_number": int.from_bytes(hashlib.sha256(common_name.encode()).digest()[:16]) + 1,
                "signature": algorithm,
                "issuer": subject,
                "validity": {
                    "not_before": x509.Time({"utc_time": VALID_FROM}),
                    "not_after": x509.Time({"general_time": VALID_UNTIL}),
                },
                "subject": subject,
                "subject_public_key_info": PublicKeyInfo.load(public),
                "extensions": [
                    {"extn_id": "basic_constraints", "critical": True, "extn_value": {"ca": False}},
                    {
                        "extn_id": "key_usage",
                        "critical": True,
                        "extn_value": {"digital_signature", "non_repudiation"},
                    },
                ],
            }
        )
        signature = self._key.sign(unsigned.dump(), PKCS1v15(), SHA256())
        return x509.Certificate(
            {"tbs_certificate": unsigned, "signature_algorithm": algorithm, "signature_value": signature}
        )


class _Page:
    """A page of a PDF that is being written; one that stands in the page tree itself has no reference."""

    def __init__(self, dictionary: DictionaryObject, reference: IndirectObject | None) -> None:
        self.dictionary = dictionary
        self.reference = reference


class _Marks:
    """Adds marks to a PDF that is being written: signature fields without a value."""

    def __init__(self, writer: IncrementalPdfFileWriter, pages: Sequence[_Page]) -> None:
        self._writer = writer
        self._pages = pages
        self._pictures: dict[int, IndirectObject] = {}
        self._appearances: dict[tuple[int, int, int, int], IndirectObject] = {}

    def add(self, stamps: Sequence[Stamp], field_name: str) -> list[IndirectObject]:
        """Add a field for each mark, and return them."""
        fields = [self._field(stamp, f"{field_name}-{number}") for number, stamp in enumerate(stamps, start=1)]
        added: dict[int, list[IndirectObject]] = {}
        for stamp, mark in zip(stamps, fields, strict=True):
            added.setdefault(stamp.page, []).append(mark)
        for number, marks in added.items():
            self._append(self._pages[number - 1].dictionary, "/Annots", marks)
        self._append(self._form(), "/Fields", fields)
        return fields

    def _append(self, owner: DictionaryObject, key: str, added: Sequence[IndirectObject]) -> None:
        """Append to an array, which becomes the owner's own: pages may share one.

        What it names in vain is left out, and what stands in it becomes an object of its own: validators compare the
        array with that of the next signature by its references.
        """
        from pyhanko.pdf_utils.generic import ArrayObject, DictionaryObject, IndirectObject

        present = _resolve(owner.get(key))
        kept = [
            each if isinstance(each, IndirectObject) else self._writer.add_object(each)
            for each in (present if isinstance(present, ArrayObject) else ())
            if isinstance(_resolve(each), DictionaryObject)
        ]
        owner[key] = ArrayObject([*kept, *added])
        self._writer.update_container(owner)

    def _form(self) -> DictionaryObject:
        """Return the form of the PDF, which is created if there is none."""
        from pyhanko.pdf_utils.generic import DictionaryObject

        form = _resolve(self._writer.root.get("/AcroForm"))
        if not isinstance(form, DictionaryObject):
            form = DictionaryObject()
            self._writer.root["/AcroForm"] = self._writer.add_object(form)
            self._writer.update_root()
        return form

    def _field(self, stamp: Stamp, name: str) -> IndirectObject:
        page = self._pages[stamp.page - 1]
        field = _dictionary(
            Type="/Annot",
            Subtype="/Widget",
            FT="/Sig",
            T=name,
            F=PRINTED_AND_LOCKED,
            Rect=_edges(stamp.rect),
            AP=_dictionary(N=self._appearance(stamp)),
        )
        if page.reference is not None:
            field["/P"] = page.reference
        return self._writer.add_object(field)

    def _appearance(self, stamp: Stamp) -> IndirectObject:
        """Return the form that shows a picture, or a slice of it, upright on a page; one for each use that differs."""
        picture = stamp.picture
        key = (id(picture), stamp.rotate, stamp.slice_index, stamp.slices)
        if key not in self._appearances:
            wide = picture.width / stamp.slices
            left = wide * stamp.slice_index
            self._appearances[key] = self._drawing(
                b"/P Do",
                BBox=[left, 0, left + wide, picture.height],
                Matrix=_TURNS[stamp.rotate],
                Resources=_dictionary(XObject=_dictionary(P=self._picture(picture))),
            )
        return self._appearances[key]

    def _picture(self, picture: Picture) -> IndirectObject:
        if id(picture) not in self._pictures:
            fonts = _dictionary(**{FONT: self._font(picture.font)})
            self._pictures[id(picture)] = self._drawing(
                picture.content, BBox=[0, 0, picture.width, picture.height], Resources=_dictionary(Font=fonts)
            )
        return self._pictures[id(picture)]

    def _drawing(self, content: bytes, **entries: object) -> IndirectObject:
        return self._stream(content, Type="/XObject", Subtype="/Form", **entries)

    def _font(self, font: EmbeddedFont) -> IndirectObject:
        """Return a font of two-byte codes, whose text can be copied (ISO 32000-1, 9.7)."""
        descriptor = _dictionary(
            Type="/FontDescriptor",
            FontName=f"/{font.name}",
            Flags=4,
            FontBBox=[0, DESCENT, 1000, ASCENT],
            ItalicAngle=0,
            Ascent=ASCENT,
            Descent=DESCENT,
            CapHeight=ASCENT,
            StemV=80,
            FontFile2=self._stream(font.data, Length1=len(font.data)),
        )
        descendant = _dictionary(
            Type="/Font",
            Subtype="/CIDFontType2",
            BaseFont=f"/{font.name}",
            CIDSystemInfo=_dictionary(Registry="Adobe", Ordering="Identity", Supplement=0),
            CIDToGIDMap="/Identity",
            FontDescriptor=self._writer.add_object(descriptor),
            W=[0, list(font.widths)],
        )
        return self._writer.add_object(
            _dictionary(
                Type="/Font",
                Subtype="/Type0",
                BaseFont=f"/{font.name}",
                Encoding="/Identity-H",
                DescendantFonts=[self._writer.add_object(descendant)],
                ToUnicode=self._stream(_to_unicode(font)),
            )
        )

    def _stream(self, data: bytes, **entries: object) -> IndirectObject:
        from pyhanko.pdf_utils.generic import StreamObject

        stream = StreamObject(_dictionary(**entries), stream_data=data)
        stream.compress()
        return self._writer.add_object(stream)


_TURNS = {0: [1, 0, 0, 1, 0, 0], 90: [0, 1, -1, 0, 0, 0], 180: [-1, 0, 0, -1, 0, 0], 270: [0, -1, 1, 0, 0, 0]}
"""Matrices that turn a picture against the clock, as far as the page is turned with it."""


def _edges(rect: Rect) -> list[float]:
    return [rect.x0, rect.y0, rect.x1, rect.y1]


def _dictionary(**entries: object) -> DictionaryObject:
    """Return a PDF dictionary; a text that begins with a slash is a name."""
    from pyhanko.pdf_utils.generic import DictionaryObject

    return DictionaryObject({f"/{name}": _pdf_object(value) for name, value in entries.items()})


def _pdf_object(value: object) -> Any:
    from pyhanko.pdf_utils import generic

    match value:
        case generic.PdfObject():
            return value
        case str():
            return generic.NameObject(value) if value.startswith("/") else generic.pdf_string(value)
        case int():
            return generic.NumberObject(value)
        case float():
            return generic.FloatObject(f"{value:.4f}")
        case list():
            return generic.ArrayObject(map(_pdf_object, value))
    raise TypeError(value)


def _to_unicode(font: EmbeddedFont) -> bytes:
    """Return the CMap that gives the text of each code (ISO 32000-1, 9.10.3)."""
    lines = [f"<{code:04x}> <{character.encode('utf-16-be').hex()}>" for character, code in font.codes.items()]
    blocks = [lines[start : start + 100] for start in range(0, len(lines), 100)]
    return "\n".join(
        [
            "/CIDInit /ProcSet findresource begin 12 dict begin begincmap",
            "/CIDSystemInfo <</Registry (Adobe) /Ordering (UCS) /Supplement 0>> def",
            "/CMapName /Adobe-Identity-UCS def /CMapType 2 def",
            "1 begincodespacerange <0000> <ffff> endcodespacerange",
            *(line for block in blocks for line in (f"{len(block)} beginbfchar", *block, "endbfchar")),
            "endcmap CMapName currentdict /CMap defineresource pop end end",
        ]
    ).encode("ascii")


def _pages(writer: IncrementalPdfFileWriter) -> Iterator[_Page]:
    """Yield the pages in the order in which `open_pdf` counts them: each once."""
    from pyhanko.pdf_utils.generic import ArrayObject, DictionaryObject, IndirectObject

    pending: list[object] = [writer.root.raw_get("/Pages")]
    seen = set()
    while pending:
        node = pending.pop()
        reference = node if isinstance(node, IndirectObject) else None
        if reference is not None and reference.idnum in seen:
            continue
        seen.add(-1 if reference is None else reference.idnum)
        dictionary = _resolve(node)
        if not isinstance(dictionary, DictionaryObject):
            continue
        if "/Kids" in dictionary:
            kids = _resolve(dictionary.raw_get("/Kids"))
            pending += reversed(kids if isinstance(kids, ArrayObject) else [])
        elif dictionary:
            yield _Page(dictionary, reference)


def _resolve(value: object) -> object:
    """Follow a reference; one that names no object leads to the null object."""
    from pyhanko.pdf_utils.generic import IndirectObject

    return value.get_object() if isinstance(value, IndirectObject) else value


def _cross_reference_stream(content: bytes, document: PdfDocument) -> bytes:
    """Return a cross-reference stream of all objects, to be appended to a PDF whose own table is damaged."""
    locations = document.locations()
    number = max(locations) + 1
    start = len(content) + 1
    entries = bytearray()
    for each in range(number):
        place = locations.get(each)
        if place is None:
            entries += struct.pack(">BQH", 0, 0, 0)
        elif place.stream is None:
            entries += struct.pack(">BQH", 1, place.position, place.generation)
        else:
            entries += struct.pack(">BQH", 2, place.stream, place.position)
    entries += struct.pack(">BQH", 1, start, 0)
    data = zlib.compress(entries)
    head = (
        f"\n{number} 0 obj\n<</Type/XRef/Size {number + 1}/W[1 8 2]/Root {document.catalog_number()} 0 R"
        f"/Filter/FlateDecode/Length {len(data)}>>\nstream\n"
    )
    return head.encode() + data + f"\nendstream\nendobj\nstartxref\n{start}\n%%EOF\n".encode()
