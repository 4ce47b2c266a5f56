"""``kfq sandbox``: the platform in a box, until it is interrupted."""

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
from typing import Annotated

from cyclopts import Parameter

from kfq_async.cli.options import UsageError
from kfq_async.sandbox import SAMPLE_TOKEN, Fault, Sandbox
from kfq_async.sandbox.faults import FAULT_KINDS
from kfq_async.sandbox.server import APP_ID

__all__ = ["sandbox"]


def sandbox(
    *,
    port: int = 8899,
    state: Path | None = None,
    token: Annotated[list[str] | None, Parameter(negative=())] = None,
    fault: Annotated[list[str] | None, Parameter(negative=())] = None,
    seed: int = 0,
    strict: bool = True,
    until_eof: Annotated[bool, Parameter(negative=())] = False,
    faults: Annotated[bool, Parameter(negative=())] = False,
    app_id: str = APP_ID,
    private_key: Path | None = None,
    callback_host: Annotated[list[str] | None, Parameter(negative=())] = None,
) -> int:
    """Serve the platform's protocol on loopback, to develop and test against.

    Nothing here is real: what the platform's documentation leaves open, the sandbox assumes.

    Parameters
    ----------
    port
        Port on 127.0.0.1; 0 takes a free one.
    state
        SQLite file that keeps orders, notifications and key. Without it they are gone at the end.
    token
        An accepted appAuthToken, repeatable. The default is that of the published sample, PV9LQWZA.
    fault
        Something that goes wrong, repeatable: `KIND[/acted|/unacted][:SECONDS][*TIMES][@PROBABILITY]`, as in
        `delay:0.3@0.05`, `lose-response*2` or `502/acted`. --faults lists the kinds.
    seed
        The same seed draws the same accidents, in the order in which requests arrive.
    strict
        Refuse fields that are not documented, so that a typo fails here first.
    until_eof
        End with standard input, too: for a program that starts the sandbox and holds the other end of the pipe.
    faults
        List what can go wrong, and exit.
    app_id
        What stands in the header appId of the notifications to authCallbackUrl.
    private_key
        File with the RSA key that signs them, PEM or bare base64. Without it a key is made, and kept in the state
        file if there is one.
    callback_host
        Host besides this machine that may be notified, repeatable.
    """
    if faults:
        for name, kind in FAULT_KINDS.items():
            sys.stdout.write(f"{name:20}{kind.description}\n")
        return 0
    if not 0 <= port <= 65535:
        raise UsageError(f"--port must be from 0 to 65535, not {port}")
    tokens = token or [SAMPLE_TOKEN]
    if not all(text and text.isascii() and text.isprintable() and " " not in text for text in tokens):
        raise UsageError("--token must be printable ASCII without blanks, and not empty")
    try:
        box = Sandbox(
            port=port,
            state=state,
            tokens=tokens,
            faults=[Fault.parse(text) for text in fault or []],
            seed=seed,
            strict=strict,
            app_id=app_id,
            private_key=None if private_key is None else private_key.read_bytes(),
            callback_hosts=callback_host or [],
        )
        asyncio.run(_serve(box, until_eof=until_eof))
    except ValueError as problem:
        raise UsageError(str(problem)) from None
    except OSError as problem:
        what = f"{problem.filename}" if problem.filename else f"--port {port}"
        raise UsageError(f"{what}: {problem.strerror or problem}") from None
    return 0


async def _serve(box: Sandbox, *, until_eof: bool) -> None:
    end = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, end.set)
    async with box:
        door = f"--base-url {box.base_url} --token {shlex.quote(box.token)}"
        sys.stdout.write(f"sandbox at {box.base_url} with token {box.token}; Ctrl-C ends it\n")
        sys.stdout.write(f"console at {box.origin}/sandbox/\n")
        sys.stdout.write(f"notifications have appId {box.app_id} and are verified with {box.public_key}\n")
        sys.stdout.write(f"try: kfq link --company-name 某某科技有限公司 {door}\n")
        sys.stdout.flush()
        if until_eof:
            ended = (lambda: loop.call_soon_threadsafe(end.set),)
            threading.Thread(target=_await_eof, args=ended, name="kfq-stdin", daemon=True).start()
        await end.wait()


def _await_eof(ended: Callable[[], object]) -> None:
    """Read standard input to its end; it may be a pipe, a file, a terminal, or closed."""
    with suppress(OSError):
        while os.read(0, 65536):
            pass
    with suppress(RuntimeError):  # the loop has ended first
        ended()
