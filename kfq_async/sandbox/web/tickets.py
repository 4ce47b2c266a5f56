"""Permission to act on one task of a contract, carried in the URL of its page and in its forms. Pure."""

from __future__ import annotations

import base64
import hmac
import secrets
from typing import TYPE_CHECKING

import orjson
from attrs import field, frozen

from kfq_async.models.fields import SECRET

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Ticket", "TicketSigner"]


@frozen(kw_only=True)
class Ticket:
    """Permission to act as the person of one task.

    Attributes:
        contract_id: ``contractId``.
        task_id: ``taskId``.
        callback_page: ``callbackPage`` of the link, or an empty text; masked in ``repr``.
        until: End of the permission, in seconds since the epoch.
    """

    contract_id: str
    task_id: str
    callback_page: str = field(default="", **SECRET)
    until: int


class TicketSigner:
    """Writes tickets as fields of a URL or form, and reads those that it has written itself."""

    def __init__(self) -> None:
        self._secret = secrets.token_bytes(32)

    def fields(self, ticket: Ticket) -> dict[str, str]:
        """Return the fields of a ticket, with the key that cannot be guessed."""
        return {
            "contract": ticket.contract_id,
            "task": ticket.task_id,
            "callback": ticket.callback_page,
            "until": str(ticket.until),
            "key": self._key(ticket),
        }

    def read(self, fields: Mapping[str, str], now: float) -> Ticket | None:
        """Return the ticket in the fields, or ``None`` for one that is invalid or has ended."""
        until = fields.get("until", "")
        if not (until.isascii() and until.isdigit() and len(until) <= len("10000000000")):
            return None
        ticket = Ticket(
            contract_id=fields.get("contract", ""),
            task_id=fields.get("task", ""),
            callback_page=fields.get("callback", ""),
            until=int(until),
        )
        valid = hmac.compare_digest(self._key(ticket).encode(), fields.get("key", "").encode())
        return ticket if valid and now < ticket.until else None

    def _key(self, ticket: Ticket) -> str:
        signed = orjson.dumps([ticket.contract_id, ticket.task_id, ticket.callback_page, ticket.until])
        return base64.urlsafe_b64encode(hmac.digest(self._secret, signed, "sha256")).decode().rstrip("=")
