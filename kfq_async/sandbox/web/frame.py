"""Security headers and frame of all pages, and the pages that consist of one sentence."""

from __future__ import annotations

import base64
import hashlib
from html import escape
from typing import TYPE_CHECKING

from kfq_async.models.hosts import is_loopback
from kfq_async.sandbox.web.style import STYLE

if TYPE_CHECKING:
    from yarl import URL

__all__ = [
    "bad_request",
    "headers",
    "method_not_allowed",
    "page",
    "policy_sources",
    "refused",
    "too_large",
    "web_application",
]


def _hash(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


_HASH = _hash(STYLE)


_BARS = {
    "zh-CN": "kfq_async 沙箱 · 并非开放签平台，不会进行真实的认证与签署",
    "en": "kfq_async sandbox · not the platform 开放签: nothing here is a real identification or signature",
}


def headers(form_action: str = "'none'", *, images: bool = False, script: str = "") -> dict[str, str]:
    """Return the security headers of a page.

    ``form_action`` are the origins to which its forms may lead, ``images`` says whether it shows the sandbox's own
    pictures, and ``script`` is its own script.

    Chromium applies it to the redirects after a form as well. With the referrer policy ``no-referrer`` a form would
    have the ``Origin`` of no page, and `AccessPolicy` would refuse it.
    """
    return {
        "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; "
        f"{_sources(images=images, script=script)}form-action {form_action}; frame-ancestors 'none'",
        "Referrer-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
    }


def _sources(*, images: bool, script: str) -> str:
    return ("img-src 'self'; " if images else "") + (f"script-src 'sha256-{_hash(script)}'; " if script else "")


def policy_sources(url: URL) -> str:
    """Return the origins that a Content-Security-Policy must allow for a form that redirects to this URL.

    Chromium applies the policy to every redirect after a form, including those of the target page. A URL on this
    machine therefore allows all of this machine: a front end often has another port than its back end.
    """
    host = url.raw_host or ""
    if ":" in host:
        return f"{url.scheme}:"  # a policy cannot name an IPv6 address
    return f"{url.origin()} http://localhost:* http://127.0.0.1:*" if is_loopback(host) else str(url.origin())


def page(title: str, content: str, *, wide: bool = False, language: str = "zh-CN") -> str:
    """Return a complete page around ``content``, which is HTML."""
    return (
        f'<!doctype html>\n<html lang="{language}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>\n"
        f'<body><div class="bar">{_BARS[language]}</div>'
        f'<main class="{"wide" if wide else "narrow"}">{content}</main></body></html>\n'
    )


def refused(title: str, text: str) -> str:
    """Return a page that explains why a request was refused."""
    return page(title, f"<h1>{escape(title)}</h1><p>{escape(text)}</p>")


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
        '<p>订单、合同与通知见<a href="/sandbox/">控制台</a>。</p>',
    )
