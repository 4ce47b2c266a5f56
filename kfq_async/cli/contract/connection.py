"""Connection of ``kfq contract`` to the platform: options, and one call with its errors."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from attrs import field, frozen

from kfq_async.cli.contract.results import print_failure
from kfq_async.cli.options import DEFAULT_BASE_URL, BaseUrl, JsonOutput, Token, UsageError
from kfq_async.errors import EncodeError, KfqError
from kfq_async.models.fields import repr_masked
from kfq_async.models.masking import MaskedStr
from kfq_async.session import AsyncSession

__all__ = ["ConnectionOptions", "run_call"]


def _as_masked(value: Token) -> MaskedStr | None:  # attrs takes the annotation for the field, with the option's name
    return None if value is None else MaskedStr(value)


@frozen(kw_only=True)
class ConnectionOptions:
    """Options of every command that calls the platform.

    Parameters
    ----------
    token
        appAuthToken of your enterprise.
    base_url
        Base URL of the platform, including the context path; `kfq sandbox` prints its own.
    json_
        Print JSON instead of text.
    """

    token: Token = field(default=None, converter=_as_masked, repr=repr_masked)
    base_url: BaseUrl = DEFAULT_BASE_URL
    json_: JsonOutput = False


def run_call(connection: ConnectionOptions, call: Callable[[AsyncSession], Awaitable[int]]) -> int:
    """Call the platform with a session, and return the exit status of ``call``, or that of its error.

    Raises:
        UsageError: An option is invalid.
    """
    if not connection.token:
        raise UsageError("the appAuthToken is missing; give --token or set KFQ_APP_AUTH_TOKEN")
    try:
        return asyncio.run(_within_session(connection.token, connection.base_url, call))
    except EncodeError as error:
        raise UsageError(str(error)) from None
    except KfqError as error:
        return print_failure(error, as_json=connection.json_)
    except ValueError as error:  # invalid option
        raise UsageError(str(error)) from None


async def _within_session(token: str, base_url: str, call: Callable[[AsyncSession], Awaitable[int]]) -> int:
    async with AsyncSession(token, base_url=base_url) as session:
        return await call(session)
