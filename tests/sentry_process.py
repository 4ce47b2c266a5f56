"""Sentry with its default integrations: prints each event about the failures as a line of JSON."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import TYPE_CHECKING

import sentry_sdk
from sentry_sdk.transport import Transport

from failures import FAILURES

if TYPE_CHECKING:
    from sentry_sdk.envelope import Envelope


class Printer(Transport):
    """A transport that prints what it should send."""

    def capture_envelope(self, envelope: Envelope) -> None:
        """Print an event, if the envelope has one."""
        event = envelope.get_event()
        if event is not None:
            sys.stdout.write(json.dumps(event, ensure_ascii=False) + "\n")


async def main() -> None:
    """Capture each failure."""
    for fail in FAILURES:
        try:
            await fail()
        except Exception as error:  # noqa: BLE001  # as an error tracker does
            sentry_sdk.capture_exception(error)


if __name__ == "__main__":
    sentry_sdk.init(dsn="https://key@localhost/1", transport=Printer, shutdown_timeout=0)
    asyncio.run(main())
