"""What the services of these tests do, in either framework: note what came, fail or dawdle on demand."""

from __future__ import annotations

import asyncio
import sys

import kfq_async as kfq
from kfq_async.errors import Phase

URLS = kfq.CallbackUrls([bytes(32)], page="http://127.0.0.1/done", notify="http://127.0.0.1/hooks/a%20b")
REQUEST = kfq.CorpIdentLinkRequest(client_request_id="row-1")
VERIFIED = "/hooks/verified"
TROUBLE = {
    "parameter": kfq.ParameterError(23000, "手机号13800138000格式错误", http_status=200),
    "business": kfq.BusinessError(51000, "企业已认证", http_status=200),
    "credentials": kfq.CredentialsError(31000, "token PV9LQWZA", http_status=200),
    "frequent": kfq.TooFrequentError(999999, None, http_status=200),
    "time-out": kfq.TotalTimeout("total ended"),
    "unknown": kfq.OutcomeUnknown(kfq.ConnectionLost("lost", phase=Phase.SENT)),
}


class Service:
    """Two receivers, one by URL and one by signature, and what they were given."""

    def __init__(self, public_key: str = "") -> None:
        self.events: list[str] = []
        self.by_url = kfq.NotificationReceiver(self._handle, urls=URLS, reply_timeout=0.3, on_rejected=self._rejected)
        verifier = kfq.CallbackVerifier(public_key, app_id="APPID001") if public_key else None
        self.receivers = [self.by_url]
        if verifier is not None:
            self.receivers.append(kfq.NotificationReceiver(self._handle, verifier=verifier, on_rejected=self._rejected))

    async def _handle(self, received: kfq.NotificationDelivery[kfq.IdentityNotification]) -> None:
        order = received.notification.order_no
        if order == "FAILS-ONCE" and "failed" not in self.events:
            self.events.append("failed")
            raise ValueError(order)
        if order == "SLOW":
            await asyncio.sleep(0.6)
        self.events.append(received.key)

    def _rejected(self, refusal: kfq.CallbackRejected) -> None:
        self.events.append(refusal.reason.value)


def say(word: str) -> None:
    """Print what happens in a server of its own."""
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()
