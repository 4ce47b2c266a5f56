"""Bound URLs: they carry any id, and no other path matches."""

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


def bound_paths(request_id: str = "client-1", urls: CallbackUrls = URLS) -> tuple[str, str]:
    """Return the paths of a request's page and notification URLs."""
    request = urls.bind(CorpIdentLinkRequest(client_request_id=request_id))
    return urlsplit(request.callback_page or "").path, urlsplit(request.auth_callback_url or "").path


def is_rejected(path: Any, urls: CallbackUrls = URLS, purpose: Purpose | None = None) -> bool:
    """Return whether a path is rejected."""
    with pytest.raises(CallbackRejected, match=r"^the path was not issued here(: |$)") as caught:
        urls.match(path, purpose=purpose)
    return (caught.value.reason, caught.value.http_status, caught.value.code) == ("unknown_path", 401, 26000)


def test_bind() -> None:
    """Binding sets or replaces the two URLs, and changes neither other fields nor the original request."""
    request = CorpIdentLinkRequest(account_name="13800138000", callback_page="https://x/", client_request_id="client-1")
    result = URLS.bind(request)
    assert (result.account_name, result.client_request_id) == ("13800138000", "client-1")
    assert request.callback_page == "https://x/"
    assert re.fullmatch(r"https://app\.example/done/[A-Za-z0-9_.~-]+", result.callback_page or "")
    assert re.fullmatch(r"https://api\.example/hooks/kfq/[A-Za-z0-9_.~-]+", result.auth_callback_url or "")


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_arbitrary_id(request_id: str) -> None:
    """Any id survives the round trip, in a path that needs no percent-encoding."""
    for path in bound_paths(request_id):
        assert re.fullmatch(r"[/A-Za-z0-9_.~-]+", path)
        assert URLS.match(path) == request_id


def test_path_as_bytes() -> None:
    """The path may be bytes, as in ASGI's ``raw_path``."""
    assert URLS.match(bound_paths()[1].encode()) == "client-1"


def test_bind_is_deterministic() -> None:
    """The same id and secret give the same URLs in any process, so a retried request is identical."""
    assert bound_paths() == bound_paths(urls=CallbackUrls([NEW, OLD], page=PAGE, notify=NOTIFY))


@pytest.mark.parametrize("request_id", [None, ""])
def test_request_without_id(request_id: str | None) -> None:
    """Binding a request without an id raises `ValueError`."""
    with pytest.raises(ValueError, match="client_request_id must be set"):
        URLS.bind(CorpIdentLinkRequest(client_request_id=request_id))


@given(st.data())
def test_changed_path(data: st.DataObject) -> None:
    """A bound path with any one character changed, added or removed is rejected."""
    path = bound_paths()[1]
    place = data.draw(st.integers(0, len(path) - 1))
    other = data.draw(st.sampled_from(sorted(set("ABab01-_./%~") - {path[place]})))
    changed = data.draw(
        st.sampled_from([path[:place] + other + path[place + 1 :], path[:place] + path[place + 1 :], path + other])
    )
    assert is_rejected(changed)


def test_unused_bits_of_the_mac() -> None:
    """The last character of an HMAC has unused bits, which must match too."""
    path = bound_paths()[1]
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    assert [last for last in alphabet if last != path[-1] and not is_rejected(path[:-1] + last)] == []


def test_mac_of_another_id() -> None:
    """An HMAC is valid for one id only."""
    first, second = bound_paths("client-1")[1], bound_paths("client-2")[1]
    assert is_rejected(f"{second.partition('.')[0]}.{first.partition('.')[2]}")


def test_purposes_are_separate() -> None:
    """A page URL is not accepted for notifications, nor a notification URL for the page."""
    page, notify = bound_paths()
    assert is_rejected(page.replace("/done/", "/hooks/kfq/"))
    assert is_rejected(notify.replace("/hooks/kfq/", "/done/"))
    assert is_rejected(page, purpose=Purpose.NOTIFY)
    assert is_rejected(notify, purpose=Purpose.PAGE)
    assert URLS.match(page, purpose=Purpose.PAGE) == URLS.match(notify, purpose=Purpose.NOTIFY) == "client-1"


def test_purposes_with_the_same_path() -> None:
    """Purposes stay separate even if page and notifications share a path."""
    urls = CallbackUrls([NEW], page="https://app.example/kfq", notify="https://api.example/kfq")
    page, notify = bound_paths(urls=urls)
    assert urls.match(page) == urls.match(notify) == "client-1"
    assert is_rejected(page, urls, Purpose.NOTIFY)
    assert is_rejected(notify, urls, Purpose.PAGE)


