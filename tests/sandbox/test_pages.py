"""The sandbox's pages: what a browser may make of them."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser
from typing import Any

import orjson
import pytest

from kfq_async.sandbox import Contract, DeliveryAttempt, Notification
from kfq_async.sandbox.web import frame
from kfq_async.sandbox.web.console import About, console
from kfq_async.sandbox.web.operator_page import identify, not_found
from orders import COMPANY, NASTY, NOW, OPERATOR, order_of

REQUEST: dict[str, Any] = {
    "accountName": "13800138000",
    "corpIdentInfo": COMPANY,
    "corpIdentConfig": {
        "unmodifiableParams": ["companyName", "companyType"],
        "corpVerifyMethods": ["letter", "invite"],
    },
    "oprIdentInfo": OPERATOR,
    "oprIdentConfig": {"unmodifiableParams": ["idCard"]},
    "callbackPage": "https://your-domain.com/corp/callback",
}


def nastily(value: Any) -> Any:
    """Put markup in the place of every text."""
    if isinstance(value, dict):
        return {name: nastily(item) for name, item in value.items()}
    if isinstance(value, list):
        return [NASTY for _ in value]
    return NASTY if isinstance(value, str) else value


class Reader(HTMLParser):
    """Collects the tags, the text and the fields of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[str] = []
        self.text: list[str] = []
        self.fields: dict[str, dict[str, str | None]] = {}
        self.choices: dict[str, list[str]] = {}
        self.buttons: list[str | None] = []
        self.style = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep the names, and what a form would send."""
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]
        found = dict(attrs)
        name = found.get("name") or ""
        if tag == "button":
            self.buttons.append(found.get("value"))
        elif found.get("type") == "radio":
            self.choices.setdefault(name, []).append(found["value"] or "")
        elif tag in {"input", "select"}:
            self.fields[name] = found

    def handle_data(self, data: str) -> None:
        """Keep the style apart from the text."""
        if self.tags and self.tags[-1] == "style" and not self.style:
            self.style = data
        elif data.strip():
            self.text.append(data)


def note(attempts: tuple[DeliveryAttempt, ...] = (), **changes: Any) -> Notification:
    """Make a notification of a company with this name."""
    known: dict[str, Any] = {
        "notification_id": "N1",
        "order_no": "SBX1",
        "order_status": 1,
        "url": "http://127.0.0.1:8000/hook",
        "body": orjson.dumps({"companyName": "某某科技有限公司"}).decode(),
        "created_at": NOW,
        "due_at": None,
        "attempts": attempts,
    }
    return Notification(**{**known, **changes})


def attempt(**changes: Any) -> DeliveryAttempt:
    """Make an attempt that was acknowledged, but for the changes."""
    known: dict[str, Any] = {
        "attempt_id": "A",
        "notification_id": "N1",
        "at": NOW,
        "seconds": 0.0123,
        "fault": "",
        "nonce": "n",
        "http_status": 200,
        "answer": "success",
        "error": None,
        "acknowledged": True,
    }
    return DeliveryAttempt(**{**known, **changes})


def console_of(*notes: Notification, name: str = "某某科技有限公司", retry_after: tuple[float, ...] = (0.5, 2)) -> str:
    """Write the console with an order, a contract and these notifications."""
    contract = Contract(contract_id=name, token="TOKEN-A", status=name, request="{}", created_at=NOW)
    return console(
        About(app_id=name, public_key="MIIB", retry_after=retry_after),
        "form-token",
        orders=[order_of({"corpIdentInfo": {"companyName": name}})],
        contracts=[contract],
        notifications=notes,
        counts=(1, 1, len(notes)),
    )


NASTY_NOTE = note(
    (attempt(answer=NASTY, error=NASTY),), url=NASTY, body=orjson.dumps({"companyName": NASTY}).decode(), order_no=NASTY
)
PLAIN_NOTE = note((attempt(answer="a", error="b"),))
ALL = {
    "form": identify(order_of(REQUEST)),
    "nasty form": identify(order_of(nastily(REQUEST), order_no=NASTY, code=NASTY)),
    "review": identify(order_of(REQUEST, status=2)),
    "identified": identify(order_of(REQUEST, status=1, verified_at=NOW)),
    "withdrawn": identify(order_of(REQUEST, status=3)),
    "nasty end": identify(order_of(nastily(REQUEST), order_no=NASTY, status=4)),
    "console": console_of(PLAIN_NOTE),
    "nasty console": console_of(NASTY_NOTE, name=NASTY),
    "not_found": not_found(),
    "refused": frame.refused("a", "b"),
    "method_not_allowed": frame.method_not_allowed(),
    "too_large": frame.too_large(),
    "web_application": frame.web_application(),
}
each = pytest.mark.parametrize("page", ALL.values(), ids=ALL.keys())


def directives(form_action: str = "'none'") -> dict[str, str]:
    """Return what the policy allows, by directive."""
    policy = frame.headers(form_action)["Content-Security-Policy"]
    return dict(part.strip().split(" ", 1) for part in policy.split(";"))


def test_form_is_filled_in_and_locked() -> None:
    """The page shows what the request says, and what must not be edited is read-only, a choice included."""
    fields = Reader(ALL["form"]).fields
    assert {name: field.get("value") for name, field in fields.items() if "readonly" in field} == {
        "companyName": "某某科技有限公司",
        "companyType": "企业",
        "idCard": "110101199001011234",
    }
    assert fields["creditCode"]["value"] == "91110000MA01234567"
    assert fields["mobile"]["value"] == "13900139000"
    assert fields["code"] == {"type": "hidden", "name": "code", "value": "page-secret"}
    assert "13800138000" in Reader(ALL["form"]).text


def test_form_offers_what_the_request_allows() -> None:
    """The page offers the methods that were allowed, in their order, and its buttons."""
    reader = Reader(ALL["form"])
    assert reader.choices == {"companyVerifyMethod": ["letter", "invite"], "personVerifyMethod": ["face", "mobile"]}
    assert reader.buttons == ["complete", "abandon", "review", "expire"]
    assert "开放签没有公开真实页面" in ALL["form"]
    assert "仅沙箱可用" in reader.text


def test_form_in_review() -> None:
    """An order in review can still be completed, abandoned and expired, but not handed in for review again."""
    reader = Reader(ALL["review"])
    assert reader.buttons == ["complete", "abandon", "expire"]
    assert "认证中" in reader.text


def test_form_of_nothing() -> None:
    """A request that says nothing makes an empty form that can be filled in."""
    fields = Reader(identify(order_of({}))).fields
    assert fields["companyName"]["value"] == ""
    assert not [field for field in fields.values() if "readonly" in field]
    assert "经办人账号" not in identify(order_of({}))


def test_form_shows_a_typo() -> None:
    """A name in ``unmodifiableParams`` that is no field of the page is shown to the developer."""
    request = {"corpIdentConfig": {"unmodifiableParams": ["companyname"]}}
    assert "unmodifiableParams 里有本页没有的字段：companyname" in identify(order_of(request))


def test_form_says_whether_there_is_a_licence() -> None:
    """Of the business licence the page says whether it came, and shows none of it."""
    assert "未提供" in identify(order_of({}))
    page = identify(order_of({"corpIdentInfo": {"license": "aGVsbG8="}}))
    assert "已随请求提供" in page
    assert "aGVsbG8" not in page


@pytest.mark.parametrize(
    ("status", "words"), [(1, "企业已完成实名认证。"), (3, "订单已撤销"), (4, "此链接不能再用于认证")]
)
@pytest.mark.parametrize(
    ("target", "why"),
    [
        (None, "请求里没有 callbackPage"),
        ("javascript:alert(1)", "不是 http 或 https 地址"),
        ("http://h/", "此订单已结束"),
    ],
)
def test_ends(status: int, words: str, target: str | None, why: str) -> None:
    """A final order shows what happened and why the browser is here, and offers nothing more."""
    page = identify(order_of({"callbackPage": target}, status=status, verified_at=NOW if status == 1 else None))
    reader = Reader(page)
    assert words in page
    assert why in page
    assert {"form", "button", "input", "a"}.isdisjoint(reader.tags)
    assert ("2026-04-01 10:33:22" in page) == (status == 1)


@each
def test_pages_keep_what_they_need_not_show(page: str) -> None:
    """No page shows the tenant's token."""
    assert "TOKEN-A" not in page


