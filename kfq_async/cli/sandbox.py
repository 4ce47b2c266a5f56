"""``kfq sandbox``: the platform in a box, until it is interrupted."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from kfq_async.cli.options import UsageError
from kfq_async.sandbox import SAMPLE_TOKEN, Fault, Sandbox
from kfq_async.sandbox.faults import KINDS
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
        Something that goes wrong, repeatable: KIND[/acted|/unacted][:SECONDS][*TIMES][@PROBABILITY], as in
        delay:0.3@0.05, drop*2 or 502/acted. --faults lists the kinds.
    seed
        The same seed draws the same accidents, in the order in which requests arrive.
    strict
        Refuse fields that are not documented, so that a typo fails here first.
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
        for name, kind in KINDS.items():
            sys.stdout.write(f"{name:20}{kind.what}\n")
        return 0
    try:
        box = Sandbox(
            port=port,
            state=state,
            tokens=token or [SAMPLE_TOKEN],
            faults=[Fault.parse(text) for text in fault or []],
            seed=seed,
            strict=strict,
            app_id=app_id,
            private_key=None if private_key is None else private_key.read_bytes(),
            callback_hosts=callback_host or [],
        )
        asyncio.run(_serve(box))
    except (ValueError, OverflowError) as problem:
        raise UsageError(str(problem)) from None
    except OSError as problem:
        what = f"{problem.filename}" if problem.filename else f"port {port}"
        raise UsageError(f"{what}: {problem.strerror or problem}") from None
    return 0


async def _serve(box: Sandbox) -> None:
    end = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, end.set)
    async with box:
        sys.stdout.write(f"sandbox at {box.base_url} with token {box.token}; Ctrl-C ends it\n")
        sys.stdout.write(f"console at {box.origin}/sandbox/\n")
        sys.stdout.write(f"notifications have appId {box.app_id} and are verified with {box.public_key}\n")
        sys.stdout.flush()
        await end.wait()
