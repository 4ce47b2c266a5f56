"""Scenarios by number in flight for a tree from before they had numbers: ``former.py FILE SCENARIO TIMES BASE_URL``.

FILE is the ``instructions.py`` of that tree. Its own functions run here as today's file runs today's; it named 1 and 50
in flight ``one`` and ``fifty``, and had no 500.
"""

from __future__ import annotations

import asyncio
import runpy
import sys


async def main(file: str, scenario: str, times: int, base_url: str) -> None:
    """Run a scenario to warm up, and once more to be counted."""
    own, in_flight = runpy.run_path(file), int(scenario)
    slots = max(in_flight, 100)
    async with own["kfq"].AsyncSession("PV9LQWZA", base_url=base_url, limit=slots) as session:
        await own["links"](session, max(200, slots), in_flight)
        own["counting"]("on")
        await own["links"](session, times, in_flight)
        own["counting"]("off")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]))
