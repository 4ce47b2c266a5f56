"""HTML pages of both examples, in Chinese, without scripts or external resources."""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Mapping
from html import escape
from typing import TYPE_CHECKING

from attrs import field, frozen

import kfq_async as kfq

if TYPE_CHECKING:
    from kfq_async.examples.companies import Company

__all__ = ["Page", "form_page", "message_page", "redirect", "status_page"]

_STYLE = """
:root{--ink:#1c2430;--soft:#5f6b7a;--line:#d9dfe8;--blue:#1d5bd6;--ground:#f2f5fa}
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--ink);overflow-wrap:anywhere;
font:16px/1.6 system-ui,-apple-system,"PingFang SC","Microsoft YaHei","Noto Sans CJK SC",sans-serif}
main{max-width:34rem;margin:4rem auto;padding:2.2rem;background:#fff;border:1px solid var(--line);border-radius:16px}
h1{font-size:1.45rem;line-height:1.3;margin:0 0 .5rem}
p{margin:.4rem 0;color:var(--soft)}
label{display:block;margin:1.2rem 0 0;font-weight:600;font-size:.95rem}
label small{font-weight:400;color:var(--soft)}
input{display:block;width:100%;min-height:3rem;margin-top:.35rem;padding:.5rem .8rem;font:inherit;color:inherit;
font-weight:400;background:#fff;border:1px solid #bcc6d4;border-radius:10px}
input[type=hidden]{display:none}
button,.button{display:block;width:100%;min-height:3rem;margin:1.8rem 0 0;padding:.65rem;border:0;border-radius:10px;
background:var(--blue);color:#fff;font:inherit;font-weight:600;text-align:center;text-decoration:none;cursor:pointer}
button:hover,.button:hover{background:#174bb3}
:focus-visible{outline:3px solid #9dbcf7;outline-offset:2px}
.mark{width:4rem;height:4rem;border-radius:50%;line-height:4rem;text-align:center;font-size:1.9rem;margin:0 0 1.2rem;
background:#e9edf4;color:#3d4859}
.good{background:#dcf5e5;color:#12633a}.busy{background:#fff0cf;color:#7a4b00}.bad{background:#fde3e1;color:#93231b}
dl{margin:1.4rem 0 0;border-top:1px solid var(--line)}
dl div{display:flex;gap:1rem;justify-content:space-between;padding:.7rem 0;border-bottom:1px solid var(--line)}
dt{color:var(--soft);flex:none}dd{margin:0;text-align:right;min-width:0}
@media(max-width:36rem){body{background:#fff}main{margin:0;padding:1.6rem 1.2rem;border:0;border-radius:0}}
"""
_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
# Submitting the form redirects to the platform's page, whose origin is not known beforehand, and browsers apply
# form-action to redirects too. Loopback is for the sandbox.
_HEADERS = {
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; "
    "form-action 'self' https: http://127.0.0.1:*; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
_STATUS_TEXTS: dict[int | None, tuple[str, str, str, str]] = {
    None: ("busy", "…", "等待认证结果", "收到认证结果后，本页会自动更新。"),
    kfq.IdentityStatus.IDENTIFIED: ("good", "✓", "企业已完成实名认证", "现在可以签署合同。"),
    kfq.IdentityStatus.IN_PROGRESS: ("busy", "…", "认证中", "收到认证结果后，本页会自动更新。"),
    kfq.IdentityStatus.WITHDRAWN: ("bad", "×", "认证已撤销", "经办人已放弃本次认证，可重新发起。"),
    kfq.IdentityStatus.EXPIRED: ("bad", "!", "认证已失效", "认证链接已过期，可重新发起。"),
}
"""By status: CSS class, mark, title and text."""
_BUTTON_TEXTS = {"good": "认证其他企业", "busy": "继续认证", "bad": "重新发起认证"}
"""By CSS class."""


@frozen
class Page:
    """Framework-independent HTTP response."""

    html: str = field(repr=False)
    status: int = 200
    headers: Mapping[str, str] = field(default=_HEADERS, repr=False)


def redirect(url: str) -> Page:
    """Return a redirect that browsers follow with GET."""
    return Page("", 303, {**_HEADERS, "Location": url})


def form_page() -> Page:
    """Return the form, with a unique key in a hidden field."""
    return _page(
        "企业实名认证",
        "<h1>企业实名认证</h1><p>填写企业信息后，将跳转到开放签完成认证。</p>"
        '<form method="post" action="/">'
        f'<input type="hidden" name="key" value="{secrets.token_urlsafe(16)}">'
        '<label>企业名称<input name="company_name" required maxlength="100" autocomplete="organization"></label>'
        "<label>统一社会信用代码 <small>选填</small>"
        '<input name="credit_code" maxlength="18" autocomplete="off"></label>'
        "<label>经办人账号 <small>手机号或邮箱</small>"
        '<input name="account_name" required maxlength="100" autocomplete="username"></label>'
        "<button>前往认证</button></form>",
    )


def status_page(company: Company) -> Page:
    """Return the status of a company; the page refreshes itself until the status is final."""
    unknown = ("busy", "?", "未知状态", f"收到未知的状态值：{company.status}。")
    css_class, mark, title, text = _STATUS_TEXTS.get(company.status, unknown)
    rows = {"企业名称": company.form.company_name, "统一社会信用代码": company.form.credit_code or "未填写"}
    details = "".join(f"<div><dt>{name}</dt><dd>{escape(value)}</dd></div>" for name, value in rows.items())
    is_waiting = css_class == "busy"
    next_url = company.auth_url if is_waiting and company.auth_url else "/"
    return _page(
        title,
        f'<div class="mark {css_class}">{mark}</div><h1>{title}</h1><p>{escape(text)}</p><dl>{details}</dl>'
        f'<a class="button" href="{escape(next_url)}">{_BUTTON_TEXTS[css_class]}</a>',
        head='<meta http-equiv="refresh" content="2">' if is_waiting else "",
    )


def message_page(title: str, text: str, status: int) -> Page:
    """Return an error message with a link back to the form."""
    content = (
        f'<div class="mark bad">!</div><h1>{escape(title)}</h1><p>{escape(text)}</p><a class="button" href="/">返回</a>'
    )
    return _page(title, content, status)


def _page(title: str, content: str, status: int = 200, head: str = "") -> Page:
    return Page(
        '<!doctype html>\n<html lang="zh-CN"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"{head}<title>{escape(title)}</title><style>{_STYLE}</style></head>\n"
        f"<body><main>{content}</main></body></html>\n",
        status,
    )
