"""The guide to many companies: its code requests links, on one machine and as jobs, and migrates a ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from attrs import evolve

import kfq_async
from companies import request, rows
from guide_code import blocks, guide, run, section
from kfq_async import AsyncSession, CallbackUrls, CorpIdentInfo
from kfq_async.onboarding.jobs.worker import OnboardingJobs
from kfq_async.onboarding.records import State

if TYPE_CHECKING:
    from pathlib import Path

    from kfq_async.sandbox import Sandbox

GUIDE = guide("onboarding")
JOBS, MIGRATION = blocks(section(GUIDE, "## Several machines"), "python")


@pytest.fixture
def names(session: AsyncSession) -> dict[str, Any]:
    """The names that the code takes for granted."""
    urls = CallbackUrls([bytes(32)], page="http://127.0.0.1/done", notify="http://127.0.0.1/hooks")
    requests = [evolve(request(), corp_ident_info=CorpIdentInfo(credit_code=f"C{number}")) for number in range(3)]
    return {"kfq": kfq_async, "session": session, "urls": urls, "requests": requests, "rows": rows(3)}


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The ledgers of the guide are in a folder of their own."""
    monkeypatch.chdir(tmp_path)


async def test_one_machine(names: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    """Each company gets a link, and a receiver is made for the ledger."""
    [as_a_library] = blocks(section(GUIDE, "## As a library"), "python")
    [finished] = blocks(section(GUIDE, "## Finished companies"), "python")
    await run(as_a_library, names)
    assert capsys.readouterr().out.count(" linked http") == 3
    await run(finished, names)
    await names["receiver"].aclose()


async def test_several_machines(
    names: dict[str, Any], postgres: str, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Jobs request the links of the rows."""
    monkeypatch.setenv("KFQ_APP_AUTH_TOKEN", sandbox.token)
    monkeypatch.setenv("KFQ_BASE_URL", sandbox.base_url)
    assert "concurrency=10)" in JOBS
    code = JOBS.replace("concurrency=10)", "concurrency=10, wait=False)")  # return when all jobs are done
    await run(code, names | {"CONNINFO": postgres, "SECRET": bytes(32)})
    assert len(sandbox.orders) == 3


async def test_migration(names: dict[str, Any], postgres: str) -> None:
    """The links of a SQLite ledger are in the PostgreSQL ledger afterwards."""
    [as_a_library] = blocks(section(GUIDE, "## As a library"), "python")
    await run(as_a_library, names)
    names["CONNINFO"] = postgres
    names["OnboardingJobs"] = OnboardingJobs
    await run(MIGRATION, names)
    async with OnboardingJobs(postgres, secret=names["old"].secret) as jobs:
        states = [entry.state async for entry in jobs.ledger.entries()]
    assert states == [State.LINKED] * 3
