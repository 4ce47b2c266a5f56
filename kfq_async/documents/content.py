"""Glyphs of a page: the text operators of its content streams and forms, in the order in which they are shown."""

from __future__ import annotations

import math
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from attrs import define, evolve, field

from kfq_async.documents.fonts import FontLoader
from kfq_async.documents.pdf import reading
from kfq_async.documents.tokens import Name, Operand, instructions

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kfq_async.documents.fonts import Font
    from kfq_async.documents.pdf import PdfDocument, PdfPage

__all__ = ["Glyph", "PageReader", "Style"]

_Matrix = tuple[float, float, float, float, float, float]
_IDENTITY: _Matrix = (1.0, 0.0, 0.0, 1.0, 0.0, 0.0)
_FAR_AWAY = 1e7
"""Distance in points from which glyphs are left out; their positions may not be numbers any more."""
_MAX_PAGE_GLYPHS = 300_000
"""Maximum number of glyphs of a page, all of which are in memory at a time."""
_MAX_SAVED = 10_000
"""Maximum number of graphics states that are saved at a time."""
_MAX_NESTING = 20
"""Maximum depth of forms within forms, and of properties within marked content."""


class Style(NamedTuple):
    """What the glyphs of one string have in common. Lengths are in points."""

    direction: int
    """Direction of the text: 0, 90, 180 or 270 degrees, counterclockwise."""
    height: float
    """Height by which glyphs belong to a line."""
    space: float
    """Width of a space of the font."""
    font: tuple[int, float]
    """Identity of font and size."""


class Glyph(NamedTuple):
    """Glyph as shown: its text, and its origin in raw user space. Lengths are in points."""

    text: str
    """Text of the glyph, one character or more."""
    x: float
    """Left edge on the baseline, in raw user space."""
    y: float
    """Baseline, in raw user space, y upwards."""
    width: float
    """Advance width along the direction, without letter spacing."""
    style: Style
    """What it has in common with the other glyphs of its string."""


@define
class _State:
    """Graphics state, as far as it concerns text."""

    ctm: _Matrix = _IDENTITY
    font: Font | None = None
    size: float = 0.0
    letter_spacing: float = 0.0
    word_spacing: float = 0.0
    scaling: float = 1.0
    leading: float = 0.0
    rise: float = 0.0


@define
class _MarkedContent:
    """Marked content: its ActualText, and the number of glyphs shown before it."""

    text: str | None
    start: int


@define
class PageReader:
    """Reader of the glyphs of a document's pages.

    Attributes:
        hidden: Whether an ActualText over several glyphs was met; the platform then finds no keyword in the document.
        has_picture: Whether the page that was read last draws a picture.
    """

    _document: PdfDocument
    hidden: bool = False
    """Whether an ActualText over several glyphs was met; the platform then finds no keyword in the document."""
    has_picture: bool = False
    """Whether the page that was read last draws a picture."""
    _fonts: FontLoader = field(init=False)
    _glyphs: list[Glyph] = field(init=False, factory=list)
    _marked: list[_MarkedContent] = field(init=False, factory=list)

    def __attrs_post_init__(self) -> None:
        self._fonts = FontLoader(self._document)

    def glyphs(self, page: PdfPage) -> list[Glyph]:
        """Return the glyphs of a page in the order of its content.

        Raises:
            PdfError: Damaged, or beyond a limit.
        """
        self._glyphs, self._marked, self.has_picture = [], [], False
        with reading():
            streams, resources = self._document.content(page)
            _Interpreter(self, self._document, resources, _State(), 0).run(b"\n".join(streams))
        return self._glyphs

    def begin_marked_content(self, properties: Mapping[str, Any]) -> None:
        """Begin a sequence of marked content."""
        if len(self._marked) > _MAX_SAVED:
            self._document.budget.exceeded(f"more than {_MAX_SAVED} open sequences of marked content")
        text = self._document.resolve(properties.get("ActualText"))
        self._marked.append(_MarkedContent(_decode_text(text) if isinstance(text, bytes) else None, len(self._glyphs)))

    def end_marked_content(self) -> None:
        """End the innermost sequence of marked content: an ActualText replaces the text of a single glyph."""
        if not self._marked:
            return
        ended = self._marked.pop()
        shown = len(self._glyphs) - ended.start
        if ended.text is None or not shown:
            return
        if shown > 1:
            self.hidden = True
        else:
            self._glyphs[-1] = self._glyphs[-1]._replace(text=ended.text)

    def reserve(self, count: int, pending: int) -> None:
        """Count the glyphs of a string before they are built; others of the same operator are pending."""
        budget = self._document.budget
        budget.spend("glyphs", count)
        if len(self._glyphs) + pending + count > _MAX_PAGE_GLYPHS:
            budget.exceeded(f"more than {_MAX_PAGE_GLYPHS} glyphs on a page")

    def show(self, glyphs: list[Glyph]) -> None:
        """Add the glyphs of a string."""
        self._glyphs += glyphs

    def font(self, reference: object) -> Font:
        """Return a font by its reference."""
        return self._fonts.load(reference)


