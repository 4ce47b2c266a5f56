"""pytest plugin with fixtures for the tests of services; active once the package is installed, nothing to import."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kfq_async.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["kfq_sandbox"]


@pytest.fixture
def kfq_sandbox() -> Iterator[Sandbox]:
    """A new sandbox for each test: real HTTP, served by a thread, for synchronous and asynchronous tests.

    Pass ``base_url`` and ``token`` to your session. ``orders`` lists the orders, ``inject_faults`` sets faults,
    ``complete`` and ``abandon`` act as the operator, and ``await wait_for_notifications()`` waits for the notifications
    that follow.
    """
    with Sandbox() as sandbox:
        yield sandbox
