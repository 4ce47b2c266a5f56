"""URLs and hosts that come from outside."""

from __future__ import annotations

import pytest

from kfq_async.sandbox.addresses import host_names, host_of, web_address


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
    """An http or https URL is accepted, and encoded so that it is safe in a header."""
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
def test_other_text_is_no_web_address(text: object) -> None:
    """Everything else is rejected, above all scripts and text that would break out of a header."""
    assert web_address(text) is None


@pytest.mark.parametrize(
    ("authority", "host"),
    [
        ("127.0.0.1:8899", "127.0.0.1"),
        ("LOCALHOST", "localhost"),
        ("[::1]:80", "::1"),
        ("localhost:", "localhost"),
        ("a_b.example", "a_b.example"),
        ("evil.example:80", "evil.example"),
        ("localhost:99999", ""),
        ("localhost/x", ""),
        ("localhost#x", ""),
        ("u@localhost", ""),
        ("::1", ""),
        ("[127.0.0.1]", ""),
        ("", ""),
        ("<script>", ""),
        ("a b", ""),
        ("\udcff", ""),
    ],
)
def test_host_of(authority: str, host: str) -> None:
    """The host of a ``Host`` header is returned, or an empty text if the header is malformed."""
    assert host_of(authority) == host


def test_host_names() -> None:
    """Names are in lower case, as they are compared; an IPv6 address has no brackets."""
    assert host_names(["KFQ.test", "10.0.0.1", "fe80::A"], "hosts") == {"kfq.test", "10.0.0.1", "fe80::a"}
    assert host_names((), "hosts") == set()
