"""An operation is a value that refuses what the platform cannot have."""

from __future__ import annotations

import re

import pytest
from attrs.exceptions import FrozenInstanceError

from kfq_async import CORP_IDENT_LINK, ApiResponse, CorpIdentLinkRequest, CredentialPlacement, Idempotency, Operation


def test_defaults_are_the_careful_ones() -> None:
    """An operation of one's own is taken for one that must not be repeated, with its credentials in headers."""
    operation: Operation[object, object] = Operation("POST", "/auth/person/ident/link")
    assert operation.idempotency is Idempotency.NONE
    assert operation.credentials is CredentialPlacement.HEADERS
    assert (operation.request, operation.result, operation.hosted_only) == (None, None, False)


def test_the_documented_operation() -> None:
    """The one documented operation has its documented path, and repeats under ``clientRequestId``."""
    assert CORP_IDENT_LINK.name == "POST /auth/corp/ident/link"
    assert CORP_IDENT_LINK.credentials is CredentialPlacement.HEADERS
    assert CORP_IDENT_LINK.idempotency is Idempotency.KEYED
    assert CORP_IDENT_LINK.request is CorpIdentLinkRequest


@pytest.mark.parametrize("method", ["get", "PUT", "DELETE", "", "POST "])
def test_other_methods_are_refused(method: str) -> None:
    """The platform knows GET and POST alone, in capitals."""
    with pytest.raises(ValueError, match=rf"'GET' or 'POST'.* not {method!r}$"):
        Operation(method, "/a")


@pytest.mark.parametrize("path", ["", "a", "a/b", "/a?b=c", "/a#b", "/a b", "/a\\b", "https://h.example/a"])
def test_paths_that_are_none_are_refused(path: str) -> None:
    """A path starts with a slash and holds no query, fragment or blank."""
    with pytest.raises(ValueError, match=rf"path must start with '/'.* not {re.escape(repr(path))}$"):
        Operation("GET", path)


def test_operations_are_values() -> None:
    """Operations compare by value, serve as keys, and cannot be changed."""
    one: Operation[object, object] = Operation("GET", "/signRes", idempotency=Idempotency.SAFE)
    twin: Operation[object, object] = Operation("GET", "/signRes", idempotency=Idempotency.SAFE)
    assert {one: 1}[twin] == 1
    with pytest.raises(FrozenInstanceError):
        one.path = "/other"  # type: ignore[misc]


def test_an_answer_shows_no_envelope() -> None:
    """An answer can be printed: the envelope, which repeats the result in plain, is left out."""
    assert (
        repr(ApiResponse(result=1, envelope={"authUrl": "https://h.example"}, attempts=2))
        == "ApiResponse(result='***', attempts=2)"
    )
