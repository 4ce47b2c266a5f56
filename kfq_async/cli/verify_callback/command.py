"""The command ``kfq verify-callback``."""

from __future__ import annotations

import math
import os
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from yarl import URL

from kfq_async.callbacks.urls import CallbackUrls
from kfq_async.cli.findings import Status, print_check, print_checks_as_json
from kfq_async.cli.options import Flag, JsonOutput, UsageError
from kfq_async.cli.verify_callback.diagnosis import Expectations, diagnose
from kfq_async.cli.verify_callback.saved import SavedRequest, parse_head
from kfq_async.languages import gettext, translate
from kfq_async.models.masking import MaskedBytes, MaskedStr, mask_text
from kfq_async.protocol.envelope import parse_timestamp
from kfq_async.protocol.signing import load_public_key

__all__ = ["verify_callback"]

SECRET_VARIABLE = "KFQ_CALLBACK_SECRET"  # noqa: S105  # name of an environment variable
InputFile = Annotated[Path, Parameter(allow_leading_hyphen=True)]


def verify_callback(
    *,
    body: InputFile,
    headers: Path,
    path: str | None = None,
    public_key: Annotated[list[Path] | None, Parameter(negative=())] = None,
    app_id: str | None = None,
    event: Flag = False,
    notify: str | None = None,
    received: str | None = None,
    tolerance: float = 300.0,
    json_: JsonOutput = False,
) -> int:
    """Check the proofs of a saved notification and, where one fails, name the step that differs.

    The signature is checked with --public-key, and the bound URL with --notify and KFQ_CALLBACK_SECRET. The output
    holds nothing of the notification but sizes, clientRequestId, and a prefix of the path that a proxy added or
    removed. Exit status: 0 all checks pass, 1 one fails, 2 usage error.

    Parameters
    ----------
    body
        File with the raw bytes of the body; - reads standard input.
    headers
        File with the headers: lines as in HTTP, with or without the request line, or JSON.
    path
        Raw path of the request (default: that of the request line).
    public_key
        File with a public key of the platform, in PEM, bare base64 or DER, repeatable.
    app_id
        appId of your application, for an identity notification.
    event
        It is a contract event, whose signature covers the body alone.
    notify
        Callback URL as the platform has it, without the segment of a bound URL.
    received
        Time of reception: seconds or milliseconds since the epoch, or ISO 8601 with a zone.
    tolerance
        Seconds by which the timestamp may differ from the time of reception.
    json_
        Print JSON instead of text.
    """
    head, request_path = _read_head(headers)
    target = mask_text(path or request_path)
    if target is None and not event:
        raise UsageError(gettext("--path is missing: the headers have no request line"))
    request = SavedRequest(body=_read(body, "--body"), headers=head, path=target or MaskedStr("/"))
    checks = list(diagnose(request, _expectations(public_key or [], app_id, notify, received, tolerance, event=event)))
    if json_:
        print_checks_as_json(checks)
    else:
        for check in checks:
            print_check(check)
    return int(any(check.status is Status.FAILED for check in checks))


def _expectations(
    key_files: list[Path],
    app_id: str | None,
    notify: str | None,
    received: str | None,
    tolerance: float,
    *,
    event: bool,
) -> Expectations:
    if key_files and (app_id is None) is not event:
        raise UsageError(
            gettext("--public-key needs --app-id for an identity notification, or --event for a contract event")
        )
    if not 0 <= tolerance < math.inf:
        raise UsageError(
            gettext("--tolerance must be at least 0 seconds, and finite, not {seconds:g}", seconds=tolerance)
        )
    moment = None if received is None else parse_timestamp(received)
    if received is not None and moment is None:
        raise UsageError(gettext("--received must be a number of seconds or milliseconds, or ISO 8601 with a zone"))
    urls = _bound_urls(notify) if notify is not None and os.environ.get(SECRET_VARIABLE) and not event else None
    if not key_files and urls is None:
        raise UsageError(gettext("give --public-key, or --notify with {name} in the environment", name=SECRET_VARIABLE))
    keys = []
    for file in key_files:
        try:
            keys.append(_read(file, "--public-key"))
            load_public_key(keys[-1])
        except ValueError as error:
            raise UsageError(
                gettext("{option} {value}: {problem}", option="--public-key", value=file, problem=translate(error))
            ) from None
    return Expectations(
        keys=tuple(keys),
        app_id=app_id if key_files else None,
        tolerance=tolerance,
        received=None if moment is None else moment.timestamp(),
        registered=None if notify is None else _path_of(notify),
        urls=urls,
    )


def _bound_urls(notify: str) -> CallbackUrls:
    secret = mask_text(os.environ[SECRET_VARIABLE])
    try:
        key = MaskedBytes(bytes.fromhex(secret))
    except ValueError:
        raise UsageError(gettext("{name} must hold hexadecimal digits, two per byte", name=SECRET_VARIABLE)) from None
    try:
        return CallbackUrls([key], page=notify, notify=notify)
    except ValueError as error:
        raise UsageError(gettext("--notify or {name}: {error}", name=SECRET_VARIABLE, error=translate(error))) from None


def _path_of(notify: str) -> str:
    try:
        return URL(notify).raw_path.rstrip("/") or "/"
    except ValueError:
        raise UsageError(gettext("--notify must be like https://your-domain.com/kfq/notify")) from None


def _read_head(file: Path) -> tuple[tuple[tuple[str, str], ...], str | None]:
    try:
        return parse_head(_read(file, "--headers").decode())
    except ValueError as error:
        reason = gettext("it is not UTF-8") if isinstance(error, UnicodeDecodeError) else translate(error)
        raise UsageError(f"--headers {file}: {reason}") from None


def _read(file: Path, option: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        raise UsageError(f"{option} {file}: {translate(error.strerror)}") from None
