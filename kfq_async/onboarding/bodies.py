"""A row's request as it is sent: its fields by the wire's names, under the id that the ledger has for it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from kfq_async.protocol.codec import fields_of
from kfq_async.protocol.requests import REQUEST_ID

if TYPE_CHECKING:
    from collections.abc import Callable

    from kfq_async.callbacks.urls import CallbackUrls
    from kfq_async.models.identity import CorpIdentLinkRequest

__all__ = ["bound_to", "written"]


def written(request: CorpIdentLinkRequest, request_id: str) -> dict[str, object]:
    """Return the fields of ``request`` under this id; its own id is left out."""
    fields = fields_of(request)
    fields[REQUEST_ID] = request_id  # it is the last field, so the order stays
    return fields


def bound_to(callbacks: CallbackUrls) -> Callable[[CorpIdentLinkRequest, str], dict[str, object]]:
    """Return a function like `written` that also binds the URLs to the id."""

    def bound(request: CorpIdentLinkRequest, request_id: str) -> dict[str, object]:
        return fields_of(callbacks.bind(attrs.evolve(request, client_request_id=request_id)))

    return bound
