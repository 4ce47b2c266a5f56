"""What a notification looks like on the wire, where it may go, and what an answer to it means. No I/O.

Assumed, since no source says it: that the hosted platform notifies ``authCallbackUrl`` in this form at all (protocol
sections 5.1 to 5.5); that HTTP 200 with the body ``success`` acknowledges; and that a query in the URL is sent but
not signed.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import orjson
from attrs import field, frozen

from kfq_async.protocol.signing import Unsigned
from kfq_async.sandbox.addresses import is_loopback, web_address
from kfq_async.sandbox.orders import IDENTIFIED, WITHDRAWN

if TYPE_CHECKING:
    from yarl import URL

    from kfq_async.protocol.signing import Signer

__all__ = ["Delivery", "Letter", "Outcome", "corrupted", "write_letter"]


@frozen(kw_only=True)
class Delivery:
    """How notifications are delivered. Raises `ValueError`, naming the argument."""

    app_id: str = field()
    retry_after: tuple[float, ...] = field()
    timeout: float = field()
    hosts: frozenset[str]

    @app_id.validator
    def _named(self, _attribute: object, value: str) -> None:
        if not (value and value.isascii() and value.isprintable()):
            raise ValueError(f"app_id goes into a header and must be printable ASCII, not {value!r}")

    @retry_after.validator
    def _finite(self, _attribute: object, value: tuple[float, ...]) -> None:
        if not all(0 <= seconds < math.inf for seconds in value):
            raise ValueError(f"retry_after holds seconds, 0 or more, not {value}")

    @timeout.validator
    def _positive(self, _attribute: object, value: float) -> None:
        if not 0 < value < math.inf:
            raise ValueError(f"callback_timeout must be more than 0 seconds, not {value}")

    def target(self, text: str) -> URL | str:
        """Return where to send, or in words why nothing is sent there."""
        url = web_address(text)
        if url is None:
            return "not an http or https URL"
        host = url.raw_host or ""
        if is_loopback(host) or host in self.hosts:
            return url
        return f"{host} is not this machine: name it in callback_hosts, if a sandbox may notify it"


@frozen
class Letter:
    """What goes over the wire."""

    body: bytes = field(repr=False)
    headers: dict[str, str] = field(repr=False)


@frozen
class Outcome:
    """What came back."""

    status: int | None = None
    answer: bytes = b""
    error: str | None = None

    @property
    def acknowledged(self) -> bool:
        """Whether the receiver has taken the notification."""
        return self.error is None and self.status == 200 and self.answer == b"success"


def write_letter(text: str, url: URL, app_id: str, signer: Signer, *, nonce: str, timestamp: str) -> Letter:
    """Sign a notification for one attempt."""
    body = text.encode()
    unsigned = Unsigned(body=body, query={}, nonce=nonce, timestamp=timestamp, uri=url.raw_path)
    headers = {"appId": app_id, "nonce": nonce, "timestamp": timestamp, "sign": signer.sign(unsigned)}
    return Letter(body, headers)


def corrupted(letter: Letter) -> Letter:
    """Let the notification say something else than what was signed."""
    fields = orjson.loads(letter.body)
    fields["orderStatus"] = WITHDRAWN if fields["orderStatus"] == IDENTIFIED else IDENTIFIED
    return Letter(orjson.dumps(fields), letter.headers)
