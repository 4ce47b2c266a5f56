"""Files to upload, and the results of uploads (protocol sections 4.4 and 4.5)."""

from __future__ import annotations

import os
from collections.abc import AsyncIterable, Callable, Mapping, Sequence
from typing import Any, ClassVar, Literal, Protocol, TypeAlias

from attrs import Attribute, field, frozen

from kfq_async.models.anchors import (
    DocumentLayout,
    FractionAnchor,
    Hit,
    KeywordAnchor,
    PageAnchor,
    fraction_anchor,
    keyword_anchor,
    page_anchor,
)
from kfq_async.models.base import Model
from kfq_async.models.fields import ADDED, SECRET_TEXT, UNKNOWN_KEYS, repr_masked, text
from kfq_async.models.functions import is_asynchronous
from kfq_async.models.references import check_reference, format_reference

__all__ = [
    "AttachmentUpload",
    "BinaryFile",
    "DocumentUpload",
    "FileUpload",
    "UploadProgress",
    "UploadSource",
    "UploadedAttachment",
    "UploadedDocument",
]


class BinaryFile(Protocol):
    """A file opened in binary mode."""

    def read(self, size: int, /) -> bytes | None:
        """Return at most ``size`` bytes."""
        ...


UploadSource: TypeAlias = (
    str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryFile | AsyncIterable[bytes | bytearray | memoryview]
)
"""A path, bytes, a file opened in binary mode, or an async iterable of bytes."""
UploadProgress: TypeAlias = Callable[[int, int], object]
"""Called with the number of bytes of the file that were sent in this attempt, and with all."""


def _source(instance: object, _attribute: object, value: Any) -> None:
    if isinstance(value, str | os.PathLike | bytes | bytearray | memoryview) or hasattr(value, "__aiter__"):
        return
    name = type(instance).__name__
    if not callable(getattr(value, "read", None)):
        raise TypeError(
            f"{name}.source must be a path, bytes, a binary file or an async iterable of bytes, "
            f"not {type(value).__name__}"
        )
    if is_asynchronous(value.read):
        raise TypeError(f"{name}.source must not be an asynchronous file: pass the file inside, such as upload.file")
    if hasattr(value, "encoding"):
        raise TypeError(f"{name}.source must be a binary file, not a text file: open it with mode 'rb'")


def _progress(instance: object, attribute: Attribute[Any], value: Any) -> None:
    if value is not None and (not callable(value) or is_asynchronous(value)):
        raise TypeError(f"{type(instance).__name__}.{attribute.name} must be a plain function of two numbers, or None")


def _reference(instance: object, attribute: Attribute[Any], value: object) -> None:
    if value is not None:
        check_reference(f"{type(instance).__name__}.{attribute.name}", value)


@frozen
class FileUpload:
    """A file to upload; use `DocumentUpload` or `AttachmentUpload`, which say what the platform takes.

    Raises `TypeError`, naming the argument, if one has the wrong type.

    Attributes:
        source: A path, bytes, a binary file, which is read from its position, or an async iterable of bytes.
        name: Name of the file; ``None`` takes that of the path, or of the open file.
        suffix: Extension, such as ``.pdf``; ``None`` takes that of the path, the open file or ``name``.
        progress: Called in the event loop with the number of bytes of the file that were sent, and with all; ``None``
            reports nothing.
        suffixes: Extensions that the platform takes; an empty tuple takes any.
        inspected: Whether the platform looks at the first bytes.
        name_ending: Text that is added to the name.
    """

    source: UploadSource = field(repr=repr_masked, validator=_source)
    """A path, bytes, a binary file, which is read from its position, or an async iterable of bytes."""
    name: str | None = field(default=None, kw_only=True, **SECRET_TEXT)
    """Name of the file; ``None`` takes that of the path, or of the open file."""
    suffix: str | None = field(default=None, kw_only=True, validator=text)
    """Extension, such as ``.pdf``; ``None`` takes that of the path, the open file or ``name``."""
    progress: UploadProgress | None = field(default=None, kw_only=True, repr=False, validator=_progress)
    """Called in the event loop with the number of bytes of the file that were sent, and with all; ``None`` reports
    nothing."""

    suffixes: ClassVar[tuple[str, ...]] = ()
    """Extensions that the platform takes; an empty tuple takes any."""
    inspected: ClassVar[bool] = False
    """Whether the platform looks at the first bytes."""

    @property
    def name_ending(self) -> str:
        """Text that is added to the name."""
        return ""


@frozen
class DocumentUpload(FileUpload):
    """Request of ``session.files.upload_document``: a document to be signed, PDF, Word or Excel.

    The fields are those of `FileUpload`, and a reference. Raises `ValueError`, too, if that is not well-formed.

    Attributes:
        reference: Id of the caller's at the end of the name, 1 to 32 ASCII letters, digits and hyphens; ``None`` adds
            nothing.
        suffixes: Extensions that the platform takes.
        inspected: Whether the platform looks at the first bytes.
        name_ending: Text that is added to the name: the reference.
    """

    reference: str | None = field(default=None, kw_only=True, validator=_reference)
    """Id of the caller's at the end of the name, 1 to 32 ASCII letters, digits and hyphens; ``None`` adds nothing."""

    suffixes: ClassVar[tuple[str, ...]] = (".pdf", ".doc", ".docx", ".xls", ".xlsx")
    """Extensions that the platform takes."""
    inspected: ClassVar[bool] = True
    """Whether the platform looks at the first bytes."""

    @property
    def name_ending(self) -> str:
        """Text that is added to the name: the reference."""
        return "" if self.reference is None else format_reference(self.reference)


