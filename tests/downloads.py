"""Files, responses and servers that the tests of downloads share."""

from __future__ import annotations

import asyncio
import io
import zipfile
from typing import TYPE_CHECKING

from servers import ReceivedRequest, ScriptedServer, success

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

CONTACT = "13800138000"
PDF = b"%PDF-1.7\n" + b"SECRET-CONTENT\n" + bytes(range(256)) * 1200 + b"\nstartxref\n9\n%%EOF\n"
LARGE = b"%PDF-1.7\n" + bytes(24 * 1024 * 1024) + b"\n%%EOF\n"
"""A document that fits into no socket's buffer."""
COMPLETE = success({"status": "COMPLETE", "todoTaskList": []})
OCTETS = "application/octet-stream;charset=utf-8"
NAMED = "Content-Disposition: attachment;fileName=%E5%90%88%E5%90%8C+1.pdf\r\nfileName: other.pdf\r\n"


def files_in(folder: Path) -> list[Path]:
    """Return the paths in a folder."""
    return sorted(folder.iterdir())


def make_zip(*contents: bytes, comment: bytes = b"") -> bytes:
    """Return a ZIP of stored files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for number, content in enumerate(contents):
            archive.writestr(zipfile.ZipInfo(f"合同{number}.pdf"), content)  # without the time of its making
        archive.comment = comment
    return buffer.getvalue()


def head(kind: str = OCTETS, more: str = NAMED, status: int = 200) -> bytes:
    """Return the head of a response whose body ends with the connection, unless ``more`` says otherwise."""
    return f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\n{more}\r\n".encode("utf-8", "surrogateescape")


def chunked(body: bytes, kind: str = OCTETS, more: str = NAMED, *, size: int = 30_000, end: bool = True) -> bytes:
    """Return a response like the platform's: in chunks, and without a length."""
    parts = [body[start : start + size] for start in range(0, len(body), size)]
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts)
    return head(kind, f"{more}Transfer-Encoding: chunked\r\n") + chunks + (b"0\r\n\r\n" if end else b"")


def respond_to_downloads(
    *responses: bytes | tuple[bytes, ...] | None, tasks: bytes = COMPLETE
) -> Callable[[int, ReceivedRequest], Awaitable[bytes | tuple[bytes, ...] | None]]:
    """Return a script that sends ``tasks``, and to downloads the responses in turn, the last one again and again."""
    left = list(responses)

    async def script(_number: int, seen: ReceivedRequest) -> bytes | tuple[bytes, ...] | None:
        if "/contract/tasks" in seen.target:
            return tasks
        return left.pop(0) if len(left) > 1 else left[0]

    return script


class HeldServer(ScriptedServer):
    """Sends the beginning of a large file, and waits for the end of the connection."""

    def __init__(self) -> None:
        super().__init__(self._respond)
        self.ended = asyncio.Event()

    async def _respond(self, _number: int, _seen: ReceivedRequest) -> bytes:
        return head() + LARGE

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        try:
            await super()._exchange(reader, writer)
        finally:
            self.ended.set()
        return False
