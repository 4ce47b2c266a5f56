"""Checks of a saved notification, one for each step of the proofs (protocol sections 5.4 and 6.5). Pure.

Findings hold nothing of the notification but sizes, its ``clientRequestId``, and a prefix of the path that a proxy
added or removed, so that they can be passed on.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from itertools import product
from typing import TYPE_CHECKING, TypeVar

from attrs import field, frozen

from kfq_async.callbacks.parsing import (
    normalize_headers,
    parse_body,
    parse_contract_event,
    parse_identity_notification,
    require_header,
)
from kfq_async.callbacks.urls import CallbackUrls, Purpose
from kfq_async.cli.findings import Check, Status
from kfq_async.cli.verify_callback.alterations import original_bodies, original_paths, original_signatures
from kfq_async.errors import CallbackRejected
from kfq_async.protocol.signing import decode_signature, load_json, load_public_key, signed_digest, string_to_sign

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from kfq_async.cli.verify_callback.alterations import Alteration
    from kfq_async.cli.verify_callback.saved import SavedRequest

__all__ = ["Expectations", "diagnose"]

PartT = TypeVar("PartT", str, bytes)
IDENTITY_HEADERS = ("appId", "nonce", "timestamp", "sign")


@frozen(kw_only=True)
class Expectations:
    """What a notification is compared with.

    Attributes:
        keys: Public keys of the sender, valid ones in any form; empty if signatures are not checked.
        app_id: Own ``appId``; ``None`` for contract events, and if signatures are not checked.
        tolerance: Seconds between timestamp and reception.
        received: Time of reception in seconds since the epoch; ``None`` if it is not known.
        registered: Path of the callback URL as the platform has it; ``None`` if it is not known.
        urls: Bound callback URLs; ``None`` if they are not checked.
    """

    keys: tuple[bytes, ...] = ()
    app_id: str | None = field(default=None, repr=False)
    tolerance: float
    received: float | None = None
    registered: str | None = field(default=None, repr=False)
    urls: CallbackUrls | None = None

    @property
    def signed_headers(self) -> tuple[str, ...]:
        """Headers that a signature needs."""
        return ("sign",) if self.app_id is None else IDENTITY_HEADERS


def diagnose(request: SavedRequest, expected: Expectations) -> Iterator[Check]:
    """Yield the checks, in the order of the proofs' steps."""
    yield _check_body(request)
    if expected.keys:
        headers = _check_headers(request, expected.signed_headers)
        yield headers
        if headers.status is Status.OK:
            if expected.app_id is not None:
                yield _check_application(request, expected.app_id)
                yield _check_freshness(request, expected)
            yield _check_signature(request, expected)
    if expected.urls is not None:
        yield _check_url(request, expected.urls, expected.registered)
    yield _check_fields(request, event=bool(expected.keys) and expected.app_id is None)


def _check_body(request: SavedRequest) -> Check:
    name, size = "body", len(request.body)
    lengths = request.values("Content-Length")
    plain = not request.values("Content-Encoding")
    if plain and len(lengths) == 1 and lengths[0].isdecimal() and int(lengths[0]) != size:
        kind, remedy = _explain_length(request.body, int(lengths[0]))
        found = f"it was {kind}: Content-Length says {lengths[0]} bytes, and it has {size}"
        return Check(name, Status.FAILED, found, remedy)
    try:
        load_json(request.body)
    except json.JSONDecodeError as error:
        if error.pos >= len(error.doc.rstrip()) or error.msg.startswith("Unterminated string"):
            found = f"it was truncated: the JSON does not end within its {size} bytes"
            return Check(name, Status.FAILED, found, "let proxy and framework pass the whole body")
    except ValueError:
        pass  # `parse_body` says what is wrong
    try:
        parse_body(request.body)
    except CallbackRejected as error:
        return Check(name, Status.FAILED, str(error), "save the raw bytes of the request")
    return Check(name, Status.OK, f"a JSON object of {size} bytes")


