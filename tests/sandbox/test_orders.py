"""State transitions of an order, and the notification about them (protocol sections 5.2 and 5.3)."""

from __future__ import annotations

import orjson
import pytest

from kfq_async.models.notifications import IdentityStatus
from kfq_async.sandbox.orders import (
    ABANDON,
    COMPLETE,
    EXPIRE,
    REVIEW,
    STATUS_AFTER,
    china_time,
    notification_body,
    perform,
)
from kfq_async.sandbox.web.order_form import order_form
from orders import COMPANY, NOW, order_of

FORM_DATA = order_form(order_of()).form_data({})


@pytest.mark.parametrize(("action", "status"), [(COMPLETE, 1), (REVIEW, 2), (ABANDON, 3), (EXPIRE, 4)])
@pytest.mark.parametrize("before", [None, 2])
def test_actions_on_an_open_order(action: str, status: int, before: int | None) -> None:
    """A new order, or one in progress, can be completed, abandoned, expired and, once, put into review."""
    order = order_of(status=before)
    if before == status:
        with pytest.raises(ValueError, match="cannot review order SBX1: it already has orderStatus 2"):
            perform(action, order, FORM_DATA, NOW)
    else:
        assert perform(action, order, FORM_DATA, NOW).status == status


@pytest.mark.parametrize("action", STATUS_AFTER)
@pytest.mark.parametrize("before", [status for status in IdentityStatus if status.final])
def test_actions_on_a_final_order(action: str, before: int) -> None:
    """An order that is identified, withdrawn or expired allows no further action."""
    with pytest.raises(ValueError, match=f"cannot {action} order SBX1: it already has orderStatus {before}"):
        perform(action, order_of(status=before), FORM_DATA, NOW)


def test_verified_at() -> None:
    """Only completing sets the time of the identification."""
    assert perform(COMPLETE, order_of(), FORM_DATA, NOW + 5).verified_at == NOW + 5
    assert perform(REVIEW, order_of(), FORM_DATA, NOW + 5).verified_at is None
    assert perform(ABANDON, order_of(), FORM_DATA, NOW + 5).verified_at is None


@pytest.mark.parametrize(("action", "kept"), [(COMPLETE, True), (REVIEW, True), (ABANDON, False), (EXPIRE, False)])
def test_form_data_is_kept_on_submission(action: str, kept: bool) -> None:  # noqa: FBT001
    """Completing and review keep the form data, the company name included; other actions drop it."""
    submitted = order_form(order_of()).form_data({"companyName": "改名公司"})
    order = perform(action, order_of(), submitted, NOW)
    assert order.company_name == ("改名公司" if kept else COMPANY["companyName"])
    assert orjson.loads(order.form_data) == (submitted if kept else {})


def test_empty_company_name() -> None:
    """If the operator empties the company name, the order keeps its previous name."""
    submitted = order_form(order_of()).form_data({"companyName": ""})
    assert perform(COMPLETE, order_of(), submitted, NOW).company_name == COMPANY["companyName"]


def test_notification_of_an_identification() -> None:
    """The notification holds all known values in the fields and types of protocol section 5.2."""
    order = order_of({"corpIdentInfo": COMPANY, "clientUserId": "user-1", "oprIdentInfo": {"name": "李四"}})
    body = notification_body(perform(COMPLETE, order, order_form(order).form_data({}), NOW + 60))
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


def test_notification_of_an_empty_request() -> None:
    """Unknown values are left out, and so is clientRequestId, because no source documents that it is sent."""
    body = orjson.loads(notification_body(order_of({"clientRequestId": "row-1"}, status=3)))
    assert body.keys() == {"orderNo", "orderStatus", "unionId", "userType", "bizType", "createTime"}


def test_union_id() -> None:
    """All orders of a company under one token have the same unionId; an order without a company has its own."""

    def union_id(info: dict[str, object], **changes: str) -> str:
        body = notification_body(order_of({"corpIdentInfo": info}, status=3, **changes))
        value: str = orjson.loads(body)["unionId"]
        return value

    assert union_id(COMPANY, order_no="A") == union_id(COMPANY | {"companyName": "b"}, order_no="B")
    assert union_id(COMPANY) != union_id(COMPANY, token="TOKEN-B")
    assert union_id({"companyName": "a"}, order_no="A") == union_id({"companyName": "a"}, order_no="B")
    assert union_id({}, order_no="A") != union_id({}, order_no="B")


def test_china_time() -> None:
    """Times are formatted in China's zone, independent of the local zone."""
    assert china_time(0) == "19700101080000"
    assert china_time(NOW, "%Y-%m-%d %H:%M:%S") == "2026-04-01 10:33:22"
