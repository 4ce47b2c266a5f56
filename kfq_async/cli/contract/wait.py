"""``kfq contract wait``: wait until a contract is complete."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter
from rich.console import Console

from kfq_async.cli.contract.connection import run_call
from kfq_async.cli.contract.results import ContractExit, print_tasks
from kfq_async.cli.options import DEFAULT_CALL, CallConnection, Flag
from kfq_async.languages import gettext
from kfq_async.models.contracts import ContractStatus
from kfq_async.session import AsyncSession

__all__ = ["wait"]


def wait(
    contract_id: str,
    /,
    *,
    until: Annotated[tuple[ContractStatus, ...], Parameter(negative=())] = (ContractStatus.COMPLETED,),
    total: float | None = None,
    auto_finish: Flag = False,
    connection: CallConnection = DEFAULT_CALL,
) -> int:
    """Wait until a contract is complete, and print its state.

    Looks at it every few seconds at first, and once a minute later. Exit status 5: it has ended otherwise, such as
    refused or withdrawn; 6: --total has expired; 7: it is stuck.

    Parameters
    ----------
    contract_id
        Id of the contract.
    until
        State to wait for, repeatable.
    total
        Limit of the wait in seconds (default: none).
    auto_finish
        The contract is known to finish by itself (it was not drafted with autoFinish 0), so that it is stuck once it
        waits for no one.
    """

    async def call(session: AsyncSession) -> int:
        text = gettext("waiting for {states}", states=gettext(" or ").join(until))
        with Console(stderr=True).status(text):
            tasks = await session.contracts.wait(contract_id, until=until, total=total, auto_finish=auto_finish)
        print_tasks(contract_id, tasks, as_json=connection.json_)
        return ContractExit.SUCCESS

    return run_call(connection, call)
