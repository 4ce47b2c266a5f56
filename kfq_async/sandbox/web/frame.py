"""Security headers and frame of all pages, and the pages that consist of one sentence."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from html import escape
from typing import TYPE_CHECKING

from kfq_async.models.hosts import is_loopback
from kfq_async.sandbox.web.style import STYLE

if TYPE_CHECKING:
    from yarl import URL

__all__ = [
    "START_SCRIPT",
    "bad_request",
    "headers",
    "method_not_allowed",
    "page",
    "policy_sources",
    "refused",
    "too_large",
    "web_application",
]

START_SCRIPT = """
const prefix="#/contract/sign?";
function follow(){if(location.hash.startsWith(prefix))
location.replace("/sandbox/sign/login?"+location.hash.slice(prefix.length))}
addEventListener("hashchange",follow);follow();
"""
"""Script of the start page: leads from the link of a task, whose fragment no server sees, to the signing page."""
_BAR = {
    "zh-CN": "kfq_async 沙箱 · 并非开放签平台，不会进行真实的认证或签署",
    "en": "kfq_async sandbox · not the Kaifangqian platform, nothing here is a real identification or signature",
}


@cache
def _hash(text: str) -> str:
    """Return the source of a Content-Security-Policy that allows a style or script."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def headers(form_action: str = "'none'", *, style: str = "", script: str = "", images: bool = False) -> dict[str, str]:
    """Return the security headers of a page.

    Chromium applies ``form_action`` to the redirects after a form as well. With the referrer policy ``no-referrer`` a
    form would have the ``Origin`` of no page, and `AccessPolicy` would refuse it.

    Args:
        form_action: Origins to which the page's forms may lead.
        style: Style of the page besides the common one, as given to `page`.
        script: Script of the page, as given to `page`.
        images: Whether it shows pictures of the sandbox.
    """
    sources = f"script-src {_hash(script)}; " if script else ""
    if images:
        sources += "img-src 'self'; "
    return {
        "Content-Security-Policy": f"default-src 'none'; style-src {_hash(STYLE + style)}; {sources}base-uri 'none'; "
        f"form-action {form_action}; frame-ancestors 'none'",
        "Referrer-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
    }


def policy_sources(url: URL) -> str:
    """Return the origins that a Content-Security-Policy must allow for a form that redirects to this URL.

    Chromium applies the policy to every redirect after a form, including those of the target page. A URL on this
    machine therefore allows all of this machine: a front end often has another port than its back end.
    """
    host = url.raw_host or ""
    if ":" in host:
        return f"{url.scheme}:"  # a policy cannot name an IPv6 address
    return f"{url.origin()} http://localhost:* http://127.0.0.1:*" if is_loopback(host) else str(url.origin())


def page(
    title: str, content: str, *, wide: bool = False, lang: str = "zh-CN", style: str = "", script: str = ""
) -> str:
    """Return a complete page around ``content``, which is HTML.

    Args:
        title: Title.
        content: HTML of the page's main part.
        wide: Whether it takes the width of a desktop.
        lang: Language: ``zh-CN`` or ``en``.
        style: Style besides the common one.
        script: Script that runs at the end of the page.
    """
    scripts = f"<script>{script}</script>" if script else ""
    return (
        f'<!doctype html>\n<html lang="{lang}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}{style}</style></head>\n"
        f'<body><div class="bar">{_BAR[lang]}</div>'
        f'<main class="{"wide" if wide else "narrow"}">{content}</main>{scripts}</body></html>\n'
    )


def refused(title: str, text: str, *, lang: str = "zh-CN") -> str:
    """Return a page that explains why a request was refused."""
    return page(title, f"<h1>{escape(title)}</h1><p>{escape(text)}</p>", lang=lang)


def bad_request() -> str:
    """Return the web server's page for a request whose head it does not read."""
    return page("400 Bad Request", "<h1>400 Bad Request</h1>")


def method_not_allowed() -> str:
    """Return the web server's page for a POST outside the context path."""
    return page("405 Not Allowed", "<h1>405 Not Allowed</h1>")


def too_large() -> str:
    """Return the web server's page for a request body that is too large."""
    return page("413 Request Entity Too Large", "<h1>413 Request Entity Too Large</h1>")


def web_application() -> str:
    """Return the web server's page outside the context path (protocol section 1.5, form D)."""
    return page(
        "kfq_async 沙箱",
        "<h1>kfq_async 沙箱</h1><p>接口地址以 /resrun-paas 开头。</p>"
        '<p>订单、合同与通知见<a href="/sandbox/">控制台</a>。</p>'
        '<noscript><p class="notice">任务链接（contract/taskUrl）的参数在 # 之后，需启用 JavaScript 才能打开。'
        "contract/pageUrl 的短链接无需 JavaScript。</p></noscript>",
        script=START_SCRIPT,
    )
