"""The command ``kfq``; without the extra ``cli`` it prints how to install it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.util import find_spec
from typing import NoReturn

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run ``kfq`` and exit: 0 success, 1 partial or failed, 2 usage error, 3 paused, 130 interrupted."""
    missing = [name for name in ("cyclopts", "rich") if find_spec(name) is None]
    if missing:
        sys.stderr.write(f"kfq needs {' and '.join(missing)}. Run pip install 'kfq-async[cli]'\n")
        sys.exit(2)
    from kfq_async.cli.app import run  # noqa: PLC0415  # needs the extra

    sys.exit(run(arguments))
