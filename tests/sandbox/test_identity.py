"""Identification orders: checks of the request, idempotency, and the actions on an order."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import count
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast

import orjson
import pytest
from attrs import evolve

from kfq_async import AsyncSession, CorpIdentLinkRequest
from kfq_async.sandbox import Order, Sandbox
from kfq_async.sandbox.checks import PlatformResponse
from kfq_async.sandbox.identity import IdentityService, OrderService, page_url
from kfq_async.sandbox.orders import COMPLETE, REVIEW
from kfq_async.sandbox.store import Store
from orders import NOW, order_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from kfq_async.sandbox.notifications import NotificationSender


NOW_MS = NOW * 1000
NONE: Mapping[str, str | None] = MappingProxyType({})
ORIGIN = "http://127.0.0.1:8899"
REQUEST = {"accountName": "13800138000"}
SAMPLE = {
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


class Client:
    """Client of an identity service that accepts the tokens A and B."""

    def __init__(self, store: Store, *, strict: bool = True) -> None:
        self.orders = store.orders.all
        self._service = IdentityService(store, tokens=("A", "B"), strict=strict)
        self._nonces = count()

    def post(self, body: object, changes: Mapping[str, str | None] = NONE, *, now: float = NOW_MS) -> PlatformResponse:
        """Post a body with valid headers but for the ``changes``; ``None`` leaves one out."""
        headers: dict[str, str | None] = {"appAuthToken": "A", "timestamp": f"{now:.0f}"}
        headers |= {"nonce": f"nonce {next(self._nonces)}"} | dict(changes)
        raw = body if isinstance(body, bytes) else orjson.dumps(body)
        present = {name: value for name, value in headers.items() if value is not None}
        return self._service.corp_ident_link(present, raw, now_ms=now, origin=ORIGIN)

    def order(self, body: object, changes: Mapping[str, str | None] = NONE, *, now: float = NOW_MS) -> str:
        """Return the number of the order that a valid request makes or finds."""
        response = self.post(body, changes, now=now)
        assert response.code == 10000, response.message
        assert isinstance(response.result, dict)
        number: str = response.result["orderNo"]
        return number


@pytest.fixture
def store() -> Iterator[Store]:
    """An empty store."""
    with closing(Store(None)) as store:
        yield store


@pytest.fixture
def strict(store: Store) -> Client:
    """A client of a strict service."""
    return Client(store)


@pytest.fixture
def lenient(store: Store) -> Client:
    """A client of a service that accepts undocumented fields and values."""
    return Client(store, strict=False)


def test_published_sample(strict: Client) -> None:
    """The published sample request makes one order, and the response holds its number and URL."""
    response = strict.post(SAMPLE)
    (order,) = strict.orders()
    assert response == PlatformResponse(10000, "成功", {"orderNo": order.order_no, "authUrl": page_url(ORIGIN, order)})
    assert order.company_name == "某某科技有限公司"
    assert order.client_request_id == "client-req-corp-ident-001"
    assert orjson.loads(order.request) == SAMPLE
    assert order.created_at == NOW


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"clientRequestId": "row-1"},
        {"callbackPage": "https://service.example/done", "authCallbackUrl": "https://service.example/hooks"},
        {"accountName": None},
        {"corpIdentInfo": {"companyName": "", "license": None}, "oprIdentConfig": {"personVerifyMethods": []}},
    ],
)
def test_empty_request(strict: Client, lenient: Client, body: dict[str, Any]) -> None:
    """A request that says nothing is refused, although no field is documented as required, unless it is lenient."""
    refused = strict.post(body)
    assert refused.code == 23000
    assert refused.message.endswith("the request is empty: it needs corpIdentInfo or accountName @ $")
    lenient.order(body)
    (order,) = lenient.orders()
    assert order.company_name == "（未填写企业名称）"


@pytest.mark.parametrize("info", [None, {}, {"companyName": None}, {"companyName": ""}])
def test_company_without_a_name(strict: Client, info: dict[str, str] | None) -> None:
    """A missing, null or empty company name is shown as missing."""
    strict.order(REQUEST | {"corpIdentInfo": info})
    assert [order.company_name for order in strict.orders()] == ["（未填写企业名称）"]


def test_numbers_and_secrets_are_unique(strict: Client) -> None:
    """Every order has a number and a page secret that no other order has."""
    for _ in range(50):
        strict.order(REQUEST)
    assert len({order.order_no for order in strict.orders()}) == 50
    assert len({order.code for order in strict.orders()}) == 50
    assert all(len(order.code) >= 12 for order in strict.orders())


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"appAuthToken": None}, 40000),
        ({"appAuthToken": ""}, 40000),
        ({"appAuthToken": "C"}, 41000),
        ({"appAuthToken": "a"}, 41000),
        ({"appAuthToken": "A, B"}, 41000),
        ({"appAuthToken": "\udcff"}, 41000),
        ({"timestamp": None}, 21000),
        ({"timestamp": ""}, 21000),
        ({"timestamp": "soon"}, 23000),
        ({"timestamp": "1775010802.5"}, 23000),
        ({"timestamp": "-1"}, 23000),
        ({"timestamp": "１７７５０１０８０２０００"}, 23000),
        ({"timestamp": "0"}, 41001),
        ({"timestamp": "1775010802"}, 41001),
        ({"timestamp": "9" * 5000}, 41001),
        ({"nonce": None}, 21000),
        ({"nonce": ""}, 21000),
    ],
)
def test_refused_headers(strict: Client, changes: dict[str, str | None], code: int) -> None:
    """A missing or wrong header is refused with the platform's code, and no order is made."""
    response = strict.post(REQUEST, changes)
    assert response.code == code
    assert response.result is None
    assert response.message.startswith("沙箱：")
    assert strict.orders() == []


