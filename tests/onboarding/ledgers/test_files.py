"""Files of a SQLite ledger: creation, checks, the key, and the registry of open ledgers."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from kfq_async.errors import LedgerError
from kfq_async.onboarding.ledgers.files import (
    Key,
    Opening,
    check_in_place,
    check_private,
    connect,
    create_private,
    is_in_place,
    next_to,
    register,
    unregister,
)

if TYPE_CHECKING:
    from pathlib import Path


def test_create_private(tmp_path: Path) -> None:
    """A file is created with mode 0600, and one that exists is left as it is."""
    file = tmp_path / "a"
    create_private(file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.write_text("content")
    create_private(file)
    assert file.read_text() == "content"
    check_private(file)


def test_existing_files_are_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No descriptor of an existing file is opened or closed: that would release the locks of the process on it."""
    file = tmp_path / "a"
    create_private(file)
    closed: list[int] = []
    monkeypatch.setattr(os, "close", closed.append)
    create_private(file)
    check_private(file)
    assert closed == []


def test_no_file(tmp_path: Path) -> None:
    """A folder is refused."""
    with pytest.raises(LedgerError, match="is a folder or a device: name another file"):
        create_private(tmp_path)


@pytest.mark.parametrize("content", [None, "", "ab", "ab\n", f"ab\n{0:020d}\n", "secret\nx", "\u00e9"])
def test_unused_key(tmp_path: Path, content: str | None) -> None:
    """Beside a key that was never used, or is no key, a ledger may begin."""
    if content is not None:
        (tmp_path / "a.key").write_text(content, encoding="utf-8")
    assert not Key.is_used(tmp_path / "a.key")
    (tmp_path / "a-wal").touch()
    check_in_place(tmp_path / "a")


def test_used_key(tmp_path: Path) -> None:
    """Beside a key that was used, a ledger that is missing or empty is refused; a secret of one's own has no key."""
    file = tmp_path / "a"
    (tmp_path / "a.key").write_text(f"ab\n{7:020d}\n", encoding="ascii")
    for _ in range(2):
        with pytest.raises(LedgerError, match=r"a is missing or empty, .* \(a\.key\): put that ledger back"):
            check_in_place(file)
        check_in_place(file, with_key=False)
        file.touch()
    file.write_text("content")
    check_in_place(file)


def test_connect(tmp_path: Path) -> None:
    """A database with any name can be opened, and a missing one is not created."""
    file = tmp_path / "50% of #1?"
    create_private(file)
    database = connect(file, timeout=0)
    database.execute("CREATE TABLE a (b)")
    database.close()
    assert file.stat().st_size
    with pytest.raises(Exception, match="unable to open database file"):
        connect(next_to(file, ".lock"), timeout=0)
    assert [each.name for each in tmp_path.iterdir()] == [file.name]


def test_registry(tmp_path: Path) -> None:
    """A file has one runner in a process and any number of readers, until they are unregistered."""
    file = tmp_path / "a"
    file.touch()
    runner, reader = register(file, exclusive=True), register(file, exclusive=False)
    other = tmp_path / "b"
    other.hardlink_to(file)
    with pytest.raises(LedgerError, match="b is in use by this process"):
        register(other, exclusive=True)
    unregister(runner)
    again: Opening = register(other, exclusive=True)
    assert (again.path, again.file_id) == (other, reader.file_id)
    unregister(reader)
    unregister(again)


def test_in_place(tmp_path: Path) -> None:
    """A file that was moved, deleted or replaced is not in its place."""
    file = tmp_path / "a"
    file.touch()
    opening = register(file, exclusive=False)
    assert is_in_place(opening)
    file.write_text("content")
    assert is_in_place(opening)
    file.rename(tmp_path / "b")
    assert not is_in_place(opening)
    assert is_in_place(opening, missing=True)
    file.touch()
    assert not is_in_place(opening)
    assert is_in_place(opening, missing=True)
    file.write_text("content")
    assert not is_in_place(opening, missing=True)
    (tmp_path / "b").rename(file)
    assert is_in_place(opening)
    unregister(opening)


def test_key(tmp_path: Path) -> None:
    """A key is made once, and its revision is written beside it; the secret is masked."""
    file = tmp_path / "a.key"
    with pytest.raises(LedgerError, match=r"a\.key is missing: restore it"):
        Key.read(file, create=False)
    made = Key.read(file, create=True)
    assert (len(made.secret), made.revision, Key.read(file, create=True)) == (32, 0, made)
    made.write(12)
    assert Key.read(file, create=False) == made == Key(file, made.secret, 12)
    assert file.read_text() == f"{made.secret.hex()}\n{12:020d}\n"
    assert repr(made) == f"Key(path={file!r}, secret=b'***', revision=12)"


def test_key_changed_meanwhile(tmp_path: Path) -> None:
    """A key that is deleted or replaced is not written; the other one stays."""
    made = Key.read(tmp_path / "a.key", create=True)
    other = Key.read(tmp_path / "b.key", create=True)
    other.path.replace(made.path)
    with pytest.raises(LedgerError, match=r"a\.key was replaced by the key of another ledger: restore it"):
        made.write(1)
    assert Key.read(made.path, create=False).secret == other.secret
    made.path.unlink()
    with pytest.raises(LedgerError, match=r"a\.key is missing: restore it"):
        made.write(1)
    assert made.revision == 0


@pytest.mark.parametrize("text", ["", "\n", "ab", "x" * 64, f"{'ab' * 32}\nx\n", f"{'ab' * 33}\n", "é" * 32])
def test_unreadable_key(text: str, tmp_path: Path) -> None:
    """A key that does not hold a secret and a number is refused without showing it."""
    file = tmp_path / "a.key"
    file.touch(0o600)
    file.write_text(text, encoding="utf-8")
    with pytest.raises(LedgerError, match=r"^[^ ]*a\.key does not hold 32 bytes as hexadecimal digits: restore it$"):
        Key.read(file, create=False)


def test_key_of_the_first_versions(tmp_path: Path) -> None:
    """A key without a revision is that of any ledger."""
    file = tmp_path / "a.key"
    file.touch(0o600)
    file.write_text("ab" * 32 + "\n")
    assert Key.read(file, create=False) == Key(file, b"\xab" * 32, 0)
