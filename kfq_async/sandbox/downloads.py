"""The sandbox's download of the documents of a contract (protocol section 4.15).

The bytes are those of the upload until somebody signs, and then those of the file as signed so far.

Assumed, because it is not known: that the initiator and all who act for a party may download, that a ZIP file is named
after the contract's subject, and that a contract without documents is refused.
"""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING

import orjson

from kfq_async.sandbox.checks import Download, Refused
from kfq_async.sandbox.contract_repository import participants_of
from kfq_async.sandbox.gateway import ApiOperation
from kfq_async.sandbox.quirks import DUPLICATE_NAMES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from kfq_async.sandbox.binding import Shape
    from kfq_async.sandbox.contract_files import ContractFiles
    from kfq_async.sandbox.contract_repository import ContractRepository
    from kfq_async.sandbox.directory import Directory
    from kfq_async.sandbox.gateway import ApiCall
    from kfq_async.sandbox.store import StoredFile

__all__ = ["DownloadService"]

_DOWNLOAD: Mapping[str, Shape] = {"contractId": str, "contact": str}


class DownloadService:
    """Download of the documents of a contract."""

    def __init__(self, repository: ContractRepository, directory: Directory, files: ContractFiles) -> None:
        self._repository = repository
        self._directory = directory
        self._files = files

    def operations(self) -> Iterable[ApiOperation]:
        """Return the operation."""
        yield ApiOperation(
            method="GET",
            path="/contract/document/download",
            shape=_DOWNLOAD,
            handler=self._download,
            limited=True,
            thread_above=-1,  # large files are read and packed
        )

    def _download(self, call: ApiCall) -> Download:
        contract_id, contact = call.fields.get("contractId"), call.fields.get("contact", "")
        if not contract_id:
            raise Refused(21000, "缺少 contractId")
        contract = self._repository.of_call(call)
        if self._directory.account(contact) is None:
            raise Refused(31000, f"账号 {contact} 不存在")
        if contact not in participants_of(contract):
            raise Refused(31000, f"账号 {contact} 无权下载该合同")
        files = self._files.current(contract)
        if not files:
            raise Refused(31000, "合同没有签署文档")
        if len(files) == 1:
            return Download(_file_name(files[0]), files[0].content)
        subject = orjson.loads(contract.request).get("subject")
        names = _file_names(files, duplicates=DUPLICATE_NAMES in call.quirks)
        return Download(f"{subject or contract_id}.zip", _archive(names, files))


def _file_name(file: StoredFile) -> str:
    return f"{file.name}{file.suffix}"


def _file_names(files: Sequence[StoredFile], *, duplicates: bool) -> list[str]:
    """Return the names of documents in a ZIP file; ``duplicates`` says whether those of the same name are refused."""
    names: list[str] = []
    for file in files:
        name, number = _file_name(file), 1
        while name in names:
            if duplicates:
                raise Refused(31000, "duplicate entry: 多个文档同名，无法打包")
            number += 1
            name = f"{file.name} ({number}){file.suffix}"
        names.append(name)
    return names


def _archive(names: Sequence[str], files: Sequence[StoredFile]) -> bytes:
    """Return a ZIP file, the same each time."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, file in zip(names, files, strict=True):
            archive.writestr(zipfile.ZipInfo(name), file.content)
    return packed.getvalue()
