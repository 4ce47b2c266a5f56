"""Contracts (protocol section 4): create them, and read their state."""

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
    """``session.contracts``: create contracts and read their state."""

    def __init__(self, send: Send) -> None:
        self._send = send

    async def draft(self, request: ContractDraftRequest) -> ContractDraft:
        """Create a contract, and start it if ``request.send`` is ``"1"`` (protocol section 4.6).

        Subject to the session's ``rate_limit``, by default five calls per second. Retried only if the platform cannot
        have acted on it, because each request creates another contract.

        Args:
            request: Title, documents, parties and sign positions.

        Returns:
            Id of the contract.

        Raises:
            OutcomeUnknown: The request may have arrived; a contract may exist whose id was not received.
            KfqError: The call failed otherwise.
            TypeError: ``request`` has the wrong type.
        """
        sending = self._send(CONTRACT_DRAFT, request)
        del request  # it may be plain data in place of the model: no frame of a traceback shows it
        return (await sending).result

    async def tasks(self, contract_id: str) -> ContractTasks:
        """Return the state and the open tasks of a contract (protocol section 4.12).

        Authoritative, while events may be late or lost. Only reads, so every transient failure is retried.

        Args:
            contract_id: Id of the contract.

        Returns:
            State, and one entry per open task.

        Raises:
            KfqError: The call failed; `ParameterError` or `BusinessError` if there is no such contract.
            TypeError: ``contract_id`` is not a ``str``.
        """
        return (await self._send(CONTRACT_TASKS, ContractTasksRequest(contract_id=contract_id))).result
