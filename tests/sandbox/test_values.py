"""Values that a strict sandbox refuses: documented lists, URLs, accounts, and what the platform would drop."""

from __future__ import annotations

from typing import Any

import pytest

from contract_platform import COLLEAGUE, ContractPlatform, company, node, receiver, sender, user
from kfq_async.redaction import redact
from kfq_async.sandbox.checks import Refused
from kfq_async.sandbox.values import check_identity_values, check_values
from self_hosted import OPERATOR

DROPPED = "the platform would silently drop"


def identity_problem(fields: dict[str, Any]) -> str:
    """Return the message that refuses a request for an identification link."""
    with pytest.raises(Refused) as caught:
        check_identity_values(fields)
    assert caught.value.response.code == 23000
    return shown(caught.value)


def shown(refused: Refused) -> str:
    """Return the message of a refusal, all of which `AsyncSession` shows."""
    message = refused.response.message
    assert message.startswith("沙箱：请求字段校验失败：")
    assert redact(message) == message
    return message


def problem(path: str = "/contract/draft", **fields: Any) -> str:
    """Return the message that refuses the fields of an operation."""
    with pytest.raises(Refused) as caught:
        check_values(path, fields)
    return shown(caught.value)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"accountName": "a"}, "must be a mobile number or an e-mail address @ $.accountName"),
        ({"accountName": "", "clientUserId": "u"}, "@ $.accountName"),
        ({"accountName": "1380013800"}, "@ $.accountName"),
        ({"accountName": "１３８００１３８０００"}, "@ $.accountName"),
        ({"accountName": "a@b"}, "@ $.accountName"),
        ({"corpIdentInfo": {"companyType": 4}}, "must be one of 1, 2, 3 @ $.corpIdentInfo.companyType"),
        ({"corpIdentInfo": {"companyType": 0}}, "@ $.corpIdentInfo.companyType"),
        ({"oprIdentInfo": {"idCardType": 8}}, "must be one of 1, 2, 3, 4, 5, 6, 7 @ $.oprIdentInfo.idCardType"),
        (
            {"corpIdentConfig": {"corpVerifyMethods": ["letter", "Letter", "fax"]}},
            (
                "must be one of legalRep, invite, letter @ $.corpIdentConfig.corpVerifyMethods[1]；"
                "must be one of legalRep, invite, letter @ $.corpIdentConfig.corpVerifyMethods[2]"
            ),
        ),
        (
            {"oprIdentConfig": {"personVerifyMethods": ["palm"]}},
            "must be one of face, mobile @ $.oprIdentConfig.personVerifyMethods[0]",
        ),
        (
            {"corpIdentConfig": {"unmodifiableParams": ["company_name"]}},
            (
                "must be one of companyName, creditCode, legalRepName, companyType, license "
                "@ $.corpIdentConfig.unmodifiableParams[0]"
            ),
        ),
        (
            {"oprIdentConfig": {"unmodifiableParams": ["companyName"]}},
            "must be one of name, idCard, idCardType, mobile, bankCard @ $.oprIdentConfig.unmodifiableParams[0]",
        ),
    ],
)
def test_identity(fields: dict[str, Any], expected: str) -> None:
    """A value outside the documented lists, and an impossible account, are refused with their paths."""
    assert identity_problem(fields).endswith(expected)


def test_all_values_are_named() -> None:
    """One message names all improper values."""
    message = identity_problem({"accountName": "a", "oprIdentInfo": {"idCardType": 0}, "callbackPage": "b"})
    assert [
        path for path in ("accountName", "oprIdentInfo.idCardType", "callbackPage") if f"@ $.{path}" in message
    ] == [
        "accountName",
        "oprIdentInfo.idCardType",
        "callbackPage",
    ]


@pytest.mark.parametrize(
    "fields",
    [
        {"accountName": "+8613800138000"},
        {"accountName": "li.si@your-domain.com"},
        {"corpIdentInfo": {"companyName": "", "creditCode": "91110000MA01234567", "license": ""}},
        {"corpIdentInfo": {"creditCode": "11111111111111111X"}, "oprIdentInfo": {"idCard": "1", "bankCard": "1"}},
        {"corpIdentConfig": {"unmodifiableParams": []}, "clientUserId": "u"},
        {"clientUserId": "u", "callbackPage": "https://例子.com/回调?a=b c".replace(" ", "%20")},
        {"clientUserId": "u", "callbackPage": "http://[::1]:8000/done#/company/1"},
        {"clientUserId": "u", "authCallbackUrl": "https://user:password@your-domain.com?a=1"},
    ],
)
def test_accepted_identity(fields: dict[str, Any]) -> None:
    """Numbers of any form, empty texts, and URLs with query, port, user and names in any script are accepted."""
    check_identity_values(fields)


