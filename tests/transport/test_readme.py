"""The guide to calls: its code tells the kinds of errors apart."""

from __future__ import annotations

import re
from typing import Any

import pytest

import kfq_async
from calls import REQUEST
from guide_code import blocks, guide, run
from kfq_async import AsyncSession, RetryPolicy
from kfq_async.sandbox import Fault, Sandbox


@pytest.mark.parametrize(
    ("fault", "branch"),
    [(None, None), ("code-31000", "ApiError"), ("lose-response", "TransportError"), ("html", "KfqError")],
)
async def test_the_code_runs(sandbox: Sandbox, session: AsyncSession, fault: str | None, branch: str | None) -> None:
    """The call returns its link, or its error is caught where the comment says."""
    if fault:
        sandbox.inject_faults(Fault(fault))
    names: dict[str, Any] = {"kfq": kfq_async, "request": REQUEST, "branch": None}
    names["session"] = session.with_options(retry=RetryPolicy(attempts=1))
    [code] = blocks(guide("transport"), "python")
    await run(re.sub(r"(except kfq\.(\w+) .*\n +)\.\.\.", r'\1branch = "\2"', code), names)
    assert names["branch"] == branch
    assert ("link" in names) == (fault is None)
