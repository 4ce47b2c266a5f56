"""Files to upload, and the results of uploads (protocol sections 4.4 and 4.5)."""

from __future__ import annotations

import os
from collections.abc import AsyncIterable, Callable, Mapping
from typing import Any, ClassVar, Protocol, TypeAlias

from attrs import Attribute, field, frozen

from kfq_async.models.fields import SECRET_TEXT, UNKNOWN_KEYS, repr_masked, text
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
class UploadedDocument:
    """Result of ``session.files.upload_document``: the stored document.

    Attributes:
        doc_id: Id of the document, for ``SignDocument`` and ``RelationDoc``.
        extra: Unknown keys of the result, as received.
    """

    doc_id: str
    """Id of the document, for ``SignDocument`` and ``RelationDoc``."""
    extra: Mapping[str, object] = field(factory=dict, **UNKNOWN_KEYS)
    """Unknown keys of the result, as received."""


@frozen(kw_only=True)
class UploadedAttachment:
    """Result of ``session.files.upload_attachment``: the stored attachment.

    Attributes:
        file_id: Id of the attachment, for ``Annex``.
        extra: Unknown keys of the result, as received.
    """

    file_id: str
    """Id of the attachment, for ``Annex``."""
    extra: Mapping[str, object] = field(factory=dict, **UNKNOWN_KEYS)
    """Unknown keys of the result, as received."""
