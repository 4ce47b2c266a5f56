"""The command ``kfq``. Without the extra ``cli`` it says how to install it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.util import find_spec
from typing import NoReturn

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run ``kfq`` and exit: 0 all well, 1 not all well, 2 wrong use."""
    missing = [name for name in ("cyclopts", "rich") if find_spec(name) is None]
    if missing:
        sys.stderr.write(f"kfq needs {' and '.join(missing)}. Install the extra: pip install 'kfq-async[cli]'\n")
        sys.exit(2)
    from kfq_async.cli.app import run  # noqa: PLC0415  # it stands on the extra

    sys.exit(run(arguments))
