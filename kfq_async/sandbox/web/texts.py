"""Chinese texts of the order states."""

from __future__ import annotations

from kfq_async.models.notifications import IdentityStatus

__all__ = ["STATUS_TEXTS", "status_pill"]

STATUS_TEXTS: dict[IdentityStatus | None, str] = {
    None: "待认证",
    IdentityStatus.IDENTIFIED: "已认证",
    IdentityStatus.IN_PROGRESS: "认证中",
    IdentityStatus.WITHDRAWN: "已撤销",
    IdentityStatus.EXPIRED: "已失效",
}
_STYLES: dict[IdentityStatus | None, str] = {
    None: "plain",
    IdentityStatus.IDENTIFIED: "good",
    IdentityStatus.IN_PROGRESS: "busy",
    IdentityStatus.WITHDRAWN: "bad",
    IdentityStatus.EXPIRED: "bad",
}


def status_pill(status: IdentityStatus | None) -> str:
    """Return a label for an order's status, as HTML."""
    return f'<span class="pill {_STYLES[status]}">{STATUS_TEXTS[status]}</span>'