@pytest.mark.parametrize(
    ("offset", "code"), [(-300_001, 41001), (-300_000, 10000), (0, 10000), (300_000, 10000), (300_001, 41001)]
)
def test_timestamp_tolerance(strict: Client, offset: int, code: int) -> None:
    """A timestamp may differ by 300 seconds, and not by a millisecond more."""
    assert strict.post(REQUEST, {"timestamp": f"{NOW_MS + offset:.0f}"}).code == code


def test_order_of_the_checks(strict: Client) -> None:
    """Token, timestamp, nonce and body are checked in this order, and the first error decides."""
    wrong: dict[str, str | None] = {"appAuthToken": "C", "timestamp": "0", "nonce": ""}
    codes = [strict.post(b"[]", wrong).code]
    for name in list(wrong):
        del wrong[name]
        codes.append(strict.post(b"[]", wrong).code)
    assert codes == [41000, 41001, 21000, 25000]


def test_repeated_nonce(strict: Client) -> None:
    """A repeated nonce is refused and makes no second order."""
    assert strict.post(REQUEST, {"nonce": "n"}).code == 10000
    assert strict.post(REQUEST, {"nonce": "n"}).code == 41002
    assert len(strict.orders()) == 1


def test_nonce_of_a_refused_request(strict: Client) -> None:
    """A request refused for its body uses up its nonce; one refused for its token does not."""
    assert strict.post(b"[]", {"nonce": "n"}).code == 25000
    assert strict.post(REQUEST, {"nonce": "n"}).code == 41002
    assert strict.post(REQUEST, {"nonce": "m", "appAuthToken": "C"}).code == 41000
    assert strict.post(REQUEST, {"nonce": "m"}).code == 10000


def test_nonce_of_another_token(strict: Client) -> None:
    """Two tokens may use the same nonce."""
    assert [strict.post(REQUEST, {"nonce": "n", "appAuthToken": token}).code for token in "ABAB"] == [
        10000,
        10000,
        41002,
        41002,
    ]


@pytest.mark.parametrize(("later", "code"), [(1, 41002), (600_000, 41002), (600_001, 10000)])
def test_nonce_retention(strict: Client, later: int, code: int) -> None:
    """A nonce is accepted anew once any timestamp accepted with it has become invalid."""
    strict.order(REQUEST, {"nonce": "n"})
    assert strict.post(REQUEST, {"nonce": "n"}, now=NOW_MS + later).code == code


def test_only_old_nonces_expire(strict: Client) -> None:
    """Expiry removes the old nonces and keeps the recent ones."""
    for number in range(1000):
        strict.order(REQUEST, {"nonce": f"{number}"}, now=NOW_MS + number * 1000)
    now = NOW_MS + 999_000
    assert [strict.post(REQUEST, {"nonce": f"{number}"}, now=now).code for number in (0, 398, 399, 999)] == [
        10000,
        10000,
        41002,
        41002,
    ]


