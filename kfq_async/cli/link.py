"""``kfq link``: the identification link of one company."""

from __future__ import annotations

import asyncio
import json
import shlex
import sys
from pathlib import Path
from typing import Annotated

import attrs
from cyclopts import Parameter
from rich.console import Console
from rich.text import Text

from kfq_async.cli.options import DEFAULT_BASE_URL, BaseUrl, JsonOutput, Token, UsageError
from kfq_async.cli.request import RequestOptions, read_request
from kfq_async.config import Timeouts
from kfq_async.errors import ApiError, KfqError, NonceError, ServerError, TooFrequentError
from kfq_async.models.identity import CorpIdentLink, CorpIdentLinkRequest
from kfq_async.protocol.operation import ApiResponse
from kfq_async.resources.auth import CORP_IDENT_LINK
from kfq_async.session import AsyncSession

__all__ = ["link"]

NOTHING = RequestOptions()


def link(
    *,
    options: Annotated[RequestOptions, Parameter(name="*")] = NOTHING,
    client_request_id: str | None = None,
    file: Annotated[Path | None, Parameter(allow_leading_hyphen=True)] = None,
    total: float = 60.0,
    token: Token = None,
    base_url: BaseUrl = DEFAULT_BASE_URL,
    json_: JsonOutput = False,
) -> int:
    """Ask for the page on which one company's operator proves who the company is.

    Ask again with the same --client-request-id and the same data to repeat a request whose answer was lost.
    What stands on a command line can be seen by other users of the machine: for personal data use --file.

    Parameters
    ----------
    client_request_id
        客户端请求唯一标识: your id of this request; a fresh one is made otherwise.
    file
        The whole request as JSON by the platform's names, instead of the options above; - reads standard input.
    total
        Seconds for everything, repetitions included.
    token
        appAuthToken of your enterprise.
    base_url
        Where the platform is, context path included; the sandbox prints its own.
    json_
        Print JSON instead of lines.
    """
    request = read_request(options, file)
    if client_request_id is not None:
        request = attrs.evolve(request, client_request_id=client_request_id)
    if not token:
        raise UsageError("give the appAuthToken as --token or in KFQ_APP_AUTH_TOKEN")
    try:
        session = AsyncSession(token, base_url=base_url, timeouts=Timeouts(total=total))
        answer = asyncio.run(_ask(session, request))
    except ValueError as problem:  # what cannot be asked, an EncodeError among them
        raise UsageError(str(problem)) from None
    except KfqError as problem:
        _print_error(problem, as_json=json_)
        return 1
    except KeyboardInterrupt:
        _print_again(request.client_request_id)
        raise
    _print_answer(answer, request, as_json=json_)
    return 0


async def _ask(session: AsyncSession, request: CorpIdentLinkRequest) -> ApiResponse[CorpIdentLink]:
    async with session:
        return await session.send(CORP_IDENT_LINK, request)


def _print_answer(answer: ApiResponse[CorpIdentLink], request: CorpIdentLinkRequest, *, as_json: bool) -> None:
    shown = {
        "orderNo": answer.result.order_no,
        "authUrl": answer.result.auth_url,
        "clientRequestId": request.client_request_id,
        "attempts": answer.attempts,
    }
    if as_json:
        sys.stdout.write(json.dumps(shown, ensure_ascii=False) + "\n")
        return
    console = Console(highlight=False, soft_wrap=True)  # a link must come out in one piece, to be copied
    for name, value in shown.items():
        console.print(Text.assemble((f"{name}:", "bold"), f" {value}"))


def _print_error(problem: KfqError, *, as_json: bool) -> None:
    if as_json:
        shown = {
            "error": type(problem).__name__,
            "code": problem.code if isinstance(problem, ApiError) else None,
            "phase": problem.phase,
            "attempts": problem.attempts,
            "clientRequestId": problem.client_request_id,
            "text": str(problem),
        }
        sys.stdout.write(json.dumps(shown, ensure_ascii=False) + "\n")
        return
    Console(stderr=True, markup=False, highlight=False, soft_wrap=True).print(
        f"{type(problem).__name__}: {problem}", style="red"
    )
    if not _refused(problem):
        _print_again(problem.client_request_id)


def _refused(problem: KfqError) -> bool:
    """Whether the platform said no for good, so that the same request would be refused again."""
    return isinstance(problem, ApiError) and not isinstance(problem, NonceError | ServerError | TooFrequentError)


def _print_again(client_request_id: str | None) -> None:
    if client_request_id is not None:
        sys.stderr.write(f"To ask again for the same: --client-request-id {shlex.quote(client_request_id)}\n")