@pytest.mark.parametrize(
    ("attempts", "due_at", "words"),
    [
        ((attempt(),), None, ["已确认", "success", "12 ms"]),
        ((), NOW + 60, ["尚未发送", "10:34:22 再发"]),
        ((attempt(http_status=None, answer="", error="TimeoutError", acknowledged=False),), None, ["已停止", "无应答"]),
        ((attempt(http_status=503, answer="later", acknowledged=False),), NOW, ["HTTP 503", "later", "再发"]),
        ((attempt(fault="callback-duplicate"),), None, ["重复"]),
        ((attempt(fault="callback-delay"),), None, ["延迟"]),
        ((attempt(fault="callback-reorder"),), None, ["乱序"]),
        ((attempt(fault="callback-corrupt"),), None, ["篡改", "接收方接受了被篡改的通知", "已停止"]),
        ((attempt(fault="callback-corrupt", http_status=401, acknowledged=False),), None, ["篡改", "HTTP 401"]),
    ],
)
def test_console_tells_how_it_went(
    attempts: tuple[DeliveryAttempt, ...], due_at: float | None, words: list[str]
) -> None:
    """The console tells the state of a notification and of each attempt."""
    page = console_of(note(attempts, due_at=due_at))
    assert [word for word in words if word not in page] == []


