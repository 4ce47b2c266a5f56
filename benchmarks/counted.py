"""Links by the instructions that they take, by valgrind's callgrind: what else the machine does is not counted.

``counts`` runs every case once; ``python -m benchmarks.counted CONTESTANT IN_FLIGHT BASE_URL LOOP`` is one of them.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.cases import JSON, SDK, TUNED
from benchmarks.client import loop_factory
from benchmarks.contestants import CONTESTANTS, Target
from benchmarks.instructions import counting
from benchmarks.processes import ENVIRONMENT, ROOT

CASES = [
    *((name, in_flight, "asyncio") for in_flight in (1, 50, 500) for name in (JSON, SDK, TUNED)),
    *((name, 50, "uvloop") for name in (JSON, SDK)),
]
LINKS = {1: 150, 50: 400, 500: 600}
WARM_UP = 200


def counts(base_url: str) -> dict[tuple[str, int, str], int]:
    """Return the instructions per link, in user space, of each case; of none where there is no valgrind."""
    if shutil.which("valgrind") is None:
        return {}
    return {case: _count(*case, base_url) for case in CASES}


def _count(name: str, in_flight: int, loop: str, base_url: str) -> int:
    with TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        command = [
            *("valgrind", "--tool=callgrind", "--instr-atstart=no", f"--log-file={log}"),
            f"--callgrind-out-file={os.devnull}",
            *(sys.executable, "-m", "benchmarks.counted", name, str(in_flight), base_url, loop),
        ]
        subprocess.run(command, env=ENVIRONMENT, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        found = re.search(r"Collected : (\d+)", log.read_text(encoding="utf-8"))
    assert found is not None
    return int(found[1]) // LINKS[in_flight]


async def main(name: str, in_flight: int, base_url: str) -> None:
    """Warm up, and then count; valgrind is slow, so nothing may depend on seconds."""
    async with CONTESTANTS[name](Target(base_url, max(in_flight, 100))) as drive:
        await drive(max(WARM_UP, in_flight), in_flight)
        counting("on")
        await drive(LINKS[in_flight], in_flight)
        counting("off")


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=loop_factory(sys.argv[4])) as runner:
        runner.run(main(sys.argv[1], int(sys.argv[2]), sys.argv[3]))
