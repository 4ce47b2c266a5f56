"""A row's request, written under the id that the ledger has for it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from kfq_async.protocol.codec import encode, fields_of
from kfq_async.protocol.requests import REQUEST_ID, Encoded

if TYPE_CHECKING:
    from collections.abc import Callable

    from kfq_async.callbacks.urls import CallbackUrls
    from kfq_async.models.identity import CorpIdentLinkRequest

__all__ = ["bound_to", "written"]


def written(request: CorpIdentLinkRequest, request_id: str) -> Encoded:
    """Write ``request`` under this id instead of its own; raises `EncodeError` for what cannot be sent."""
    fields = fields_of(request)
    fields[REQUEST_ID] = request_id  # it is the last field, so the order stays
    return Encoded(encode(fields), request_id)


def bound_to(callbacks: CallbackUrls) -> Callable[[CorpIdentLinkRequest, str], Encoded]:
    """Return a function like `written` that also binds the URLs to the id."""

    def bound(request: CorpIdentLinkRequest, request_id: str) -> Encoded:
        return written(callbacks.bind(attrs.evolve(request, client_request_id=request_id)), request_id)

    return bound
