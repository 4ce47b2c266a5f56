"""Temporary files, and how they get their names."""

from __future__ import annotations

import errno
import io
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from kfq_async.transport import targets
from kfq_async.transport.targets import PartialFile, rename_new, sync_folder


def test_rename_keeps_others(tmp_path: Path) -> None:
    """A file of the name is an error, and stays."""
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(b"new")
    target.write_bytes(b"old")
    with pytest.raises(FileExistsError):
        rename_new(source, target)
    assert (source.read_bytes(), target.read_bytes()) == (b"new", b"old")
    target.unlink()
    rename_new(source, target)
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"new"]


def test_without_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system without hard links has the same results."""

    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "link", refuse)
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(b"new")
    rename_new(source, target)
    assert target.read_bytes() == b"new"
    source.write_bytes(b"newer")
    with pytest.raises(FileExistsError):
        rename_new(source, target)
    assert target.read_bytes() == b"new"
    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(PermissionError):
        rename_new(source, tmp_path / "third")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["source", "target"]


def test_folder_that_cannot_be_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not every system can make the renaming durable; the file is there all the same."""
    sync_folder(tmp_path)
    sync_folder(tmp_path / "absent")

    def refuse(_: int) -> None:
        raise OSError(errno.EINVAL, "x")

    monkeypatch.setattr(os, "fsync", refuse)
    sync_folder(tmp_path)


def test_order_of_a_publication(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk has the file before it gets its name, and the name afterwards."""
    events: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def record_fsync(descriptor: int) -> None:
        events.append("fsync of the folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "fsync of the file")
        fsync(descriptor)

    def record_replace(path: Path, target: Any) -> Path:
        events.append("rename")
        return replace(path, target)

    monkeypatch.setattr(os, "fsync", record_fsync)
    monkeypatch.setattr(Path, "replace", record_replace)
    part = PartialFile(tmp_path / "a.pdf", None)
    part.open()
    part.pending += b"content"
    assert part.publish() == tmp_path / "a.pdf"
    assert events == ["fsync of the file", "rename", "fsync of the folder"]
    part.remove()
    assert (tmp_path / "a.pdf").read_bytes() == b"content"


def test_partial_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A system may write less than it is given."""

    class Slow(io.FileIO):
        def write(self, data: Any) -> int:
            return super().write(bytes(data[:3])) or 0

    monkeypatch.setattr(targets, "FileIO", Slow)
    part = PartialFile(tmp_path / "a.pdf", None)
    part.open()
    part.pending += b"0123456789"
    part.publish()
    assert (tmp_path / "a.pdf").read_bytes() == b"0123456789"


def test_abandoned(tmp_path: Path) -> None:
    """A thread that comes too late does nothing."""
    part = PartialFile(tmp_path / "x", "a.pdf")
    part.abandoned = True
    part.open()
    part.write()
    part.publish()
    part.remove()
    assert list(tmp_path.iterdir()) == []


def test_folder_in_use(tmp_path: Path) -> None:
    """A folder that was made for a download stays if another one is using it."""
    first, second = PartialFile(tmp_path / "x", "a.pdf"), PartialFile(tmp_path / "x", "a.pdf")
    first.open()
    second.open()
    first.remove()
    assert second.publish() == tmp_path / "x" / "a.pdf"


def test_folder_that_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that a failing download removes is made again, but not for ever."""
    open_private = targets.open_private
    failures = 3

    def remove_first(path: Path) -> Any:
        nonlocal failures
        failures -= 1
        if failures >= 0:
            path.parent.rmdir()
        return open_private(path)

    monkeypatch.setattr(targets, "open_private", remove_first)
    part = PartialFile(tmp_path / "x", "a.pdf")
    part.open()
    assert part.publish() == tmp_path / "x" / "a.pdf"
    failures = 100
    with pytest.raises(FileNotFoundError):
        PartialFile(tmp_path / "y", "a.pdf").open()


def test_folder_that_appears(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that another download has just made is not removed."""
    mkdir = Path.mkdir

    def make_twice(path: Path) -> None:
        mkdir(path)
        mkdir(path)

    monkeypatch.setattr(Path, "mkdir", make_twice)
    part = PartialFile(tmp_path / "x", "a.pdf")
    part.open()
    part.remove()
    assert list((tmp_path / "x").iterdir()) == []


def test_file_that_cannot_be_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Removing does its best."""
    part = PartialFile(tmp_path / "a.pdf", None)
    part.open()

    def refuse(_: Path) -> None:
        raise PermissionError

    monkeypatch.setattr(Path, "unlink", refuse)
    part.remove()
