"""``kfq contract status``: state and open tasks of a contract."""

from __future__ import annotations

from kfq_async.cli.contract.connection import run_call
from kfq_async.cli.contract.results import ContractExit, print_tasks
from kfq_async.cli.options import DEFAULT_CALL, CallConnection
from kfq_async.session import AsyncSession

__all__ = ["status"]


def status(contract_id: str, /, *, connection: CallConnection = DEFAULT_CALL) -> int:
    """Print the state of a contract and its open tasks.

    Parameters
    ----------
    contract_id
        Id of the contract.
    """

    async def call(session: AsyncSession) -> int:
        print_tasks(contract_id, await session.contracts.tasks(contract_id), as_json=connection.json_)
        return ContractExit.SUCCESS

    return run_call(connection, call)
