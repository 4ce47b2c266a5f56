"""Ledger of a dry run: it answers as the ledger would, and nothing is written."""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING

from companies import row
from kfq_async.cli.app import run
from kfq_async.cli.onboard.rehearsal import DryRunLedger
from kfq_async.onboarding import SqliteLedger, State
from kfq_async.onboarding.planner import Planner

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from kfq_async.sandbox import Sandbox


async def test_view_of_a_ledger(tmp_path: Path) -> None:
    """Entries and facts of the ledger are seen, those of the dry run before them, and the ledger stays as it was."""
    path = tmp_path / "l"
    async with SqliteLedger(path) as ledger:
        planner = Planner(ledger, run=await ledger.begin_run())
        (known,) = await planner.decide([row(1)])
        await ledger.replace_fact("tenant", "a")
        before = [entry async for entry in ledger.entries()]
    async with DryRunLedger.open(path, exists=True) as view:
        assert await view.next_run() == 2
        assert view.secret == ledger.secret
        planner = Planner(view, run=2)
        same, new, duplicate = await planner.decide([row(1), row(2), row(2)])
        assert (same.entry and same.entry.client_request_id) == (known.entry and known.entry.client_request_id)
        assert duplicate.before is not None
        assert new.entry is not None
        assert duplicate.before.client_request_id == new.entry.client_request_id
        assert [entry async for entry in view.entries([State.PENDING])] == before
        assert await view.record_fact("tenant", "b") == "a"
        assert await view.record_fact("new", "c") == "c"
        await view.replace_fact("tenant", "d")
        assert [await view.fact(name) for name in ("tenant", "new", "none")] == ["d", "c", None]
        assert await view.rebind("platform", "e")
        assert await view.fact("platform") == "e"
    async with SqliteLedger(path) as ledger:
        assert [entry async for entry in ledger.entries()] == before
        assert [await ledger.fact(name) for name in ("tenant", "new")] == ["a", None]


async def test_view_of_a_new_ledger(tmp_path: Path) -> None:
    """Without a ledger the view is empty, and no file is made."""
    async with DryRunLedger.open(tmp_path / "l", exists=False) as view:
        assert await view.next_run() == 1
        assert await view.find([b"k" * 16]) == {}
        assert [entry async for entry in view.entries([State.LINKED])] == []
        assert await view.record_fact("platform", "a") == "a"
        assert await view.record_fact("platform", "b") == "a"
        assert await view.fact("tenant") is None
        assert await view.rebind("platform", "c")
        assert await view.fact("platform") == "c"
    async with SqliteLedger(tmp_path / "empty"):
        pass
    async with DryRunLedger.open(tmp_path / "empty", exists=True) as view:
        assert await view.next_run() == 1
    assert not (tmp_path / "l").exists()


def test_dry_run_makes_no_temporary_file(kfq_sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A dry run writes nothing to the temporary directory either, with a ledger and without."""
    source = tmp_path / "companies.csv"
    source.write_text("企业名称,信用代码,账号\n甲,C1,甲@example.com\n", encoding="utf-8")
    options = ["--token", kfq_sandbox.token, "--base-url", kfq_sandbox.base_url]

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError

    with monkeypatch.context() as patched:
        for name in ("mkdtemp", "mkstemp", "TemporaryFile", "NamedTemporaryFile"):
            patched.setattr(tempfile, name, refuse)
        assert run(["onboard", str(source), *options, "--dry-run"]) == 0
    assert run(["onboard", str(source), *options]) == 0
    with monkeypatch.context() as patched:
        for name in ("mkdtemp", "mkstemp", "TemporaryFile", "NamedTemporaryFile"):
            patched.setattr(tempfile, name, refuse)
        assert run(["onboard", str(source), *options, "--dry-run"]) == 0
