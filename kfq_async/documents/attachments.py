"""Layouts of documents that were stored earlier."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import evolve

from kfq_async.documents.layout import read_layout

if TYPE_CHECKING:
    import os

    from kfq_async.models.anchors import DocumentLayout
    from kfq_async.models.files import UploadedDocument

__all__ = ["attach"]


async def attach(document: UploadedDocument, path: str | os.PathLike[str]) -> UploadedDocument:
    """Return a stored document with the layout of its file, for `UploadedDocument.keyword` and ``at``.

    The file is read in a thread.

    Args:
        document: The document, such as ``UploadedDocument(doc_id="...")``.
        path: PDF that was uploaded.

    Raises:
        PdfError: The file is damaged, encrypted, or beyond a limit.
        ModuleNotFoundError: pdfminer.six is not installed (extra ``pdf``).
        OSError: The file cannot be read.
    """
    return evolve(document, layout=await asyncio.to_thread(_read, path))


def _read(path: str | os.PathLike[str]) -> DocumentLayout:
    return read_layout(Path(path).read_bytes())
