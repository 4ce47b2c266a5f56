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

__all__ = ["sandbox"]


def sandbox(
    *,
    port: int = 8899,
    state: Path | None = None,
    token: Annotated[list[str] | None, Parameter(negative=())] = None,
    fault: Annotated[list[str] | None, Parameter(negative=())] = None,
    seed: int = 0,
    strict: bool = True,
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
        Something that goes wrong, repeatable: KIND, KIND:SECONDS, each with *TIMES or @PROBABILITY, as in
        delay:0.3@0.05. Kinds: delay (answer late), drop (act, then no answer), lose (do not act, no answer).
    seed
        The same seed lets the same requests go wrong.
    strict
        Refuse fields that are not documented, so that a typo fails here first.
    """
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
