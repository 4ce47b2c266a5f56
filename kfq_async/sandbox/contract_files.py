"""Documents of contracts, as signed so far."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import orjson
from attrs import evolve

from kfq_async.sandbox.documents import load_documents

if TYPE_CHECKING:
    from collections.abc import Callable

    from kfq_async.sandbox.documents import ContractDocuments
    from kfq_async.sandbox.store import Contract, Store, StoredFile

__all__ = ["ContractFiles"]


class ContractFiles:
    """Documents of contracts, as signed so far. Thread-safe.

    ``find`` returns an uploaded document by its ``docId``.
    """

    def __init__(self, store: Store, find: Callable[[str], StoredFile | None]) -> None:
        self._store = store
        self._find = find

    def uploads(self, contract: Contract) -> ContractDocuments:
        """Return the documents of a contract as they were uploaded.

        Raises `Refused` for a document that does not exist.
        """
        return load_documents(orjson.loads(contract.request), self._find)

    def current(self, contract: Contract) -> list[StoredFile]:
        """Return the documents of a contract in its sequence, each with its content as signed so far.

        Before anybody has signed, the content is that of the upload; each signature appends to it.

        Raises `Refused` for a document that does not exist.
        """
        appended: defaultdict[str, list[bytes]] = defaultdict(list)
        for update in self._store.updates.all("contract_id = ?", contract.contract_id):
            appended[update.doc_id].append(update.content)
        return [
            evolve(file, content=b"".join([file.content, *appended[file.file_id]]))
            for file in self.uploads(contract).files
        ]
