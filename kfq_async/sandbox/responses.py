"""Responses of the platform over HTTP: envelopes, their label and compression, downloads, and refused requests."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING
from urllib.parse import quote_plus

import orjson
from aiohttp import web
from aiohttp.http import HttpVersion11

from kfq_async.models.zones import CHINA
from kfq_async.sandbox.checks import HIDDEN_ERROR_PAGE, Download
from kfq_async.sandbox.web import frame
from kfq_async.sandbox.web.forms import html

if TYPE_CHECKING:
    from kfq_async.sandbox.checks import PlatformResponse

__all__ = ["HEADERS", "bad_request", "is_acceptable", "not_found", "render"]

HEADERS = {
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    # JSON may be labelled text/html and repeats what the request holds: it must not run scripts.
    "Content-Security-Policy": "sandbox; default-src 'none'",
}
MAX_HEAD = 8192
"""Maximum size of the request line and the headers in bytes (protocol section 1.10)."""
MAX_HEADER_LINES = 100

_UNSAFE = re.compile(r'[|{}\[\]"\\ ]|[^\x00-\x7f]')
"""Characters of a request target that the platform's web server refuses, unless they are percent-encoded."""
_GZIP = re.compile(r"\bgzip\b(?!\s*;\s*q=0(\.0*)?\s*(,|$))", re.IGNORECASE)
_TEXT_TYPES = ("text/html", "text/plain")


def is_acceptable(request: web.Request) -> bool:
    """Return whether the platform's web server reads the head of a request (protocol section 1.10)."""
    target = request.raw_path
    size = len(request.method) + len(target.encode(errors="surrogateescape")) + len("  HTTP/1.1\r\n\r\n")
    size += sum(len(name) + len(value) + len(": \r\n") for name, value in request.raw_headers)
    return size <= MAX_HEAD and len(request.raw_headers) <= MAX_HEADER_LINES and not _UNSAFE.search(target)


def bad_request() -> web.Response:
    """Return the web server's answer to a head that it does not read."""
    return html(frame.bad_request(), frame.headers(), 400)


def not_found(request: web.Request, now: float) -> web.Response:
    """Return the framework's error document of an unknown path (protocol section 1.5, form C).

    ``now`` is in seconds since the epoch.
    """
    document = {
        "timestamp": f"{datetime.fromtimestamp(now, CHINA):%Y-%m-%d %H:%M:%S}",
        "status": 404,
        "error": "Not Found",
        "path": request.path,
    }
    response = web.Response(body=orjson.dumps(document), status=404, content_type="application/json", headers=HEADERS)
    _chunk(request, response)
    return response


def render(request: web.Request, response: PlatformResponse | Download, now_ms: int) -> web.Response:
    """Return a response as the platform sends it: chunked, and compressed if the client accepts it."""
    if isinstance(response, Download):
        return _download(request, response)
    # The login filter, which answers in place of the error page, does not look at ``Accept``.
    label = "application/json" if response is HIDDEN_ERROR_PAGE else _label(request)
    envelope = {
        "code": response.code,
        "message": response.message,
        "result": response.result,
        "timestamp": str(now_ms) if label in _TEXT_TYPES else now_ms,
    }
    if response.internal:
        # ``success`` cannot be trusted: some error codes are built with ``true`` (protocol section 1.5).
        envelope = {"success": response.code in {200, 401, 550}, **envelope}
    rendered = web.Response(
        body=orjson.dumps(envelope),
        status=401 if response.internal and response.code == 401 else 200,
        content_type=label,
        charset="utf-8" if label in _TEXT_TYPES else None,
        headers=HEADERS,
    )
    _chunk(request, rendered)
    # For a HEAD aiohttp would send an empty gzip stream as its body.
    if _GZIP.search(request.headers.get("Accept-Encoding", "")) and request.method != "HEAD":
        rendered.enable_compression(web.ContentCoding.gzip)
    return rendered


def _label(request: web.Request) -> str:
    """Return the content type of an envelope: that of the first media type in ``Accept`` that fits one."""
    for media_type in _by_preference(request.headers.get("Accept", "*/*")):
        if media_type in _TEXT_TYPES:
            return media_type
        if media_type in {"application/json", "application/*", "*/*"}:
            break
    return "application/json"


def _by_preference(accept: str) -> list[str]:
    """Return the media types of an ``Accept`` header, those of a higher quality first."""
    weighted = []
    for entry in accept.lower().split(","):
        media_type, *parameters = (part.strip() for part in entry.split(";"))
        quality = next((part[2:] for part in parameters if part.startswith("q=")), "1")
        weighted.append((-float(quality) if re.fullmatch(r"[01](\.\d*)?", quality, re.ASCII) else 0.0, media_type))
    return [media_type for _, media_type in sorted(weighted, key=lambda entry: entry[0])]


def _download(request: web.Request, download: Download) -> web.Response:
    name = quote_plus(download.file_name, safe="*").replace("~", "%7E")  # as a Java form encoder does
    headers = {
        **HEADERS,
        "Content-Type": "application/octet-stream;charset=utf-8",
        "Content-Disposition": f"attachment;fileName={name}",
        "fileName": name,
    }
    response = web.Response(body=download.content, headers=headers)
    _chunk(request, response)
    return response


def _chunk(request: web.Request, response: web.Response) -> None:
    if request.version >= HttpVersion11:
        response.enable_chunked_encoding()
