"""Links to pages of a contract."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from contract_platform import OTHER_COMPANY, PARTNER, SECOND, ContractPlatform, company, node, sender, user
from self_hosted import NOW_MS, OPERATOR, PERSON, STRANGER

MISSING, FORMAT, BUSINESS, GENERIC = (21000, False), (23000, False), (31000, False), (500, True)
TASK_URL, PAGE_URL = "/contract/taskUrl", "/contract/pageUrl"
HOUR = 60 * 60


@pytest.fixture
def platform() -> ContractPlatform:
    """A platform."""
    return ContractPlatform()


def url_of(platform: ContractPlatform, path: str, **fields: Any) -> str:
    """Return the link that an operation returns."""
    response = platform.ask(path, **fields)
    assert response.code == 10000, response.message
    assert isinstance(response.result, dict)
    assert response.result.keys() == {"pageUrl"}
    return str(response.result["pageUrl"])


def test_task_url(platform: ContractPlatform) -> None:
    """The link of a task has a fragment, and holds the contact; the type of an approval is empty."""
    contract_id = platform.draft(sender(node("APPROVER_CHECK")), platform.signer(), signOrderType="NO_ORDER")
    _, (approval, signature) = platform.tasks(contract_id)
    for task, task_type, contact in ((approval, "", OPERATOR), (signature, "sign", PERSON)):
        url = url_of(platform, TASK_URL, contractId=contract_id, taskId=task["taskId"], callbackPage="https://a/?b=1")
        fragment = urlsplit(url).fragment
        query = parse_qs(fragment.partition("?")[2], keep_blank_values=True)
        assert (query["taskType"], query["phone"], query["callbackPage"]) == (
            [task_type],
            [contact],
            ["https://a/?b=1"],
        )


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"contractId": None}, MISSING),
        ({"taskId": None}, MISSING),
        ({"contractId": "none"}, BUSINESS),
        ({"taskId": "none"}, BUSINESS),
        ({"callbackPage": "p" * 501}, GENERIC),
    ],
)
def test_refused_task_urls(fields: dict[str, Any], code: tuple[int, bool], platform: ContractPlatform) -> None:
    """A link needs an open task of a contract, and a return page that fits its column."""
    contract_id = platform.draft(platform.signer())
    _, (task,) = platform.tasks(contract_id)
    asked = {"contractId": contract_id, "taskId": task["taskId"], "linkType": "h5"} | fields
    assert platform.code(TASK_URL, **asked) == code


def test_page_url(platform: ContractPlatform) -> None:
    """A short link ends in a code of eight characters, a new one each time."""
    contract_id = platform.draft(platform.signer())
    urls = {url_of(platform, PAGE_URL, contractId=contract_id, contact=PERSON) for _ in range(3)}
    assert len(urls) == 3
    for url in urls:
        assert len(url.rpartition("code=")[2]) == 8
    first = platform.store.links.all()[0]
    assert (first.contract_id, first.contact, first.no_login, first.expires_at) == (contract_id, PERSON, False, None)
    assert first.code not in repr(first)


@pytest.mark.parametrize(
    ("time", "expires_at"),
    [
        (None, NOW_MS / 1000 + 72 * HOUR),
        ("2026-04-01 12:00:00", 1_775_016_000),
        ("2020-01-01 00:00:00", 1_577_808_000),
        ("2031-01-01 00:00:00", NOW_MS / 1000 + 72 * HOUR),
    ],
)
def test_expiry_without_login(time: str | None, expires_at: float, platform: ContractPlatform) -> None:
    """A link without login lasts for 72 hours at most, from now on; a time in the past is accepted."""
    contract_id = platform.draft(platform.signer())
    url_of(platform, PAGE_URL, contractId=contract_id, contact=PERSON, noLogin="true", pageUrlExpireTime=time)
    (link,) = platform.store.links.all()
    assert (link.no_login, link.expires_at) == (True, expires_at)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"contact": None}, MISSING),
        ({"contractId": None}, MISSING),
        ({"contractId": "none"}, BUSINESS),
        ({"contact": STRANGER}, BUSINESS),
        ({"contact": SECOND}, BUSINESS),
        ({"taskId": "none"}, BUSINESS),
        ({"partyName": "别人"}, BUSINESS),
        ({"noLogin": "maybe"}, GENERIC),
        ({"noLogin": "true", "pageUrlExpireTime": "soon"}, FORMAT),
    ],
)
def test_refused_page_urls(fields: dict[str, Any], code: tuple[int, bool], platform: ContractPlatform) -> None:
    """A link needs a contact that has to do with the contract; the expiry is read only without login."""
    contract_id = platform.draft(platform.signer())
    asked = {"contractId": contract_id, "contact": PERSON, "pageUrlExpireTime": "soon"}
    assert platform.ask(PAGE_URL, **asked).code == 10000
    assert platform.code(PAGE_URL, **(asked | fields)) == code


def test_page_url_of_a_task_and_of_a_party(platform: ContractPlatform) -> None:
    """A link may be for a task, or for the person or the enterprise to act as; the initiator has one as well."""
    contract_id = platform.draft(
        sender(platform.seal()), platform.signer(), company(node("AGENT_SIGN", PARTNER), order="2")
    )
    _, (task,) = platform.tasks(contract_id)
    for contact, fields in (
        (OPERATOR, {}),
        (PERSON, {"taskId": task["taskId"]}),
        (PERSON, {"partyName": user(PERSON)["name"]}),
        (PARTNER, {"partyName": OTHER_COMPANY}),
    ):
        assert url_of(platform, PAGE_URL, contractId=contract_id, contact=contact, **fields)
    assert platform.code(PAGE_URL, contractId=contract_id, contact=PARTNER, taskId=task["taskId"]) == BUSINESS
