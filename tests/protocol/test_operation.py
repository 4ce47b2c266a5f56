"""`Operation`: validation and defaults; `ApiResponse`: its ``repr``."""

from __future__ import annotations

from typing import Any

import pytest
from attrs.exceptions import FrozenInstanceError

from kfq_async import CORP_IDENT_LINK, ApiResponse, CorpIdentLinkRequest, CredentialPlacement, Idempotency, Operation


def test_defaults() -> None:
    """By default an operation is not retried once sent, and has its credentials in headers."""
    operation: Operation[object, object] = Operation("POST", "/auth/person/ident/link")
    assert operation.idempotency is Idempotency.NONE
    assert operation.credentials is CredentialPlacement.HEADERS
    assert (operation.request, operation.result, operation.hosted_only) == (None, None, False)


def test_corp_ident_link() -> None:
    """The documented operation has its documented path, and is keyed by ``clientRequestId``."""
    assert CORP_IDENT_LINK.name == "POST /auth/corp/ident/link"
    assert CORP_IDENT_LINK.credentials is CredentialPlacement.HEADERS
    assert CORP_IDENT_LINK.idempotency is Idempotency.KEYED
    assert CORP_IDENT_LINK.request is CorpIdentLinkRequest


@pytest.mark.parametrize("method", ["get", "PUT", "DELETE", "", "POST "])
def test_invalid_methods(method: str) -> None:
    """Any method other than GET and POST, in capitals, is refused."""
    with pytest.raises(ValueError, match=r"^method must be 'GET' or 'POST', in capitals"):
        Operation(method, "/a")


@pytest.mark.parametrize(
    "path",
    [
        *("", "a", "a/b", "/a?b=c", "/a#b", "/a b", "/a\\b", "https://h.example/a", "//h.example/a", None, 5),
        *("/../a", "/a/..", "/./a", "/%2e%2E/a", "/.%2e/a", "/%252e%252e/a", "/a%2f..", "/a%5C..", "/..;/a", "/a\n"),
    ],
)
def test_invalid_paths(path: Any) -> None:
    """A path must start with a slash, and be read by every server as it is written; the text does not show it."""
    with pytest.raises(ValueError, match=r"^path must be like '/contract/tasks': ASCII .* '\.' or '\.\.'$"):
        Operation("GET", path)


def test_operations_are_values() -> None:
    """Operations compare by value, are hashable, and cannot be changed."""
    one: Operation[object, object] = Operation("GET", "/signRes", idempotency=Idempotency.SAFE)
    twin: Operation[object, object] = Operation("GET", "/signRes", idempotency=Idempotency.SAFE)
    assert {one: 1}[twin] == 1
    with pytest.raises(FrozenInstanceError):
        one.path = "/other"  # type: ignore[misc]


def test_repr_of_a_response() -> None:
    """``repr`` of a response omits the envelope, which holds the result in plain."""
    envelope = {"authUrl": "https://h.example"}
    response = ApiResponse(result=1, envelope=envelope, attempts=2, http_status=200, unique_code="U1")
    assert repr(response) == "ApiResponse(result='***', attempts=2, http_status=200, unique_code='U1')"


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"credentials": "HEADERS"}, "Operation.credentials must be one of CredentialPlacement.HEADERS.*, not a str$"),
        ({"idempotency": "SAFE"}, "Operation.idempotency must be one of Idempotency.SAFE.*, not a str$"),
    ],
)
def test_member_names_are_refused(options: dict[str, Any], text: str) -> None:
    """A string in place of an enumeration member is refused."""
    with pytest.raises(TypeError, match=text):
        Operation("POST", "/x", **options)
