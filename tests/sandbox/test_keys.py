"""The sandbox's key: one for the process, or one that a state file keeps."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from kfq_async.protocol.signing import load_public_key, sign, verify
from kfq_async.sandbox.keys import kept_key, process_key, public_text
from kfq_async.sandbox.store import Store

if TYPE_CHECKING:
    from pathlib import Path


def test_public_text() -> None:
    """The public key is shown in bare base64, as the platform's pages show one, and verifies what was signed."""
    text = public_text(process_key())
    assert text.startswith("MII")
    assert "\n" not in text
    assert load_public_key(text).key_size == 2048
    assert verify(b"message", sign(b"message", process_key()), text)


def test_one_for_the_process() -> None:
    """Asked twice, the process has one key."""
    assert process_key() is process_key()


def test_one_for_a_file(tmp_path: Path) -> None:
    """A state file keeps its key over restarts, so that a service need not be told anew; another file has another."""
    with closing(Store(tmp_path / "a.db")) as store:
        first = public_text(kept_key(store))
    with closing(Store(tmp_path / "a.db")) as store:
        assert public_text(kept_key(store)) == first
        assert "PRIVATE" not in repr(store.settings.all())
        assert "MII" not in repr(store.settings.all())
    with closing(Store(tmp_path / "b.db")) as store:
        assert public_text(kept_key(store)) != first
