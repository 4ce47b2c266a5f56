"""Structure of a PDF: pages and their boxes, and its streams, within limits. Stands on pdfminer.six (extra ``pdf``)."""

from __future__ import annotations

import io
import logging
import math
import time
import zlib
from contextlib import contextmanager, suppress
from functools import cache
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from attrs import frozen

from kfq_async.documents.refusals import PdfError, PdfProblem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from pdfminer.pdftypes import PDFStream

__all__ = ["Budget", "Limits", "PdfDocument", "PdfPage", "Point", "Rect", "open_pdf", "page_count"]

_MIB = 1 << 20
_COSTLY = 8
"""Weight of a byte that pdfminer.six turns into Python objects: object streams, predictors, LZW."""
_MAX_TOKEN = 128 * 1024
"""Maximum length in bytes of a string outside content streams: pdfminer.six copies it for each escape."""
_MAX_PENDING = 1_000_000
"""Maximum number of elements of an array or dictionary that is not closed yet."""
_MAX_DEPTH = 100
_CHUNK = 1_024
_DAMAGED = "the PDF is damaged ({}); save it again with another program"
_MAX_SECTIONS = 1_000
"""Maximum number of cross-reference sections, one for each incremental save."""


@frozen
class Limits:
    """Bounds of the work on one PDF, so that a file can exhaust neither memory nor time.

    Attributes:
        pages: Number of pages.
        objects: Number of objects that are looked up.
        decoded_bytes: Bytes of decompressed streams; those that cost more memory count eight times.
        operators: Number of operators in content streams, those of forms at each use.
        glyphs: Number of characters shown.
        comparisons: Number of comparisons between glyphs of the same text that lie close together.
        seconds: Time from opening the file on; ``None`` for no limit.
    """

    pages: int = 10_000
    """Number of pages."""
    objects: int = 1_000_000
    """Number of objects that are looked up."""
    decoded_bytes: int = 128 * _MIB
    """Bytes of decompressed streams; those that cost more memory count eight times."""
    operators: int = 5_000_000
    """Number of operators in content streams, those of forms at each use."""
    glyphs: int = 5_000_000
    """Number of characters shown."""
    comparisons: int = 50_000_000
    """Number of comparisons between glyphs of the same text that lie close together."""
    seconds: float | None = 120.0
    """Time from opening the file on; ``None`` for no limit."""


class Budget:
    """Remaining work on one PDF."""

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits
        self._used: dict[str, int] = {}
        self._clock = clock
        self._end = math.inf if limits.seconds is None else clock() + limits.seconds

    def spend(self, kind: str, amount: int = 1) -> None:
        """Count work; raise `PdfError` beyond the limit of this kind, a field of `Limits`."""
        used = self._used[kind] = self._used.get(kind, 0) + amount
        if used > getattr(self._limits, kind):
            self.exceeded(f"more than {getattr(self._limits, kind)} {kind.replace('_', ' ')}")

    def remaining(self, kind: str) -> int:
        """Return the amount that may still be spent."""
        return int(getattr(self._limits, kind)) - self._used.get(kind, 0)

    def check_time(self) -> None:
        """Raise `PdfError` when the time is up."""
        if self._clock() > self._end:
            self.exceeded(f"reading took longer than {self._limits.seconds} s")

    @staticmethod
    def exceeded(what: str) -> NoReturn:
        """Raise `PdfError` for a limit."""
        raise PdfError(f"the PDF is too large to be read: {what}", PdfProblem.TOO_LARGE)


class Point(NamedTuple):
    """Point in raw user space of a page, in points of 1/72 inch, y upwards.

    Attributes:
        x: Horizontal coordinate.
        y: Vertical coordinate.
    """

    x: float
    """Horizontal coordinate."""
    y: float
    """Vertical coordinate."""


class Rect(NamedTuple):
    """Rectangle in raw user space of a page, in points of 1/72 inch, y upwards.

    Attributes:
        x0: Left edge.
        y0: Bottom edge.
        x1: Right edge.
        y1: Top edge.
        width: Width in points.
        height: Height in points.
    """

    x0: float
    """Left edge."""
    y0: float
    """Bottom edge."""
    x1: float
    """Right edge."""
    y1: float
    """Top edge."""

    @property
    def width(self) -> float:
        """Width in points."""
        return self.x1 - self.x0

    @property
    def height(self) -> float:
        """Height in points."""
        return self.y1 - self.y0


