"""`session.accounts`: requests as they are sent, and results."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson
import pytest

from calls import TOKEN, open_session, refusal, respond
from kfq_async import (
    BUSINESS_LINES,
    AsyncSession,
    BusinessError,
    BusinessLine,
    ContractUser,
    DecodeError,
    KfqError,
    OutcomeUnknown,
    ParameterError,
    RegisterCompanyRequest,
    RegisterPersonRequest,
)
from kfq_async.protocol.requests import API_PATH
from servers import ScriptedServer, success

OPERATOR = ContractUser(name="李四", contact_type="EMAIL", contact="li@example.com")
COMPANY = RegisterCompanyRequest(
    account=OPERATOR,
    company_name="某某科技有限公司",
    credit_code="91110000MA01234567",
    legal_person="张三丰",
    identity="11010119900307123X",
    is_make_seal=1,
)
PERSON = RegisterPersonRequest(
    account=ContractUser(contact_type="MOBILE", contact="13900139000"),
    id_card_type=1,
    identity="11010119900307123X",
    mobile="13700137000",
    bank_card="6222020200012345678",
)
LINES = [{"signReId": "line-2", "signReName": "劳动合同"}, {"signReId": "line-1", "signReName": "采购", "owner": "x"}]


async def test_business_lines() -> None:
    """The lines are a tuple in the platform's order, asked for with the token and the contact in the query."""
    async with ScriptedServer(respond(success(LINES))) as server, open_session(server) as session:
        lines = await session.accounts.business_lines("13800138000")
        (seen,) = server.requests
    assert lines == (
        BusinessLine(sign_re_id="line-2", sign_re_name="劳动合同"),
        BusinessLine(sign_re_id="line-1", sign_re_name="采购", extra={"owner": "x"}),
    )
    assert (seen.method, urlsplit(seen.target).path) == ("GET", f"/resrun-paas{API_PATH}/signRes")
    query = parse_qs(urlsplit(seen.target).query)
    assert query.keys() == {"appAuthToken", "uniqueCode", "contact"}
    assert (query["appAuthToken"], query["contact"]) == ([TOKEN], ["13800138000"])


async def test_no_business_lines() -> None:
    """An enterprise without lines for the user has an empty tuple, and a read is retried."""
    async with ScriptedServer(respond(None, success([]))) as server, open_session(server) as session:
        response = await session.send(BUSINESS_LINES, {"contact": "13800138000"})
    assert (response.result, response.attempts) == ((), 2)


@pytest.mark.parametrize(
    ("result", "problem"),
    [
        (None, r"expected a list, not null @ \$\.result"),
        ({"signReId": "x"}, r"expected a list, not an object @ \$\.result"),
        ([{"signReId": "x"}], "required key missing"),
        ([{"signReId": 1, "signReName": "x"}], "expected a string, not a number"),
    ],
)
async def test_unreadable_business_lines(result: object, problem: str) -> None:
    """A result that is no list of lines is a `DecodeError`."""
    async with ScriptedServer(respond(success(result))) as server, open_session(server) as session:
        with pytest.raises(DecodeError, match=problem):
            await session.accounts.business_lines("13800138000")


async def register(session: AsyncSession, request: Any) -> None:
    """Register an enterprise or a person."""
    if isinstance(request, RegisterCompanyRequest):
        await session.accounts.register_company(request)
    else:
        await session.accounts.register_person(request)


@pytest.mark.parametrize(
    ("request_", "path", "fields"),
    [
        (
            COMPANY,
            "companyCreateAndAuth",
            {
                "account": {"name": "李四", "contactType": "EMAIL", "contact": "li@example.com"},
                "companyName": "某某科技有限公司",
                "creditCode": "91110000MA01234567",
                "legalPerson": "张三丰",
                "identity": "11010119900307123X",
                "isMakeSeal": 1,
            },
        ),
        (
            PERSON,
            "personCreateAndAuth",
            {
                "account": {"contactType": "MOBILE", "contact": "13900139000"},
                "idCardType": 1,
                "identity": "11010119900307123X",
                "mobile": "13700137000",
                "bankCard": "6222020200012345678",
            },
        ),
    ],
)
async def test_registrations(request_: object, path: str, fields: dict[str, object]) -> None:
    """A registration sends each field under its wire name, and takes whatever the platform returns with a success."""
    async with ScriptedServer(respond(success(None))) as server, open_session(server) as session:
        await register(session, request_)
        (seen,) = server.requests
    assert (seen.method, seen.target) == ("POST", f"/resrun-paas{API_PATH}/{path}")
    body = orjson.loads(seen.body)
    assert len(body.pop("uniqueCode")) == 32
    assert body == {"appAuthToken": TOKEN, **fields}


@pytest.mark.parametrize("request_", [COMPANY, PERSON])
async def test_lost_registration(request_: object) -> None:
    """A registration whose response is lost may have taken effect, and is not sent again."""
    async with ScriptedServer(respond(None)) as server, open_session(server) as session:
        with pytest.raises(OutcomeUnknown):
            await register(session, request_)
        assert len(server.requests) == 1


@pytest.mark.parametrize("request_", [COMPANY, PERSON])
@pytest.mark.parametrize(
    ("code", "error"),
    [(21000, ParameterError), (23000, ParameterError), (31000, BusinessError), (32000, BusinessError)],
)
async def test_refused_registrations(request_: object, code: int, error: type[KfqError]) -> None:
    """A refusal has the class of its code, and neither error nor request shows personal data."""
    refused = refusal(code, "手机号13700137000与证件号11010119900307123X不匹配")
    async with ScriptedServer(respond(refused)) as server, open_session(server) as session:
        with pytest.raises(error) as caught:
            await register(session, request_)
    for value in ("13700137000", "11010119900307123X", "张三丰", "6222020200012345678"):
        assert value not in f"{caught.value} {request_!r}"


@pytest.mark.parametrize("method", ["register_company", "register_person"])
async def test_mapping_in_place_of_a_model(method: str) -> None:
    """A mapping is for ``send``; a model of the other method is refused, and nothing is sent."""
    async with ScriptedServer(respond(success(None))) as server, open_session(server) as session:
        with pytest.raises(TypeError, match="or a mapping, not ContractUser"):
            await getattr(session.accounts, method)(OPERATOR)
        assert server.requests == []
