"""Identification (protocol section 3): the one operation of the auth family that is documented."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kfq_async.models.identity import CorpIdentLink, CorpIdentLinkRequest
from kfq_async.protocol.operation import CredentialPlacement, Idempotency, Operation

if TYPE_CHECKING:
    from kfq_async.protocol.operation import Send

__all__ = ["CORP_IDENT_LINK", "Auth"]

CORP_IDENT_LINK = Operation(
    "POST",
    "/auth/corp/ident/link",
    request=CorpIdentLinkRequest,
    result=CorpIdentLink,
    credentials=CredentialPlacement.HEADERS,
    idempotency=Idempotency.KEYED,
    hosted_only=True,
)


class Auth:
    """``session.auth``: prove who an enterprise is."""

    def __init__(self, send: Send) -> None:
        self._send = send

    async def corp_ident_link(self, request: CorpIdentLinkRequest) -> CorpIdentLink:
        """Create an identification order and return the page where the operator completes it.

        The same ``request`` object asked again carries the same ``client_request_id``. What the hosted platform
        does with a repeated id is not documented. Raises a `KfqError`; its ``phase`` says what may have happened.
        """
        return (await self._send(CORP_IDENT_LINK, request)).result