def test_console_warns_of_forgeries_only() -> None:
    """The warning about a corrupted notification stands only where a receiver took one."""
    page = console_of(note((attempt(fault="callback-corrupt", http_status=401, acknowledged=False), attempt())))
    assert "接收方接受了被篡改的通知" not in page


def test_console_offers_reordering_from_two() -> None:
    """There is a button to send the newest two in reverse once there are two."""
    assert "reorder" not in Reader(console_of(note())).buttons
    assert "reorder" in Reader(console_of(note(), note())).buttons


def test_console_tells_the_schedule() -> None:
    """The console tells after how many seconds a notification comes again, and that this is an assumption."""
    assert "0.5、2" in console_of()
    assert "不重试" in console_of(retry_after=())
    assert "沙箱的假设" in console_of()


def test_console_says_who_is_not_notified() -> None:
    """An order without ``authCallbackUrl`` is marked, since nothing will ever be sent for it."""
    assert "没有 authCallbackUrl" in console_of()


@pytest.mark.parametrize("name", ["form", "console"])
def test_markup_in_values_is_text(name: str) -> None:
    """A company, an order or an answer that looks like markup adds no element and no attribute to the page."""
    nasty, plain = Reader(ALL[f"nasty {name}"]), Reader(ALL[name])
    assert NASTY in nasty.text
    assert set(nasty.tags) <= set(plain.tags)
    assert set(nasty.attributes) <= set(plain.attributes)


@pytest.mark.parametrize("page", [page for name, page in ALL.items() if "nasty" in name])
def test_no_markup_survives(page: str) -> None:
    """Nowhere does a value's markup stand in a page as markup."""
    assert "<script" not in page
    assert "onload" not in Reader(page).attributes


@each
def test_style_is_the_one_that_the_policy_allows(page: str) -> None:
    """The hash in the Content-Security-Policy is that of the style which stands in the page."""
    digest = base64.b64encode(hashlib.sha256(Reader(page).style.encode()).digest()).decode()
    assert directives()["style-src"] == f"'sha256-{digest}'"


def test_policy_is_strict() -> None:
    """The policy allows this one style and nothing else: no script, no frame, no other base, forms where it says."""
    others = {name: value for name, value in directives().items() if name != "style-src"}
    assert others == dict.fromkeys(("default-src", "base-uri", "form-action", "frame-ancestors"), "'none'")
    assert directives("'self' http://h")["form-action"] == "'self' http://h"


@each
def test_pages_stand_alone(page: str) -> None:
    """No page needs a script, a style attribute or anything from elsewhere, so the policy breaks none."""
    reader = Reader(page)
    assert page.startswith("<!doctype html>\n")
    assert reader.tags.count("style") == 1
    assert {"script", "link", "img", "iframe"}.isdisjoint(reader.tags)
    assert {"style", "src", "onclick", "onload", "target"}.isdisjoint(reader.attributes)
    assert not re.search(r"url\(|@import", reader.style)
    assert "并非开放签平台" in "".join(reader.text)


@each
def test_every_form_posts_to_the_sandbox(page: str) -> None:
    """A form changes something and therefore posts, and it goes to the sandbox's own paths."""
    for form in re.findall("<form[^>]*>", page):
        assert 'method="post"' in form
        assert 'action="/sandbox/' in form
