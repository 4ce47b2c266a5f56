"""Framework-independent part of the tested services: receivers that record events, fail or delay on demand."""

from __future__ import annotations

import asyncio

import kfq_async as kfq
from kfq_async.errors import Phase
from senders import APP_ID, NOW

URLS = kfq.CallbackUrls([bytes(32)], page="http://127.0.0.1/done", notify="http://127.0.0.1/hooks/a%20b")
SIGNED_PATH = "/hooks/verified"
ERRORS = {
    "parameter": kfq.ParameterError(23000, "手机号13800138000格式错误", http_status=200),
    "business": kfq.BusinessError(51000, "企业已认证", http_status=200),
    "credentials": kfq.CredentialsError(31000, "token PV9LQWZA", http_status=200),
    "frequent": kfq.TooFrequentError(999999, None, http_status=200),
    "timeout": kfq.TotalTimeout("total ended"),
    "unknown": kfq.OutcomeUnknown(kfq.ConnectionLost("lost", phase=Phase.SENT)),
}


def bound_path(client_request_id: str, *, page: bool = False) -> str:
    """Return the path to which the platform posts notifications about a request, or that of its page."""
    request = URLS.bind(kfq.CorpIdentLinkRequest(client_request_id=client_request_id))
    url = request.callback_page if page else request.auth_callback_url
    return (url or "").removeprefix("http://127.0.0.1")


BOUND_PATH = bound_path("row-1")


class Service:
    """Receivers that authenticate by URL and, with a public key, by signature; ``events`` records what they do."""

    def __init__(self, public_key: str = "", *, body_timeout: float = 10, store: kfq.MemoryStore | None = None) -> None:
        self.events: list[str] = []
        self.url_receiver = kfq.NotificationReceiver(
            self._handle,
            urls=URLS,
            reply_timeout=0.3,
            body_timeout=body_timeout,
            store=store,
            on_rejected=self._record_rejection,
        )
        self.receivers = [self.url_receiver]
        if public_key:
            verifier = kfq.CallbackVerifier(public_key, app_id=APP_ID, clock=lambda: NOW)
            self.receivers.append(
                kfq.NotificationReceiver(self._handle, verifier=verifier, on_rejected=self._record_rejection)
            )

    async def _handle(self, delivery: kfq.NotificationDelivery[kfq.IdentityNotification]) -> None:
        order = delivery.notification.order_no
        if order == "FAILS-ONCE" and "failed" not in self.events:
            self.events.append("failed")
            raise ValueError(order)
        if order == "SLOW":
            await asyncio.sleep(0.6)
        if order == "HANGS":
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                self.events.append("cancelled")
                raise
        self.events.append(delivery.key)

    def _record_rejection(self, rejection: kfq.CallbackRejected) -> None:
        self.events.append(rejection.reason.value)
