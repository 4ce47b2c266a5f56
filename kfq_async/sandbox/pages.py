"""The sandbox's HTML: plain pages without scripts or outside assets, every value escaped."""

from __future__ import annotations

import base64
import hashlib
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kfq_async.sandbox.store import Order

__all__ = ["HEADERS", "identify", "method_not_allowed", "not_found", "too_large", "web_application"]

_STYLE = """
body{font:16px/1.6 system-ui,"PingFang SC","Microsoft YaHei","Noto Sans CJK SC",sans-serif;margin:0;
background:#f4f6fa;color:#1f2937}
main{max-width:34rem;margin:3rem auto;padding:2rem;background:#fff;border-radius:12px;
box-shadow:0 1px 4px #0002;overflow-wrap:anywhere}
h1{font-size:1.3rem;margin:0 0 .5rem}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.4rem 1rem;margin:1.5rem 0}
dt{color:#6b7280}dd{margin:0}
.note{color:#6b7280;font-size:.85rem;border-top:1px solid #e5e7eb;padding-top:1rem}
@media(max-width:36rem){main{margin:0;min-height:100vh;border-radius:0;box-sizing:border-box}
dl{grid-template-columns:1fr}dd{margin-bottom:.6rem}}
"""
_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
HEADERS = {
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


def _page(title: str, content: str) -> str:
    return (
        '<!doctype html>\n<html lang="zh-CN"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>\n"
        f"<body><main>{content}</main></body></html>\n"
    )


def identify(order: Order) -> str:
    """The page behind ``authUrl``: which company is to be identified, under which order."""
    return _page(
        f"企业实名认证 · {order.company_name}",
        "<h1>企业实名认证</h1><p>请经办人核对以下企业。</p>"
        f"<dl><dt>企业名称</dt><dd>{escape(order.company_name)}</dd>"
        f"<dt>认证订单</dt><dd>{escape(order.order_no)}</dd></dl>"
        '<p class="note">这是 kfq_async 沙箱的页面，并非开放签平台；不会进行真实认证。</p>',
    )


def not_found() -> str:
    """The page for a link that is not, or no longer, valid."""
    return _page("链接无效", "<h1>链接无效</h1><p>没有这个认证订单，或链接不完整。</p>")


def method_not_allowed() -> str:
    """What the platform's web server answers to a POST outside the context path."""
    return _page("405 Not Allowed", "<h1>405 Not Allowed</h1>")


def too_large() -> str:
    """What the platform's web server answers to a body that is too large."""
    return _page("413 Request Entity Too Large", "<h1>413 Request Entity Too Large</h1>")


def web_application() -> str:
    """What the platform's web server shows outside the context path (protocol section 1.5, form D)."""
    return _page("kfq_async 沙箱", "<h1>kfq_async 沙箱</h1><p>接口的地址以 /resrun-paas 开头。</p>")
