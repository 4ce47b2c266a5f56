"""Documents of contracts, as signed so far."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from kfq_async.sandbox.documents import load_documents

if TYPE_CHECKING:
    from collections.abc import Callable

    from kfq_async.sandbox.store import Contract, StoredFile

__all__ = ["ContractFiles"]


class ContractFiles:
    """Documents of contracts, as signed so far. Thread-safe.

    ``find`` returns an uploaded document by its ``docId``.
    """

    def __init__(self, find: Callable[[str], StoredFile | None]) -> None:
        self._find = find

    def current(self, contract: Contract) -> list[StoredFile]:
        """Return the documents of a contract in its sequence, each with its content as signed so far.

        Raises `Refused` for a document that does not exist.
        """
        return list(load_documents(orjson.loads(contract.request), self._find).files)
