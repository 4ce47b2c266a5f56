"""``kfq contract link``: a link to a contract for one person."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from kfq_async.cli.contract.connection import run_call
from kfq_async.cli.contract.results import ContractExit, print_values
from kfq_async.cli.options import DEFAULT_CALL, CallConnection, Contact, Flag, UsageError
from kfq_async.languages import gettext
from kfq_async.session import AsyncSession

__all__ = ["link"]

MAX_HOURS = 72.0


def link(
    contract_id: str,
    /,
    *,
    contact: Contact,
    task_id: str | None = None,
    party_name: str | None = None,
    no_login: Flag = False,
    hours: float | None = None,
    connection: CallConnection = DEFAULT_CALL,
) -> int:
    """Print a link to a contract for one person.

    With --no-login, whoever has the link can sign, approve and refuse as that person.

    Parameters
    ----------
    contract_id
        Id of the contract.
    contact
        Account that the link is for: mobile number or e-mail address.
    task_id
        Task to open, from `kfq contract status` (default: the contract).
    party_name
        Name of the person or enterprise to act as.
    no_login
        Make a link that opens without a login.
    hours
        Hours until a link without login expires, at most 72 (default: 72).
    """
    if hours is not None and not 0 < hours <= MAX_HOURS:
        limits = {"most": MAX_HOURS, "hours": hours}
        raise UsageError(gettext("--hours must be more than 0 and at most {most:g}, not {hours:g}", **limits))

    async def call(session: AsyncSession) -> int:
        expires_at = None if hours is None else datetime.now(UTC) + timedelta(hours=hours)
        page = await session.contracts.page_url(
            contract_id, contact, task_id=task_id, party_name=party_name, no_login=no_login, expires_at=expires_at
        )
        print_values({"pageUrl": page.page_url}, as_json=connection.json_)
        return ContractExit.SUCCESS

    return run_call(connection, call)
