"""The sandbox's pages: what a browser may make of them."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest

from kfq_async.sandbox import Order, pages

NASTY = "<script>alert(1)</script>\"' onload=x &amp; {braces}"


def order(company: str, number: str = "SBX1") -> Order:
    """Make an order of that company."""
    return Order(
        order_no=number,
        token="TOKEN-A",
        client_request_id="row-1",
        digest="d",
        company_name=company,
        code="page-secret",
        request='{"accountName":"13800138000"}',
        created_at=0.0,
    )


class Reader(HTMLParser):
    """Collects the tags and the text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[str] = []
        self.text: list[str] = []
        self.style = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep the names."""
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]

    def handle_data(self, data: str) -> None:
        """Keep the style apart from the text."""
        if self.tags and self.tags[-1] == "style" and not self.style:
            self.style = data
        elif data.strip():
            self.text.append(data)


ALL = {
    "identify": pages.identify(order("某某科技有限公司")),
    "nasty": pages.identify(order(NASTY, NASTY)),
    "not_found": pages.not_found(),
    "method_not_allowed": pages.method_not_allowed(),
    "too_large": pages.too_large(),
    "web_application": pages.web_application(),
}
each = pytest.mark.parametrize("page", ALL.values(), ids=ALL.keys())


def directives() -> dict[str, str]:
    """Return what the policy allows, by directive."""
    policy = pages.HEADERS["Content-Security-Policy"]
    return dict(part.strip().split(" ", 1) for part in policy.split(";"))


def test_names_company_and_order() -> None:
    """The page behind authUrl says which company is to be identified, under which order, and that it is no platform."""
    text = Reader(pages.identify(order("某某科技有限公司"))).text
    assert "某某科技有限公司" in text
    assert "SBX1" in text
    assert "并非开放签平台" in "".join(text)


def test_page_keeps_what_it_need_not_show() -> None:
    """The page shows neither token nor code nor the operator's account."""
    for secret in ("TOKEN-A", "page-secret", "13800138000"):
        assert secret not in pages.identify(order("某某科技有限公司"))


def test_markup_in_values_is_text() -> None:
    """A company called like markup is shown by that name and adds no element and no attribute to the page."""
    nasty, plain = Reader(ALL["nasty"]), Reader(ALL["identify"])
    assert nasty.text.count(NASTY) == 2
    assert nasty.tags == plain.tags
    assert nasty.attributes == plain.attributes


@each
def test_style_is_the_one_that_the_policy_allows(page: str) -> None:
    """The hash in the Content-Security-Policy is that of the style which stands in the page."""
    digest = base64.b64encode(hashlib.sha256(Reader(page).style.encode()).digest()).decode()
    assert directives()["style-src"] == f"'sha256-{digest}'"


def test_policy_is_strict() -> None:
    """The policy allows this one style and nothing else: no script, no form, no frame, no other base."""
    others = {name: value for name, value in directives().items() if name != "style-src"}
    assert others == dict.fromkeys(("default-src", "base-uri", "form-action", "frame-ancestors"), "'none'")


@each
def test_pages_stand_alone(page: str) -> None:
    """No page needs a script, a style attribute or anything from elsewhere, so the policy breaks none."""
    reader = Reader(page)
    assert page.startswith("<!doctype html>\n")
    assert reader.tags.count("style") == 1
    assert {"script", "link", "img", "iframe", "form"}.isdisjoint(reader.tags)
    assert set(reader.attributes) <= {"lang", "charset", "name", "content", "class"}
    assert not re.search(r"url\(|@import", reader.style)
