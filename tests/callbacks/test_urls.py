"""Bound URLs: they carry any id, and no other URL is taken for one."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kfq_async import CallbackRejected, CallbackUrls, CorpIdentLinkRequest
from kfq_async.callbacks import Purpose

OLD, NEW = b"old secret, 16 b", b"new secret, of 32 random bytes.."
PAGE, NOTIFY = "https://app.example/done", "https://api.example/hooks/kfq"
URLS = CallbackUrls([NEW], page=PAGE, notify=NOTIFY)


def bound(request_id: str = "client-1", urls: CallbackUrls = URLS) -> tuple[str, str]:
    """Return the paths of page and notification that a request gets."""
    request = urls.bind(CorpIdentLinkRequest(client_request_id=request_id))
    return urlsplit(request.callback_page or "").path, urlsplit(request.auth_callback_url or "").path


def refused(path: Any, urls: CallbackUrls = URLS, purpose: Purpose | None = None) -> bool:
    """Tell whether a path is refused."""
    with pytest.raises(CallbackRejected, match=r"^the path was not issued here$") as caught:
        urls.match(path, purpose=purpose)
    return (caught.value.reason, caught.value.http_status, caught.value.code) == ("unknown_path", 401, 26000)


def test_a_bound_request() -> None:
    """Binding sets the two URLs, replaces what was there, and leaves the rest and the original alone."""
    request = CorpIdentLinkRequest(account_name="13800138000", callback_page="https://x/", client_request_id="client-1")
    result = URLS.bind(request)
    assert (result.account_name, result.client_request_id) == ("13800138000", "client-1")
    assert request.callback_page == "https://x/"
    assert re.fullmatch(r"https://app\.example/done/[A-Za-z0-9_.~-]+", result.callback_page or "")
    assert re.fullmatch(r"https://api\.example/hooks/kfq/[A-Za-z0-9_.~-]+", result.auth_callback_url or "")


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_any_id_survives(request_id: str) -> None:
    """Whatever the id holds, it comes back, and the path needs no percent-encoding."""
    for path in bound(request_id):
        assert re.fullmatch(r"[/A-Za-z0-9_.~-]+", path)
        assert URLS.match(path) == request_id


def test_a_path_in_bytes() -> None:
    """The path may be the bytes that an ASGI server gives."""
    assert URLS.match(bound()[1].encode()) == "client-1"


def test_the_same_request_has_the_same_urls() -> None:
    """Binding again, in any process with the same secret, gives the same URLs, so a repeated request is the same."""
    assert bound() == bound(urls=CallbackUrls([NEW, OLD], page=PAGE, notify=NOTIFY))


@pytest.mark.parametrize("request_id", [None, ""])
def test_a_request_without_id(request_id: str | None) -> None:
    """A request without an id cannot be bound, and the error says so."""
    with pytest.raises(ValueError, match="client_request_id must be set"):
        URLS.bind(CorpIdentLinkRequest(client_request_id=request_id))


@given(st.data())
def test_one_changed_character(data: st.DataObject) -> None:
    """A bound URL with any one character changed, added or taken away is refused."""
    path = bound()[1]
    place = data.draw(st.integers(0, len(path) - 1))
    other = data.draw(st.sampled_from(sorted(set("ABab01-_./%~") - {path[place]})))
    changed = data.draw(
        st.sampled_from([path[:place] + other + path[place + 1 :], path[:place] + path[place + 1 :], path + other])
    )
    assert refused(changed)


def test_every_last_character() -> None:
    """The last character of a MAC has bits to spare, and they must be right too."""
    path = bound()[1]
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    assert [last for last in alphabet if last != path[-1] and not refused(path[:-1] + last)] == []


def test_another_requests_id() -> None:
    """A MAC proves one id only."""
    first, second = bound("client-1")[1], bound("client-2")[1]
    assert refused(f"{second.partition('.')[0]}.{first.partition('.')[2]}")


def test_page_and_notification_are_two() -> None:
    """The URL that the operator's browser learns cannot be used to notify, nor the other way."""
    page, notify = bound()
    assert refused(page.replace("/done/", "/hooks/kfq/"))
    assert refused(notify.replace("/hooks/kfq/", "/done/"))
    assert refused(page, purpose=Purpose.NOTIFY)
    assert refused(notify, purpose=Purpose.PAGE)
    assert URLS.match(page, purpose=Purpose.PAGE) == URLS.match(notify, purpose=Purpose.NOTIFY) == "client-1"


