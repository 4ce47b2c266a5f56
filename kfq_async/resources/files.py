"""Files (protocol sections 4.4 and 4.5): upload documents to be signed, and attachments."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from attrs import evolve

from kfq_async.models.files import AttachmentUpload, DocumentUpload, UploadedAttachment, UploadedDocument
from kfq_async.protocol.operation import CredentialPlacement, Idempotency, Operation
from kfq_async.protocol.uploads import FileFacts, resolve_name
from kfq_async.resources.arguments import check_bool

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from kfq_async.models.anchors import DocumentLayout
    from kfq_async.models.files import UploadProgress, UploadSource
    from kfq_async.protocol.operation import Fetch

__all__ = ["ANNEX_FILE", "DOCUMENT_FILE", "Files"]

T = TypeVar("T")

MAX_READING = 60.0
"""Seconds for which an upload that has ended waits for the layout of its file."""

DOCUMENT_FILE = Operation(
    "POST",
    "/document/file",
    request=DocumentUpload,
    result=UploadedDocument,
    credentials=CredentialPlacement.PARAMETERS,
    idempotency=Idempotency.SAFE,
    rate_limited=True,
)
ANNEX_FILE = Operation(
    "POST",
    "/annex/file",
    request=AttachmentUpload,
    result=UploadedAttachment,
    credentials=CredentialPlacement.PARAMETERS,
    idempotency=Idempotency.SAFE,
    rate_limited=True,
)


class Submit(Protocol):
    """Function of the session that calls a function in a thread."""

    def __call__(self, function: Callable[..., T], *args: object) -> Future[T]:
        """Call a function in the next free thread."""
        ...


class Files:
    """``session.files``: upload documents to be signed, and attachments of contracts."""

    def __init__(self, fetch: Fetch, submit: Submit) -> None:
        self._fetch = fetch
        self._submit = submit

    async def upload_document(
        self,
        source: UploadSource,
        *,
        name: str | None = None,
        suffix: str | None = None,
        reference: str | None = None,
        progress: UploadProgress | None = None,
        read_text: bool = True,
    ) -> UploadedDocument:
        """Upload a document to be signed: PDF, Word or Excel (protocol section 4.4).

        The file is read in threads of the session and sent piece by piece, so that a large one neither fills the memory
        nor holds up the event loop; ``Timeouts.stall`` bounds the time without a byte from the source, too. Subject to
        the session's ``rate_limit``, by default five calls per second. Retried after every transient failure: a
        document that no contract refers to has no effect. Each attempt opens the source again and must find the same
        bytes. A self-hosted platform converts Word and Excel only if its operator set that up.

        Args:
            source: A path; bytes; a binary file, which is read from its position and not closed; or an async iterable
                of bytes. An async iterable, and a file without ``seek``, is first copied, beyond 1 MiB to a temporary
                file, and not sent again once it was begun.
            name: Name of the document, at most 128 characters; ``None`` takes that of the path or open file. Bytes and
                iterables need one. The extension is not part of it.
            suffix: ``.pdf``, ``.doc``, ``.docx``, ``.xls`` or ``.xlsx``; ``None`` takes that of the path or open file,
                or of ``name``, and ``.pdf`` for a PDF without one.
            reference: An id of yours, 1 to 32 ASCII letters, digits and hyphens, such as ``uuid4().hex``, which is put
                at the end of the name as ``〔reference〕``; both together have at most 128 characters. If the response
                to `Contracts.draft` is lost, `Contracts.find_lost` recognises the contract by it, so store it before
                the draft is sent. Signers see it. ``None`` adds nothing.
            progress: Called in the event loop, after each piece, with the number of bytes of the file that were sent
                in this attempt, and with all. A retry begins again. What it raises ends the call and is raised.
            read_text: Whether to read, in a thread during the upload, where the text of a PDF of at most 8 MiB stands,
                given as a path or as bytes, for `UploadedDocument.keyword` and ``at``. It needs the extra ``pdf``.
                Where the text cannot be read, ``keyword`` raises with the reason, and ``at`` takes every page for an
                upright A4.

        Returns:
            The document: its id, and the places in it for marks.

        Raises:
            FileRefused: The file cannot be read, or the platform would refuse it; nothing was sent.
            FileChanged: The file changed during the call; nothing was stored.
            KfqError: The call failed otherwise.
            TypeError: An argument has the wrong type.
            ValueError: ``reference`` is not well-formed.
        """
        try:
            check_bool(read_text=read_text)
            request = DocumentUpload(source, name=name, suffix=suffix, reference=reference, progress=progress)
        except (TypeError, ValueError) as problem:
            raise problem.with_traceback(None) from None
        finally:
            del source, name, suffix  # a traceback of this call shows neither the file nor its name
        reading = self._submit(_read_layout, request.source) if read_text else None
        try:
            document = await self._fetch(DOCUMENT_FILE, request)
        except BaseException:
            if reading is not None:
                reading.cancel()
            raise
        layout = None if reading is None else await _result_of(reading)
        return evolve(document, name=_full_name(request), layout=layout)

    async def upload_attachment(
        self,
        source: UploadSource,
        *,
        name: str | None = None,
        suffix: str | None = None,
        progress: UploadProgress | None = None,
    ) -> UploadedAttachment:
        """Upload an attachment of a contract, which is not signed (protocol section 4.5).

        Reads, sends and retries as `upload_document` does. The contents are not looked at, here or by the platform.

        Args:
            source: As for `upload_document`.
            name: Name of the attachment, as for `upload_document`.
            suffix: ``.doc``, ``.docx``, ``.wps``, ``.jpg``, ``.png``, ``.pdf``, ``.xlsx``, ``.zip`` or ``.rar``, but
                neither ``.xls`` nor ``.jpeg``; ``None`` takes that of the path or open file, or of ``name``.
            progress: As for `upload_document`.

        Returns:
            Id of the attachment.

        Raises:
            FileRefused: The file cannot be read, or the platform would refuse it; nothing was sent.
            FileChanged: The file changed during the call; nothing was stored.
            KfqError: The call failed otherwise.
            TypeError: An argument has the wrong type.
        """
        try:
            request = AttachmentUpload(source, name=name, suffix=suffix, progress=progress)
        except TypeError as problem:
            raise problem.with_traceback(None) from None
        finally:
            del source, name, suffix  # as in `upload_document`
        return await self._fetch(ANNEX_FILE, request)


def _read_layout(source: object) -> DocumentLayout:
    from kfq_async.documents.layout import find_layout  # only what is used: it takes time to load

    return find_layout(source)


async def _result_of(reading: Future[DocumentLayout]) -> DocumentLayout | None:
    """Return a layout, or ``None`` if it takes too long, as in a session that is being closed."""
    with suppress(TimeoutError):
        async with asyncio.timeout(MAX_READING):
            return await asyncio.wrap_future(reading)
    return None


def _full_name(upload: DocumentUpload) -> str:
    """Return the name that a document was uploaded under."""
    source: Any = upload.source
    path = source if isinstance(source, str | os.PathLike) else getattr(source, "name", None)
    name = Path(path).name if isinstance(path, str | os.PathLike) else None
    return f"{resolve_name(upload, FileFacts(name, 0, b''))[0]}{upload.name_ending}"
