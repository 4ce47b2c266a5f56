"""Bodies of responses that are kept in memory."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aiohttp import ClientResponse

__all__ = ["MAX_RESPONSE", "read_body"]

MAX_RESPONSE = 8 * 1024 * 1024
"""Maximum size of a response body in bytes, after decompression; a larger one is refused while it arrives.

It does not concern a file that is downloaded, which is not kept in memory.
"""


async def read_body(response: ClientResponse, start: bytes = b"") -> bytes | None:
    """Return the whole body, of which ``start`` was read before, or ``None`` as soon as it is too long."""
    content = response.content
    if content.is_eof() and not start:  # a small body often arrives together with the head
        body = content.read_nowait()
    else:
        buffer = BytesIO()  # bytes in a variable would show the response in a traceback
        buffer.write(start)
        while not content.at_eof() and buffer.tell() <= MAX_RESPONSE:
            buffer.write(await content.readany())
        body = buffer.getvalue()
    if not body:
        body = await response.read()  # a mocked response may have no stream
    return body if len(body) <= MAX_RESPONSE else None
