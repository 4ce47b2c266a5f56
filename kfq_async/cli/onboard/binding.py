"""What a ledger is bound to: platform, key, tenant and callback URLs, checked before a run sends anything."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Collection
from pathlib import Path
from typing import Protocol

from attrs import field, frozen

from kfq_async.callbacks.urls import CallbackUrls
from kfq_async.cli.onboard.options import (
    READ_AS_DETECTED,
    SECRET_VARIABLE,
    SourceOptions,
    create_callback_urls,
    parse_callback_secrets,
)
from kfq_async.cli.options import UsageError
from kfq_async.errors import LedgerError
from kfq_async.languages import gettext
from kfq_async.models.fields import SECRET
from kfq_async.onboarding import Entry, State
from kfq_async.onboarding.ledgers.base import Hashes

__all__ = ["DEFAULT_KEY", "READING_FACT", "Binding", "BoundLedger", "Callbacks", "default_ledger"]

LEDGER_SUFFIX = ".ledger"
DEFAULT_KEY = "credit code and account"
READING_FACT = "reading"
"""Name of the fact with the options for reading the input."""
SHOWN_DIGITS = 8
"""Hexadecimal digits of a token's hash that are shown."""


def default_ledger(source: Path) -> Path:
    """Return the ledger of an input: the one of its name, or else the only one in its folder.

    So companies are recognised in a renamed copy of the file. Raises `UsageError` if there are several others.
    """
    own = source.with_suffix(LEDGER_SUFFIX)
    others = sorted(path for path in source.parent.glob(f"*{LEDGER_SUFFIX}") if path.is_file())
    if own in others or not others:
        return own
    if len(others) > 1:
        names = ", ".join(path.name for path in others)
        raise UsageError(
            gettext(
                "{folder} holds several ledgers ({names}); name one of them, or a new one, by --ledger",
                folder=source.parent,
                names=names,
            )
        )
    return others[0]


class BoundLedger(Protocol):
    """The part of a ledger that remembers what it is bound to."""

    path: Path

    @property
    def secret(self) -> bytes:
        """The key of the hashes."""
        ...

    async def fact(self, name: str) -> str | None:
        """Return the fact of this name, or ``None``."""
        ...

    async def record_fact(self, name: str, value: str) -> str:
        """Store a fact unless there is one of this name; return the one that holds."""
        ...

    async def replace_fact(self, name: str, value: str) -> None:
        """Store a fact in place of the one of this name."""
        ...

    async def rebind(self, name: str, value: str) -> bool:
        """Store a fact in place of the one of this name, if nothing can have been ordered; return whether it was."""
        ...

    def entries(self, states: Collection[State], /) -> AsyncIterator[Entry]:
        """Iterate over the entries in these states."""
        ...


@frozen
class Callbacks:
    """Callback URLs of a run, and those that earlier requests may carry."""

    current: CallbackUrls | None = field(default=None, repr=False)
    earlier: tuple[CallbackUrls, ...] = field(default=(), repr=False)


@frozen(kw_only=True)
class Binding:
    """What a run is for; a ledger remembers it, and is refused for another."""

    base_url: str
    key: str | None
    """Key column; ``None``: the default key."""
    token: str | None = field(**SECRET)
    """The tenant's token; ``None`` in a dry run without one."""
    new_token: bool
    """Whether another token than the ledger's is a new one of the same enterprise."""
    page: str | None
    notify: str | None
    reading: SourceOptions = READ_AS_DETECTED
    """Options with which the input was opened."""

    async def apply(self, ledger: BoundLedger) -> tuple[str, Callbacks]:
        """Check the ledger, store what it does not know yet, and return a line on its tenant, and the callbacks.

        Raises `LedgerError` if it belongs to another platform, key or tenant: every row would be requested again, or
        links of another enterprise be handed out. While nothing can have been ordered, platform and tenant are
        replaced: a first run with a wrong address or token claims nothing.
        """
        advice = "give the same --key again, or name another --ledger"
        await self._check_fact(ledger, "key", self.key or DEFAULT_KEY, advice)
        if not await ledger.rebind("platform", self.base_url):
            await self._check_fact(ledger, "platform", self.base_url, "name another --ledger for another platform")
        tenant = await self._apply_tenant(ledger)
        if self.reading != READ_AS_DETECTED:
            await ledger.replace_fact(READING_FACT, self.reading.to_fact())
        return tenant, await self._apply_callbacks(ledger)

    async def _check_fact(self, ledger: BoundLedger, name: str, value: str, advice: str) -> None:
        if (recorded := await ledger.record_fact(name, value)) != value:
            raise LedgerError(f"{ledger.path} has the {name} {recorded}, not {value}: {advice}")

    async def _apply_tenant(self, ledger: BoundLedger) -> str:
        if self.token is None:
            return gettext("not checked, since no token is given")
        fingerprint = Hashes(ledger.secret).token(self.token).hex()
        shown = gettext("token #{digits}", digits=fingerprint[:SHOWN_DIGITS])
        recorded = await ledger.fact("tenant")
        if recorded == fingerprint:
            return gettext("{token}, as in the last run", token=shown)
        if await ledger.rebind("tenant", fingerprint):
            return gettext("{token}, new to the ledger", token=shown)
        if recorded is not None and not self.new_token and await _has_orders(ledger):
            raise LedgerError(
                f"{ledger.path} belongs to another tenant (token #{recorded[:SHOWN_DIGITS]}, not "
                f"#{fingerprint[:SHOWN_DIGITS]}): name another --ledger for another enterprise, or add --new-token if "
                "the token is a new one of the same enterprise"
            )
        await ledger.replace_fact("tenant", fingerprint)
        return gettext("{token}, new to the ledger", token=shown)

    async def _apply_callbacks(self, ledger: BoundLedger) -> Callbacks:
        """Remember the URLs that are given, or return those of the last run."""
        known = [(page, notify) for page, notify in json.loads(await ledger.fact("callbacks") or "[]")]
        if self.page is not None and self.notify is not None:
            known = [(self.page, self.notify), *(each for each in known if each != (self.page, self.notify))]
            await ledger.replace_fact("callbacks", json.dumps(known))
        if not known:
            return Callbacks()
        if not os.environ.get(SECRET_VARIABLE):
            raise UsageError(
                gettext(
                    "the ledger's callback URLs need {variable}, which is not set: set it as in the last run",
                    variable=SECRET_VARIABLE,
                )
            )
        try:
            secrets = parse_callback_secrets()
            first, *earlier = [
                create_callback_urls(page, notify, [secret]) for page, notify in known for secret in secrets
            ]
        except UsageError as error:
            raise UsageError(
                gettext("the ledger's callback URLs need {variable}; {error}", variable=SECRET_VARIABLE, error=error)
            ) from None
        return Callbacks(first, tuple(earlier))


async def _has_orders(ledger: BoundLedger) -> bool:
    """Return whether the ledger holds links, or requests that may have led to one."""
    found = False
    async for _ in ledger.entries([State.LINKED, State.UNKNOWN]):
        found = True
    return found
