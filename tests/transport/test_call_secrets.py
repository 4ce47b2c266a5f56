"""Secrets and personal data, which no error, traceback or log record shows."""

from __future__ import annotations

import base64
import json
import logging
import pickle
import traceback
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import orjson
import pytest
from attrs import evolve

from calls import (
    DRAFT,
    NO_RETRY,
    SAFE_GET,
    error_of,
    open_session,
    refusal,
    respond,
)
from kfq_async import (
    ApiError,
    AsyncSession,
    BusinessError,
    ConnectionLost,
    CorpIdentConfig,
    CorpIdentInfo,
    CorpIdentLink,
    CorpIdentLinkRequest,
    DecodeError,
    GatewayError,
    KfqError,
    Operation,
    OprIdentConfig,
    OprIdentInfo,
    OutcomeUnknown,
    Phase,
    RetryPolicy,
    ServerError,
    TooFrequentError,
    UnexpectedResponse,
)
from kfq_async.resources.auth import CORP_IDENT_LINK
from servers import ReceivedRequest, ScriptedServer, http_response, success

if TYPE_CHECKING:
    from collections.abc import Callable

PERSONAL = {
    "account": "13800138000",
    "company": "某某科技有限公司",
    "credit code": "91110000MA01234567",
    "representative": "张三丰",
    "licence": "bGljZW5jZQ",
    "operator": "李四光",
    "id card": "110101199001011234",
    "mobile": "13900139000",
    "bank card": "6222020200012345678",
    "page": "https://your-domain.com/corp/callback?state=PAGE-SECRET",
    "callback": "https://your-domain.com/api/callback/NOTIFY-SECRET",
    "token": "TK7SECRET",
}

FULL = CorpIdentLinkRequest(
    account_name=PERSONAL["account"],
    corp_ident_info=CorpIdentInfo(
        company_name=PERSONAL["company"],
        credit_code=PERSONAL["credit code"],
        legal_rep_name=PERSONAL["representative"],
        license=PERSONAL["licence"],
        company_type=1,
    ),
    corp_ident_config=CorpIdentConfig(corp_verify_methods=["legalRep"], unmodifiable_params=["companyName"]),
    opr_ident_info=OprIdentInfo(
        name=PERSONAL["operator"],
        id_card=PERSONAL["id card"],
        id_card_type=1,
        mobile=PERSONAL["mobile"],
        bank_card=PERSONAL["bank card"],
    ),
    opr_ident_config=OprIdentConfig(person_verify_methods=["face"], unmodifiable_params=["name"]),
    callback_page=PERSONAL["page"],
    auth_callback_url=PERSONAL["callback"],
)

ECHO = "；".join(PERSONAL.values())

FAILURES: dict[str, tuple[bytes | None, type[KfqError]]] = {
    "lost": (None, ConnectionLost),
    "gateway": (http_response(ECHO, 502), GatewayError),
    "page": (http_response(f"<html>{ECHO}", 200), UnexpectedResponse),
    "redirect": (http_response(b"", 302, Location=f"https://sso.example.com/{PERSONAL['token']}"), UnexpectedResponse),
    "refused": (refusal(31000, ECHO), BusinessError),
    "undocumented": (refusal(77777, ECHO), ApiError),
    "too frequent": (refusal(999999, f"请勿频繁操作 {ECHO}"), TooFrequentError),
    "unreadable": (success({"orderNo": [ECHO], "authUrl": {ECHO: 1}, ECHO: 1}), DecodeError),
}


