"""Files: what uploads and downloads cost: ``python -m benchmarks.files [--size 60] [--rounds 5]``.

Prints, for each way, the CPU time of this process per MiB and its ratio to doing the same by hand, in one run; the
longest stall of the event loop, median and worst; and the peak memory. The other side is a process of its own. Loopback
only.
"""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import downloads, uploads


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.files", description=__doc__)
    parser.add_argument("--size", type=int, default=60, help="size of the file in MiB")
    parser.add_argument("--rounds", type=int, default=5, help="transfers of each kind")
    options = parser.parse_args()
    with TemporaryDirectory() as folder:
        asyncio.run(uploads.measure(Path(folder), options.size, options.rounds))
        asyncio.run(downloads.measure(Path(folder), options.size, options.rounds))


if __name__ == "__main__":
    main()
