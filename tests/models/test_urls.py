"""URLs and paths that a caller passes."""

from __future__ import annotations

from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from kfq_async.models.urls import is_plain_path, parse_http_url

EXAMPLE = "https://host/path"


@pytest.mark.parametrize("path", ["/", "/a", "/a/b/", "/a.b/...", "/.well-known/a", "/A-_~0!$&'()*+,=:@"])
def test_plain_paths(path: str) -> None:
    """Segments of unreserved characters and delimiters are plain, also with a slash at the end."""
    assert is_plain_path(path)


@given(path=st.text(alphabet="/.%25eEfFcC;\\?#a \n\u3002"))
def test_a_plain_path_is_read_as_it_is_written(path: str) -> None:
    """A plain path is neither normalized nor decoded to another one, and has no ``..`` for any reader."""
    if is_plain_path(path):
        assert URL(f"http://host{path}").raw_path == path == unquote(path)
        assert not {"..", "."} & {segment.partition(";")[0] for segment in path.split("/")}
        assert "//" not in path


@pytest.mark.parametrize(
    "url",
    [
        "http://host",
        "HTTPS://HOST:8443/resrun-paas/",
        "http://127.0.0.1:8899/resrun-paas",
        "http://[::1]:8899/x",
        "http://my_service:8080/x",
        "https://平台.example/x",
        "https://host.example./x",
    ],
)
def test_valid_urls(url: str) -> None:
    """Names, IP addresses and international names are hosts, and a path is optional."""
    assert parse_http_url("base_url", url, example=EXAMPLE) == URL(url)


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("http://host\r\nX-Header: 1/", "it contains a space, a backslash or a control character"),
        ("http://ho\tst/", "it contains a space"),
        (" http://host/", "it contains a space"),
        ("http://host/\u202e", "it contains a space"),
        ("http:\\\\host/", "it contains a space"),
        ("host:3128", "it does not start with http:// or https://"),
        ("ftp://host", "it does not start with http:// or https://"),
        ("", "it does not start with http:// or https://"),
        ("http://host/?a=b", "it has a query or a fragment"),
        ("http://host/#", "it has a query or a fragment"),
        ("http://", "its host or port is invalid"),
        ("http://:80/", "its host or port is invalid"),
        ("http://[::1", "its host or port is invalid"),
        ("http://host:99999/", "its host or port is invalid"),
        ("http://host:0/", "its host or port is invalid"),
        ("http://host:x/", "its host or port is invalid"),
        ("http://ho%2fst/", "its host or port is invalid"),
        ("http://foo..bar/", "its host or port is invalid"),
        (f"http://{'x' * 64}.example/", "its host or port is invalid"),
        (f"http://{'ü' * 64}.example/", "its host or port is invalid"),
        ("http://host/a/../b", "its path has"),
        ("http://host/a/%2E%2e/b", "its path has"),
        ("http://host/a%2fb", "its path has"),
        ("http://host/a%5cb", "its path has"),
        ("http://host/a;/b", "its path has"),
        ("http://host//a", "its path has"),
        ("http://host/é", "its path has"),
    ],
)
def test_invalid_urls(url: str, problem: str) -> None:
    """An invalid URL is refused with the argument, an example and the reason, but without the URL."""
    with pytest.raises(ValueError, match=f"^base_url must be like {EXAMPLE}: {problem}") as caught:
        parse_http_url("base_url", url, example=EXAMPLE)
    assert caught.value.__context__ is None


def test_further_problem() -> None:
    """The caller may refuse URLs for reasons of its own."""
    with pytest.raises(ValueError, match=r"^proxy must be like https://host/path: no$"):
        parse_http_url("proxy", "http://host", example=EXAMPLE, find_problem=lambda _: "no")
