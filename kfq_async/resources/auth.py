"""Identification of enterprises (protocol section 3): the only documented operation of the auth family."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kfq_async.models.identity import CorpIdentLink, CorpIdentLinkRequest
from kfq_async.protocol.operation import CredentialPlacement, Idempotency, Operation

if TYPE_CHECKING:
    from kfq_async.protocol.operation import Fetch

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
    """``session.auth``: real-name identification of enterprises (企业实名认证)."""

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch

    async def corp_ident_link(self, request: CorpIdentLinkRequest) -> CorpIdentLink:
        """Create an identification order and return the page where the operator completes it (protocol section 3).

        Retries, and further calls with the same ``request`` object, carry the same ``client_request_id``. Whether the
        hosted platform honours the id is not documented; with ``RetryPolicy(repeat_sent=False)`` a request that may
        have arrived is not retried. A self-hosted platform built from the open source does not have this operation: it
        responds with HTTP 401 and a message about the token, which is in order (protocol section 1.5).

        Args:
            request: Data to pre-fill, allowed methods, callback URLs and the id of the request.

        Returns:
            Number of the order, and the URL of its page, which is a bearer link.

        Raises:
            KfqError: The call failed; ``phase`` tells whether the platform may have created the order.
            TypeError: ``request`` has the wrong type.
        """
        sending = self._fetch(CORP_IDENT_LINK, request)
        del request  # it may be plain data in place of the model: no frame of a traceback shows it
        return await sending
