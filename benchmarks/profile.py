"""Sampling profiler of one link by layer, at a few hundred samples a second of the innermost Python frame.

``python -m benchmarks.profile BASE_URL SECONDS`` prints a JSON object of layers and their shares, which sum to 1.
C code counts for the layer that called it.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import time
from collections import Counter
from typing import TYPE_CHECKING

from benchmarks.client import pin
from benchmarks.contestants import CONTESTANTS, Target

if TYPE_CHECKING:
    from types import FrameType

LAYERS = {
    "/benchmarks/": "the caller",
    "/kfq_async/models/": "models: building and validation",
    "<attrs generated": "models: building and validation",
    "/kfq_async/protocol/": "protocol: JSON, headers, envelope",
    "<cattrs generated": "protocol: JSON, headers, envelope",
    "/cattrs/": "protocol: JSON, headers, envelope",
    "/kfq_async/resources/": "session and resources",
    "/kfq_async/session": "session and resources",
    "/kfq_async/transport/": "transport: limits, deadlines, one attempt",
    "/aiohttp/client.py": "aiohttp: ClientSession._request",
    "/aiohttp/client_reqrep": "aiohttp: request and response",
    "/aiohttp/connector": "aiohttp: connector",
    "/aiohttp/client_proto": "aiohttp: protocol and HTTP parser (C)",
    "/aiohttp/streams": "aiohttp: protocol and HTTP parser (C)",
    "/aiohttp/": "aiohttp: writer, headers, helpers",
    "/multidict/": "aiohttp: writer, headers, helpers",
    "/yarl/": "aiohttp: writer, headers, helpers",
    "/asyncio/selector_events": "asyncio: sockets, system calls included",
    "selectors.py": "asyncio: sockets, system calls included",
    "/asyncio/": "asyncio: loop and tasks",
}
REST = "other Python code"
STEP = 0.002
"""CPU seconds between two samples; the kernel may round up."""


def layer_of(path: str) -> str:
    """Return the layer that a file belongs to."""
    return next((layer for part, layer in LAYERS.items() if part in path), REST)


async def profiled(base_url: str, seconds: float) -> Counter[str]:
    """Request links, 50 in flight, for so many CPU seconds; return the samples per layer."""
    seen: Counter[str] = Counter()

    def sample(_signal: int, frame: FrameType | None) -> None:
        if frame is not None:
            seen[layer_of(frame.f_code.co_filename)] += 1

    async with CONTESTANTS["kfq_async"](Target(base_url, 100)) as drive:
        await drive(200, 50)
        signal.signal(signal.SIGPROF, sample)
        signal.setitimer(signal.ITIMER_PROF, STEP, STEP)
        until = time.process_time() + seconds
        while time.process_time() < until:
            await drive(1000, 50)
        signal.setitimer(signal.ITIMER_PROF, 0)
    return seen


if __name__ == "__main__":
    pin(server=False)
    samples = asyncio.run(profiled(sys.argv[1], float(sys.argv[2])))
    print(json.dumps({layer: number / samples.total() for layer, number in samples.most_common()}))
