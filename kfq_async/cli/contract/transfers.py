"""Progress bar of an upload or download, on a terminal."""

from __future__ import annotations

from typing import Self

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

__all__ = ["TransferBar"]


class TransferBar:
    """Context manager whose ``update`` shows the bytes transferred; it prints nothing if the output is no terminal."""

    def __init__(self, console: Console, title: str) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._task = self._progress.add_task(title, total=None)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def update(self, done: int, total: int | None) -> None:
        """Show the number of bytes, and that of all; ``None`` if it is not known."""
        self._progress.update(self._task, completed=done, total=total)
