"""Security headers, and the properties that all pages of the sandbox share."""

from __future__ import annotations

import base64
import hashlib
import re

import pytest
from yarl import URL

from kfq_async.sandbox.web import frame
from orders import HOSTILE
from pages import PAGES, ParsedPage

every_page = pytest.mark.parametrize("page", PAGES.values(), ids=PAGES.keys())


def directives(form_action: str = "'none'") -> dict[str, str]:
    """Return the directives of the Content-Security-Policy."""
    policy = frame.headers(form_action)["Content-Security-Policy"]
    return dict(part.strip().split(" ", 1) for part in policy.split(";"))


def test_policy_is_strict() -> None:
    """The policy allows one style and nothing else: no script, frame or base, and forms only where given."""
    others = {name: value for name, value in directives().items() if name != "style-src"}
    assert others == dict.fromkeys(("default-src", "base-uri", "form-action", "frame-ancestors"), "'none'")
    assert directives("'self' http://h")["form-action"] == "'self' http://h"


@pytest.mark.parametrize(
    ("text", "sources"),
    [
        ("https://your-domain.com/corp", "https://your-domain.com"),
        ("https://u:p@your-domain.com:8443/", "https://your-domain.com:8443"),
        ("http://localhost:8000/a", "http://localhost:8000 http://localhost:* http://127.0.0.1:*"),
        ("http://[::1]:8000/", "http:"),
    ],
)
def test_policy_sources(text: str, sources: str) -> None:
    """A policy names the URL's origin, all of this machine for a loopback URL, and the scheme for IPv6."""
    assert frame.policy_sources(URL(text)) == sources


@every_page
def test_style_matches_the_policy(page: str) -> None:
    """The hash in the Content-Security-Policy is that of the page's style."""
    digest = base64.b64encode(hashlib.sha256(ParsedPage(page).style.encode()).digest()).decode()
    assert directives()["style-src"] == f"'sha256-{digest}'"


@pytest.mark.parametrize(("name", "page"), PAGES.items(), ids=PAGES.keys())
def test_pages_are_self_contained(name: str, page: str) -> None:
    """No page has a style attribute or an external asset, which the policy would block; only one has a script."""
    parsed = ParsedPage(page)
    assert page.startswith("<!doctype html>\n")
    assert parsed.tags.count("style") == 1
    assert {"link", "img", "iframe"}.isdisjoint(parsed.tags)
    assert ("script" in parsed.tags) == (name == "web_application")
    assert {"style", "src", "onclick", "onload", "target"}.isdisjoint(parsed.attributes)
    assert not re.search(r"url\(|@import", parsed.style)
    assert "并非开放签平台" in "".join(parsed.text)


def test_the_script_of_the_start_page_matches_the_policy() -> None:
    """The hash in the Content-Security-Policy is that of the script, and other pages allow none."""
    (script,) = re.findall("<script>(.*?)</script>", PAGES["web_application"], re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = frame.headers(script=frame.START_SCRIPT)["Content-Security-Policy"]
    assert f"script-src 'sha256-{digest}'; " in policy
    assert "script-src" not in directives()


def test_own_style_and_pictures() -> None:
    """A page may add to the common style, and show pictures of the sandbox."""
    shown = frame.page("a", "b", style="b{color:red}", lang="en")
    digest = base64.b64encode(hashlib.sha256(ParsedPage(shown).style.encode()).digest()).decode()
    policy = frame.headers(style="b{color:red}", images=True)["Content-Security-Policy"]
    assert f"style-src 'sha256-{digest}'; " in policy
    assert "img-src 'self'; " in policy
    assert '<html lang="en">' in shown
    assert "not the Kaifangqian platform" in shown


@every_page
def test_forms_post_to_the_sandbox(page: str) -> None:
    """Every form but the search changes state, and therefore posts, to a path of the sandbox."""
    for form in re.findall("<form[^>]*>", page):
        assert ('method="post"' in form) != ('role="search"' in form)
        assert 'action="/sandbox/' in form


@every_page
def test_pages_do_not_show_the_token(page: str) -> None:
    """No page shows the tenant's token."""
    assert "TOKEN-A" not in page


@pytest.mark.parametrize("name", ["form", "console"])
def test_markup_in_values_is_text(name: str) -> None:
    """Markup in a company, an order or a response adds no element and no attribute to a page."""
    hostile, plain = ParsedPage(PAGES[f"hostile {name}"]), ParsedPage(PAGES[name])
    assert HOSTILE in hostile.text
    assert set(hostile.tags) <= set(plain.tags)
    assert set(hostile.attributes) <= set(plain.attributes)


@pytest.mark.parametrize("page", [page for name, page in PAGES.items() if "hostile" in name])
def test_markup_in_values_is_escaped(page: str) -> None:
    """Markup in a value is never markup of the page."""
    assert "<script" not in page
    assert "onload" not in ParsedPage(page).attributes