@pytest.mark.parametrize(
    "path", ["", "/", "/hooks/kfq", "/hooks/kfq/", "/hooks/kfq/.", "/hooks/kfq/a.b", "/x/回", "/hooks/kfq/Y2xpZW50LTE"]
)
def test_foreign_paths(path: str) -> None:
    """A path that was not bound is rejected."""
    assert is_rejected(path)


def test_query_or_trailing_slash() -> None:
    """A path with a query or a trailing slash is rejected."""
    assert is_rejected(f"{bound_paths()[1]}?a=1")
    assert is_rejected(f"{bound_paths()[1]}/")


def test_secret_rotation() -> None:
    """With a new secret in front existing URLs stay valid until the old secret is removed."""
    before = CallbackUrls([OLD], page=PAGE, notify=NOTIFY)
    during = CallbackUrls([NEW, OLD], page=PAGE, notify=NOTIFY)
    assert during.match(bound_paths(urls=before)[1]) == "client-1"
    assert bound_paths(urls=during) == bound_paths(urls=URLS)
    assert is_rejected(bound_paths(urls=before)[1])


@pytest.mark.parametrize(
    ("path", "urls", "purpose", "found"),
    [
        (f"/api{bound_paths()[1]}", URLS, Purpose.NOTIFY, "a proxy added or removed a prefix (pass public_path= to "),
        (
            bound_paths()[1].removeprefix("/hooks"),
            URLS,
            None,
            "a proxy added or removed a prefix (pass public_path= to ",
        ),
        (bound_paths()[0], URLS, Purpose.NOTIFY, ": it was issued as page=, not as notify="),
        (
            bound_paths(urls=CallbackUrls([OLD], page=PAGE, notify=NOTIFY))[1],
            URLS,
            Purpose.NOTIFY,
            ": none of the secrets= of CallbackUrls made its HMAC: keep an old secret until its links have expired",
        ),
        ("/elsewhere/a.b", URLS, None, ": neither its path nor its HMAC is that of CallbackUrls: "),
    ],
)
def test_cause_of_a_rejection(path: str, urls: CallbackUrls, purpose: Purpose | None, found: str) -> None:
    """The text names the cause and its remedy, and nothing of the path."""
    with pytest.raises(CallbackRejected) as caught:
        urls.match(path, purpose=purpose)
    assert found in str(caught.value)
    assert path.rpartition("/")[2] not in str(caught.value)


@pytest.mark.parametrize("public_path", ["/api", lambda path: f"/api{path}"])
def test_proxy_that_rewrites_the_path(public_path: Any) -> None:
    """``public_path`` restores a path shortened by a proxy."""
    urls = CallbackUrls([NEW], page=PAGE, notify="https://api.example/api/kfq", public_path=public_path)
    path = bound_paths(urls=urls)[1]
    assert urls.match(path.removeprefix("/api")) == "client-1"
    assert is_rejected(path, urls)


@pytest.mark.parametrize(
    ("notify", "path"),
    [
        ("https://api.example", "/"),
        ("https://api.example/", "/"),
        ("https://api.example/a/", "/a/"),
        ("https://api.example:8443/回调", "/%E5%9B%9E%E8%B0%83/"),
    ],
)
def test_segment_is_appended(notify: str, path: str) -> None:
    """The segment is appended after one slash, and the undecoded path is matched."""
    urls = CallbackUrls([NEW], page=PAGE, notify=notify)
    assert re.fullmatch(re.escape(path) + r"[A-Za-z0-9_.-]+", bound_paths(urls=urls)[1])
    assert urls.match(bound_paths(urls=urls)[1]) == "client-1"


@pytest.mark.parametrize(
    ("secrets", "problem"),
    [
        ([], "secrets must contain at least one secret"),
        ([b"short"], "a secret has 5 bytes, fewer than 16"),
        ([NEW, b"x" * 15], "a secret has 15 bytes"),
        (NEW, "secrets must be an iterable of bytes"),
        ("text", "secrets must be an iterable of bytes"),
        (None, "secrets must be an iterable of bytes"),
        (["text of more than sixteen"], "secrets must be bytes, not str"),
    ],
)
def test_invalid_secrets(secrets: Any, problem: str) -> None:
    """A missing, short or mistyped secret raises when the URLs are configured."""
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
def test_invalid_urls(name: str, url: Any, problem: str) -> None:
    """A URL that cannot be called back, or whose treatment is not documented, raises an error that names it."""
    urls: dict[str, Any] = {"page": PAGE, "notify": NOTIFY, name: url}
    with pytest.raises((ValueError, TypeError), match=f"^{name} {problem}"):
        CallbackUrls([NEW], **urls)


def test_repr_hides_secrets() -> None:
    """The ``repr`` shows the URLs and the number of secrets only."""
    assert repr(URLS) == f"CallbackUrls(<1>, page='{PAGE}', notify='{NOTIFY}')"
