"""A request as it is sent, under the id of the ledger."""

from __future__ import annotations

import attrs
import pytest

from companies import request
from kfq_async import CallbackUrls
from kfq_async.onboarding.bodies import bound_to, written
from kfq_async.protocol.codec import encode, fields_of


@pytest.mark.parametrize("own", [None, "its own"])
def test_written(own: str | None) -> None:
    """Byte for byte what a request with this id is sent as, whatever id it had."""
    before = attrs.evolve(request(), client_request_id=own)
    expected = fields_of(attrs.evolve(before, client_request_id="id-1"))
    assert encode(written(before, "id-1")) == encode(expected)
    assert before.client_request_id == own


def test_bound() -> None:
    """With URLs, they are bound to the id."""
    urls = CallbackUrls([b"s" * 32], page="https://shop.example/done", notify="https://shop.example/hooks")
    fields = bound_to(urls)(request(), "id-1")
    assert fields == fields_of(urls.bind(attrs.evolve(request(), client_request_id="id-1")))
    assert str(fields["authCallbackUrl"]).startswith("https://shop.example/hooks/")
