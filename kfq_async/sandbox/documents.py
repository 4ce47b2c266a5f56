"""Documents of a contract, which sign positions and downloads refer to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kfq_async.documents import PdfError, PdfProblem, open_pdf
from kfq_async.sandbox.checks import AuditedRefusal, Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from kfq_async.documents import PdfDocument
    from kfq_async.sandbox.store import StoredFile

__all__ = ["ContractDocuments", "load_documents"]


def load_documents(request: Mapping[str, Any], find: Callable[[str], StoredFile | None]) -> ContractDocuments:
    """Return the documents that a draft names; raise `Refused` for one that does not exist."""
    files = []
    for entry in request.get("signDocumentList", ()):
        file = find(entry.get("docId", ""))
        if file is None:
            raise Refused(21000, f"文档 {entry.get('docId')} 不存在")
        files.append(file)
    return ContractDocuments(files)


class ContractDocuments:
    """Uploaded documents of a contract, in its sequence. Each is opened once.

    Attributes:
        files: The files.
        ids: ``docId`` of each.
    """

    def __init__(self, files: Iterable[StoredFile]) -> None:
        self.files: tuple[StoredFile, ...] = tuple(files)
        self.ids: list[str] = [file.file_id for file in self.files]
        self._opened: dict[str, PdfDocument] = {}

    def check(self) -> None:
        """Refuse a document whose content was damaged at upload (protocol section 2.3).

        Without the extra ``sandbox`` nothing is checked.
        """
        for file in self.files:
            try:
                self._open(file)
            except ModuleNotFoundError:
                return
            except PdfError as problem:
                if problem.problem is PdfProblem.DAMAGED:
                    raise AuditedRefusal(f"文档 {file.name} 无法解析") from None

    def open(self, doc_id: str) -> PdfDocument:
        """Return a document; raise `Refused` if it cannot be read."""
        file = self.files[self.ids.index(doc_id)]
        try:
            return self._open(file)
        except ModuleNotFoundError:
            raise Refused(31000, "签署位置需要解析 PDF，请先执行 pip install 'kfq-async[sandbox]'") from None
        except PdfError as problem:
            raise Refused(31000, f"文档 {file.name} 无法读取：{problem}") from None

    def _open(self, file: StoredFile) -> PdfDocument:
        if file.file_id not in self._opened:
            self._opened[file.file_id] = open_pdf(file.content)
        return self._opened[file.file_id]
