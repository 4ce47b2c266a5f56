"""``kfq sandbox``: the sandbox as a server process."""

from __future__ import annotations

import asyncio
import os
import shlex
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from kfq_async.cli.options import Flag, JsonOutput, UsageError
from kfq_async.cli.terminal import print_json
from kfq_async.languages import gettext, translate
from kfq_async.sandbox import Fault, Sandbox
from kfq_async.sandbox.faults import FAULT_KINDS
from kfq_async.sandbox.fixtures import DefaultFixtures
from kfq_async.sandbox.quirks import QUIRKS
from kfq_async.sandbox.server import APP_ID

__all__ = ["sandbox"]

ALL = "all"
"""Name that stands for all quirks."""


def sandbox(
    *,
    port: int = 8899,
    state: Path | None = None,
    token: Annotated[list[str] | None, Parameter(negative=())] = None,
    fault: Annotated[list[str] | None, Parameter(negative=())] = None,
    seed: int = 0,
    fixtures: Path | None = None,
    strict: bool | None = None,
    rate_limit_form: Literal["internal", "api", "hidden", "none"] = "internal",
    without_quirk: Annotated[list[str] | None, Parameter(negative=())] = None,
    until_eof: Flag = False,
    faults: Flag = False,
    quirks: Flag = False,
    app_id: str = APP_ID,
    private_key: Path | None = None,
    callback_host: Annotated[list[str] | None, Parameter(negative=())] = None,
    allowed_host: Annotated[list[str] | None, Parameter(negative=())] = None,
    retry_speed: float | None = None,
    json_: JsonOutput = False,
) -> int:
    """Serve the protocol of the platform on loopback, for development and tests.

    Nothing here is real; the sandbox makes assumptions where the platform's documentation is silent.

    Parameters
    ----------
    port
        Port on 127.0.0.1; 0 chooses a free one.
    state
        SQLite file for orders, contracts, notifications, events and the signing key (default: memory).
    token
        Accepted appAuthToken, repeatable (default: PV9LQWZA, the token of the published sample).
    fault
        Fault to inject, repeatable: `KIND[/acted|/unacted][:SECONDS][*TIMES][@PROBABILITY]`, such as
        `delay:0.3@0.05`, `lose-response*2`, `502/acted` or `503:2*1@0.5`. --faults lists the kinds; `code-41003` and
        `internal-510` stand for any error code of 3 to 6, and of 3 digits. Some kinds allow neither /acted nor
        /unacted. SECONDS is 0 or more, TIMES a whole number from 0 on, PROBABILITY from 0 to 1. Faults with TIMES and
        no PROBABILITY take turns; all others are drawn independently, and a request can meet several.
    seed
        Seed of the faults and of the quirk `collisions`, which are drawn in the order in which requests arrive.
    fixtures
        JSON file with the enterprises, tokens, accounts, seals and business lines of a self-hosted platform (default:
        every business line, account and seal is taken for known).
    strict
        Refuse undocumented fields and values, malformed URLs and accounts, and what the platform would silently
        drop, so that a mistake fails here first (default: only without --fixtures; otherwise the answer is that of
        the platform, which ignores and converts).
    rate_limit_form
        Response to a call beyond the rate limit: `internal` (envelope B, 500), `api` (envelope A, 999999), or
        `hidden` (the hidden error page; with operatorAccount as `api`). The packaging of a platform decides. `none`
        sets no limit.
    without_quirk
        Quirk of the platform that is not imitated, repeatable; `all` for none. --quirks lists the names.
    until_eof
        Stop when standard input ends, for a program that starts the sandbox and holds the other end of the pipe.
    faults
        List the kinds of faults, and exit.
    quirks
        List the quirks of the platform that are imitated, and exit.
    app_id
        appId in the header of the notifications to authCallbackUrl.
    private_key
        File with the RSA key that signs notifications and contract events, in PEM, bare base64 or DER (default: a
        generated key, kept in the state file).
    callback_host
        Host other than this machine to which notifications and contract events may be sent, repeatable.
    allowed_host
        Host besides localhost and the loopback addresses under which the sandbox can be reached, such as the name of
        a proxy, repeatable.
    retry_speed
        Factor by which the platform's own retry schedule of events is accelerated: three attempts back to back, then
        after 5 minutes, 2 hours and a day, each divided by it (default: after 5, 15 and 60 seconds).
    json_
        Print one line of JSON instead of text: addresses, token, appId and public key, as soon as it serves.
    """
    if faults:
        return _list("faults", {name: kind.description for name, kind in FAULT_KINDS.items()}, 20, as_json=json_)
    if quirks:
        return _list("quirks", {quirk.name: quirk.summary for quirk in QUIRKS.values()}, 27, as_json=json_)
    if not 0 <= port <= 65535:
        raise UsageError(gettext("--port must be from 0 to 65535, not {port}", port=port))
    if not all(text and text.isascii() and text.isprintable() and " " not in text for text in token or []):
        raise UsageError(gettext("--token must be printable ASCII without spaces, and not empty"))
    if token and fixtures:
        raise UsageError(gettext("--token does not go with --fixtures: the file holds the tokens"))
    try:
        box = Sandbox(
            port=port,
            state=state,
            tokens=token,
            fixtures=fixtures,
            faults=[Fault.parse(text) for text in fault or []],
            seed=seed,
            strict=strict,
            rate_limit_form=rate_limit_form,
            quirks=_quirks_without(without_quirk or []),
            app_id=app_id,
            private_key=None if private_key is None else private_key.read_bytes(),
            callback_hosts=callback_host or [],
            allowed_hosts=allowed_host or [],
            retry_speed=retry_speed,
        )
        asyncio.run(_serve(box, until_eof=until_eof, as_json=json_))
    except ValueError as error:
        raise UsageError(str(error)) from None
    except OSError as error:
        where = error.filename or f"--port {port}"
        raise UsageError(f"{where}: {translate(error.strerror or error)}") from None
    return 0


