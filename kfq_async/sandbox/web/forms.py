"""HTML forms and pages over HTTP: reading a posted form, responding with a page or a redirect."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["html", "read_form", "see_other"]

MAX_FORM = 1024 * 1024
"""Maximum size of a form in bytes."""
MAX_FIELDS = 100


async def read_form(request: web.Request) -> dict[str, str]:
    """Return the fields of a posted form; empty for a body that is not one of the sandbox's forms.

    Raises aiohttp's `HTTPRequestEntityTooLarge` beyond 1 MiB.
    """
    if request.content_type != "application/x-www-form-urlencoded":
        return {}
    body = await request.clone(client_max_size=MAX_FORM).read()
    try:
        return dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MAX_FIELDS))
    except ValueError:
        return {}


def html(page: str, headers: Mapping[str, str], status: int = 200) -> web.Response:
    """Return a response with a page."""
    return web.Response(text=page, status=status, content_type="text/html", headers=headers)


def see_other(location: str, headers: Mapping[str, str]) -> web.Response:
    """Return a redirect that the browser follows with a GET."""
    return web.Response(status=303, headers={**headers, "Location": location})
