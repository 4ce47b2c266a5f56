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
) -> int:
    """Serve the platform's protocol on loopback, to develop and test against.

    Nothing here is real: what the platform's documentation leaves open, the sandbox assumes.

    Parameters
    ----------
    port
        Port on 127.0.0.1; 0 takes a free one.
    state
        SQLite file that keeps the orders. Without it they are gone at the end.
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
    """
    if faults:
        for name, kind in KINDS.items():
            sys.stdout.write(f"{name:16}{kind.what}\n")
        return 0
    try:
        box = Sandbox(
            port=port,
            state=state,
            tokens=token or [SAMPLE_TOKEN],
            faults=[Fault.parse(text) for text in fault or []],
            seed=seed,
            strict=strict,
        )
        asyncio.run(_serve(box))
    except (ValueError, OverflowError) as problem:
        raise UsageError(str(problem)) from None
    except OSError as problem:
        what = f"{state}" if problem.filename else f"port {port}"
        raise UsageError(f"{what}: {problem.strerror or problem}") from None
    return 0


async def _serve(box: Sandbox) -> None:
    end = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, end.set)
    async with box:
        sys.stdout.write(f"sandbox at {box.base_url} with token {box.token}; Ctrl-C ends it\n")
        sys.stdout.flush()
        await end.wait()
