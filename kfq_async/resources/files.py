"""Files (protocol sections 4.4 and 4.5): upload documents to be signed, and attachments."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kfq_async.models.files import AttachmentUpload, DocumentUpload, UploadedAttachment, UploadedDocument
from kfq_async.protocol.operation import CredentialPlacement, Idempotency, Operation

if TYPE_CHECKING:
    from kfq_async.models.files import UploadProgress, UploadSource
    from kfq_async.protocol.operation import Fetch

__all__ = ["ANNEX_FILE", "DOCUMENT_FILE", "Files"]

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


class Files:
    """``session.files``: upload documents to be signed, and attachments of contracts."""

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch

    async def upload_document(
        self,
        source: UploadSource,
        *,
        name: str | None = None,
        suffix: str | None = None,
        reference: str | None = None,
        progress: UploadProgress | None = None,
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

        Returns:
            Id of the document.

        Raises:
            FileRefused: The file cannot be read, or the platform would refuse it; nothing was sent.
            FileChanged: The file changed during the call; nothing was stored.
            KfqError: The call failed otherwise.
            TypeError: An argument has the wrong type.
            ValueError: ``reference`` is not well-formed.
        """
        try:
            request = DocumentUpload(source, name=name, suffix=suffix, reference=reference, progress=progress)
        except (TypeError, ValueError) as problem:
            raise problem.with_traceback(None) from None
        finally:
            del source, name, suffix  # a traceback of this call shows neither the file nor its name
        return await self._fetch(DOCUMENT_FILE, request)

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