NOT_AN_OBJECT = [
    b"",
    b" ",
    b"null",
    b"[]",
    b'[{"accountName":"a"}]',
    b'"text"',
    b"17",
    b"true",
    b"{",
    b"{}{}",
    b"{'a':1}",
    b'{"a":NaN}',
    b"\xef\xbb\xbf{}",
    b'{"accountName":"\xff"}',
    '{"accountName":"张"}'.encode("gb18030"),
    b'{"clientRequestId":"\\ud800"}',
    b'{"a":' + b"[" * 300 + b"]" * 300 + b"}",
    b'{"a":' * 5000 + b"1" + b"}" * 5000,
]


@pytest.mark.parametrize("body", NOT_AN_OBJECT)
def test_body_is_no_object(strict: Client, body: bytes) -> None:
    """A body that is no JSON object in UTF-8, or is nested too deeply, is refused with 25000."""
    assert strict.post(body) == PlatformResponse(25000, "沙箱：请求体不是 JSON 对象")
    assert strict.orders() == []


@pytest.mark.parametrize("body", NOT_AN_OBJECT)
def test_body_is_no_object_lenient(lenient: Client, body: bytes) -> None:
    """A lenient service refuses such a body as well."""
    assert lenient.post(body).code == 25000


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"acountName": "a"}, "acountName"),
        ({"account_name": "a"}, "account_name"),
        ({"appAuthToken": "A"}, "appAuthToken"),
        ({"corpIdentInfo": {"compnyName": "a"}}, "compnyName @ $.corpIdentInfo"),
        ({"oprIdentConfig": {"corpVerifyMethods": []}}, "corpVerifyMethods @ $.oprIdentConfig"),
    ],
)
def test_unknown_key(strict: Client, lenient: Client, body: dict[str, object], path: str) -> None:
    """An undocumented key is refused by name at either level, unless the service is lenient."""
    response = strict.post(body)
    assert response.code == 23000
    assert path in response.message
    assert strict.orders() == []
    assert lenient.post(body).code == 10000


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({"accountName": 13800138000}, "expected a string, not a number @ $.accountName"),
        ({"clientRequestId": 1}, "expected a string, not a number @ $.clientRequestId"),
        ({"clientRequestId": False}, "expected a string, not a boolean @ $.clientRequestId"),
        ({"callbackPage": ["a"]}, "expected a string, not a list @ $.callbackPage"),
        ({"corpIdentInfo": "a"}, "expected an object, not a string @ $.corpIdentInfo"),
        ({"corpIdentInfo": []}, "expected an object, not a list @ $.corpIdentInfo"),
        ({"corpIdentInfo": {"companyName": {}}}, "expected a string, not an object @ $.corpIdentInfo.companyName"),
        ({"corpIdentInfo": {"companyType": "1"}}, "expected an integer, not a string @ $.corpIdentInfo.companyType"),
        ({"corpIdentInfo": {"companyType": True}}, "expected an integer, not a boolean @ $.corpIdentInfo.companyType"),
        ({"corpIdentInfo": {"companyType": 1.0}}, "expected an integer, not a number @ $.corpIdentInfo.companyType"),
        ({"oprIdentConfig": {"personVerifyMethods": "face"}}, "not a string @ $.oprIdentConfig.personVerifyMethods"),
        ({"oprIdentConfig": {"personVerifyMethods": ["face", 1]}}, "item 1: expected a string, not a number"),
        ({"oprIdentConfig": {"personVerifyMethods": [None]}}, "item 0: expected a string, not null"),
    ],
)
def test_mistyped_value(strict: Client, lenient: Client, body: dict[str, object], problem: str) -> None:
    """A value of a wrong type is refused with its path at either level, by a lenient service as well."""
    for each in (strict, lenient):
        response = each.post(body)
        assert response.code == 23000
        assert problem in response.message
    assert strict.orders() == []


def test_all_invalid_fields_are_named(strict: Client) -> None:
    """One message names all invalid fields."""
    message = strict.post({"accountName": 1, "clientUserId": 2, "oprIdentInfo": {"idCardType": "1"}}).message
    for path in ("$.accountName", "$.clientUserId", "$.oprIdentInfo.idCardType"):
        assert path in message


