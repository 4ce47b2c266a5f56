"""Contracts (protocol section 4): draft one, and see where it stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kfq_async.models.contracts import ContractDraft, ContractDraftRequest, ContractTasks, ContractTasksRequest
from kfq_async.protocol.operation import CredentialPlacement, Idempotency, Operation

if TYPE_CHECKING:
    from kfq_async.protocol.operation import Send

__all__ = ["CONTRACT_DRAFT", "CONTRACT_TASKS", "Contracts"]

CONTRACT_DRAFT = Operation(
    "POST",
    "/contract/draft",
    request=ContractDraftRequest,
    result=ContractDraft,
    credentials=CredentialPlacement.PARAMETERS,
    idempotency=Idempotency.NONE,
    rate_limited=True,
)
CONTRACT_TASKS = Operation(
    "GET",
    "/contract/tasks",
    request=ContractTasksRequest,
    result=ContractTasks,
    credentials=CredentialPlacement.PARAMETERS,
    idempotency=Idempotency.SAFE,
)


class Contracts:
    """``session.contracts``: create contracts and follow them."""

    def __init__(self, send: Send) -> None:
        self._send = send

    async def draft(self, request: ContractDraftRequest) -> ContractDraft:
        """Create a contract, and start it if ``request.send`` is ``"1"`` (protocol section 4.6).

        Sent no more than five times a second. Never repeated once it may have arrived: `OutcomeUnknown` then says
        so, and a contract may exist whose id nobody told.
        """
        return (await self._send(CONTRACT_DRAFT, request)).result

    async def tasks(self, contract_id: str) -> ContractTasks:
        """Return a contract's state and open tasks (protocol section 4.12); the truth, where events are hints."""
        return (await self._send(CONTRACT_TASKS, ContractTasksRequest(contract_id=contract_id))).result
