"""Names of states in the report and on the command line, in Chinese and English."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kfq_async.models.notifications import IdentityStatus
from kfq_async.onboarding.records import State

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["IDENTITY_STATUS_TEXTS", "INVALID_TEXTS", "STATE_TEXTS", "identity_status_text"]

STATE_TEXTS: Mapping[State, tuple[str, str]] = {
    State.LINKED: ("已获链接", "linked"),
    State.REFUSED: ("被平台拒绝", "refused"),
    State.UNKNOWN: ("结果未知", "unknown"),
    State.PENDING: ("待申请", "pending"),
}
"""Chinese and English name of each state of a request."""
INVALID_TEXTS = ("数据无效", "invalid, never sent")
"""Chinese and English name of a row that cannot be sent."""
IDENTITY_STATUS_TEXTS: Mapping[int | None, tuple[str, str]] = {
    IdentityStatus.IDENTIFIED: ("已认证", "identified"),
    IdentityStatus.IN_PROGRESS: ("认证中", "in progress"),
    IdentityStatus.WITHDRAWN: ("已撤销", "withdrawn"),
    IdentityStatus.EXPIRED: ("已失效", "expired"),
    None: ("尚无通知", "no notification"),
}
"""Chinese and English name of each `IdentityStatus`; ``None``: no notification has arrived."""


def identity_status_text(status: int | None) -> str:
    """Return the English name of a status, or the number itself if this version does not know it."""
    return IDENTITY_STATUS_TEXTS[status][1] if status in IDENTITY_STATUS_TEXTS else str(status)
