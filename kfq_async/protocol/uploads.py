"""Uploads: what the platform takes, and JSON bodies that carry a file as base64 (protocol sections 4.4 and 4.5)."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Protocol, cast

from attrs import define, field, frozen

from kfq_async.errors import FileRefused
from kfq_async.models.masking import MaskedBytes, MaskedStr
from kfq_async.protocol.codec import encode
from kfq_async.protocol.operation import CredentialPlacement, Operation
from kfq_async.protocol.requests import (
    NOTHING,
    RESERVED_PARAMETERS,
    BodyStream,
    HttpRequest,
    PreparedCall,
    add_operator,
    check_type,
    copy_additions,
    list_names,
)
from kfq_async.redaction import printable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from yarl import URL

    from kfq_async.models.files import FileUpload
    from kfq_async.protocol.signing import Signer

__all__ = [
    "HEAD",
    "MAX_NAME",
    "TAIL",
    "FileFacts",
    "OpenFile",
    "PreparedUpload",
    "encoded_size",
    "prepare_upload",
    "resolve_name",
]

HEAD = 1024
"""Number of the first bytes of a file that are looked at."""
MAX_NAME = 128
"""Longest name that the platform takes, in characters, without the extension."""
TAIL = b'"}'
"""End of the body, after the file."""
_MAX_SHOWN = 20
"""Number of characters of an extension that an error shows."""
_FIELDS = frozenset({"fileName", "fileSuffix", "file"})
_PDF, _PDF_1, _PDF_2 = b"%PDF-", b"%PDF-1.", b"%PDF-2."
_OFFICE = (bytes.fromhex("D0CF11E0"), bytes.fromhex("504B0304"))
"""First bytes of old and new Office files; those of the new ones begin every ZIP archive."""


class OpenFile(Protocol):
    """The file of one call, which the transport reads."""

    def stream(self, start: bytes) -> BodyStream:
        """Return the body of an attempt: ``start``, the file as base64, and `TAIL`."""
        ...


@frozen
class FileFacts:
    """What is known of a file before it is sent.

    Attributes:
        name: Name of the path or of the open file, with its extension; ``None`` if it has none.
        size: Size in bytes.
        head: The first `HEAD` bytes.
    """

    name: str | None = field(repr=False)
    size: int
    head: bytes = field(repr=False)


def encoded_size(size: int) -> int:
    """Return the number of base64 characters for so many bytes."""
    return (size + 2) // 3 * 4


@define(eq=False)
class PreparedUpload(PreparedCall):
    """Request of one upload, whose file is read while it is sent.

    Attributes:
        upload: File to upload.
        file: The file, once the transport has opened it.
    """

    upload: FileUpload = field(repr=False)
    file: OpenFile | None = field(default=None, repr=False)

    def _describe_empty(self) -> str:
        if hasattr(self.upload.source, "read"):
            return "it is empty from its position on: after writing or reading it, call seek(0)"
        return "it is empty"

    def begin(self, file: OpenFile, facts: FileFacts) -> None:
        """Add the file, with its name; raise `FileRefused`, without the name, if the platform would refuse it."""
        name, suffix = resolve_name(self.upload, facts)
        ending = self.upload.name_ending
        problem = (
            _find_name_problem(name, ending)
            or (self._describe_empty() if facts.size == 0 else None)
            or _find_suffix_problem(suffix, self.upload.suffixes)
            or (_find_content_problem(suffix, facts.head) if self.upload.inspected else None)
        )
        if problem is not None:
            raise FileRefused(problem)
        self.body: bytes | None = _append(
            self.body or b"{}", encode({"fileName": MaskedStr(f"{name}{ending}"), "fileSuffix": suffix})[1:]
        )
        self.file = file

    def body_size(self, app_auth_token: str, unique_code: str) -> int:
        """Return the number of bytes of the body, the same with every serial number of this length."""
        request = self.write(app_auth_token, nonce="", timestamp="", unique_code=unique_code, signer=None)
        assert isinstance(request.body, BodyStream)  # noqa: S101  # that of an upload always is
        assert request.body.size is not None  # noqa: S101  # its size is known
        return request.body.size

    def write(
        self, app_auth_token: str, *, nonce: str, timestamp: str, unique_code: str, signer: Signer | None
    ) -> HttpRequest:
        """Return the HTTP request of one attempt, without a signature: the platform ignores that of an upload."""
        del signer
        request = super().write(app_auth_token, nonce=nonce, timestamp=timestamp, unique_code=unique_code, signer=None)
        assert self.file is not None  # noqa: S101  # the call has opened it
        assert isinstance(request.body, bytes)  # noqa: S101  # a POST has fields
        request.body = self.file.stream(_append(request.body, b'"file":"'))
        return request


def prepare_upload(
    operation: Operation[Any, Any],
    request: object,
    *,
    url: URL,
    extra_body: Mapping[str, object],
    extra_headers: Mapping[str, str],
    operator_account: str | None = None,
) -> PreparedUpload:
    """Prepare an upload for one call; raise `TypeError`, `ValueError` or `EncodeError` as `prepare` does."""
    check_type(operation, request)
    extra_body, extra_headers = copy_additions(extra_body, extra_headers)
    if operation.method != "POST" or operation.credentials is not CredentialPlacement.PARAMETERS:
        raise TypeError(f"{operation.name} cannot send a file: only a POST with CredentialPlacement.PARAMETERS can")
    if reserved := extra_body.keys() & (RESERVED_PARAMETERS | _FIELDS):
        raise ValueError(f"{list_names(reserved)} must not be in extra_body: set by the session or the upload")
    fields = dict(extra_body)
    add_operator(fields, operator_account)
    return PreparedUpload(
        operation=operation,
        url=url,
        body=MaskedBytes(encode(fields)),
        query=NOTHING,
        private_query=NOTHING,
        client_request_id=None,
        extra_headers=extra_headers,
        exclusive=operation.is_exclusive(NOTHING),
        upload=cast("FileUpload", request),
    )


def _append(body: bytes, fields: bytes) -> MaskedBytes:
    """Return a JSON object with further fields, whose closing brace ``fields`` has or leaves out."""
    return MaskedBytes(b"{%b" % fields if body == b"{}" else b"%b,%b" % (bytes(body)[:-1], fields))


def resolve_name(upload: FileUpload, facts: FileFacts) -> tuple[str | None, str]:
    """Return name and extension: what the caller gave, else what the file has; a PDF needs no extension."""
    path, given = PurePath(facts.name or ""), PurePath(upload.name or "")
    if upload.suffix is not None:
        suffix = upload.suffix if upload.suffix.startswith(".") else f".{upload.suffix}"
    elif given.suffix.lower() in upload.suffixes:
        suffix = given.suffix
    elif path.suffix:
        suffix = path.suffix
    elif upload.inspected and _PDF in facts.head:
        suffix = ".pdf"
    else:
        suffix = given.suffix
    suffix = suffix.lower()
    name = upload.name
    if name is None:
        return (MaskedStr(path.stem) if facts.name else None), suffix
    return (name[: -len(suffix)] if suffix == given.suffix.lower() != "" else name), suffix


def _find_name_problem(name: str | None, ending: str) -> str | None:
    if name is None:
        return "it has no name: pass name=…"
    if not name.strip():
        return "its name is blank: pass name=…"
    if (length := len(name) + len(ending)) > MAX_NAME:
        counted = f"characters with {ending}" if ending else "characters"
        return f"its name has {length} {counted}, and the platform takes {MAX_NAME}: pass a shorter name=…"
    if any("\ud800" <= character <= "\udfff" for character in name):
        return "its name is not valid Unicode: pass name=…"
    if max(name) > "\uffff":
        return "its name has an emoji or a rare ideograph, beyond U+FFFF, which the platform cannot store: pass name=…"
    return None


def _find_suffix_problem(suffix: str, suffixes: tuple[str, ...]) -> str | None:
    if not suffixes or suffix in suffixes:
        return None
    accepted = f"the platform takes {', '.join(suffixes)}"
    if not suffix:
        return f"it has no extension, and {accepted}: pass suffix=…"
    if suffix == ".jpeg" and ".jpg" in suffixes:
        return f"its extension is .jpeg, and {accepted}: pass suffix='.jpg'"
    return f"its extension is {printable(suffix, _MAX_SHOWN)}, and {accepted}: pass the right suffix=…"


def _find_content_problem(suffix: str, head: bytes) -> str | None:
    if head.startswith(_PDF_2):
        return "it is a PDF 2.0, which the platform does not recognise: save it as PDF 1.7"
    if suffix != ".pdf":
        if head.startswith((*_OFFICE, _PDF_1)):
            return None
        return f"it is no Office file, although its extension is {suffix}"
    if head.startswith(_PDF_1):
        return None
    if head.startswith(_OFFICE):
        return "it is an Office file or a ZIP archive and no PDF, although its extension is .pdf: pass the right suffix"
    if (start := head.find(_PDF)) > 0:
        return f"its PDF begins at byte {start}, and the platform wants %PDF-1. at byte 0: remove what precedes it"
    return "it is no PDF: it does not begin with %PDF-1."