def _explain_length(body: bytes, length: int) -> tuple[str, str]:
    """Return what was done to a body of another length than was sent, and the remedy; whole JSON was re-encoded."""
    with suppress(ValueError):
        load_json(body)
        if len(body) < length or body[length:].strip():
            return "re-encoded", "save the raw bytes, before anything parses the JSON and writes it again"
    kind = "truncated" if length > len(body) else "extended"
    return kind, "save the raw bytes; let proxy and framework pass the whole body"


def _check_headers(request: SavedRequest, names: Iterable[str]) -> Check:
    problems, pairs = [], normalize_headers(request.headers)
    for name in names:
        try:
            require_header(pairs, name)
        except CallbackRejected as error:
            problems.append(str(error))
    if problems:
        remedy = "let the proxy pass these headers as they are; other senders, such as scanners, do not have them"
        return Check("headers", Status.FAILED, "; ".join(problems), remedy)
    return Check("headers", Status.OK, f"{', '.join(names)}: present, once each")


def _check_application(request: SavedRequest, app_id: str) -> Check:
    if request.values("appId") == [app_id]:
        return Check("appId", Status.OK, "it is that of --app-id")
    return Check("appId", Status.FAILED, "it is not that of --app-id", "compare both with the administration pages")


def _check_freshness(request: SavedRequest, expected: Expectations) -> Check:
    name, (timestamp,) = "freshness", request.values("timestamp")
    if not (timestamp.isascii() and timestamp.isdecimal() and len(timestamp) < 20):
        return Check(name, Status.FAILED, "the timestamp is not a number of milliseconds")
    if expected.received is None:
        return Check(name, Status.UNKNOWN, "the time of reception is not known", "give --received")
    age = expected.received - int(timestamp) / 1000
    found = f"it was received {abs(age):.1f} s {'after' if age >= 0 else 'before'} its timestamp"
    if abs(age) <= expected.tolerance:
        return Check(name, Status.OK, found)
    if age < 0:
        return Check(name, Status.FAILED, found, "the clock of this machine is behind, or that of the sender ahead")
    remedy = "correct the clock of this machine; if it is right, something held the notification back, or replayed it"
    return Check(name, Status.FAILED, found, remedy)