@frozen
class PdfPage:
    """Geometry of a page, inherited values included.

    Attributes:
        number: Page number, from 1 on.
        media_box: MediaBox with ordered corners; US Letter where the file has none.
        crop_box: CropBox cut to the MediaBox; the MediaBox where the file has none.
        rotate: Clockwise turn of the page as shown: 0, 90, 180 or 270 degrees.
        user_unit: Size of a unit in 1/72 inch. The platform ignores it, and so does everything here.
    """

    number: int
    """Page number, from 1 on."""
    media_box: Rect
    """MediaBox with ordered corners; US Letter where the file has none."""
    crop_box: Rect
    """CropBox cut to the MediaBox; the MediaBox where the file has none."""
    rotate: int = 0
    """Clockwise turn of the page as shown: 0, 90, 180 or 270 degrees."""
    user_unit: float = 1.0
    """Size of a unit in 1/72 inch. The platform ignores it, and so does everything here."""


class ObjectLocation(NamedTuple):
    """Where an object of a PDF is."""

    stream: int | None
    """Number of the object stream that holds it; ``None`` for an object of its own."""
    position: int
    """Index in the object stream, or offset in the file in bytes."""
    generation: int
    """Generation number."""


class PdfDocument:
    """Opened PDF: the geometry of its pages, and their content for the search for text.

    Not safe for use by several threads at a time.

    Attributes:
        pages: Geometry of the pages, in order.
        budget: Remaining work.
    """

    pages: tuple[PdfPage, ...]
    """Geometry of the pages, in order."""
    budget: Budget
    """Remaining work."""

    def __init__(self, data: bytes, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self.budget = Budget(limits, clock)
        self._miner = load_pdfminer()
        with reading():
            self._document = self._miner.Document(self._miner.Parser(data, self.budget), self.budget)
            if self._document.encryption is not None:
                _encrypted()
            self._leaves = tuple(self._walk())
            self.pages = tuple(self._page(number, leaf) for number, leaf in enumerate(self._leaves, 1))
        if not self.pages:
            raise PdfError("the PDF has no pages")

    def locations(self) -> dict[int, ObjectLocation]:
        """Return where each object was found, by object number, even if the file's own table is damaged."""
        found: dict[int, ObjectLocation] = {}
        for section in self._document.xrefs:
            for number in section.get_objids():
                found.setdefault(number, ObjectLocation(*section.get_pos(number)))
        return found

    def catalog_number(self) -> int:
        """Return the object number of the catalog."""
        roots = (section.get_trailer().get("Root") for section in self._document.xrefs)
        return next(int(root.objid) for root in roots if root is not None)

    def content(self, page: PdfPage) -> tuple[list[bytes], Mapping[str, Any]]:
        """Return the decoded content streams of a page and its resources."""
        leaf = self._leaves[page.number - 1]
        contents = self.resolve(leaf.get("Contents"))
        streams = contents if isinstance(contents, list) else [contents]
        resolved = (self.resolve(stream) for stream in streams)
        data = [stream.get_data() for stream in resolved if isinstance(stream, self._miner.PDFStream)]
        return data, self.dictionary(leaf.get("Resources"))

    def annotation_texts(self, page: PdfPage) -> list[str]:
        """Return the texts of a page's annotations and form fields, which are no part of its content."""
        from pdfminer.utils import decode_text

        with reading():
            annotations = [self.dictionary(one) for one in self.items(self._leaves[page.number - 1].get("Annots"))]
            texts = [self.resolve(annotation.get(key)) for annotation in annotations for key in ("Contents", "V")]
            return [str(decode_text(text)) for text in texts if isinstance(text, bytes)]

    def resolve(self, value: object) -> Any:
        """Follow references to an object."""
        return self._miner.resolve1(value)

    def dictionary(self, value: object) -> Mapping[str, Any]:
        """Return a dictionary, that of a stream, or an empty one for anything else."""
        value = self.resolve(value)
        if isinstance(value, self._miner.PDFStream):
            value = value.attrs
        return value if isinstance(value, dict) else {}

    def items(self, value: object) -> list[Any]:
        """Return an array with resolved elements, or an empty one for anything else."""
        value = self.resolve(value)
        return [self.resolve(item) for item in value] if isinstance(value, list) else []

    def stream(self, value: object) -> bytes | None:
        """Return the decoded bytes of a stream; ``None`` for anything else."""
        value = self.resolve(value)
        data: bytes | None = value.get_data() if isinstance(value, self._miner.PDFStream) else None
        return data

    def name(self, value: object) -> str:
        """Return the text of a name, or an empty text for anything else."""
        value = self.resolve(value)
        return str(value.name) if isinstance(value, self._miner.PSLiteral) else ""

    def _walk(self) -> Iterator[Mapping[str, Any]]:
        """Yield the dictionaries of the pages, with inherited values, in order."""
        root = self._document.catalog.get("Pages")
        pending: list[tuple[object, Mapping[str, Any]]] = [(root, {})]
        seen: set[int] = set()
        while pending:
            reference, inherited = pending.pop()
            identity = getattr(reference, "objid", None)
            if identity is not None and identity in seen:
                continue
            seen.add(-1 if identity is None else identity)
            node = self.dictionary(reference)
            values = {**inherited, **{key: node[key] for key in _INHERITED if key in node}}
            if "Kids" in node:
                kids = self.resolve(node["Kids"])
                pending += [(kid, values) for kid in reversed(kids if isinstance(kids, list) else [])]
            elif node:
                self.budget.spend("pages")
                yield {**node, **values}

    def _page(self, number: int, leaf: Mapping[str, Any]) -> PdfPage:
        media = self._box(leaf.get("MediaBox")) or Rect(0.0, 0.0, 612.0, 792.0)
        crop = self._box(leaf.get("CropBox")) or media
        rotate = self.resolve(leaf.get("Rotate"))
        unit = self.resolve(leaf.get("UserUnit"))
        return PdfPage(
            number,
            media,
            Rect(max(crop.x0, media.x0), max(crop.y0, media.y0), min(crop.x1, media.x1), min(crop.y1, media.y1)),
            int(rotate) % 360 if isinstance(rotate, int | float) and rotate % 90 == 0 else 0,
            float(unit) if isinstance(unit, int | float) and unit > 0 else 1.0,
        )

    def _box(self, value: object) -> Rect | None:
        """Return a rectangle with ordered corners; ``None`` if there is none."""
        numbers = [float(number) for number in self.items(value) if isinstance(number, int | float)]
        if len(numbers) != 4 or not all(map(math.isfinite, numbers)):
            return None
        (x0, x1), (y0, y1) = sorted(numbers[::2]), sorted(numbers[1::2])
        return Rect(x0, y0, x1, y1)


_INHERITED = ("Resources", "MediaBox", "CropBox", "Rotate")


def open_pdf(data: bytes, *, limits: Limits = Limits()) -> PdfDocument:
    """Open a PDF and read the geometry of its pages. Takes CPU time: call it in a thread from a coroutine.

    Raises:
        PdfError: Damaged, encrypted, or beyond a limit.
        ModuleNotFoundError: pdfminer.six is not installed (extra ``pdf``).
    """
    return PdfDocument(data, limits)


def page_count(data: bytes, *, limits: Limits = Limits()) -> int:
    """Return the number of pages of a PDF; errors as of `open_pdf`."""
    return len(open_pdf(data, limits=limits).pages)


@contextmanager
def reading() -> Iterator[None]:
    """Turn the errors of pdfminer.six into `PdfError`."""
    try:
        yield
    except PdfError:
        raise
    except Exception as error:  # noqa: BLE001  # pdfminer.six raises nearly everything
        if type(error).__name__ in {"PDFPasswordIncorrect", "PDFEncryptionError"}:
            _encrypted()
        raise PdfError(_DAMAGED.format(type(error).__name__)) from None


def _encrypted() -> NoReturn:
    raise PdfError("the PDF is encrypted; save it without a password", PdfProblem.ENCRYPTED) from None


@cache
def load_pdfminer() -> SimpleNamespace:  # noqa: C901  # classes of a library that is imported on first use
    """Import pdfminer.six and derive the classes that keep to a budget from its own.

    Its warnings about fonts go to the handlers of the application, and to none by default.
    """
    logging.getLogger("pdfminer").addHandler(logging.NullHandler())
    try:
        from pdfminer.pdfdocument import PDFDocument, PDFNoValidXRef
        from pdfminer.pdfparser import PDFParser
        from pdfminer.pdftypes import PDFStream, resolve1
        from pdfminer.psparser import PSLiteral
    except ImportError:
        raise ModuleNotFoundError(
            "reading PDFs needs pdfminer.six; run pip install 'kfq-async[pdf]'", name="pdfminer"
        ) from None

    class Stream(PDFStream):
        """Stream that is decoded within the budget."""

        def __init__(self, stream: PDFStream, budget: Budget) -> None:
            super().__init__(stream.attrs, stream.rawdata or b"")
            self._budget = budget

        def decode(self) -> None:
            """Decode the data into ``data``."""
            self.data = decode_stream(self, self._budget)
            self.rawdata = None

    class Parser(PDFParser):
        """Parser whose streams and unfinished tokens keep to the budget."""

        def __init__(self, data: bytes, budget: Budget) -> None:
            super().__init__(io.BytesIO(data))
            self._budget = budget

        def push(self, *objs: Any) -> None:
            """Add objects to the array, dictionary or object that is being read."""
            if len(self.curstack) > _MAX_PENDING:
                self._budget.exceeded(f"an array of more than {_MAX_PENDING} elements")
            for position, obj in objs:
                super().push((position, Stream(obj, self._budget) if isinstance(obj, PDFStream) else obj))

        def start_type(self, pos: int, type: str) -> None:  # a name of pdfminer.six
            """Begin an array or dictionary."""
            if len(self.context) > _MAX_DEPTH:
                self._budget.exceeded(f"more than {_MAX_DEPTH} nested arrays")
            super().start_type(pos, type)

        def fillbuf(self) -> bool:
            """Read the next block."""
            self._budget.check_time()
            if len(self._curtoken) > _MAX_TOKEN:
                self._budget.exceeded(f"a string of more than {_MAX_TOKEN} bytes")
            return super().fillbuf()

    class Document(PDFDocument):
        """Document that counts the objects looked up and reads each cross-reference section once."""

        def __init__(self, parser: Parser, budget: Budget) -> None:
            self._budget = budget
            self._sections: set[int] = set()
            super().__init__(parser)

        def getobj(self, objid: int) -> object:
            """Return an object by its number."""
            self._budget.spend("objects")
            return super().getobj(objid)

        def read_xref_from(self, parser: PDFParser, start: int, xrefs: list[Any]) -> None:
            """Read a cross-reference section and those that it names."""
            if start in self._sections or len(self._sections) > _MAX_SECTIONS:
                raise PDFNoValidXRef("cross-reference sections form a cycle")
            self._sections.add(start)
            super().read_xref_from(parser, start, xrefs)

    return SimpleNamespace(
        Document=Document, Parser=Parser, PDFStream=PDFStream, PSLiteral=PSLiteral, resolve1=resolve1
    )


def decode_stream(stream: PDFStream, budget: Budget) -> bytes:
    """Return the decoded bytes of a stream, within a budget; an image, whose filters are not applied, is empty."""
    from pdfminer.ascii85 import ascii85decode, asciihexdecode
    from pdfminer.lzw import LZWDecoder

    data = stream.rawdata or b""
    weight = _COSTLY if getattr(stream.get("Type"), "name", "") in {"ObjStm", "XRef"} else 1
    for filter_, parameters in stream.get_filters():
        match getattr(filter_, "name", ""):
            case "FlateDecode" | "Fl":
                data = _inflate(data, budget)
            case "LZWDecode" | "LZW":
                budget.spend("decoded_bytes", len(data) * _COSTLY)
                data = _join(LZWDecoder(io.BytesIO(data)).run(), budget)
            case "RunLengthDecode" | "RL":
                data = _join(_runs(data), budget)
            case "ASCII85Decode" | "A85":
                data = ascii85decode(data)
            case "ASCIIHexDecode" | "AHx":
                data = asciihexdecode(data)
            case _:
                return b""
        data = _unpredict(data, parameters, budget)
    budget.spend("decoded_bytes", len(data) * weight)
    return data


def _inflate(data: bytes, budget: Budget) -> bytes:
    """Decompress as far as the data goes: a wrong checksum or a missing end is common."""
    decoder = zlib.decompressobj(-zlib.MAX_WBITS)  # without header and checksum
    limit = budget.remaining("decoded_bytes") + 1
    found = bytearray()
    with suppress(zlib.error):
        for start in range(2, len(data), _CHUNK):
            found += decoder.decompress(data[start : start + _CHUNK], limit - len(found))
            if len(found) >= limit:
                break
    if len(found) >= limit:
        budget.spend("decoded_bytes", limit)
    return bytes(found)


def _join(pieces: Iterator[bytes], budget: Budget) -> bytes:
    found = bytearray()
    for piece in pieces:
        found += piece
        if len(found) > budget.remaining("decoded_bytes"):
            budget.spend("decoded_bytes", len(found))
    return bytes(found)


def _runs(data: bytes) -> Iterator[bytes]:
    """Yield the pieces of run-length encoded data."""
    position = 0
    while position < len(data) and (length := data[position]) != 128:
        if length < 128:
            yield data[position + 1 : position + 2 + length]
            position += 2 + length
        else:
            yield data[position + 1 : position + 2] * (257 - length)
            position += 2


def _unpredict(data: bytes, parameters: object, budget: Budget) -> bytes:
    """Reverse a predictor, as cross-reference and object streams use it."""
    from pdfminer.pdftypes import int_value
    from pdfminer.utils import apply_png_predictor, apply_tiff_predictor

    values = parameters if isinstance(parameters, dict) else {}
    predictor = int_value(values.get("Predictor", 1))
    if predictor < 2:
        return data
    colors, columns, bits = (
        int_value(values.get(key, default)) for key, default in (("Colors", 1), ("Columns", 1), ("BitsPerComponent", 8))
    )
    if not 0 < colors * columns * bits <= 8 * len(data):
        raise PdfError(_DAMAGED.format("predictor"))
    budget.spend("decoded_bytes", len(data) * _COSTLY)
    if predictor == 2:
        return apply_tiff_predictor(colors, columns, bits, data)
    return apply_png_predictor(predictor, colors, columns, bits, data)
