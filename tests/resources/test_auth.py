"""`session.auth`: the documented operation on the wire."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from attrs import evolve

from kfq_async import (
    CORP_IDENT_LINK,
    AsyncSession,
    BusinessError,
    CorpIdentConfig,
    CorpIdentInfo,
    CorpIdentLink,
    CorpIdentLinkRequest,
    CredentialPlacement,
    CredentialsError,
    Idempotency,
    OprIdentConfig,
    OprIdentInfo,
    __version__,
)
from servers import ReceivedRequest, ScriptedServer, success

if TYPE_CHECKING:
    from collections.abc import Callable

    from kfq_async.sandbox import Sandbox

TOKEN = "PV9LQWZA"
PATH = "/resrun-paas/kaifangqian/openAPI/V2/auth/corp/ident/link"

SAMPLE = CorpIdentLinkRequest(
    account_name="13800138000",
    client_user_id="your-operator-user-id-001",
    corp_ident_info=CorpIdentInfo(
        company_name="某某科技有限公司",
        credit_code="91110000MA01234567",
        legal_rep_name="张三",
        company_type=1,
        license="",
    ),
    corp_ident_config=CorpIdentConfig(
        corp_verify_methods=["legalRep", "invite", "letter"],
        unmodifiable_params=["companyName", "creditCode", "legalRepName", "companyType"],
    ),
    opr_ident_info=OprIdentInfo(
        name="李四", id_card="110101199001011234", id_card_type=1, mobile="13800138000", bank_card=""
    ),
    opr_ident_config=OprIdentConfig(
        person_verify_methods=["face", "mobile"],
        unmodifiable_params=["name", "idCard"],
    ),
    callback_page="https://your-domain.com/corp/callback",
    auth_callback_url="https://your-domain.com/api/corp/auth/callback",
    client_request_id="client-req-corp-ident-001",
)

SAMPLE_BODY = {
    "accountName": "13800138000",
    "clientUserId": "your-operator-user-id-001",
    "corpIdentInfo": {
        "companyName": "某某科技有限公司",
        "creditCode": "91110000MA01234567",
        "legalRepName": "张三",
        "companyType": 1,
        "license": "",
    },
    "corpIdentConfig": {
        "corpVerifyMethods": ["legalRep", "invite", "letter"],
        "unmodifiableParams": ["companyName", "creditCode", "legalRepName", "companyType"],
    },
    "oprIdentInfo": {
        "name": "李四",
        "idCard": "110101199001011234",
        "idCardType": 1,
        "mobile": "13800138000",
        "bankCard": "",
    },
    "oprIdentConfig": {"personVerifyMethods": ["face", "mobile"], "unmodifiableParams": ["name", "idCard"]},
    "callbackPage": "https://your-domain.com/corp/callback",
    "authCallbackUrl": "https://your-domain.com/api/corp/auth/callback",
    "clientRequestId": "client-req-corp-ident-001",
}


async def succeed(_number: int, _seen: ReceivedRequest) -> bytes:
    """Respond with success."""
    return success()


async def send(request: CorpIdentLinkRequest) -> ReceivedRequest:
    """Send a request to a scripted server and return it as received."""
    async with ScriptedServer(succeed) as server, AsyncSession(TOKEN, base_url=server.base_url) as session:
        await session.auth.corp_ident_link(request)
        (seen,) = server.requests
        return seen


async def test_headers() -> None:
    """A request has the headers of the published sample, with ``sign`` present and empty."""
    before = time.time() * 1000
    received = await send(SAMPLE)
    assert (received.method, received.target) == ("POST", PATH)
    headers = received.headers
    assert headers["appAuthToken"] == TOKEN
    assert headers["sign"] == ""
    assert headers["Content-Type"] == "application/json"
    assert headers["Accept"] == "application/json"
    assert headers["User-Agent"] == f"kfq-async/{__version__}"
    assert re.fullmatch(r"[0-9]{13}", headers["timestamp"])
    assert before - 1 <= int(headers["timestamp"]) <= time.time() * 1000 + 1
    for name in ("nonce", "uniqueCode"):
        assert re.fullmatch(r"[0-9a-f]{32}", headers[name])
    assert headers["nonce"] != headers["uniqueCode"]
    for name in headers:
        assert len(headers.getall(name)) == 1, name
    assert "Cookie" not in headers


async def test_body() -> None:
    """The body has all fields of the documented schema, in UTF-8."""
    received = await send(SAMPLE)
    assert orjson.loads(received.body) == SAMPLE_BODY
    assert "某某科技有限公司".encode() in received.body


async def test_none_is_left_out() -> None:
    """A request with one field sends that field and an id only."""
    request = CorpIdentLinkRequest(account_name="")
    received = await send(request)
    assert orjson.loads(received.body) == {"accountName": "", "clientRequestId": request.client_request_id}


async def test_corp_ident_link(session: AsyncSession, sandbox: Sandbox) -> None:
    """A request creates one order and returns its number and page."""
    link = await session.auth.corp_ident_link(SAMPLE)
    (order,) = sandbox.orders
    assert link.order_no == order.order_no
    assert link.auth_url.startswith(f"{sandbox.origin}/")
    assert order.client_request_id == "client-req-corp-ident-001"


async def test_same_request_twice(session: AsyncSession, sandbox: Sandbox) -> None:
    """The same object is the same request, for which the sandbox returns the same order."""
    first = await session.auth.corp_ident_link(SAMPLE)
    assert await session.auth.corp_ident_link(SAMPLE) == first
    assert len(sandbox.orders) == 1


@pytest.mark.parametrize(
    "envelope",
    [
        pytest.param({"code": 10000, "timestamp": 1716430000000}, id="as the server's source says"),
        pytest.param({"code": "10000", "timestamp": 1716430000}, id="typed as in the published sample"),
        pytest.param({"code": 10000, "timestamp": "1716430000000", "traceId": "t-1"}, id="with more"),
    ],
)
async def test_success_of_any_type(mocked: Callable[..., None], envelope: dict[str, Any]) -> None:
    """A success is read whatever the types of ``code`` and ``timestamp``."""
    result = {"orderNo": "N1", "authUrl": "https://example.com/a?code=SECRET", "expireTime": "2026"}
    url = f"https://home.kaifangqian.com{PATH}"
    mocked(url, payload={"message": "成功", "result": result, **envelope})
    async with AsyncSession(TOKEN) as session:
        link = await session.auth.corp_ident_link(SAMPLE)
    assert link == CorpIdentLink(
        order_no="N1", auth_url="https://example.com/a?code=SECRET", extra={"expireTime": "2026"}
    )
    assert "SECRET" not in repr(link)


async def test_unknown_token(sandbox: Sandbox) -> None:
    """An unknown token is a `CredentialsError`, raised without a retry and without the token in its text."""
    async with AsyncSession("FOREIGN1", base_url=sandbox.base_url) as session:
        with pytest.raises(CredentialsError) as caught:
            await session.auth.corp_ident_link(SAMPLE)
    assert (caught.value.code, caught.value.attempts) == (41000, 1)
    assert "FOREIGN1" not in str(caught.value)
    assert sandbox.orders == ()


async def test_same_id_for_another_request(session: AsyncSession, sandbox: Sandbox) -> None:
    """The sandbox refuses an id that was used with another body."""
    await session.auth.corp_ident_link(SAMPLE)
    with pytest.raises(BusinessError):
        await session.auth.corp_ident_link(evolve(SAMPLE, account_name="13900139000"))
    assert len(sandbox.orders) == 1


async def test_request_of_a_wrong_type(session: AsyncSession) -> None:
    """A request of a wrong type is refused before anything is sent."""
    with pytest.raises(TypeError, match="ident/link takes a CorpIdentLinkRequest or a mapping, not str"):
        await session.auth.corp_ident_link("13800138000")  # type: ignore[arg-type]


def test_operation() -> None:
    """The operation is keyed by its ``clientRequestId``, and has its credentials in headers."""
    assert CORP_IDENT_LINK.idempotency is Idempotency.KEYED
    assert CORP_IDENT_LINK.credentials is CredentialPlacement.HEADERS
    assert CORP_IDENT_LINK.name == "POST /auth/corp/ident/link"
