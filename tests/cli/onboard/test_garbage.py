"""Collections of cyclic garbage during a run of the command line."""

from __future__ import annotations

import gc
import io
from typing import TYPE_CHECKING, Self

import pytest
from rich.console import Console

from kfq_async.cli.onboard.garbage import THRESHOLD, fewer_collections
from kfq_async.cli.onboard.run import _consume, _RowMessages
from kfq_async.cli.progress import ProgressReporter

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def default_settings() -> Iterator[None]:
    """Begin with the settings of a new process, and restore those of the tests."""
    before = gc.get_threshold()
    gc.set_threshold(700, 10, 10)
    gc.unfreeze()
    yield
    gc.set_threshold(*before)
    gc.unfreeze()


def test_settings() -> None:
    """The block has a higher threshold, what existed before is left out, and all is as before at its end."""

    def fail() -> None:
        assert gc.get_threshold() == (THRESHOLD, 10, 10)
        assert gc.get_freeze_count()
        raise LookupError

    with pytest.raises(LookupError), fewer_collections():
        fail()
    assert gc.get_threshold() == (700, 10, 10)
    assert gc.get_freeze_count() == 0


@pytest.mark.parametrize("threshold", [0, THRESHOLD + 1])
def test_other_settings(threshold: int) -> None:
    """Settings of the program itself stay: no collections at all, or still fewer."""
    gc.set_threshold(threshold, 10, 10)
    with fewer_collections():
        assert (gc.get_threshold()[0], gc.get_freeze_count()) == (threshold, 0)


def test_frozen_objects() -> None:
    """What the program itself has left out of collections stays so."""
    gc.freeze()
    frozen = gc.get_freeze_count()
    with fewer_collections():
        assert gc.get_threshold() == (700, 10, 10)
    assert gc.get_freeze_count() >= frozen


async def test_run() -> None:
    """A run of the command line has fewer collections."""
    found = []

    class Run:
        async def __aenter__(self) -> Self:
            return self

        async def __aexit__(self, *_: object) -> None:
            found.append(gc.get_threshold())

        def __aiter__(self) -> Self:
            return self

        async def __anext__(self) -> None:
            found.append(gc.get_threshold())
            raise StopAsyncIteration

    progress = ProgressReporter(Console(file=io.StringIO()), total=None)
    assert await _consume(Run(), progress, _RowMessages()) is None  # type: ignore[arg-type]
    assert found == [(THRESHOLD, 10, 10)] * 2
