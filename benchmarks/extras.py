"""Import time, and the time of one signature."""

from __future__ import annotations

import subprocess
import sys
from statistics import median

from benchmarks.processes import ENVIRONMENT, ROOT

DEPENDENCIES = "import aiohttp, attrs, cattrs, cattrs.gen, cattrs.v, multidict, orjson, tenacity, yarl"
PACKAGE = "import kfq_async"
_IMPORT = "import time; began = time.process_time(); {}; print(time.process_time() - began)"


def _seconds(code: str) -> float:
    done = subprocess.run(
        [sys.executable, "-c", code], env=ENVIRONMENT, cwd=ROOT, capture_output=True, text=True, check=True
    )
    return float(done.stdout)


def import_times(rounds: int) -> tuple[float, float]:
    """Return the CPU seconds to import the dependencies alone, and the package with them: interleaved medians."""
    _seconds(_IMPORT.format(PACKAGE))  # compile first
    pairs = [(_seconds(_IMPORT.format(DEPENDENCIES)), _seconds(_IMPORT.format(PACKAGE))) for _ in range(rounds)]
    return median(dependencies for dependencies, _ in pairs), median(package for _, package in pairs)


_SIGN = """
import time
from benchmarks.contestants import private_key
from kfq_async.protocol.signing import sign
key, times = private_key(), []
for _ in range(400):
    began = time.process_time()
    sign(b"x" * 250, key)
    times.append(time.process_time() - began)
print(sorted(times)[200])
"""


def signature_time() -> float:
    """Return the CPU seconds of one RSA-2048 signature."""
    return _seconds(_SIGN)
