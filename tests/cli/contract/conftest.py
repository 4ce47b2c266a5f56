"""A platform with contracts, for the commands that call it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from contract_platform import contract_fixtures, start_contract
from kfq_async.sandbox import Sandbox
from self_hosted import TOKEN

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def platform(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """A self-hosted platform, which the environment names."""
    with Sandbox(fixtures=contract_fixtures()) as sandbox:
        monkeypatch.setenv("KFQ_APP_AUTH_TOKEN", TOKEN)
        monkeypatch.setenv("KFQ_BASE_URL", sandbox.base_url)
        yield sandbox


@pytest.fixture
def contract_id(platform: Sandbox) -> str:
    """A contract that waits for an approval of the operator."""
    return asyncio.run(start_contract(platform))
