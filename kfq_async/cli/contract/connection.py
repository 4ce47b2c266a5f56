"""Call of ``kfq contract`` to the platform, with its errors."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from kfq_async.cli.contract.results import print_failure
from kfq_async.cli.options import CallOptions, UsageError
from kfq_async.errors import EncodeError, KfqError
from kfq_async.session import AsyncSession

__all__ = ["run_call"]


def run_call(connection: CallOptions, call: Callable[[AsyncSession], Awaitable[int]]) -> int:
    """Call the platform with a session, and return the exit status of ``call``, or that of its error.

    Raises:
        UsageError: An option is invalid.
    """
    token = connection.require_token()
    try:
        return asyncio.run(_within_session(connection, token, call))
    except EncodeError as error:
        raise UsageError(str(error)) from None
    except KfqError as error:
        return print_failure(error, as_json=connection.json_, show_message=connection.show_message)
    except ValueError as error:  # invalid option
        raise UsageError(str(error)) from None


async def _within_session(connection: CallOptions, token: str, call: Callable[[AsyncSession], Awaitable[int]]) -> int:
    async with connection.create_session(token) as session:
        return await call(session)
