"""Adapter for trees whose scenarios had other names: ``former.py FILE SCENARIO TIMES BASE_URL``.

FILE is the ``instructions.py`` of that tree, where 1 and 50 calls in flight were named ``one`` and ``fifty``, and 500
was missing. Its functions run here in the way the present file runs its own.
"""

from __future__ import annotations

import asyncio
import runpy
import sys


async def main(file: str, scenario: str, times: int, base_url: str) -> None:
    """Run a scenario once to warm up, then count it."""
    own, in_flight = runpy.run_path(file), int(scenario)
    slots = max(in_flight, 100)
    async with own["kfq"].AsyncSession("PV9LQWZA", base_url=base_url, limit=slots) as session:
        await own["links"](session, max(200, slots), in_flight)
        own["counting"]("on")
        await own["links"](session, times, in_flight)
        own["counting"]("off")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]))
