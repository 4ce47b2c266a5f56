"""Language of the console: that of ``?lang=``, else the one chosen before, else the browser's."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kfq_async.sandbox.web.texts import LANGUAGES

if TYPE_CHECKING:
    from aiohttp import web

__all__ = ["choose_language", "remember_language"]

COOKIE = "kfq_lang"
PATH = "/sandbox/"
_RANGE = re.compile(r"\s*([A-Za-z]{1,8})[A-Za-z0-9-]*(?:\s*;\s*q=([01](?:\.[0-9]{0,3})?))?\s*")
"""Language range of ``Accept-Language`` and its weight (RFC 9110, 12.5.4)."""


def choose_language(request: web.Request) -> str:
    """Return the language of a page: ``zh`` or ``en``, and ``zh`` if nothing asks for another one."""
    chosen = (request.query.get("lang", ""), request.cookies.get(COOKIE, ""))
    wanted = [primary for text in chosen if (primary := _primary(text)) in LANGUAGES]
    return next(iter(wanted + _accepted(request.headers.get("Accept-Language", ""))), next(iter(LANGUAGES)))


def remember_language(request: web.Request, response: web.Response) -> web.Response:
    """Keep the language that the URL names for pages without one; return the response."""
    language = _primary(request.query.get("lang", ""))
    if language in LANGUAGES:
        response.set_cookie(COOKIE, language, path=PATH, httponly=True, samesite="Lax")
    return response


def _primary(text: str) -> str:
    return text.partition("-")[0].lower()


def _accepted(header: str) -> list[str]:
    """Return the languages of the pages that a browser accepts, the preferred one first."""
    ranges = [found for part in header.split(",") if (found := _RANGE.fullmatch(part))]
    weights = [(float(found[2] or 1), found[1].lower()) for found in ranges]
    preferred = sorted(weights, key=lambda each: -each[0])
    return [language for weight, language in preferred if weight > 0 and language in LANGUAGES]
