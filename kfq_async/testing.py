"""pytest fixtures for the tests of services that use this package; installed with it, nothing to import."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kfq_async.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["kfq_sandbox"]


@pytest.fixture
def kfq_sandbox() -> Iterator[Sandbox]:
    """A fresh sandbox over real HTTP, in a thread of its own, so it serves any kind of test.

    Give ``base_url`` and ``token`` to your session; ``orders`` shows what was made, ``inject_faults`` sets faults.
    ``complete`` and ``abandon`` play the operator, ``await settled()`` waits for the notifications that follow.
    """
    with Sandbox() as sandbox:
        yield sandbox