class _OperandError(Exception):
    """An operand is not of the kind that its operator needs."""


class _Interpreter:
    """Interpreter of one content stream."""

    def __init__(
        self, reader: PageReader, document: PdfDocument, resources: Mapping[str, Any], state: _State, depth: int
    ) -> None:
        self._reader = reader
        self._document = document
        self._resources = resources
        self._depth = depth
        self._state = state
        self._saved: list[_State] = []
        self._matrix = self._line = _IDENTITY
        self._operators: dict[bytes, tuple[int, Callable[..., None]]] = {
            b"q": (0, self._save),
            b"Q": (0, self._restore),
            b"cm": (6, self._concatenate),
            b"BT": (0, self._begin_text),
            b"Tc": (1, self._letter_spacing),
            b"Tw": (1, self._word_spacing),
            b"Tz": (1, self._scaling),
            b"TL": (1, self._leading),
            b"Ts": (1, self._rise),
            b"Tf": (2, self._font),
            b"gs": (1, self._graphics_state),
            b"Td": (2, self._move),
            b"TD": (2, self._move_and_lead),
            b"Tm": (6, self._text_matrix),
            b"T*": (0, self._next_line),
            b"Tj": (1, self._show),
            b"TJ": (1, self._show),
            b"'": (1, self._next_line_and_show),
            b'"': (3, self._space_next_line_and_show),
            b"Do": (1, self._draw),
            b"ID": (0, self._picture),
            b"BMC": (1, self._begin_marked),
            b"BDC": (2, self._begin_marked),
            b"EMC": (0, self._end_marked),
        }

    def run(self, data: bytes) -> None:
        """Interpret a content stream; an operator whose operands do not fit is skipped."""
        operators = self._operators
        for operator, operands in instructions(data, self._document.budget):
            count, action = operators.get(operator, (0, None))
            if action is not None and len(operands) >= count:
                with suppress(_OperandError):
                    action(*operands[len(operands) - count :])

    def _save(self) -> None:
        if len(self._saved) > _MAX_SAVED:
            self._document.budget.exceeded(f"more than {_MAX_SAVED} saved graphics states")
        self._saved.append(evolve(self._state))

    def _restore(self) -> None:
        if self._saved:
            self._state = self._saved.pop()

    def _concatenate(self, *matrix: Operand) -> None:
        self._state.ctm = _multiply(_as_matrix(matrix), self._state.ctm)

    def _begin_text(self) -> None:
        self._matrix = self._line = _IDENTITY

    def _letter_spacing(self, value: Operand) -> None:
        self._state.letter_spacing = _as_number(value)

    def _word_spacing(self, value: Operand) -> None:
        self._state.word_spacing = _as_number(value)

    def _scaling(self, value: Operand) -> None:
        self._state.scaling = _as_number(value) / 100

    def _leading(self, value: Operand) -> None:
        self._state.leading = _as_number(value)

    def _rise(self, value: Operand) -> None:
        self._state.rise = _as_number(value)

    def _font(self, name: Operand, size: Operand) -> None:
        self._set_font(self._resource("Font", name), size)

    def _graphics_state(self, name: Operand) -> None:
        state = self._document.dictionary(self._resource("ExtGState", name))
        font = self._document.resolve(state.get("Font"))
        if isinstance(font, list) and len(font) == 2:
            self._set_font(font[0], self._document.resolve(font[1]))

    def _set_font(self, reference: object, size: object) -> None:
        self._state.size = _as_number(size)
        self._state.font = self._reader.font(reference)

    def _move(self, x: Operand, y: Operand) -> None:
        self._matrix = self._line = _multiply((1.0, 0.0, 0.0, 1.0, _as_number(x), _as_number(y)), self._line)

    def _move_and_lead(self, x: Operand, y: Operand) -> None:
        self._state.leading = -_as_number(y)
        self._move(x, y)

    def _text_matrix(self, *matrix: Operand) -> None:
        self._matrix = self._line = _as_matrix(matrix)

    def _next_line(self) -> None:
        self._move(0.0, -self._state.leading)

    def _next_line_and_show(self, string: Operand) -> None:
        self._next_line()
        self._show(string)

    def _space_next_line_and_show(self, word: Operand, letter: Operand, string: Operand) -> None:
        self._word_spacing(word)
        self._letter_spacing(letter)
        self._next_line_and_show(string)

    def _draw(self, name: Operand) -> None:
        """Draw a picture, or a form; its content may have further forms."""
        reference = self._resource("XObject", name)
        form = self._document.dictionary(reference)
        kind = self._document.name(form.get("Subtype"))
        if kind == "Image":
            self._picture()
        if kind != "Form" or self._depth >= _MAX_NESTING:
            return
        matrix = tuple(self._document.items(form.get("Matrix"))) or _IDENTITY
        resources = self._document.dictionary(form.get("Resources")) or self._resources
        ctm = _multiply(_as_matrix(matrix), self._state.ctm)
        state = evolve(self._state, ctm=ctm)
        inner = _Interpreter(self._reader, self._document, resources, state, self._depth + 1)
        inner.run(self._document.stream(reference) or b"")

    def _picture(self) -> None:
        self._reader.has_picture = True

    def _begin_marked(self, _tag: Operand, properties: Operand | None = None) -> None:
        if isinstance(properties, Name):
            self._reader.begin_marked_content(self._document.dictionary(self._resource("Properties", properties)))
        else:
            self._reader.begin_marked_content(properties if isinstance(properties, dict) else {})

    def _end_marked(self) -> None:
        self._reader.end_marked_content()

    def _resource(self, kind: str, name: Operand) -> object:
        return self._document.dictionary(self._resources.get(kind)).get(str(name)) if isinstance(name, Name) else None

    def _show(self, strings: Operand) -> None:
        state = self._state
        font = state.font = state.font or self._reader.font(None)
        size, scaling = state.size, state.scaling
        a, b, c, d, e, f = _multiply(self._matrix, state.ctm)
        # Text space to user space; only the position along the line changes from glyph to glyph.
        across, up = size * scaling * math.hypot(a, b), abs(size) * math.hypot(c, d)
        direction = _direction(size * scaling * a, size * scaling * b, size * c, size * d)
        style = Style(direction, font.height * up, abs(font.space * across), (id(font), size))
        glyphs: list[Glyph] = []
        left, base = 0.0, 0.0
        for string in strings if isinstance(strings, list) else [strings]:
            if isinstance(string, float):
                if font.vertical:
                    base -= string / 1000 * size
                else:
                    left -= string / 1000 * size * scaling
            elif isinstance(string, bytes):
                self._reader.reserve(len(string) // 2 if font.wide else len(string), len(glyphs))
                for code, text, width in font.glyphs(string):
                    if text is not None:
                        rise = base + state.rise
                        x, y = left * a + rise * c + e, left * b + rise * d + f
                        advance = abs(width * across)
                        if abs(x) < _FAR_AWAY and abs(y) < _FAR_AWAY and advance < _FAR_AWAY:
                            glyphs.append(Glyph(text, x, y, advance, style))
                    spacing = state.letter_spacing + (state.word_spacing if code == 32 and not font.wide else 0.0)
                    if font.vertical:
                        base += width * size + spacing
                    else:
                        left += (width * size + spacing) * scaling
        self._reader.show(glyphs)
        self._matrix = _multiply((1.0, 0.0, 0.0, 1.0, left, base), self._matrix)


def _multiply(inner: _Matrix, outer: _Matrix) -> _Matrix:
    """Return the matrix that applies `inner` and then `outer`."""
    a, b, c, d, e, f = inner
    k, m, n, p, q, r = outer
    return a * k + b * n, a * m + b * p, c * k + d * n, c * m + d * p, e * k + f * n + q, e * m + f * p + r


def _as_number(value: object) -> float:
    if not isinstance(value, int | float):
        raise _OperandError
    return float(value)


def _as_matrix(values: tuple[object, ...]) -> _Matrix:
    a, b, c, d, e, f = map(_as_number, values if len(values) == 6 else (None,) * 6)
    return a, b, c, d, e, f


def _direction(a: float, b: float, c: float, d: float) -> int:
    """Return the direction of text by its matrix; text at 45 degrees counts as 0."""
    if abs(b) < abs(a) and abs(c) < abs(d):
        return 180 if a < 0 and d < 0 else 0
    if abs(a) < abs(c) and abs(d) < abs(b):
        if b > 0 > c:
            return 90
        if b < 0 < c:
            return 270
    return 0


def _decode_text(data: bytes) -> str:
    """Return a text string of a dictionary."""
    from pdfminer.utils import decode_text

    return str(decode_text(data))
