"""Migration from SQLite to PostgreSQL between two runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from companies import rows
from kfq_async import AsyncSession, LedgerError, RetryPolicy
from kfq_async.onboarding.jobs.worker import OnboardingJobs
from kfq_async.onboarding.ledgers.migration import migrate
from kfq_async.onboarding.ledgers.sqlite import SqliteLedger
from kfq_async.onboarding.records import OutcomeStatus, State
from kfq_async.onboarding.runner import Onboarding
from kfq_async.sandbox import Fault, Sandbox

if TYPE_CHECKING:
    from pathlib import Path

COMPANIES = 250


async def test_migrate(postgres: str, tmp_path: Path, sandbox: Sandbox) -> None:
    """Linked companies stay linked, and unknown ones are retried under their ids, as jobs: one order each."""
    async with (
        SqliteLedger(tmp_path / "ledger") as old,
        OnboardingJobs(postgres, secret=old.secret) as jobs,
        AsyncSession(sandbox.token, base_url=sandbox.base_url, retry=RetryPolicy(attempts=1)) as session,
    ):
        sandbox.inject_faults(Fault("lose-response", probability=0.2))
        async with Onboarding(session, old, rows(COMPANIES)) as run:
            first = [outcome.status async for outcome in run]
        sandbox.inject_faults()
        assert set(first) == {OutcomeStatus.LINKED, OutcomeStatus.UNKNOWN}
        assert await migrate(old, jobs.ledger) == COMPANIES
        assert await migrate(old, jobs.ledger) == COMPANIES
        counts = await jobs.enqueue(rows(COMPANIES))
        assert counts == {status: first.count(status) for status in set(first)}
        await jobs.work(session, wait=False, signals=False)
        assert {entry.state async for entry in jobs.ledger.entries()} == {State.LINKED}
    assert len(sandbox.orders) == COMPANIES


async def test_different_secrets(tmp_path: Path) -> None:
    """Ledgers with different secrets are refused."""
    async with SqliteLedger(tmp_path / "one") as one, SqliteLedger(tmp_path / "two") as two:
        with pytest.raises(LedgerError, match=r"secret=source\.secret"):
            await migrate(one, two)
