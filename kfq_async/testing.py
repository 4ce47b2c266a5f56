"""pytest plugin with a fixture for the tests of services; ``pytest_plugins = ["kfq_async.testing"]`` activates it.

The sandbox is imported by the first test that uses it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kfq_async.sandbox import Sandbox

__all__ = ["kfq_sandbox"]


@pytest.fixture
def kfq_sandbox() -> Iterator[Sandbox]:
    """A new sandbox for each test: real HTTP, served by a thread, for synchronous and asynchronous tests.

    Pass ``base_url`` and ``token`` to your session. ``orders`` lists the orders, ``inject_faults`` sets faults,
    ``complete`` and ``abandon`` act as the operator, and ``await wait_for_notifications()`` waits for the notifications
    that follow.
    """
    from kfq_async.sandbox import Sandbox  # noqa: PLC0415  # projects that do not use it pay nothing

    with Sandbox() as sandbox:
        yield sandbox
