"""Output that tests compare, without the warnings that asyncio's debug mode adds on a slow machine."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import logging

    import pytest


def quiet_environment(**settings: str) -> dict[str, str]:
    """Return the environment for a process whose output is compared: this one's, without debug mode.

    In debug mode asyncio logs slow steps to stderr. Processes whose output is not compared keep it.
    """
    debug = {"PYTHONASYNCIODEBUG", "PYTHONDEVMODE"}
    return {name: value for name, value in os.environ.items() if name not in debug} | settings


def package_records(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    """Return the records of the package's loggers; asyncio's debug mode logs slow steps of tests, too."""
    return [record for record in caplog.records if record.name.partition(".")[0] == "kfq_async"]