def _quirks_without(names: list[str]) -> set[str]:
    unknown = sorted(set(names) - QUIRKS.keys() - {ALL})
    if unknown:
        values = {"all": ALL, "quirks": ", ".join(QUIRKS), "unknown": ", ".join(unknown)}
        raise UsageError(gettext("--without-quirk must be {all} or one of {quirks}, not {unknown}", **values))
    return set() if ALL in names else QUIRKS.keys() - set(names)


def _list(title: str, descriptions: dict[str, str], width: int, *, as_json: bool) -> int:
    if as_json:
        print_json({title: descriptions})
        return 0
    for name, description in descriptions.items():
        sys.stdout.write(f"{name:{width}}{translate(description)}\n")
    return 0


async def _serve(box: Sandbox, *, until_eof: bool, as_json: bool) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set)
    async with box:
        _print_addresses(box, as_json=as_json)
        sys.stdout.flush()
        if until_eof:
            callback = (lambda: loop.call_soon_threadsafe(stopping.set),)
            threading.Thread(target=_wait_for_eof, args=callback, name="kfq-stdin", daemon=True).start()
        await stopping.wait()


def _print_addresses(box: Sandbox, *, as_json: bool) -> None:
    console = f"{box.origin}/sandbox/"
    if as_json:
        print_json(
            {
                "baseUrl": box.base_url,
                "token": box.token,
                "console": console,
                "appId": box.app_id,
                "publicKey": box.public_key,
            }
        )
        return
    lines = [
        gettext("sandbox at {url} with token {token}; stop it with Ctrl-C", url=box.base_url, token=box.token),
        gettext("console at {url}", url=console),
        gettext(
            "notifications have appId {app_id}; verify them and contract events with the public key {key}",
            app_id=box.app_id,
            key=box.public_key,
        ),
    ]
    if isinstance(box.fixtures, DefaultFixtures):
        lines.append(gettext("default fixtures: every business line, account and seal is known; see --fixtures"))
    if box.fixtures.identification:
        options = f"--base-url {box.base_url} --token {shlex.quote(box.token)}"
        lines.append(gettext("try: {command}", command=f"kfq link --company-name 某某科技有限公司 {options}"))
    sys.stdout.writelines(f"{line}\n" for line in lines)


def _wait_for_eof(callback: Callable[[], object]) -> None:
    """Read standard input (a pipe, file or terminal, or closed) to its end, then call ``callback``."""
    with suppress(OSError):
        while os.read(0, 65536):
            pass
    with suppress(RuntimeError):  # the loop has ended first
        callback()
