"""The log of this package on standard error, for scripts and the command line; services configure `logging` instead."""

from __future__ import annotations

import logging
import os

__all__ = ["LEVEL_VARIABLE", "log_to_stderr"]

LEVEL_VARIABLE = "KFQ_LOG"
"""Environment variable with the level, such as ``debug``."""
_LEVELS = ("debug", "info", "warning", "error", "critical")
_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class _StderrHandler(logging.StreamHandler):  # type: ignore[type-arg]  # a parameter in the annotations only
    """The handler that `log_to_stderr` replaces."""


def log_to_stderr(level: str | None = None) -> None:
    """Write the log of this package to standard error: retries at level ``info``, and each call at ``debug``.

    A second call changes the level. Records are passed on to the handlers of the root logger as before.

    Args:
        level: ``debug``, ``info``, ``warning``, ``error`` or ``critical``, in any case; ``None`` for that of the
            environment variable ``KFQ_LOG``, and ``info`` without one.

    Raises:
        ValueError: The level is not one of these.
    """
    name = "level" if level is not None else LEVEL_VARIABLE
    chosen = (level if level is not None else os.environ.get(LEVEL_VARIABLE) or "info").lower()
    if chosen not in _LEVELS:
        raise ValueError(f"{name} must be one of {', '.join(_LEVELS)}, not {chosen!r}")
    logger = logging.getLogger("kfq_async")
    for handler in [each for each in logger.handlers if isinstance(each, _StderrHandler)]:
        logger.removeHandler(handler)
    handler = _StderrHandler()
    handler.setFormatter(logging.Formatter(_FORMAT))
    logger.addHandler(handler)
    logger.setLevel(chosen.upper())