@frozen
class AttachmentUpload(FileUpload):
    """Request of ``session.files.upload_attachment``: an attachment of a contract, which is not signed.

    The fields are those of `FileUpload`.

    Attributes:
        suffixes: Extensions that the platform takes.
    """

    suffixes: ClassVar[tuple[str, ...]] = (*(".doc", ".docx", ".wps", ".jpg", ".png", ".pdf", ".xlsx", ".zip", ".rar"),)
    """Extensions that the platform takes."""


@frozen(kw_only=True)
class UploadedDocument(Model):
    """Result of ``session.files.upload_document``: the stored document, and the places in it for marks.

    ``UploadedDocument(doc_id="...")`` stands for a document that was stored earlier; `kfq_async.documents.attach`
    gives it the layout of its file. Name and layout are not compared, and the layout is lost when the object is
    pickled.

    Attributes:
        doc_id: Id of the document, for ``SignDocument`` and ``RelationDoc``.
        name: Name that the document was uploaded under, without the extension; ``None`` if it is not known.
        layout: Pages and text of the document, by which anchors are placed, or why they could not be read; ``None``
            if the file was not read.
        extra: Unknown keys of the result, as received.
    """

    doc_id: str
    """Id of the document, for ``SignDocument`` and ``RelationDoc``."""
    name: str | None = field(default=None, eq=False, metadata={ADDED: True}, **SECRET_TEXT)
    """Name that the document was uploaded under, without the extension; ``None`` if it is not known."""
    layout: DocumentLayout | None = field(default=None, repr=False, eq=False, metadata={ADDED: True})
    """Pages and text of the document, by which anchors are placed, or why they could not be read; ``None`` if the
    file was not read."""
    extra: Mapping[str, object] = field(factory=dict, **UNKNOWN_KEYS)
    """Unknown keys of the result, as received."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore_document, (self.doc_id, self.name, dict(self.extra))

    def keyword(
        self,
        text: str,
        *,
        hit: Hit,
        right: int = 0,
        down: int = 0,
        width: float | None = None,
        height: float | None = None,
        search: Literal["here", "platform"] = "here",
    ) -> KeywordAnchor:
        """Return the place of a keyword: a mark begins at its left edge, and stands 61.8 % above its baseline.

        By default the keyword is found in the layout, and its place is sent as coordinates: the mark stands at the
        keyword itself. Blanks within a line do not matter. The platform's own search takes the start of the text
        without blanks that holds the keyword, in Chinese usually that of the line, jumps to the top of a page near it,
        and finds nothing in some files (protocol section 4.0).

        Args:
            text: Text to find.
            hit: Which hit is meant: ``"first"``, ``"last"`` or ``"every"``.
            right: Points to the right of the keyword's left edge.
            down: Points below.
            width: Width of the mark's box in points, 10 to 120; ``None``: 112 for a signature, else 120.
            height: Height of the mark's box in points, 10 to 120; ``None``: 52 for a signature, 30 for a date, else
                120.
            search: ``"platform"`` leaves the search to the platform, as an id without its file must.

        Raises:
            DraftRefused: The keyword was not found, or an argument is out of range; the text names it.
            TypeError: An argument has the wrong type.
        """
        return keyword_anchor(
            self.doc_id,
            self.layout,
            text,
            hit=hit,
            right=right,
            down=down,
            width=width,
            height=height,
            search=search,
        )

    def at(
        self, *, page: int, left: float, top: float, width: float | None = None, height: float | None = None
    ) -> PageAnchor:
        """Return a place of a page, in points as a reader sees the page: an upright A4 has 595 × 842.

        With the layout, rotated and cropped pages are corrected for. Without it, every page is taken for an upright A4
        that is not cropped. A cross-page seal takes ``top`` only, and is on all pages.

        Args:
            page: Page number, from 1 on.
            left: Left edge of the mark's box, from the left edge of the page.
            top: Top edge of the mark's box, from the top edge of the page.
            width: Width of the box, as for `keyword`.
            height: Height of the box, as for `keyword`.

        Raises:
            DraftRefused: An argument is out of range; the text names it.
            TypeError: An argument has the wrong type.
        """
        return page_anchor(self.doc_id, self.layout, page=page, left=left, top=top, width=width, height=height)

    def at_fraction(
        self,
        *,
        x: float,
        y: float,
        pages: int | Sequence[int] | Literal["all"],
        width: float | None = None,
        height: float | None = None,
    ) -> FractionAnchor:
        """Return a place of one page or several, in the fractions of the wire (protocol section 4.0).

        On rotated, cropped and shifted pages the mark is displaced; `at` corrects that. A cross-page seal takes ``y``
        only, a fraction of 842 points on pages of any size, and is on all pages.

        Args:
            x: Left edge of the mark's box, as a fraction of the page's width.
            y: Top edge of the mark's box, as a fraction of the page's height.
            pages: Page number from 1 on, several, or ``"all"``.
            width: Width of the box, as for `keyword`.
            height: Height of the box, as for `keyword`.

        Raises:
            DraftRefused: An argument is out of range; the text names it.
            TypeError: An argument has the wrong type.
        """
        return fraction_anchor(self.doc_id, x=x, y=y, pages=pages, width=width, height=height)


def _restore_document(doc_id: str, name: str | None, extra: Mapping[str, object]) -> UploadedDocument:
    return UploadedDocument(doc_id=doc_id, name=name, extra=extra)


@frozen(kw_only=True)
class UploadedAttachment(Model):
    """Result of ``session.files.upload_attachment``: the stored attachment.

    Attributes:
        file_id: Id of the attachment, for ``Annex``.
        extra: Unknown keys of the result, as received.
    """

    file_id: str
    """Id of the attachment, for ``Annex``."""
    extra: Mapping[str, object] = field(factory=dict, **UNKNOWN_KEYS)
    """Unknown keys of the result, as received."""
