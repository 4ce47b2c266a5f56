"""``kfq contract download``: the documents of a contract."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from kfq_async.cli.contract.connection import run_call
from kfq_async.cli.contract.results import ContractExit, print_values
from kfq_async.cli.contract.transfers import TransferBar
from kfq_async.cli.options import DEFAULT_CALL, CallConnection, Contact, Flag
from kfq_async.session import AsyncSession

__all__ = ["download"]


def download(
    contract_id: str,
    /,
    *,
    contact: Contact,
    to: str = ".",
    allow_unfinished: Flag = False,
    connection: CallConnection = DEFAULT_CALL,
) -> int:
    """Download the documents of a complete contract: a PDF, or a ZIP of several.

    Exit status 6: the contract is not complete yet, and nothing was downloaded.

    Parameters
    ----------
    contract_id
        Id of the contract.
    contact
        Account of a party, or of one who is authorised to download: mobile number or e-mail address.
    to
        Folder, if it exists or ends with /; otherwise the file, which is replaced if it exists.
    allow_unfinished
        Download a contract that is not complete, with the signatures made so far.
    """

    async def call(session: AsyncSession) -> int:
        with TransferBar(Console(stderr=True), contract_id) as bar:
            path: Path = await session.contracts.download(
                contract_id, contact=contact, to=to, allow_unfinished=allow_unfinished, progress=bar.update
            )
        print_values({"contractId": contract_id, "path": str(path)}, as_json=connection.json_)
        return ContractExit.SUCCESS

    return run_call(connection, call)
