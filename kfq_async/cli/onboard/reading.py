"""Reading of the input: options that are left out are those of the ledger's last run."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Protocol, Self

from attrs import frozen

from kfq_async.cli.onboard.binding import DEFAULT_KEY, READING_FACT
from kfq_async.cli.onboard.options import READ_AS_DETECTED, SourceOptions, option_text
from kfq_async.cli.options import UsageError
from kfq_async.errors import OnboardingError
from kfq_async.languages import gettext
from kfq_async.onboarding import FileSource, SqliteLedger

__all__ = ["OpenedSource", "RememberedReading", "open_source"]


class Facts(Protocol):
    """The part of a ledger that returns its facts."""

    async def fact(self, name: str) -> str | None:
        """Return the fact of this name, or ``None``."""
        ...


@frozen(kw_only=True)
class RememberedReading:
    """Options for reading that a ledger remembers."""

    options: SourceOptions = READ_AS_DETECTED
    key: str | None = None
    """Key column; ``None``: the default key."""

    @classmethod
    async def of(cls, ledger: Facts) -> Self:
        """Return what an open ledger remembers."""
        key = await ledger.fact("key")
        options = SourceOptions.from_fact(await ledger.fact(READING_FACT))
        return cls(options=options, key=None if key == DEFAULT_KEY else key)

    @classmethod
    def load(cls, ledger: Path) -> Self:
        """Return what a ledger's file remembers.

        If it cannot be opened, this is nothing; the run, which opens it again, reports the reason.
        """

        async def work() -> Self:
            async with SqliteLedger(ledger, exclusive=False) as opened:
                return await cls.of(opened)

        if not ledger.is_file():
            return cls()
        try:
            return asyncio.run(work())
        except OnboardingError:
            return cls()


@frozen(kw_only=True)
class OpenedSource:
    """An input, and the options with which it was opened."""

    rows: FileSource
    options: SourceOptions
    key: str | None
    notice: str
    """Remark on the remembered options; empty if there are none."""


def open_source(
    path: Path,
    given: SourceOptions,
    remembered: RememberedReading,
    *,
    key: str | None,
    strict: bool = False,
    show_key: bool = False,
) -> OpenedSource:
    """Open an input, with the remembered options in place of those that are not given.

    If the input does not have the remembered columns or the remembered sheet, it is opened without them. Raises
    `UsageError` if it, or an option, cannot be used.
    """
    options = given.or_else(remembered.options)
    added = [argument for argument in options.arguments() if argument not in set(given.arguments())]
    if key is None and remembered.key is not None:
        added.append(option_text("--key", remembered.key))
    text = " ".join(added)
    try:
        used_key = key or remembered.key
        rows = options.open(path, key=used_key, strict=strict, show_key=show_key)
    except UsageError:
        if not added:
            raise
        rows = given.open(path, key=key, strict=strict, show_key=show_key)
        notice = gettext(
            "{options} of the ledger's last run not used, since {path} does not fit", options=text, path=path
        )
        return OpenedSource(rows=rows, options=given, key=key, notice=notice)
    notice = gettext("as in the ledger's last run: {options}", options=text) if added else ""
    return OpenedSource(rows=rows, options=options, key=used_key, notice=notice)