def test_both_under_one_path() -> None:
    """Even where page and notifications share a path, one is not the other."""
    urls = CallbackUrls([NEW], page="https://app.example/kfq", notify="https://api.example/kfq")
    page, notify = bound(urls=urls)
    assert urls.match(page) == urls.match(notify) == "client-1"
    assert refused(page, urls, Purpose.NOTIFY)
    assert refused(notify, urls, Purpose.PAGE)


@pytest.mark.parametrize(
    "path", ["", "/", "/hooks/kfq", "/hooks/kfq/", "/hooks/kfq/.", "/hooks/kfq/a.b", "/x/回", "/hooks/kfq/Y2xpZW50LTE"]
)
def test_foreign_paths(path: str) -> None:
    """What was never given out is refused."""
    assert refused(path)


def test_a_query_or_a_slash_behind() -> None:
    """The path is compared as it is: a query or a slash behind it is something else."""
    assert refused(f"{bound()[1]}?a=1")
    assert refused(f"{bound()[1]}/")


def test_rotation() -> None:
    """After a new secret was put in front, links that are out go on working, until the old one is taken away."""
    before = CallbackUrls([OLD], page=PAGE, notify=NOTIFY)
    during = CallbackUrls([NEW, OLD], page=PAGE, notify=NOTIFY)
    assert during.match(bound(urls=before)[1]) == "client-1"
    assert bound(urls=during) == bound(urls=URLS)
    assert refused(bound(urls=before)[1])


@pytest.mark.parametrize("public_path", ["/api", lambda path: f"/api{path}"])
def test_behind_a_proxy_that_rewrites(public_path: Any) -> None:
    """A service that sees a shortened path recognises its URLs when it is told what is missing."""
    urls = CallbackUrls([NEW], page=PAGE, notify="https://api.example/api/kfq", public_path=public_path)
    path = bound(urls=urls)[1]
    assert urls.match(path.removeprefix("/api")) == "client-1"
    assert refused(path, urls)


@pytest.mark.parametrize(
    ("notify", "path"),
    [
        ("https://api.example", "/"),
        ("https://api.example/", "/"),
        ("https://api.example/a/", "/a/"),
        ("https://api.example:8443/回调", "/%E5%9B%9E%E8%B0%83/"),
    ],
)
def test_where_the_segment_goes(notify: str, path: str) -> None:
    """The segment follows the given path, with one slash between, and the path is compared as it travels."""
    urls = CallbackUrls([NEW], page=PAGE, notify=notify)
    assert re.fullmatch(re.escape(path) + r"[A-Za-z0-9_.-]+", bound(urls=urls)[1])
    assert urls.match(bound(urls=urls)[1]) == "client-1"


@pytest.mark.parametrize(
    ("secrets", "problem"),
    [
        ([], "secrets must hold at least one"),
        ([b"short"], "a secret has 5 bytes; 16 are the least"),
        ([NEW, b"x" * 15], "a secret has 15 bytes"),
        (NEW, "secrets must be a sequence of bytes"),
        ("text", "secrets must be a sequence of bytes"),
        (None, "secrets must be a sequence of bytes"),
        (["text of more than sixteen"], "secrets must be bytes, not str"),
    ],
)
def test_unusable_secrets(secrets: Any, problem: str) -> None:
    """A secret that could be guessed, or is no secret, is refused when the URLs are configured."""
    with pytest.raises((ValueError, TypeError), match=problem):
        CallbackUrls(secrets, page=PAGE, notify=NOTIFY)


@pytest.mark.parametrize("name", ["page", "notify"])
@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("https://x.example/a?b=1", "must have neither query nor fragment"),
        ("https://x.example/a?", "must have neither query nor fragment"),
        ("https://x.example/a#b", "must have neither query nor fragment"),
        ("ftp://x.example/a", "must be like https://"),
        ("/a", "must be like https://"),
        ("http://[", "must be like https://"),
        ("https://user@x.example/a", "must not hold a user name"),
        ("https://:secret@x.example/a", "must not hold a user name"),
        (None, "must be a str, not NoneType"),
    ],
)
def test_unusable_urls(name: str, url: Any, problem: str) -> None:
    """A URL that could not be called back, or whose treatment nobody knows, is refused by its name."""
    urls: dict[str, Any] = {"page": PAGE, "notify": NOTIFY, name: url}
    with pytest.raises((ValueError, TypeError), match=f"^{name} {problem}"):
        CallbackUrls([NEW], **urls)


def test_secrets_are_hidden() -> None:
    """What the object shows in a log holds the URLs and no secret."""
    assert repr(URLS) == f"CallbackUrls(<1>, page='{PAGE}', notify='{NOTIFY}')"
