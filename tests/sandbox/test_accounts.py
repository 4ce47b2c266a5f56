"""Business lines and registrations."""

from __future__ import annotations

import pytest

from self_hosted import OPERATOR, OTHER_TOKEN, PERSON, STRANGER, Platform

COMPANY, PERSONAL = "/companyCreateAndAuth", "/personCreateAndAuth"


def account(**changes: object) -> dict[str, object]:
    """Return an account that nobody has yet, but for the ``changes``."""
    return {"name": "赵三", "contactType": "MOBILE", "contact": STRANGER} | changes


@pytest.mark.parametrize(
    ("fields", "code", "words"),
    [
        ({"contact": None}, 31000, ""),
        ({"contact": ""}, 31000, ""),
        ({"contact": STRANGER}, 31000, STRANGER),
        ({"contact": "张三 <b>"}, 31000, "张三 <b>"),
        ({"contact": PERSON}, 31000, "东方示例有限公司"),
        ({"contact": f"{OPERATOR},{OPERATOR}"}, 31000, ""),
    ],
)
def test_business_lines_of_others(fields: dict[str, object], code: int, words: str) -> None:
    """Only a member of the token's enterprise has business lines; the message repeats the contact."""
    response = Platform().call("/signRes", fields)
    assert response.code == code
    assert words in response.message


def test_business_lines() -> None:
    """The enabled lines of the token's enterprise are listed."""
    platform = Platform()
    lines = platform.call("/signRes", {"contact": OPERATOR}).result
    assert lines == [{"signReId": "sales", "signReName": "销售"}, {"signReId": "hiring", "signReName": "招聘"}]
    west = platform.call("/signRes", {"contact": OPERATOR, "appAuthToken": OTHER_TOKEN}).result
    assert west == [{"signReId": "west", "signReName": "西部"}]


@pytest.mark.parametrize(
    ("path", "fields", "code"),
    [
        *(
            (path, fields, code)
            for path in (COMPANY, PERSONAL)
            for fields, code in (
                ({}, 21000),
                ({"account": {}}, 21000),
                ({"account": account(contactType=None)}, 21000),
                ({"account": account(contactType="WECHAT")}, 31000),
                ({"account": account(contactType="WECHAT", contact=None)}, 31000),
                ({"account": account(contact="12345678901")}, 23000),
                ({"account": account(contact="1390000000")}, 23000),
                ({"account": account(contact="+8613900000009")}, 23000),
                ({"account": account(contactType="EMAIL")}, 23000),
                ({"account": account(contactType="EMAIL", contact="a@b")}, 23000),
                ({"account": account(contactType="EMAIL", contact="a@b.c")}, 23000),
                ({"account": account(contactType="EMAIL", contact="a b@example.com")}, 23000),
                ({"account": account(contactType="EMAIL", contact="a+b_c.d-e@mail.example.com")}, 10000),
                ({"account": account(name=None)}, 10000),
                ({"account": account(name="\U00020000")}, 500),
                ({"account": "赵三"}, 500),
            )
        ),
        (COMPANY, {"account": account(contact=None)}, 21000),
        (PERSONAL, {"account": account(contact=None)}, 23000),
        (COMPANY, {"account": account(), "companyName": "长" * 32}, 10000),
        (COMPANY, {"account": account(), "companyName": "长" * 33}, 500),
        (COMPANY, {"account": account(), "legalPerson": "\U00020000"}, 500),
        (COMPANY, {"account": account(), "isMakeSeal": "1"}, 10000),
        (PERSONAL, {"account": account(), "idCardType": 1, "identity": "x", "mobile": "13900000003"}, 10000),
        (PERSONAL, {"account": account(), "mobile": ""}, 10000),
        (PERSONAL, {"account": account(), "mobile": "123"}, 23000),
    ],
)
def test_registration_checks(path: str, fields: dict[str, object], code: int) -> None:
    """The account and its contact are checked, the rest is not."""
    response = Platform().call(path, fields)
    assert response.code == code
    assert response.result is None


def test_registered_person() -> None:
    """A registered person has an account, is not identified, and is no member."""
    platform = Platform()
    assert platform.call(PERSONAL, {"account": account()}).code == 10000
    found = platform.directory.account(STRANGER)
    assert found is not None
    assert (found.name, found.contact_type, found.verified) == ("赵三", "MOBILE", False)
    assert platform.call("/signRes", {"contact": STRANGER}).code == 31000


def test_registered_company() -> None:
    """An account that is registered with an existing enterprise belongs to it; a repeat succeeds as well."""
    platform = Platform()
    for _ in range(2):
        response = platform.call(COMPANY, {"account": account(), "companyName": "东方示例有限公司"})
        assert (response.code, response.result) == (10000, None)
    assert platform.call("/signRes", {"contact": STRANGER}).code == 10000
    assert platform.call("/signRes", {"contact": STRANGER, "appAuthToken": OTHER_TOKEN}).code == 31000


def test_directory() -> None:
    """What was not registered comes from the fixtures."""
    directory = Platform().directory
    found = directory.developer(OTHER_TOKEN)
    assert found is not None
    enterprise, _ = found
    person = directory.account(PERSON)
    assert person is not None
    assert directory.account("13900000008") is None
    assert directory.is_member(enterprise, OPERATOR)
    assert directory.line(enterprise, "west") == enterprise.lines[0]
    assert directory.seal(enterprise, "seal-a") is None
    assert directory.granted_seal(person, "sales", "2026-01-01") == person.seals[0]
