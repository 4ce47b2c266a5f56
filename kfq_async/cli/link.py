"""``kfq link``: the identification link of one company."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Annotated, Any

import attrs
from cyclopts import Parameter
from rich.console import Console
from rich.table import Table

from kfq_async.cli.options import DEFAULT_BASE_URL, BaseUrl, JsonOutput, Token, UsageError
from kfq_async.errors import ApiError, DecodeError, KfqError
from kfq_async.models.identity import (
    CorpIdentConfig,
    CorpIdentInfo,
    CorpIdentLink,
    CorpIdentLinkRequest,
    OprIdentConfig,
    OprIdentInfo,
)
from kfq_async.protocol.codec import decode
from kfq_async.protocol.operation import Answer
from kfq_async.resources.auth import CORP_IDENT_LINK
from kfq_async.session import AsyncSession
from kfq_async.transport.settings import Timeouts

__all__ = ["link"]

Texts = Annotated[list[str] | None, Parameter(negative=())]


def link(
    *,
    company_name: str | None = None,
    credit_code: str | None = None,
    legal_rep_name: str | None = None,
    company_type: int | None = None,
    account_name: str | None = None,
    client_user_id: str | None = None,
    operator_name: str | None = None,
    id_card: str | None = None,
    id_card_type: int | None = None,
    mobile: str | None = None,
    bank_card: str | None = None,
    corp_verify_method: Texts = None,
    person_verify_method: Texts = None,
    callback_page: str | None = None,
    auth_callback_url: str | None = None,
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
    company_name
        企业名称.
    credit_code
        统一社会信用代码.
    legal_rep_name
        法定代表人.
    company_type
        企业类型: 1 company, 2 sole trader, 3 other.
    account_name
        经办人账号: the operator's mobile number or e-mail address.
    client_user_id
        经办人ID: the operator's id in your own system.
    operator_name
        经办人姓名.
    id_card
        经办人证件号码.
    id_card_type
        经办人证件类型.
    mobile
        经办人手机号.
    bank_card
        经办人银行卡号.
    corp_verify_method
        企业验证方式, repeatable: legalRep, invite, letter.
    person_verify_method
        How the operator is verified, repeatable: face, mobile.
    callback_page
        前端跳转页: where the browser goes afterwards.
    auth_callback_url
        异步回调地址: where the platform notifies you.
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
        Print JSON instead of a table.
    """
    given = {
        "account_name": account_name,
        "client_user_id": client_user_id,
        "corp_ident_info": _some(
            CorpIdentInfo,
            company_name=company_name,
            credit_code=credit_code,
            legal_rep_name=legal_rep_name,
            company_type=company_type,
        ),
        "corp_ident_config": _some(CorpIdentConfig, corp_verify_methods=corp_verify_method),
        "opr_ident_info": _some(
            OprIdentInfo,
            name=operator_name,
            id_card=id_card,
            id_card_type=id_card_type,
            mobile=mobile,
            bank_card=bank_card,
        ),
        "opr_ident_config": _some(OprIdentConfig, person_verify_methods=person_verify_method),
        "callback_page": callback_page,
        "auth_callback_url": auth_callback_url,
    }
    request = _request({name: value for name, value in given.items() if value is not None}, file, client_request_id)
    if not token:
        raise UsageError("give the appAuthToken as --token or in KFQ_APP_AUTH_TOKEN")
    try:
        session = AsyncSession(token, base_url=base_url, timeouts=Timeouts(total=total))
    except ValueError as problem:
        raise UsageError(str(problem)) from None
    try:
        answer = asyncio.run(_ask(session, request))
    except KfqError as problem:
        _print_error(problem, as_json=json_)
        return 1
    _print_answer(answer, request, as_json=json_)
    return 0


def _some(model: type, **values: Any) -> Any:
    """Return the model, or ``None`` if nothing of it was given."""
    return model(**values) if any(value is not None for value in values.values()) else None


def _request(given: dict[str, Any], file: Path | None, client_request_id: str | None) -> CorpIdentLinkRequest:
    if file is None:
        if not given:
            raise UsageError("say which company: at least --company-name, or --file with the request as JSON")
        request = CorpIdentLinkRequest(**given)
    elif given:
        names = ", ".join(sorted(given))
        raise UsageError(f"--file holds the whole request, so leave out the options for {names}")
    else:
        request = _read(file)
    return request if client_request_id is None else attrs.evolve(request, client_request_id=client_request_id)


def _read(file: Path) -> CorpIdentLinkRequest:
    try:
        text = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
        return decode(CorpIdentLinkRequest, json.loads(text), path="$")
    except OSError as problem:
        raise UsageError(f"--file {file}: {problem.strerror}") from None
    except ValueError as problem:
        where = f", line {problem.lineno}" if isinstance(problem, json.JSONDecodeError) else ""
        raise UsageError(f"--file {file} is not JSON in UTF-8{where}") from None
    except DecodeError as problem:
        raise UsageError(f"--file {file}: {'; '.join(problem.problems)}") from None


async def _ask(session: AsyncSession, request: CorpIdentLinkRequest) -> Answer[CorpIdentLink]:
    async with session:
        return await session.send(CORP_IDENT_LINK, request)


def _print_answer(answer: Answer[CorpIdentLink], request: CorpIdentLinkRequest, *, as_json: bool) -> None:
    shown = {
        "orderNo": answer.result.order_no,
        "authUrl": answer.result.auth_url,
        "clientRequestId": request.client_request_id,
        "attempts": answer.attempts,
    }
    if as_json:
        sys.stdout.write(json.dumps(shown, ensure_ascii=False) + "\n")
        return
    table = Table(show_header=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, value in shown.items():
        table.add_row(name, str(value))
    Console(highlight=False, markup=False).print(table)


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
    console = Console(stderr=True, markup=False, highlight=False, soft_wrap=True)
    console.print(f"{type(problem).__name__}: {problem}", style="red")
    console.print(f"To ask again for the same: --client-request-id {problem.client_request_id}")
