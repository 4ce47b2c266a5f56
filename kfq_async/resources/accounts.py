"""Business lines, and registration of enterprises and persons (protocol sections 4.1 to 4.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kfq_async.models.accounts import (
    BusinessLine,
    BusinessLinesRequest,
    RegisterCompanyRequest,
    RegisterPersonRequest,
)
from kfq_async.protocol.operation import CredentialPlacement, Idempotency, Operation
from kfq_async.resources.arguments import require

if TYPE_CHECKING:
    from kfq_async.protocol.operation import Fetch

__all__ = ["BUSINESS_LINES", "REGISTER_COMPANY", "REGISTER_PERSON", "Accounts"]

BUSINESS_LINES = Operation(
    "GET",
    "/signRes",
    request=BusinessLinesRequest,
    result=tuple[BusinessLine, ...],
    credentials=CredentialPlacement.PARAMETERS,
    idempotency=Idempotency.SAFE,
)
REGISTER_COMPANY: Operation[RegisterCompanyRequest, object] = Operation(
    "POST",
    "/companyCreateAndAuth",
    request=RegisterCompanyRequest,
    credentials=CredentialPlacement.PARAMETERS,
)
REGISTER_PERSON: Operation[RegisterPersonRequest, object] = Operation(
    "POST",
    "/personCreateAndAuth",
    request=RegisterPersonRequest,
    credentials=CredentialPlacement.PARAMETERS,
)


class Accounts:
    """``session.accounts``: business lines, and registration of enterprises and persons."""

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch

    async def business_lines(self, contact: str) -> tuple[BusinessLine, ...]:
        """Return the business lines (业务线) that a user may draft contracts in (protocol section 4.1).

        Only reads, so every transient failure is retried.

        Args:
            contact: Login name of a user of the token's enterprise: mobile number or e-mail address.

        Returns:
            Enabled business lines, the last changed first; empty if there are none.

        Raises:
            KfqError: The call failed; `BusinessError` if the enterprise has no such user.
            TypeError: ``contact`` is not a ``str``.
        """
        require(contact=contact)
        return await self._fetch(BUSINESS_LINES, BusinessLinesRequest(contact=contact))

    async def register_company(self, request: RegisterCompanyRequest) -> None:
        """Store an enterprise and its operator; it is not identified afterwards (protocol section 4.2).

        If an enterprise of that name exists, the account is added to it. Retried only if the platform cannot have acted
        on it.

        Args:
            request: Operator, and data of the enterprise.

        Raises:
            OutcomeUnknown: The request may have arrived.
            KfqError: The call failed otherwise.
            TypeError: ``request`` has the wrong type.
        """
        sending = self._fetch(REGISTER_COMPANY, request)
        del request  # it may be plain data in place of the model: no frame of a traceback shows it
        await sending

    async def register_person(self, request: RegisterPersonRequest) -> None:
        """Store a person, who is not identified afterwards (protocol section 4.3).

        Retried only if the platform cannot have acted on it.

        Args:
            request: Account and data of the person.

        Raises:
            OutcomeUnknown: The request may have arrived.
            KfqError: The call failed otherwise.
            TypeError: ``request`` has the wrong type.
        """
        sending = self._fetch(REGISTER_PERSON, request)
        del request  # it may be plain data in place of the model: no frame of a traceback shows it
        await sending