@pytest.mark.parametrize("field", ["callbackPage", "authCallbackUrl"])
@pytest.mark.parametrize(
    "url",
    [
        "",
        "your-domain.com/callback",
        "//your-domain.com/callback",
        "https:/your-domain.com",
        "ftp://your-domain.com/",
        "javascript:alert(1)//",
        "https://",
        "https:///callback",
        "https://?a=1",
        "https://a..b/",
        "https://a;b/",
        "https://your-domain.com:99999/",
        "https://your-domain.com:port/",
        "https://[::1/",
        "https://your-domain.com/a b",
        " https://your-domain.com/",
        "https://your-domain.com/\n",
        "https:\\\\your-domain.com",
        "https://your-domain.com/100%",
        "https://your-domain.com/%zz",
    ],
)
def test_malformed_urls(field: str, url: str) -> None:
    """A malformed URL is refused with its path: scheme, host, port, spaces, escapes."""
    message = identity_problem({"clientUserId": "u", field: url})
    assert message.endswith(f"must be a complete http or https URL @ $.{field}")


def test_fragment() -> None:
    """A fragment is for browsers only."""
    message = identity_problem({"clientUserId": "u", "authCallbackUrl": "https://your-domain.com/hook#top"})
    assert message.endswith(f"must be a URL without fragment: {DROPPED} it @ $.authCallbackUrl")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"send": "2"}, "must be one of 0, 1 @ $.send"),
        ({"signOrderType": "RANDOM"}, "must be one of ORDER, NO_ORDER @ $.signOrderType"),
        ({"controlChangeFlag": "YES"}, "@ $.controlChangeFlag"),
        ({"autoFinish": 2}, "must be one of 0, 1 @ $.autoFinish"),
        ({"expireDate": "2030-02-30"}, f"must be an existing day yyyy-MM-dd: {DROPPED} it @ $.expireDate"),
        ({"expireDate": "2030-01-31 12:00"}, "@ $.expireDate"),
        (
            {"operator": user(OPERATOR) | {"contact": "1"}},
            "must be an account of contactType MOBILE @ $.operator.contact",
        ),
        ({"operator": user(OPERATOR) | {"contactType": "EMAIL"}}, "contactType EMAIL @ $.operator.contact"),
        ({"operator": user(OPERATOR) | {"contactType": "PHONE"}}, "one of MOBILE, EMAIL @ $.operator.contactType"),
        ({"signerList": [receiver(verifyType="SMS")]}, "@ $.signerList[0].verifyType"),
        ({"signerList": [receiver(signConfirm="CAPTCHA")]}, "must be one of FACE @ $.signerList[0].signConfirm"),
        ({"signerList": [receiver(agreeSkipWillingness=2)]}, "@ $.signerList[0].agreeSkipWillingness"),
        ({"signerList": [receiver(personalSignAuth="never")]}, "@ $.signerList[0].personalSignAuth"),
        ({"signerList": [receiver(sealType="INK")]}, "@ $.signerList[0].sealType"),
        ({"signerList": [sender(node("STAMP"))]}, "@ $.signerList[0].internalNodeList[0].nodeType"),
        (
            {"signerList": [receiver(), receiver(signerType="WITNESS")]},
            (
                "must be one of SENDER, RECEIVER_ENT, RECEIVER_PERSONAL: the platform would silently drop this party "
                "@ $.signerList[1].signerType"
            ),
        ),
        (
            {"signerList": [company(node("ENTERPRISE_SEAL", autoSign="AUTO_SIGN"))]},
            f"is for ENTERPRISE_SEAL of the SENDER only: {DROPPED} it @ $.signerList[0].internalNodeList[0].autoSign",
        ),
        (
            {"signerList": [sender(node("AGENT_SIGN", autoSign="AUTO_SIGN"))]},
            f"is for ENTERPRISE_SEAL of the SENDER only: {DROPPED} it @ $.signerList[0].internalNodeList[0].autoSign",
        ),
        (
            {"signerList": [sender(node("ENTERPRISE_SEAL", autoSign="MANUAL"))]},
            "must be one of AUTO_SIGN @ $.signerList[0].internalNodeList[0].autoSign",
        ),
        (
            {"signerList": [sender(node("ENTERPRISE_SEAL", sealType="HAND"))]},
            f"is not for ENTERPRISE_SEAL: {DROPPED} it @ $.signerList[0].internalNodeList[0].sealType",
        ),
    ],
)
def test_draft(fields: dict[str, Any], expected: str) -> None:
    """Values of a draft and its parties outside the documented lists are refused with their paths."""
    assert problem(**fields).endswith(expected)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"controlType": "STAMP"}, "controlType"),
        ({"signPositionType": "CORNER"}, "signPositionType"),
        ({"signDateFormat": "ISO"}, "signDateFormat"),
        ({"keywordType": "2"}, "keywordType"),
        ({"controlWidth": "NaN"}, "controlWidth"),
        ({"controlHeight": "-1"}, "controlHeight"),
        ({"relationDocList": [{"docType": "3", "docId": "d"}]}, "relationDocList[0].docType"),
        ({"controlType": "CHOP_STAMP", "pageConfig": "1,2"}, "pageConfig"),
    ],
)
def test_positions(changes: dict[str, Any], expected: str) -> None:
    """Values of a position outside the documented lists are refused with their paths."""
    position = {"controlType": "SIGNATURE", "signPositionType": "POSITION", "pageConfig": "1"} | changes
    message = problem("/contract/sign/personal/proxy", positionParamList=[position])
    assert message.endswith(f"@ $.positionParamList[0].{expected}")


