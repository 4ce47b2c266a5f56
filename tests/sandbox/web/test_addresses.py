"""Addresses: where the sandbox lets a browser or a notification go, and what counts as this machine."""

from __future__ import annotations

import pytest

from kfq_async.sandbox.web.addresses import host_of, is_loopback, policy_sources, web_address


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("http://127.0.0.1:8000/back?a=1#b", "http://127.0.0.1:8000/back?a=1#b"),
        ("HTTPS://Your-Domain.com/corp/callback", "https://your-domain.com/corp/callback"),
        ("http://localhost/a b/公司", "http://localhost/a%20b/%E5%85%AC%E5%8F%B8"),
        ("http://[::1]:8000/", "http://[::1]:8000/"),
        ("http://例子.cn/", "http://xn--fsqu00a.cn/"),
        ("http://h/%2f\r\nSet-Cookie: a=b", "http://h/%2FSet-Cookie:%20a=b"),
    ],
)
def test_web_address(text: str, url: str) -> None:
    """An http or https URL is taken, and written so that it can stand in a header."""
    assert str(web_address(text)) == url


@pytest.mark.parametrize(
    "text",
    [
        None,
        17,
        "",
        "/relative",
        "//elsewhere.example/",
        "javascript:alert(1)",
        "data:text/html,x",
        "file:///etc/passwd",
        "http://",
        "http:\\\\elsewhere",
        "http://a;script-src *;/",
        "http://a b/",
        "http://h:99999/",
        "http://h:x/",
        "http://[::1",
        "http://\ud800/",
        " ",
    ],
)
def test_no_web_address(text: object) -> None:
    """Nothing else is, above all nothing that would run, or break out of a header."""
    assert web_address(text) is None


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
    """A policy names the one origin, all of this machine if that is on it, or the scheme where it has no name."""
    url = web_address(text)
    assert url is not None
    assert policy_sources(url) == sources


@pytest.mark.parametrize(
    ("authority", "host"),
    [
        ("127.0.0.1:8899", "127.0.0.1"),
        ("LOCALHOST", "localhost"),
        ("[::1]:80", "::1"),
        ("evil.example:80", "evil.example"),
        ("", ""),
        ("<script>", ""),
        ("a b", ""),
        ("\udcff", ""),
    ],
)
def test_host_of(authority: str, host: str) -> None:
    """The host of a header, or nothing where there is none."""
    assert host_of(authority) == host


@pytest.mark.parametrize("host", ["localhost", "LocalHost", "app.localhost", "127.0.0.1", "127.1.2.3", "::1"])
def test_loopback(host: str) -> None:
    """These lead to this machine."""
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host", ["", "example.com", "localhost.example.com", "127.0.0.1.example.com", "10.0.0.1", "0.0.0.0", "notlocalhost"]
)
def test_not_loopback(host: str) -> None:
    """These need not."""
    assert not is_loopback(host)
