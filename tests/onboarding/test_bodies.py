"""A request as it is sent, under the id of the ledger."""

from __future__ import annotations

import attrs
import pytest

from companies import request
from kfq_async import CallbackUrls, EncodeError
from kfq_async.onboarding.bodies import bound_to, written
from kfq_async.protocol.codec import encode, fields_of
from kfq_async.protocol.requests import Encoded


@pytest.mark.parametrize("own", [None, "its own"])
def test_written(own: str | None) -> None:
    """Byte for byte what a request with this id is sent as, whatever id it had."""
    before = attrs.evolve(request(), client_request_id=own)
    expected = fields_of(attrs.evolve(before, client_request_id="id-1"))
    assert written(before, "id-1") == Encoded(encode(expected), "id-1")
    assert before.client_request_id == own


def test_bound() -> None:
    """With URLs, they are bound to the id."""
    urls = CallbackUrls([b"s" * 32], page="https://shop.example/done", notify="https://shop.example/hooks")
    found = bound_to(urls)(request(), "id-1")
    assert found == written(urls.bind(attrs.evolve(request(), client_request_id="id-1")), "id-1")
    assert b'"authCallbackUrl":"https://shop.example/hooks/' in found.body


def test_what_json_cannot_carry() -> None:
    """It is named by its path."""
    with pytest.raises(EncodeError, match=r"\$\.corpIdentInfo\.companyName"):
        written(request(name="公\ud800司"), "id-1")