def test_null_is_absent(lenient: Client) -> None:
    """Every documented field may be null, which equals leaving it out."""
    lenient.order(dict.fromkeys(SAMPLE))
    lenient.order({name: dict.fromkeys(value) for name, value in SAMPLE.items() if isinstance(value, dict)})
    assert {order.request for order in lenient.orders()} == {
        "{}",
        '{"corpIdentInfo":{},"corpIdentConfig":{},"oprIdentInfo":{},"oprIdentConfig":{}}',
    }


BODY = {"clientRequestId": "row-1", "accountName": "a@b.cn", "corpIdentInfo": {"companyName": "某", "companyType": 1}}


@pytest.mark.parametrize(
    "repeated",
    [
        BODY,
        {"corpIdentInfo": {"companyType": 1, "companyName": "某"}, "accountName": "a@b.cn", "clientRequestId": "row-1"},
        BODY | {"clientUserId": None},
        BODY | {"corpIdentInfo": {"companyName": "某", "companyType": 1, "license": None}},
        orjson.dumps(BODY, option=orjson.OPT_INDENT_2),
        b'{"clientRequestId":"row-1","accountName":"\\u0061@b.cn","corpIdentInfo":{"companyName":"\\u67d0","companyType":1}}',
    ],
    ids=["same", "other key order", "null", "nested null", "white space", "escapes"],
)
def test_same_id_and_same_body(strict: Client, repeated: object) -> None:
    """The same clientRequestId with an equivalent body returns the same order and URL."""
    first = strict.post(BODY)
    assert strict.post(repeated) == first
    assert len(strict.orders()) == 1


@pytest.mark.parametrize(
    "other",
    [
        {"clientRequestId": "row-1", "accountName": "a@b.cn"},
        BODY | {"accountName": "b@b.cn"},
        BODY | {"clientUserId": ""},
        BODY | {"corpIdentInfo": {"companyName": "某", "companyType": 2}},
        BODY | {"corpIdentInfo": {"companyName": "某"}},
        BODY | {"corpIdentConfig": {}},
    ],
)
def test_same_id_and_other_body(strict: Client, other: dict[str, object]) -> None:
    """The same clientRequestId with another body is refused, and the first order stays."""
    number = strict.order(BODY)
    assert strict.post(other) == PlatformResponse(31000, "沙箱：同一 clientRequestId 已用于内容不同的请求")
    assert strict.order(BODY) == number


def test_list_order_is_significant(strict: Client) -> None:
    """The same methods in another sequence make another body."""
    methods = [["face", "mobile"], ["mobile", "face"]]
    bodies = [{"clientRequestId": "r", "oprIdentConfig": {"personVerifyMethods": each}} for each in methods]
    assert [strict.post(body).code for body in bodies] == [10000, 31000]


def test_undocumented_fields_are_compared(lenient: Client) -> None:
    """A lenient service compares undocumented fields as well."""
    bodies = [{"clientRequestId": "r", "new": {"deep": [value]}} for value in (1, 1, 2)]
    assert [lenient.post(body).code for body in bodies] == [10000, 10000, 31000]


def test_same_id_of_another_token(strict: Client) -> None:
    """A clientRequestId belongs to its token: under another token it makes another order."""
    mine = strict.order(BODY)
    theirs = strict.order(BODY | {"accountName": "b@b.cn"}, {"appAuthToken": "B"})
    assert mine != theirs
    assert strict.order(BODY) == mine
    assert strict.order(BODY | {"accountName": "b@b.cn"}, {"appAuthToken": "B"}) == theirs


@pytest.mark.parametrize("key", [{}, {"clientRequestId": None}, {"clientRequestId": ""}])
def test_no_id(strict: Client, key: dict[str, str | None]) -> None:
    """Without an id, or with an empty one, every request makes a new order."""
    numbers = {strict.order(REQUEST | key) for _ in range(3)}
    assert len(numbers) == 3
    assert [order.client_request_id for order in strict.orders()] == [None, None, None]


@pytest.mark.parametrize("key", [" ", "0", "a" * 100_000, "编号-１", "\0", "a\0b", "'; DROP TABLE orders; --"])
def test_any_text_is_an_id(strict: Client, key: str) -> None:
    """Any text is an id, and is compared exactly."""
    number = strict.order(REQUEST | {"clientRequestId": key})
    assert strict.order(REQUEST | {"clientRequestId": key}) == number
    assert strict.order(REQUEST | {"clientRequestId": key + "x"}) != number
    assert [order.client_request_id for order in strict.orders()] == [key, key + "x"]