def _check_signature(request: SavedRequest, expected: Expectations) -> Check:
    name, (signature,) = "signature", request.values("sign")
    signatures: dict[str, Alteration | None] = {signature: None, **original_signatures(signature)}
    for text, altered in signatures.items():
        for number, key in enumerate(expected.keys, start=1):
            digest = signed_digest(text, key)
            if digest is not None:
                return _compare(request, expected, digest, altered, f"key {number} of {len(expected.keys)}")
    raw = decode_signature(signature)
    if raw is None:
        return Check(name, Status.FAILED, "the header sign is not base64", "read the header as it was sent")
    sizes = sorted({(load_public_key(key).key_size + 7) // 8 for key in expected.keys})
    if len(raw) not in sizes:
        found = f"it has {len(raw)} bytes, and those of the keys have {' or '.join(map(str, sizes))}"
        return Check(name, Status.FAILED, found, "give the key of the platform that sent it; the header may be cut off")
    return Check(
        name,
        Status.FAILED,
        "none of the keys made it",
        "give the public key of the platform that sent it: each platform, and each sandbox, has its own",
    )


def _compare(
    request: SavedRequest, expected: Expectations, digest: bytes, altered: Alteration | None, key: str
) -> Check:
    """Compare what was signed with the request and with what it may have been; the fewest alterations win."""
    name = "signature"
    for message, alterations in _messages(request, expected):
        if hashlib.sha256(message).digest() == digest:
            every = [each for each in (altered, *alterations) if each is not None]
            if not every:
                return Check(name, Status.OK, f"it holds, under {key}")
            found = f"{key} made it, for the request before it was altered: {'; '.join(what for what, _ in every)}"
            return Check(name, Status.FAILED, found, "; ".join(dict.fromkeys(remedy for _, remedy in every)))
    parts = "body" if expected.app_id is None else "body, path, nonce, timestamp or appId"
    return Check(
        name,
        Status.FAILED,
        f"{key} made it, for another request: {parts} changed on the way, in no way that is known",
        (
            "save the raw bytes of the body and the raw path; give --notify, if a proxy rewrites the path"
            if expected.registered is None
            else "save the raw bytes of the body and the raw path; compare --notify with the URL that the platform has"
        ),
    )


def _messages(request: SavedRequest, expected: Expectations) -> Iterator[tuple[bytes, tuple[Alteration | None, ...]]]:
    """Yield what the signature may cover, with the alterations that this supposes, the fewest first."""
    identity, body = expected.app_id is not None, request.body
    bodies = _with_itself(body, original_bodies(body, canonical=identity))
    if not identity:
        yield from ((text, (altered,)) for text, altered in bodies)
    if all(len(request.values(name)) == 1 for name in IDENTITY_HEADERS):
        (app_id,), (nonce,), (timestamp,), _ = map(request.values, IDENTITY_HEADERS)
        paths = _with_itself(request.path, original_paths(request.path, expected.registered))
        apps: list[tuple[str, Alteration | None]] = [(app_id, None)]
        if identity and expected.app_id not in {None, app_id}:
            apps.append((str(expected.app_id), ("the header appId was changed", "let the proxy pass it unchanged")))
        kind = None if identity else ("it is an identity notification, not a contract event", "give --app-id")
        combined = product(bodies, paths, apps)
        for parts in sorted(combined, key=lambda parts: sum(altered is not None for _, altered in parts)):
            (text, _), (path, _), (app, _) = parts
            try:
                message = string_to_sign(app, text, nonce=nonce, timestamp=timestamp, uri=path)
            except ValueError:
                continue  # it is not JSON
            yield message.encode(), (kind, *(altered for _, altered in parts))
    if identity:
        yield body, (("it is a contract event, not an identity notification", "give --event"),)


def _with_itself(part: PartT, alternatives: Mapping[PartT, Alteration]) -> list[tuple[PartT, Alteration | None]]:
    """Return a part that was not altered, and what it may have been."""
    parts: list[tuple[PartT, Alteration | None]] = [(part, None)]
    parts += alternatives.items()
    return parts


def _check_url(request: SavedRequest, urls: CallbackUrls, registered: str | None) -> Check:
    name, path = "url", request.path
    try:
        return Check(name, Status.OK, f"it holds, for clientRequestId {urls.match(path, purpose=Purpose.NOTIFY)}")
    except CallbackRejected:
        pass
    if _matches(urls, path, Purpose.PAGE):
        remedy = "use it as callback_page only; notifications have a URL of their own"
        return Check(name, Status.FAILED, "it is the URL of the page, not that of notifications", remedy)
    segment = path.partition("?")[0].rstrip("/").rpartition("/")[2]
    for candidate, (altered, remedy) in original_paths(path, registered).items():
        if _matches(urls, candidate, Purpose.NOTIFY):
            return Check(name, Status.FAILED, f"it holds for the path before it was altered: {altered}", remedy)
    if "." not in segment:
        remedy = "bind each request with CallbackUrls.bind; a request of another program has another URL"
        return Check(name, Status.FAILED, "the path carries no id with its HMAC", remedy)
    remedy = "give the secret that bound the URL; old ones stay in CallbackUrls until their links have expired"
    return Check(name, Status.FAILED, "the HMAC in the path was made with another secret, or altered", remedy)


def _matches(urls: CallbackUrls, path: str, purpose: Purpose) -> bool:
    try:
        urls.match(path, purpose=purpose)
    except CallbackRejected:
        return False
    return True


def _check_fields(request: SavedRequest, *, event: bool) -> Check:
    """Check that the body is a notification of the expected kind."""
    name, kind = "fields", "a contract event" if event else "an identity notification"
    try:
        data: Mapping[str, object] = parse_body(request.body).data
        parse_contract_event(data) if event else parse_identity_notification(data)
    except CallbackRejected as error:
        return Check(name, Status.FAILED, str(error))
    return Check(name, Status.OK, f"those of {kind}")