@pytest.mark.parametrize("name", FAILURES)
@pytest.mark.parametrize("operation", [CORP_IDENT_LINK, DRAFT, SAFE_GET])
async def test_error_shows_no_personal_data(
    name: str, operation: Operation[Any, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """Neither token nor sent values are in an error's text, its traceback or the log, and it can be pickled."""
    caplog.set_level(logging.DEBUG)
    raw, kind = FAILURES[name]
    request: Any = FULL if operation is CORP_IDENT_LINK else {"text": ECHO}
    if name == "unreadable":
        operation = evolve(operation, result=CorpIdentLink)
    retry = NO_RETRY if kind is TooFrequentError else RetryPolicy(attempts=2, initial=0.01)
    async with (
        ScriptedServer(respond(raw)) as server,
        AsyncSession(PERSONAL["token"], base_url=server.base_url, retry=retry) as session,
    ):
        error = await error_of(session, operation, request)
    if operation is DRAFT and kind is not DecodeError and error.phase is Phase.SENT:
        assert type(error) is OutcomeUnknown
        assert type(error.original_error) is kind
    else:
        assert type(error) is kind
    assert error.operation == operation.name
    assert error.unique_code
    shown = [str(error), repr(error), *traceback.format_exception(error), caplog.text]
    for name_of_value, value in PERSONAL.items():
        assert not [text for text in shown if value in text], name_of_value
    assert error.__cause__ is None
    assert error.__context__ is None
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert str(copy) == str(error)
    assert vars(copy).keys() == vars(error).keys()
    for attribute in ("phase", "operation", "attempts", "client_request_id", "unique_code"):
        assert getattr(copy, attribute) == getattr(error, attribute)


async def test_local_variables_show_no_personal_data() -> None:
    """A traceback that prints the package's local variables shows neither the token nor personal data."""
    async with (
        ScriptedServer(respond(None)) as server,
        AsyncSession(PERSONAL["token"], base_url=server.base_url, retry=NO_RETRY) as session,
    ):
        error = await error_of(session, request=FULL)
    frames = traceback.TracebackException.from_exception(error, capture_locals=True).stack
    shown = "".join(str(frame.locals) for frame in frames if "kfq_async" in frame.filename)
    assert "Call object" in shown
    public = {"company", "credit code"}
    assert not [name for name, value in PERSONAL.items() if name not in public and value in shown]


async def test_message_attribute_is_as_received() -> None:
    """``message`` holds the platform's message as it is, and the text of the error only its known words."""
    async with ScriptedServer(respond(refusal(31000, "13800138000 已认证"))) as server, open_session(server) as session:
        error = await error_of(session)
    assert error.message == "13800138000 已认证"
    assert "“… 已认证”, in full in error.message.raw" in str(error)


REPETITIONS: dict[str, Callable[[ReceivedRequest], str]] = {
    "json": lambda seen: seen.body.decode(),
    "json in json": lambda seen: orjson.dumps(seen.body.decode()).decode(),
    "ascii": lambda seen: json.dumps(json.loads(seen.body)),
    "percent-encoded": lambda seen: quote(seen.body),
    "base64": lambda seen: base64.b64encode(seen.body).decode(),
    "map": lambda seen: str(json.loads(seen.body))[1:-1].replace("': '", "=").replace("'", ""),
    "middle": lambda seen: seen.body.decode().partition('"text"')[2],
}


@pytest.mark.parametrize("form", REPETITIONS)
async def test_request_repeated_in_a_message(form: str, caplog: pytest.LogCaptureFixture) -> None:
    """The generic failure may repeat the whole request: nothing of an error holds any of it."""
    caplog.set_level(logging.DEBUG)

    async def script(_number: int, seen: ReceivedRequest) -> bytes:
        message = f"操作失败，无法读取：{REPETITIONS[form](seen)}"
        return http_response({"success": False, "message": message, "code": 500, "result": None, "timestamp": 1})

    request = {"text": ECHO, "parties": [{"contact": PERSONAL["mobile"]}], "number": 6222020200012345678}
    async with (
        ScriptedServer(script) as server,
        AsyncSession(PERSONAL["token"], base_url=server.base_url, operator_account="ACCOUNT-1") as session,
    ):
        error = await error_of(session, DRAFT, request)
    assert type(error) is ServerError
    assert error.message is not None
    assert error.message.raw.startswith("操作失败，无法读取：")
    kept = [
        error.message.raw,
        error.envelope.message,
        *traceback.format_exception(error),
        caplog.text,
        str(vars(error)),
    ]
    for value in (*PERSONAL.values(), "ACCOUNT-1", quote(PERSONAL["operator"]), ascii(PERSONAL["operator"])[1:-1]):
        assert not [text for text in kept if str(value) in text], value
    assert not pickle.dumps(error).count(PERSONAL["token"].encode())


async def test_query_repeated_in_a_message() -> None:
    """The message of a GET may repeat its parameters, the private ones among them."""
    message = f"操作失败，{PERSONAL['operator']}的合同 CONTRACT-1 {PERSONAL['token']}"
    response = http_response({"success": False, "message": message, "code": 500, "result": None})
    async with ScriptedServer(respond(response)) as server, AsyncSession("T", base_url=server.base_url) as session:
        error = await error_of(session, SAFE_GET, {"partyName": PERSONAL["operator"], "contractId": "CONTRACT-1"})
        assert error.message == "操作失败，"
        error = await error_of(session, SAFE_GET, {"contractId": "CONTRACT-1"})
        assert error.message == f"操作失败，{PERSONAL['operator']}的合同 "