def test_ids_are_case_sensitive(strict: Client) -> None:
    """Ids are case-sensitive."""
    assert strict.order(REQUEST | {"clientRequestId": "Row"}) != strict.order(REQUEST | {"clientRequestId": "row"})


def test_page_url() -> None:
    """The URL of the page consists of origin, order number and secret."""
    order = Order(
        order_no="SBX1",
        token="A",
        client_request_id=None,
        body_hash="",
        company_name="",
        code="secret-_",
        request="{}",
        created_at=0.0,
    )
    assert page_url("http://localhost:1", order) == "http://localhost:1/sandbox/identify/SBX1?code=secret-_"


def test_same_id_in_two_sandboxes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If another sandbox on the same state file adds an order between lookup and insert, that order is returned."""
    path = tmp_path / "state.db"
    with closing(Store(path)) as one, closing(Store(path)) as two:
        lookup = one.orders.one
        lookups = []

        def miss_once(condition: str, *values: str) -> Order | None:
            lookups.append(values)
            return None if len(lookups) == 1 else lookup(condition, *values)

        monkeypatch.setattr(one.orders, "one", miss_once)
        order_no = Client(two).order(BODY)
        assert Client(one).order(BODY) == order_no
        assert len(lookups) == 2
        assert len(one.orders.all()) == 1


class RecordingSender:
    """Stands in for the sender, and records the orders that it would notify about."""

    def __init__(self) -> None:
        self.orders: list[Order] = []

    def notify(self, order: Order) -> None:
        """Record the order."""
        self.orders.append(order)


def make_service(store: Store, sender: RecordingSender, clock: Callable[[], float] = lambda: NOW) -> OrderService:
    """Return an order service with this sender."""
    return OrderService(store, cast("NotificationSender", sender), clock)


def empty_form(_: Order) -> dict[str, Any]:
    """Return the form data of a page without a company name."""
    return {"corpIdentInfo": {"companyName": ""}}


def test_unknown_order() -> None:
    """An action on an unknown order is a LookupError that names it."""
    with closing(Store(None)) as store, pytest.raises(LookupError, match="order SBX9 does not exist"):
        make_service(store, RecordingSender()).perform(COMPLETE, "SBX9", empty_form)


def test_changed_order_is_kept_and_notified() -> None:
    """The returned order, the stored one and the one in the notification are equal."""
    with closing(Store(None)) as store:
        sender = RecordingSender()
        store.orders.add(order_of())
        form_data = {"corpIdentInfo": {"companyName": "乙公司"}}
        after = make_service(store, sender).perform(COMPLETE, "SBX1", lambda _: form_data)
        assert (after.status, after.company_name, after.verified_at) == (1, "乙公司", NOW)
        assert store.orders.all() == [after]
        assert sender.orders == [after]


def test_concurrent_change() -> None:
    """If the order changes between reading and writing, the action applies to the new state, with its form data."""
    with closing(Store(None)) as store:
        store.orders.add(order_of())
        sender = RecordingSender()
        filled_in: list[int | None] = []

        def fill_in(order: Order) -> dict[str, Any]:
            filled_in.append(order.status)
            return empty_form(order)

        def clock() -> float:
            (order,) = store.orders.all()
            if order.status is None:
                store.orders.compare_and_swap(order, evolve(order, status=3))
            return NOW

        with pytest.raises(ValueError, match="it already has orderStatus 3"):
            make_service(store, sender, clock).perform(REVIEW, "SBX1", fill_in)
        assert filled_in == [None, 3]
        assert [order.status for order in store.orders.all()] == [3]
        assert sender.orders == []


def test_concurrent_completions() -> None:
    """If many threads complete one order at a time, one succeeds, and one notification is sent."""
    with Sandbox() as sandbox, ThreadPoolExecutor(8) as pool:

        async def link() -> str:
            async with AsyncSession(sandbox.token, base_url=sandbox.base_url) as session:
                request = CorpIdentLinkRequest(account_name="13800138000", auth_callback_url="http://127.0.0.1:9/")
                return (await session.auth.corp_ident_link(request)).order_no

        order_no = asyncio.run(link())

        def complete(_: int) -> bool:
            try:
                sandbox.complete(order_no)
            except ValueError:
                return False
            return True

        assert sum(pool.map(complete, range(32))) == 1
        assert len(asyncio.run(sandbox.wait_for_notifications())) == 1
