"""Small PDFs, written object by object."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

HELVETICA = "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>"
A4 = "/MediaBox[0 0 595 842]"


def stream(data: bytes, entries: str = "") -> bytes:
    """Return a stream object."""
    return b"<<%s/Length %d>>\nstream\n%s\nendstream" % (entries.encode(), len(data), data)


def build(objects: Mapping[int, str | bytes], *, trailer: str = "") -> bytes:
    """Return a PDF of numbered objects; object 1 is its catalog."""
    out = bytearray(b"%PDF-1.7\n")
    offsets = {}
    for number, content in sorted(objects.items()):
        offsets[number] = len(out)
        body = content if isinstance(content, bytes) else content.encode("latin-1")
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start, size = len(out), max(objects) + 1
    out += b"xref\n0 %d\n" % size
    for number in range(size):
        out += b"%010d 00000 n \n" % offsets[number] if number in offsets else b"0000000000 65535 f \n"
    return bytes(out) + f"trailer\n<</Root 1 0 R/Size {size}{trailer}>>\nstartxref\n{start}\n%%EOF\n".encode()


def pdf(
    pages: Iterable[bytes | str],
    *,
    fonts: Mapping[str, str] | None = None,
    resources: str = "",
    boxes: str | Sequence[str] = A4,
    extra: Mapping[int, str | bytes] | None = None,
) -> bytes:
    """Return a PDF whose pages have the given content streams; font ``/F`` is Helvetica. `extra` begins at 500."""
    contents = [page if isinstance(page, bytes) else page.encode("latin-1") for page in pages]
    each = [boxes] * len(contents) if isinstance(boxes, str) else list(boxes)
    table = "".join(f"/{name} {font}" for name, font in {"F": HELVETICA, **(fonts or {})}.items())
    kids = " ".join(f"{10 + 2 * index} 0 R" for index in range(len(contents)))
    objects: dict[int, str | bytes] = {
        1: "<</Type/Catalog/Pages 2 0 R>>",
        2: f"<</Type/Pages/Count {len(contents)}/Kids[{kids}]/Resources<</Font<<{table}>>{resources}>>>>",
        **(extra or {}),
    }
    for index, (content, box) in enumerate(zip(contents, each, strict=True)):
        objects[10 + 2 * index] = f"<</Type/Page/Parent 2 0 R{box}/Contents {11 + 2 * index} 0 R>>"
        objects[11 + 2 * index] = stream(content)
    return build(objects)


def show(text: str, x: float, y: float, *, size: float = 10, font: str = "F", before: str = "") -> str:
    """Return the operators that show a text at a place."""
    return f"BT /{font} {size} Tf {before} 1 0 0 1 {x} {y} Tm ({text}) Tj ET\n"
