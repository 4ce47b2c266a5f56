"""One contestant under callgrind: ``python -m benchmarks.counted_client CONTESTANT IN_FLIGHT LINKS BASE_URL LOOP``."""

from __future__ import annotations

import asyncio
import sys

from benchmarks.client import loop_factory
from benchmarks.contestants import CONTESTANTS, Target
from benchmarks.instructions import counting

WARM_UP = 200


async def main(name: str, in_flight: int, links: int, base_url: str) -> None:
    """Warm up, then count; valgrind is slow, so no timeout may be short."""
    async with CONTESTANTS[name](Target(base_url, max(in_flight, 100))) as drive:
        await drive(max(WARM_UP, in_flight), in_flight)
        counting("on")
        await drive(links, in_flight)
        counting("off")


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=loop_factory(sys.argv[5])) as runner:
        runner.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]))
