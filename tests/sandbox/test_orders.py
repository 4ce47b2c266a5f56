"""What becomes of an order, and what is notified about it (protocol sections 5.2 and 5.3)."""

from __future__ import annotations

import orjson
import pytest

from kfq_async.sandbox.orders import (
    ABANDON,
    COMPLETE,
    EXPIRE,
    FINAL,
    REVIEW,
    STATUS_AFTER,
    advance,
    china_time,
    notification_body,
)
from kfq_async.sandbox.web.order_form import order_form
from orders import COMPANY, NOW, order_of

ANSWERS = order_form(order_of()).answers({})


@pytest.mark.parametrize(("action", "status"), [(COMPLETE, 1), (REVIEW, 2), (ABANDON, 3), (EXPIRE, 4)])
@pytest.mark.parametrize("before", [None, 2])
def test_what_is_open_may_become_anything(action: str, status: int, before: int | None) -> None:
    """A new order, or one in review, can be completed, abandoned, expired and, once, put into review."""
    order = order_of(status=before)
    if before == status:
        with pytest.raises(ValueError, match="SBX1 has orderStatus 2 already and cannot review"):
            advance(order, action, ANSWERS, NOW)
    else:
        assert advance(order, action, ANSWERS, NOW).status == status


@pytest.mark.parametrize("action", STATUS_AFTER)
@pytest.mark.parametrize("before", sorted(FINAL))
def test_what_is_final_stays(action: str, before: int) -> None:
    """An order that is identified, withdrawn or expired stays so, whatever is asked."""
    with pytest.raises(ValueError, match=f"has orderStatus {before} already and cannot {action}"):
        advance(order_of(status=before), action, ANSWERS, NOW)


def test_only_identification_has_a_time() -> None:
    """An order remembers when its company was identified, and nothing of the kind otherwise."""
    assert advance(order_of(), COMPLETE, ANSWERS, NOW + 5).verified_at == NOW + 5
    assert advance(order_of(), REVIEW, ANSWERS, NOW + 5).verified_at is None
    assert advance(order_of(), ABANDON, ANSWERS, NOW + 5).verified_at is None


@pytest.mark.parametrize(("action", "kept"), [(COMPLETE, True), (REVIEW, True), (ABANDON, False), (EXPIRE, False)])
def test_the_page_counts_when_it_is_handed_in(action: str, kept: bool) -> None:  # noqa: FBT001
    """What the operator typed is kept on completing and review, the company's name included, and dropped otherwise."""
    typed = order_form(order_of()).answers({"companyName": "改名公司"})
    order = advance(order_of(), action, typed, NOW)
    assert order.company_name == ("改名公司" if kept else COMPANY["companyName"])
    assert orjson.loads(order.answers) == (typed if kept else {})


def test_a_name_that_was_deleted() -> None:
    """An order whose company's name the operator deleted keeps being called as before."""
    typed = order_form(order_of()).answers({"companyName": ""})
    assert advance(order_of(), COMPLETE, typed, NOW).company_name == COMPANY["companyName"]


def test_notification_of_an_identification() -> None:
    """The notification says what is known, in the fields and types of protocol section 5.2."""
    order = order_of({"corpIdentInfo": COMPANY, "clientUserId": "user-1", "oprIdentInfo": {"name": "李四"}})
    body = notification_body(advance(order, COMPLETE, order_form(order).answers({}), NOW + 60))
    union_id = orjson.loads(body)["unionId"]
    assert orjson.loads(body) == {
        "orderNo": "SBX1",
        "orderStatus": 1,
        "unionId": union_id,
        "contactUnionId": "user-1",
        "userType": 2,
        "bizType": 1,
        "companyVerifyMethod": "legalRep",
        "personVerifyMethod": "face",
        "companyName": "某某科技有限公司",
        "creditCode": "91110000MA01234567",
        "companyType": 1,
        "name": "张三",
        "createTime": "20260401103322",
        "verifyTime": "20260401103422",
    }


def test_notification_of_a_bare_order() -> None:
    """What is not known is left out, and the request's id is never told, since nobody documented that."""
    body = orjson.loads(notification_body(order_of({"clientRequestId": "row-1"}, status=3)))
    assert body.keys() == {"orderNo", "orderStatus", "unionId", "userType", "bizType", "createTime"}


def test_union_id_is_the_companys() -> None:
    """The same company under the same token has the same unionId, in every order; without a name each has its own."""

    def union_id(info: dict[str, object], **changes: str) -> str:
        body = notification_body(order_of({"corpIdentInfo": info}, status=3, **changes))
        found: str = orjson.loads(body)["unionId"]
        return found

    assert union_id(COMPANY, order_no="A") == union_id(COMPANY | {"companyName": "b"}, order_no="B")
    assert union_id(COMPANY) != union_id(COMPANY, token="TOKEN-B")
    assert union_id({"companyName": "a"}, order_no="A") == union_id({"companyName": "a"}, order_no="B")
    assert union_id({}, order_no="A") != union_id({}, order_no="B")


def test_china_time() -> None:
    """Moments are written in China's time, wherever the sandbox runs."""
    assert china_time(0) == "19700101080000"
    assert china_time(NOW, "%Y-%m-%d %H:%M:%S") == "2026-04-01 10:33:22"
