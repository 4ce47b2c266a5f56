"""Failures in the middle of a batch: no tool that shows local variables shows personal data, links or keys."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import TYPE_CHECKING

import pytest

import failing_batches
from failing_batches import BATCHES, SECRETS
from tracebacks import render

if TYPE_CHECKING:
    from pathlib import Path


def secrets_in(text: str) -> list[str]:
    """Return the secrets that a text shows."""
    return [each for each in SECRETS if each in text]


@pytest.mark.parametrize("name", BATCHES)
async def test_local_variables(name: str, tmp_path: Path) -> None:
    """Tracebacks with local variables show the package's frames, and nothing secret in them."""
    batch, expected = BATCHES[name]
    with pytest.raises(expected) as caught:
        await batch(tmp_path)
    shown = render(caught.value)
    assert "folder" in shown
    assert secrets_in(shown) == []


@pytest.mark.parametrize("name", ["outcomes", "csv_row", "full_ledger"])
async def test_sentry(name: str, tmp_path: Path) -> None:
    """Events, breadcrumbs and spans of Sentry's default integrations show nothing secret."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, failing_batches.__file__, name, str(tmp_path)), stdout=asyncio.subprocess.PIPE
    )
    printed, _ = await process.communicate()
    events = json.loads(printed)
    assert [event["exception"]["values"][-1]["type"] for event in events]
    assert secrets_in(printed.decode()) == []
