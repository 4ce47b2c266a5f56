"""Chinese texts of the order states."""

from __future__ import annotations

import pytest

from kfq_async.models.notifications import IdentityStatus
from kfq_async.sandbox.web.texts import STATUS_TEXTS, status_pill


@pytest.mark.parametrize("status", [None, *IdentityStatus])
def test_every_status_has_a_label(status: IdentityStatus | None) -> None:
    """Each status, and an order that has none yet, has a label."""
    assert f">{STATUS_TEXTS[status]}<" in status_pill(status)
