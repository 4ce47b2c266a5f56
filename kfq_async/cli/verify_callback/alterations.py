"""What proxies, gateways and frameworks do to a request before a service saves it, undone. Pure.

Each alteration is a description, and the part as it was before.
"""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote, unquote

from kfq_async.protocol.signing import load_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = ["Alteration", "original_bodies", "original_paths", "original_signatures"]

PartT = TypeVar("PartT", str, bytes)
Alteration = tuple[str, str]
"""What was done to the part, and what to do about it."""


def original_paths(path: str, registered: str | None) -> dict[str, Alteration]:
    """Return the paths that a signature may cover in place of ``path``; ``registered`` is that of the callback URL."""
    return _distinct(path, _original_paths(path, registered))


def _original_paths(path: str, registered: str | None) -> Iterator[tuple[str, Alteration]]:
    bare, mark, _ = path.partition("?")
    if mark:
        yield bare, ("the saved path has a query, which is not signed", "pass the path without its query")
    slash = "a slash was added at the end of the path, or removed", "let the proxy pass the path unchanged"
    yield bare.removesuffix("/") if bare.endswith("/") else f"{bare}/", slash
    for text in (unquote(bare), quote(bare, safe="/%"), quote(bare, safe="/")):
        yield text, ("the path was percent-decoded or -encoded", "pass the raw path, such as scope['raw_path']")
    segments = bare.split("/")
    for index in range(2, len(segments)):
        prefix = "/".join(segments[:index])
        put = f"the proxy put the prefix {prefix} in front", "pass public_path=a function that removes it"
        yield "/" + "/".join(segments[index:]), put
    if registered is not None:
        bound = f"{registered.rstrip('/')}/{bare.rstrip('/').rpartition('/')[2]}"  # with the segment of a bound URL
        for public in (registered, bound):
            yield public, _rewritten(bare, public)


def _rewritten(path: str, registered: str) -> Alteration:
    if registered.endswith(path):
        prefix = registered.removesuffix(path)
        return f"the proxy removed the prefix {prefix} of the path", f"pass public_path={prefix!r}"
    return (
        "the proxy rewrote the path of --notify",
        "pass public_path=a function from the path seen to that of --notify",
    )


def original_signatures(signature: str) -> dict[str, Alteration]:
    """Return the signatures that may have been sent in place of one."""
    bare, remedy = signature.rstrip("="), "read the header as it was sent"
    candidates = (
        (signature.replace(" ", "+"), "the header sign was form-decoded: + became a space"),
        (unquote(signature), "the header sign was percent-encoded"),
        (signature.replace("-", "+").replace("_", "/"), "the header sign is in the URL-safe alphabet of base64"),
        (bare + "=" * (-len(bare) % 4), "the padding of the header sign was cut off"),
    )
    return _distinct(signature, ((text, (altered, remedy)) for text, altered in candidates))


def original_bodies(body: bytes, *, canonical: bool) -> dict[bytes, Alteration]:
    """Return the bodies that may have been sent in place of one.

    With ``canonical`` the signature covers the JSON values, so that their notation does not matter.
    """
    remedy = "pass the raw bytes of the request, before anything decodes or parses them"
    candidates = [*_decoded_bodies(body), *(() if canonical else _written_bodies(body))]
    return _distinct(body, ((text, (altered, remedy)) for text, altered in candidates))


def _decoded_bodies(body: bytes) -> Iterator[tuple[bytes, str]]:
    yield body.removeprefix(b"\xef\xbb\xbf"), "a byte order mark was put in front of the body"
    for encoding, name in (("latin-1", "Latin-1"), ("cp1252", "Windows-1252"), ("gb18030", "GBK")):
        with suppress(UnicodeError):
            yield body.decode().encode(encoding), f"the body was read as {name}, and written as UTF-8"
        with suppress(UnicodeError):
            yield body.decode(encoding).encode(), f"the body was converted from UTF-8 to {name}"


def _written_bodies(body: bytes) -> Iterator[tuple[bytes, str]]:
    for text in (body.rstrip(b"\r\n"), body.strip()):
        yield text, "white space was added around the body"
    yield body.replace(b"\r\n", b"\n"), "line ends of the body were converted"
    with suppress(ValueError):
        data = load_json(body)
        for write in _writers():
            yield write(data).encode(), "the body was parsed and written again"


def _distinct(altered: PartT, originals: Iterable[tuple[PartT, Alteration]]) -> dict[PartT, Alteration]:
    """Return the originals that differ from the altered part, each with its first explanation."""
    found: dict[PartT, Alteration] = {}
    for original, alteration in originals:
        if original != altered:
            found.setdefault(original, alteration)
    return found


def _writers() -> Iterator[Callable[[object], str]]:
    """Yield the ways in which the JSON of a body may have been written, as far as its values remain."""
    for ascii_only in (False, True):
        for separators in ((",", ":"), (", ", ": ")):
            yield json.JSONEncoder(ensure_ascii=ascii_only, separators=separators).encode
