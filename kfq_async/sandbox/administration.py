"""What the sender of a contract does on the platform's own pages: start, withdraw, set a deadline, delete.

Assumed, because those pages are not documented: that a start there is checked as one by ``contract/draft`` is.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from kfq_async.models.zones import CHINA
from kfq_async.sandbox.checks import Refused
from kfq_async.sandbox.contract_repository import state_of
from kfq_async.sandbox.drafts import check_start
from kfq_async.sandbox.lifecycle import DELETED, DRAFT, SIGNING, START, WRITING, delete, set_deadline, start, withdraw

if TYPE_CHECKING:
    from collections.abc import Callable

    from kfq_async.sandbox.contract_files import ContractFiles
    from kfq_async.sandbox.contract_repository import ContractRepository
    from kfq_async.sandbox.directory import Directory
    from kfq_async.sandbox.lifecycle import ContractState
    from kfq_async.sandbox.store import Contract

__all__ = ["ContractAdministration", "possible_actions"]

MAX_REASON = 200
"""Longest reason of a withdrawal, in characters."""


def possible_actions(state: ContractState) -> tuple[str, ...]:
    """Return what the sender can do in a state: ``start``, ``withdraw``, ``deadline`` and ``delete``."""
    if state.status == DRAFT:
        return ("start", "deadline", "delete")
    if state.status in {WRITING, SIGNING}:
        return ("withdraw", "deadline")
    return () if state.status in {START, DELETED} else ("delete",)


class ContractAdministration:
    """Acts for senders. Thread-safe; a start reads PDFs and may sign them, which takes CPU time.

    ``now_ms`` returns the time in milliseconds since the epoch; ``quirks`` are the names of those that are imitated.
    """

    def __init__(
        self,
        repository: ContractRepository,
        files: ContractFiles,
        directory: Directory,
        now_ms: Callable[[], int],
        *,
        quirks: frozenset[str],
    ) -> None:
        self._quirks = quirks
        self.files = files
        self._repository = repository
        self._directory = directory
        self._now_ms = now_ms

    def find(self, contract_id: str) -> Contract | None:
        """Return a contract, expired if it is overdue, or ``None`` if it does not exist."""
        try:
            return self._repository.find(contract_id, self._now_ms())
        except Refused:
            return None

    def start(self, contract: Contract) -> None:
        """Start a draft.

        Raises `Refused` or `AuditedRefusal` if the platform would refuse it; the draft stays.
        """
        enterprise = self._directory.enterprise(contract.enterprise)
        if enterprise is not None:  # one of an earlier fixtures file is no longer known
            uploads = self.files.uploads(contract)
            check_start(state_of(contract), enterprise, uploads, self._directory, self._quirks)
        self._repository.apply(contract, start)

    def withdraw(self, contract: Contract, reason: str) -> None:
        """Withdraw a running contract; raise `Refused` if that is impossible."""
        self._repository.apply(contract, lambda state: withdraw(state, reason.strip()[:MAX_REASON] or None))

    def set_deadline(self, contract: Contract, day: str) -> None:
        """Set the deadline to the end of a day in China, as ``yyyy-MM-dd``, or remove it with an empty text.

        Raises `ValueError` for another text, and `Refused` if the state does not allow it.
        """
        deadline_ms: int | None = None
        if day:
            moment = datetime.strptime(day, "%Y-%m-%d").replace(hour=23, minute=59, second=59, tzinfo=CHINA)
            deadline_ms = round(moment.timestamp() * 1000)
        self._repository.apply(contract, lambda state: set_deadline(state, deadline_ms))

    def delete(self, contract: Contract) -> None:
        """Delete a draft, or a contract that has ended; raise `Refused` for a running one."""
        self._repository.apply(contract, delete)
