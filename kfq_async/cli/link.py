"""``kfq link``: the identification link of one company."""

from __future__ import annotations

import asyncio
import shlex
from pathlib import Path
from typing import Annotated

import attrs
from cyclopts import Parameter
from rich.console import Console
from rich.text import Text

from kfq_async.cli.failures import print_call_error
from kfq_async.cli.options import DEFAULT_CALL, CallConnection, CallOptions, UsageError
from kfq_async.cli.request import RequestOptions, read_request
from kfq_async.cli.terminal import print_json, print_line
from kfq_async.config import Timeouts
from kfq_async.errors import ApiError, KfqError, NonceError, ServerError, TooFrequentError
from kfq_async.languages import gettext
from kfq_async.models.identity import CorpIdentLink, CorpIdentLinkRequest
from kfq_async.protocol.operation import ApiResponse
from kfq_async.redaction import printable
from kfq_async.resources.auth import CORP_IDENT_LINK
from kfq_async.session import AsyncSession

__all__ = ["link"]

NO_OPTIONS = RequestOptions()


def link(
    *,
    options: Annotated[RequestOptions, Parameter(name="*")] = NO_OPTIONS,
    client_request_id: str | None = None,
    file: Annotated[Path | None, Parameter(allow_leading_hyphen=True)] = None,
    total: float = 60.0,
    connection: CallConnection = DEFAULT_CALL,
) -> int:
    """Request the link of the page where a company's operator identifies the company.

    To retry a request whose response was lost, give the same --client-request-id and the same data. Other users of
    the machine can see command lines: pass personal data in --file.

    Parameters
    ----------
    client_request_id
        Your id for this request (客户端请求唯一标识; default: a random one).
    file
        The whole request as JSON, with the platform's field names, instead of the options above; - reads standard
        input.
    total
        Total timeout in seconds, including retries.
    """
    request = read_request(options, file)
    if client_request_id is not None:
        request = attrs.evolve(request, client_request_id=client_request_id)
    token = connection.require_token()
    try:
        session = connection.create_session(token, timeouts=Timeouts(total=total))
        response = asyncio.run(_send(session, request))
    except ValueError as error:  # invalid option, or EncodeError
        raise UsageError(str(error)) from None
    except KfqError as error:
        _print_error(error, connection)
        return 1
    except KeyboardInterrupt:
        _print_retry_hint(request.client_request_id)
        raise
    _print_response(response, request, as_json=connection.json_)
    return 0


async def _send(session: AsyncSession, request: CorpIdentLinkRequest) -> ApiResponse[CorpIdentLink]:
    async with session:
        return await session.send(CORP_IDENT_LINK, request)


def _print_response(response: ApiResponse[CorpIdentLink], request: CorpIdentLinkRequest, *, as_json: bool) -> None:
    values = {
        "orderNo": response.result.order_no,
        "authUrl": response.result.auth_url,
        "clientRequestId": request.client_request_id,
        "attempts": response.attempts,
    }
    if as_json:
        print_json(values)
        return
    console = Console(highlight=False, soft_wrap=True)  # a folded link could not be copied
    for name, value in values.items():
        console.print(Text.assemble((f"{name}:", "bold"), f" {printable(str(value))}"))


def _print_error(error: KfqError, connection: CallOptions) -> None:
    if connection.json_:
        values = {
            "error": type(error).__name__,
            "code": error.code if isinstance(error, ApiError) else None,
            "phase": error.phase,
            "attempts": error.attempts,
            "clientRequestId": error.client_request_id,
            "text": str(error),
        }
        print_json(values)
        return
    print_call_error(error, show_message=connection.show_message)
    if not _is_final(error):
        _print_retry_hint(error.client_request_id)


def _is_final(error: KfqError) -> bool:
    """Return whether the platform refused the request itself, so that a retry would be refused too."""
    return isinstance(error, ApiError) and not isinstance(error, NonceError | ServerError | TooFrequentError)


def _print_retry_hint(client_request_id: str | None) -> None:
    if client_request_id is not None:
        option = f"--client-request-id {shlex.quote(client_request_id)}"
        hint = gettext("To retry the same request, run the command again with {option}", option=option)
        print_line(Console(stderr=True), hint)