@pytest.mark.parametrize(
    ("path", "fields", "expected"),
    [
        (
            "/contract/approval",
            {"approval": 2},
            "must be one of 0, 1: the platform would answer with success, and silently drop it @ $.approval",
        ),
        (
            "/contract/approval",
            {"contractId": "c"},
            "required key missing: the platform would answer with success, and silently drop it @ $.approval",
        ),
        ("/contract/sign/personal/proxy", {"signatureSubjectType": "ROBOT"}, "@ $.signatureSubjectType"),
        ("/contract/taskUrl", {"callbackPage": "nowhere"}, "@ $.callbackPage"),
        ("/contract/taskUrl", {"linkType": "app"}, "must be one of h5, pc @ $.linkType"),
        ("/contract/pageUrl", {"contact": "nobody"}, "@ $.contact"),
        (
            "/contract/pageUrl",
            {"pageUrlExpireTime": "2030-01-31 00:00:00"},
            f"needs noLogin: {DROPPED} it @ $.pageUrlExpireTime",
        ),
        ("/signRes", {"contact": "nobody"}, "@ $.contact"),
        ("/personCreateAndAuth", {"idCardType": 0}, "@ $.idCardType"),
        ("/companyCreateAndAuth", {"isMakeSeal": 2}, "@ $.isMakeSeal"),
        (
            "/document/file",
            {"file": "data:application/pdf;base64,JVBERi0="},
            f"must be padded base64: {DROPPED} other characters @ $.file",
        ),
        ("/document/file", {"file": "JVBERi0"}, "@ $.file"),
    ],
)
def test_operations(path: str, fields: dict[str, Any], expected: str) -> None:
    """Values of the other operations outside the documented lists are refused with their paths."""
    assert problem(path, **fields).endswith(expected)


def test_codes() -> None:
    """A value that the platform refuses with a code of its own keeps that code."""
    for fields, code in (
        ({"operator": user(OPERATOR) | {"contactType": "PHONE"}}, 31000),
        ({"signOrderType": "RANDOM"}, 23000),
    ):
        with pytest.raises(Refused) as caught:
            check_values("/contract/draft", fields)
        assert caught.value.response.code == code


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/contract/draft", {"expireDate": "2030-01-31", "operator": user(OPERATOR)}),
        ("/contract/approval", {"approval": 0}),
        (
            "/contract/pageUrl",
            {"contact": "gao@example.org", "noLogin": True, "pageUrlExpireTime": "2030-01-31 00:00:00"},
        ),
        ("/signRes", {"contact": COLLEAGUE}),
        ("/document/file", {"file": "JVBERi0="}),
        ("/document/file", {"file": ""}),
        ("/contract/taskUrl", {"callbackPage": "https://your-domain.com/#/signed", "linkType": "h5"}),
    ],
)
def test_accepted(path: str, fields: dict[str, Any]) -> None:
    """Documented values are accepted; what is missing is left to the operation."""
    check_values(path, fields)


@pytest.mark.parametrize("strict", [True, False])
def test_strict_platform(*, strict: bool) -> None:
    """A strict platform refuses what another one drops."""
    platform = ContractPlatform(strict=strict)
    fields = platform.draft_fields(receiver(), receiver(signerType="WITNESS"))
    response = platform.ask("/contract/draft", **fields)
    assert response.code == (23000 if strict else 10000)
    assert ("$.signerList[1].signerType" in response.message) == strict
