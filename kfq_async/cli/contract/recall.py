"""``kfq contract recall``: withdraw a contract."""

from __future__ import annotations

from kfq_async.cli.contract.connection import run_call
from kfq_async.cli.contract.results import ContractExit, print_tasks
from kfq_async.cli.options import DEFAULT_CALL, CallConnection
from kfq_async.session import AsyncSession

__all__ = ["recall"]


def recall(contract_id: str, /, *, connection: CallConnection = DEFAULT_CALL) -> int:
    """Withdraw a contract that is being signed, filled in or approved, and print its state afterwards.

    Exit status 5: the contract has become complete, or ended otherwise, in the same moment. One that had ended before
    is refused by the platform, with exit status 1.

    Parameters
    ----------
    contract_id
        Id of the contract.
    """

    async def call(session: AsyncSession) -> int:
        print_tasks(contract_id, await session.contracts.recall(contract_id), as_json=connection.json_)
        return ContractExit.SUCCESS

    return run_call(connection, call)
