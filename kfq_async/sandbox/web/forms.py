"""Reading what an HTML form sends."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["html", "read_form", "see_other"]

LARGEST_FORM = 1024 * 1024
"""Bytes."""
MOST_FIELDS = 100


async def read_form(request: web.Request) -> dict[str, str]:
    """Return the fields of a form; of what is no form of ours, none.

    Raises aiohttp's `HTTPRequestEntityTooLarge` beyond 1 MiB.
    """
    if request.content_type != "application/x-www-form-urlencoded":
        return {}
    body = await request.clone(client_max_size=LARGEST_FORM).read()
    try:
        return dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MOST_FIELDS))
    except ValueError:
        return {}


def html(page: str, headers: Mapping[str, str], status: int = 200) -> web.Response:
    """Answer with a page."""
    return web.Response(text=page, status=status, content_type="text/html", headers=headers)


def see_other(location: str, headers: Mapping[str, str]) -> web.Response:
    """Send the browser elsewhere after a form, with a GET."""
    return web.Response(status=303, headers={**headers, "Location": location})
