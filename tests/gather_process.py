"""A process that drives contracts by a shared lane: ``gather_process.py KIND SERVICE BASE_URL LEASE DOC_ID FILE``.

FILE holds operations as a JSON list of kind and contract. Each contract is printed when its operation has ended.
"""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import AsyncExitStack
from pathlib import Path

from driven_contracts import Drive, perform
from kfq_async import AsyncSession, Timeouts
from lane_process import open_lane
from self_hosted import TOKEN


async def main(lane: tuple[str, str, float], base_url: str, doc_id: str, drives: list[Drive]) -> None:
    """Perform all operations at once."""
    async with AsyncExitStack() as stack:
        session = AsyncSession(
            TOKEN,
            base_url=base_url,
            rate_limit=None,
            lane=await open_lane(stack, *lane),
            timeouts=Timeouts(connect=lane[-1] / 4, attempt=lane[-1] / 4),
        )
        await stack.enter_async_context(session)

        async def drive(each: Drive) -> None:
            sys.stdout.write(f"{each.kind} {await perform(session, each, doc_id)}\n")
            sys.stdout.flush()

        await asyncio.gather(*map(drive, drives))


if __name__ == "__main__":
    _, kind, service, base_url, lease, doc_id, file = sys.argv
    operations = [Drive(*fields) for fields in json.loads(Path(file).read_text())]
    asyncio.run(main((kind, service, float(lease)), base_url, doc_id, operations))
