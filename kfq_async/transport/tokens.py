"""Tokens that an async function provides, kept until the platform refuses them."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from kfq_async.errors import SessionError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = ["TokenSource"]

_LOG = logging.getLogger("kfq_async")


class TokenSource:
    """Token of a tenant, asked of ``provider`` by the first call, and again after the platform refused it.

    Calls that need a token at the same time ask once. ``check`` returns the token, or raises for what is none.
    """

    def __init__(self, provider: Callable[[], Awaitable[str]], check: Callable[[object], str]) -> None:
        self._provider = provider
        self._check = check
        self._token = ""
        self._asking = asyncio.Lock()

    @property
    def token(self) -> str:
        """The token that was provided last; empty before the first one."""
        return self._token

    async def ensure(self) -> None:
        """Ask for a token unless there is one; raise `SessionError` without the cause if the provider fails."""
        await self._ask("")

    async def renew(self, refused: str) -> None:
        """Ask for a token other than the ``refused`` one; a provider that fails is logged."""
        try:
            await self._ask(refused)
        except SessionError as error:
            _LOG.warning("no other token after one was refused: %s", error)

    async def _ask(self, refused: str) -> None:
        async with self._asking:
            self._token = await self._call_provider() if self._token == refused else self._token

    async def _call_provider(self) -> str:
        try:
            provided: Any = await self._provider()
            return self._check(provided)
        except Exception as error:  # noqa: BLE001  # a provider may raise anything, with secrets in its text
            failure = type(error).__name__
        raise SessionError(
            f"the provider of app_auth_token failed: {failure}; it must return the token as a str: await it alone "
            "to see the whole error, which may hold secrets"
        )
