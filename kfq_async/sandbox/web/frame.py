"""Style, security headers and frame of all pages, and the pages that consist of one sentence."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from html import escape
from typing import TYPE_CHECKING

from kfq_async.models.hosts import is_loopback

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

_STYLE = """
:root{--ink:#1b2433;--soft:#5d6878;--line:#dfe4ec;--page:#f3f5f9;--blue:#1d5bd6;--amber:#8a5300}
*{box-sizing:border-box}
body{font:16px/1.6 system-ui,-apple-system,"PingFang SC","Hiragino Sans GB","Microsoft YaHei","Noto Sans CJK SC",
sans-serif;margin:0;background:var(--page);color:var(--ink);overflow-wrap:anywhere}
.bar{background:#fff4dc;color:var(--amber);text-align:center;font-size:.85rem;padding:.45rem 1rem;
border-bottom:1px solid #f1ddb0}
main{max-width:42rem;margin:2rem auto 3rem;padding:2rem;background:#fff;border-radius:14px;
box-shadow:0 1px 3px #1b243326}
main.wide{max-width:64rem}
h1{font-size:1.4rem;line-height:1.35;margin:0 0 .4rem}
h2{font-size:1.05rem;margin:2.2rem 0 .8rem;display:flex;gap:.8rem;align-items:center;flex-wrap:wrap}
p{margin:.5rem 0}a{color:var(--blue)}
.soft{color:var(--soft);font-size:.9rem}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.3rem 1.2rem;margin:1rem 0}
dt{color:var(--soft)}dd{margin:0;min-width:0}
fieldset{border:0;padding:0;margin:1.8rem 0 0;min-width:0}
legend{font-weight:600;padding:0 0 0 .6rem;margin:0 0 .9rem;border-left:4px solid var(--blue);line-height:1.2}
.grid{display:grid;grid-template-columns:1fr 1fr;gap:1rem 1.2rem}
label{display:block;font-size:.9rem;color:var(--soft);min-width:0}
label .tag{float:right;font-size:.75rem;background:#e9edf4;border-radius:4px;padding:0 .4rem}
input:not([type=radio]),select{display:block;width:100%;min-height:2.75rem;margin-top:.25rem;padding:.4rem .7rem;
font:inherit;font-size:1rem;color:var(--ink);background:#fff;border:1px solid #c3cbd8;border-radius:8px}
input[type=hidden]{display:none}
input[readonly]{background:#eef1f6;color:#4a5568;border-color:var(--line);cursor:not-allowed}
input:focus-visible,select:focus-visible,button:focus-visible,a:focus-visible,summary:focus-visible{
outline:3px solid #9dbcf7;outline-offset:1px}
.choice{display:flex;align-items:center;gap:.7rem;min-height:2.75rem;padding:.4rem .8rem;color:var(--ink);
border:1px solid var(--line);border-radius:8px;margin:0 0 .5rem;font-size:1rem}
.choice:has(:checked){border-color:var(--blue);background:#f2f6ff}
.choice code{margin-left:auto;color:var(--soft)}
input[type=radio]{width:1.1rem;height:1.1rem;margin:0;flex:none;accent-color:var(--blue)}
button{font:inherit;min-height:2.75rem;padding:.4rem 1.2rem;border-radius:8px;border:1px solid #b9c3d3;background:#fff;
color:var(--ink);cursor:pointer}
button:hover{background:#f3f5f9}
button.main{background:var(--blue);border-color:var(--blue);color:#fff;font-weight:600}
button.main:hover{background:#174bb3}
.actions{display:grid;grid-template-columns:2fr 1fr;gap:.8rem;margin:2rem 0 0}
.box{margin:2rem 0 0;padding:1rem 1.2rem 1.2rem;border:1px dashed #d9b45f;border-radius:10px;background:#fffaf0}
.box legend{border:0;padding:0 .4rem;margin:0;color:var(--amber);font-size:.9rem}
.box .row{margin-top:.7rem}
.row{display:flex;flex-wrap:wrap;gap:.6rem;align-items:center}
.note{color:var(--soft);font-size:.85rem;border-top:1px solid var(--line);padding-top:1rem;margin:2rem 0 0}
.pill{display:inline-block;font-size:.8rem;line-height:1.6;padding:0 .6rem;border-radius:999px;background:#e9edf4;
color:#3d4859;white-space:nowrap}
.pill.good{background:#dcf5e5;color:#12633a}.pill.busy{background:#fff0cf;color:#7a4b00}
.pill.bad{background:#fde3e1;color:#93231b}
.notice{background:#fff6e2;border-left:4px solid #d9a02f;padding:.5rem .8rem;border-radius:0 8px 8px 0}
.result{text-align:center;padding:1.5rem 0 .5rem}
.sign{width:4rem;height:4rem;line-height:4rem;border-radius:50%;margin:0 auto 1rem;font-size:2rem;background:#e9edf4;
color:#3d4859}
.sign.good{background:#dcf5e5;color:#12633a}.sign.bad{background:#fde3e1;color:#93231b}
.card{border:1px solid var(--line);border-radius:10px;padding:.9rem 1.1rem;margin:0 0 .8rem}
.card h3{font-size:1rem;margin:0;display:flex;gap:.6rem;justify-content:space-between;align-items:flex-start}
.card p{margin:.25rem 0 0}
.card form{margin:.8rem 0 0}
.card button,h2 button{min-height:2.25rem;padding:.2rem .9rem;font-size:.9rem;font-weight:400}
.card input.short{width:5rem;min-height:2.25rem;display:inline-block;margin:0 .3rem}
.card .row label{display:flex;align-items:center}
ol{list-style:none;margin:.7rem 0 0;padding:.6rem 0 0;border-top:1px solid var(--line);font-size:.9rem}
ol li{display:grid;grid-template-columns:10.5rem 9.5rem 1fr;gap:.2rem .8rem;padding:.2rem 0}
ol li span{min-width:0}
code,pre{font:.85rem/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,"Noto Sans Mono CJK SC",monospace}
pre{white-space:pre-wrap;background:#f3f5f9;border-radius:8px;padding:.7rem;margin:.5rem 0 0}
summary{cursor:pointer;color:var(--blue);font-size:.9rem}
details{margin:.5rem 0 0}
@media(max-width:40rem){main,main.wide{margin:0;padding:1.3rem 1rem 2rem;border-radius:0;box-shadow:none;
min-height:calc(100vh - 2.3rem)}
.grid,.actions{grid-template-columns:1fr}dl{grid-template-columns:1fr;gap:0}dd{margin-bottom:.6rem}
.card{padding:.8rem}.card button,h2 button,.card input.short{min-height:2.75rem}
ol li{grid-template-columns:1fr auto;border-bottom:1px solid var(--line);padding:.4rem 0}ol li:last-child{border:0}
ol li :nth-child(3){grid-column:1/-1}}
"""
START_SCRIPT = """
const prefix="#/contract/sign?";
function follow(){if(location.hash.startsWith(prefix))
location.replace("/sandbox/sign/login?"+location.hash.slice(prefix.length))}
addEventListener("hashchange",follow);follow();
"""
"""Script of the start page: leads from the link of a task, whose fragment no server sees, to the signing page."""
_BAR = {
    "zh-CN": "kfq_async 沙箱 · 并非开放签平台，不会进行真实认证",
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
        "Content-Security-Policy": f"default-src 'none'; style-src {_hash(_STYLE + style)}; {sources}base-uri 'none'; "
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
        f"<title>{escape(title)}</title><style>{_STYLE}{style}</style></head>\n"
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
