"""What the sandbox decides: which requests it refuses, with which code, and when it makes an order."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import count
from types import MappingProxyType
from typing import TYPE_CHECKING, cast

import orjson
import pytest
from attrs import evolve

from kfq_async.sandbox import Order, Sandbox
from kfq_async.sandbox.identity import OrderService, Platform, PlatformResponse, page_url
from kfq_async.sandbox.orders import COMPLETE, REVIEW
from kfq_async.sandbox.store import Store
from orders import NOW, order_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kfq_async.sandbox.notifications import Sender


NOW_MS = NOW * 1000
NONE: Mapping[str, str | None] = MappingProxyType({})
ORIGIN = "http://127.0.0.1:8899"
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
    """A platform with two tenants, and the headers of a good request to it."""

    def __init__(self, store: Store, *, strict: bool = True) -> None:
        self.orders = store.orders.all
        self._platform = Platform(store, tokens=("A", "B"), strict=strict)
        self._nonces = count()

    def ask(self, body: object, changes: Mapping[str, str | None] = NONE, *, now: float = NOW_MS) -> PlatformResponse:
        """Ask with good headers but for the ``changes``; ``None`` leaves one out."""
        headers: dict[str, str | None] = {"appAuthToken": "A", "timestamp": f"{now:.0f}"}
        headers |= {"nonce": f"nonce {next(self._nonces)}"} | dict(changes)
        raw = body if isinstance(body, bytes) else orjson.dumps(body)
        present = {name: value for name, value in headers.items() if value is not None}
        return self._platform.corp_ident_link(present, raw, now_ms=now, origin=ORIGIN)

    def order(self, body: object, changes: Mapping[str, str | None] = NONE, *, now: float = NOW_MS) -> str:
        """Return the number of the order that a good request makes or finds."""
        reply = self.ask(body, changes, now=now)
        assert reply.code == 10000, reply.message
        assert isinstance(reply.result, dict)
        number: str = reply.result["orderNo"]
        return number


@pytest.fixture
def store() -> Iterator[Store]:
    """An empty store."""
    with closing(Store(None)) as store:
        yield store


@pytest.fixture
def order_service(store: Store) -> Client:
    """A platform that refuses what is not documented."""
    return Client(store)


@pytest.fixture
def lenient(store: Store) -> Client:
    """A platform that lets undocumented fields pass."""
    return Client(store, strict=False)


def test_the_published_sample(order_service: Client) -> None:
    """The request of the published sample makes one order and returns its number and its page."""
    reply = order_service.ask(SAMPLE)
    (order,) = order_service.orders()
    assert reply == PlatformResponse(10000, "成功", {"orderNo": order.order_no, "authUrl": page_url(ORIGIN, order)})
    assert order.company_name == "某某科技有限公司"
    assert order.client_request_id == "client-req-corp-ident-001"
    assert orjson.loads(order.request) == SAMPLE
    assert order.created_at == NOW


def test_nothing_is_required(order_service: Client) -> None:
    """An empty object is a good request, since no field is documented as required."""
    order_service.order({})
    (order,) = order_service.orders()
    assert order.client_request_id is None
    assert order.company_name == "（未填写企业名称）"


@pytest.mark.parametrize("info", [None, {}, {"companyName": None}, {"companyName": ""}])
def test_company_without_a_name(order_service: Client, info: dict[str, str] | None) -> None:
    """A company that was not named is called so, however the name was left out."""
    order_service.order({"corpIdentInfo": info})
    assert [order.company_name for order in order_service.orders()] == ["（未填写企业名称）"]


def test_numbers_and_links_cannot_be_guessed(order_service: Client) -> None:
    """Every order has its own number and its own secret in the link."""
    for _ in range(50):
        order_service.order({})
    assert len({order.order_no for order in order_service.orders()}) == 50
    assert len({order.code for order in order_service.orders()}) == 50
    assert all(len(order.code) >= 12 for order in order_service.orders())


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
def test_refused_headers(order_service: Client, changes: dict[str, str | None], code: int) -> None:
    """A header that is missing or wrong is refused with the platform's code, and no order is made."""
    reply = order_service.ask({}, changes)
    assert reply.code == code
    assert reply.result is None
    assert reply.message.startswith("沙箱：")
    assert order_service.orders() == []


@pytest.mark.parametrize(
    ("offset", "code"), [(-300_001, 41001), (-300_000, 10000), (0, 10000), (300_000, 10000), (300_001, 41001)]
)
def test_clock(order_service: Client, offset: int, code: int) -> None:
    """A timestamp may be 300 seconds off to either side and not a millisecond more."""
    assert order_service.ask({}, {"timestamp": f"{NOW_MS + offset:.0f}"}).code == code


def test_order_of_the_checks(order_service: Client) -> None:
    """Token, timestamp, nonce and body are looked at in this order, and the first that is wrong decides."""
    wrong: dict[str, str | None] = {"appAuthToken": "C", "timestamp": "0", "nonce": ""}
    codes = [order_service.ask(b"[]", wrong).code]
    for name in list(wrong):
        del wrong[name]
        codes.append(order_service.ask(b"[]", wrong).code)
    assert codes == [41000, 41001, 21000, 25000]


def test_nonce_counts_once(order_service: Client) -> None:
    """The same nonce again is refused and makes no second order."""
    assert order_service.ask({}, {"nonce": "n"}).code == 10000
    assert order_service.ask({}, {"nonce": "n"}).code == 41002
    assert len(order_service.orders()) == 1


def test_nonce_is_used_up_by_a_refusal(order_service: Client) -> None:
    """A nonce whose request was refused for its body is used up; one whose token was refused is not."""
    assert order_service.ask(b"[]", {"nonce": "n"}).code == 25000
    assert order_service.ask({}, {"nonce": "n"}).code == 41002
    assert order_service.ask({}, {"nonce": "m", "appAuthToken": "C"}).code == 41000
    assert order_service.ask({}, {"nonce": "m"}).code == 10000


def test_nonce_belongs_to_its_token(order_service: Client) -> None:
    """Two tenants may happen to use the same nonce."""
    assert [order_service.ask({}, {"nonce": "n", "appAuthToken": token}).code for token in "ABAB"] == [
        10000,
        10000,
        41002,
        41002,
    ]


@pytest.mark.parametrize(("later", "code"), [(1, 41002), (600_000, 41002), (600_001, 10000)])
def test_nonce_is_forgotten(order_service: Client, later: int, code: int) -> None:
    """A nonce is accepted again once no timestamp that was accepted with it could still be."""
    order_service.order({}, {"nonce": "n"})
    assert order_service.ask({}, {"nonce": "n"}, now=NOW_MS + later).code == code


def test_only_old_nonces_are_forgotten(order_service: Client) -> None:
    """Forgetting the old ones keeps the fresh ones, among many."""
    for number in range(1000):
        order_service.order({}, {"nonce": f"{number}"}, now=NOW_MS + number * 1000)
    now = NOW_MS + 999_000
    assert [order_service.ask({}, {"nonce": f"{number}"}, now=now).code for number in (0, 398, 399, 999)] == [
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
def test_body_is_no_object(order_service: Client, body: bytes) -> None:
    """A body that is not a JSON object in UTF-8, or one nested absurdly deep, is refused with 25000."""
    assert order_service.ask(body) == PlatformResponse(25000, "沙箱：请求体不是 JSON 对象")
    assert order_service.orders() == []


@pytest.mark.parametrize("body", NOT_AN_OBJECT)
def test_body_is_no_object_for_the_lenient_either(lenient: Client, body: bytes) -> None:
    """Letting undocumented fields pass does not let through what is no object."""
    assert lenient.ask(body).code == 25000


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
def test_unknown_key(order_service: Client, lenient: Client, body: dict[str, object], path: str) -> None:
    """A key that is not documented is refused by name, at either level, unless the sandbox is lenient."""
    reply = order_service.ask(body)
    assert reply.code == 23000
    assert path in reply.message
    assert order_service.orders() == []
    assert lenient.ask(body).code == 10000


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
def test_mistyped_value(order_service: Client, lenient: Client, body: dict[str, object], problem: str) -> None:
    """A value of a wrong type is refused with its path, at either level, by the lenient sandbox too."""
    for each in (order_service, lenient):
        reply = each.ask(body)
        assert reply.code == 23000
        assert problem in reply.message
    assert order_service.orders() == []


def test_every_problem_is_named(order_service: Client) -> None:
    """One refusal names all that is wrong, so that it need not be found out one by one."""
    message = order_service.ask({"accountName": 1, "clientUserId": 2, "oprIdentInfo": {"idCardType": "1"}}).message
    for path in ("$.accountName", "$.clientUserId", "$.oprIdentInfo.idCardType"):
        assert path in message


def test_null_is_absent(order_service: Client) -> None:
    """Every documented field may be null, which is as good as leaving it out."""
    order_service.order(dict.fromkeys(SAMPLE))
    order_service.order({name: dict.fromkeys(value) for name, value in SAMPLE.items() if isinstance(value, dict)})
    assert {order.request for order in order_service.orders()} == {
        "{}",
        '{"corpIdentInfo":{},"corpIdentConfig":{},"oprIdentInfo":{},"oprIdentConfig":{}}',
    }


BODY = {"clientRequestId": "row-1", "accountName": "a", "corpIdentInfo": {"companyName": "某", "companyType": 1}}


@pytest.mark.parametrize(
    "again",
    [
        BODY,
        {"corpIdentInfo": {"companyType": 1, "companyName": "某"}, "accountName": "a", "clientRequestId": "row-1"},
        BODY | {"clientUserId": None},
        BODY | {"corpIdentInfo": {"companyName": "某", "companyType": 1, "license": None}},
        orjson.dumps(BODY, option=orjson.OPT_INDENT_2),
        b'{"clientRequestId":"row-1","accountName":"\\u0061","corpIdentInfo":{"companyName":"\\u67d0","companyType":1}}',
    ],
    ids=["same", "other key order", "null", "nested null", "white space", "escapes"],
)
def test_same_id_and_same_body(order_service: Client, again: object) -> None:
    """The same clientRequestId with a body that says the same finds the same order and the same page."""
    first = order_service.ask(BODY)
    assert order_service.ask(again) == first
    assert len(order_service.orders()) == 1


@pytest.mark.parametrize(
    "other",
    [
        {"clientRequestId": "row-1"},
        BODY | {"accountName": "b"},
        BODY | {"accountName": ""},
        BODY | {"clientUserId": ""},
        BODY | {"corpIdentInfo": {"companyName": "某", "companyType": 2}},
        BODY | {"corpIdentInfo": {"companyName": "某"}},
        BODY | {"corpIdentConfig": {}},
    ],
)
def test_same_id_and_other_body(order_service: Client, other: dict[str, object]) -> None:
    """The same clientRequestId with a body that says something else is refused, and the first order stands."""
    number = order_service.order(BODY)
    assert order_service.ask(other) == PlatformResponse(31000, "沙箱：同一 clientRequestId 已用于内容不同的请求")
    assert order_service.order(BODY) == number


def test_lists_have_an_order(order_service: Client) -> None:
    """The same methods in another sequence are another request."""
    methods = [["face", "mobile"], ["mobile", "face"]]
    bodies = [{"clientRequestId": "r", "oprIdentConfig": {"personVerifyMethods": each}} for each in methods]
    assert [order_service.ask(body).code for body in bodies] == [10000, 31000]


def test_undocumented_fields_are_part_of_the_request(lenient: Client) -> None:
    """For the lenient sandbox a field that it does not know still tells one request from another."""
    bodies = [{"clientRequestId": "r", "new": {"deep": [value]}} for value in (1, 1, 2)]
    assert [lenient.ask(body).code for body in bodies] == [10000, 10000, 31000]


def test_same_id_of_another_tenant(order_service: Client) -> None:
    """A clientRequestId belongs to its token: another tenant's is another order, even with another body."""
    mine = order_service.order(BODY)
    theirs = order_service.order(BODY | {"accountName": "b"}, {"appAuthToken": "B"})
    assert mine != theirs
    assert order_service.order(BODY) == mine
    assert order_service.order(BODY | {"accountName": "b"}, {"appAuthToken": "B"}) == theirs


@pytest.mark.parametrize("key", [{}, {"clientRequestId": None}, {"clientRequestId": ""}])
def test_no_id(order_service: Client, key: dict[str, str | None]) -> None:
    """Without an id, or with an empty one, the same request makes a new order each time."""
    numbers = {order_service.order({"accountName": "a"} | key) for _ in range(3)}
    assert len(numbers) == 3
    assert [order.client_request_id for order in order_service.orders()] == [None, None, None]


@pytest.mark.parametrize("key", [" ", "0", "a" * 100_000, "编号-１", "\0", "a\0b", "'; DROP TABLE orders; --"])
def test_any_id_is_kept(order_service: Client, key: str) -> None:
    """An id is any text at all, compared to the letter."""
    number = order_service.order({"clientRequestId": key})
    assert order_service.order({"clientRequestId": key}) == number
    assert order_service.order({"clientRequestId": key + "x"}) != number
    assert [order.client_request_id for order in order_service.orders()] == [key, key + "x"]


def test_ids_differ_by_case(order_service: Client) -> None:
    """Ids that differ only by case are different."""
    assert order_service.order({"clientRequestId": "Row"}) != order_service.order({"clientRequestId": "row"})


def test_page_url() -> None:
    """The page's address is made of where the sandbox was reached, the order's number and its secret."""
    order = Order(
        order_no="SBX1",
        token="A",
        client_request_id=None,
        digest="",
        company_name="",
        code="secret-_",
        request="{}",
        created_at=0.0,
    )
    assert page_url("http://localhost:1", order) == "http://localhost:1/sandbox/identify/SBX1?code=secret-_"


class Told:
    """Takes the place of the sender."""

    def __init__(self) -> None:
        self.orders: list[Order] = []

    def notify(self, order: Order) -> None:
        """Keep what would be notified."""
        self.orders.append(order)


def test_unknown_order() -> None:
    """An order that does not exist cannot be moved on, and the error names it."""
    with closing(Store(None)) as store:
        order_service = OrderService(store, cast("Sender", Told()), lambda: NOW)
        with pytest.raises(LookupError, match="there is no order SBX9"):
            order_service.act("SBX9", COMPLETE, {})


def test_what_was_typed_is_kept_and_told() -> None:
    """The order that comes back, that which is kept and that which is notified are one."""
    with closing(Store(None)) as store:
        told = Told()
        store.orders.add(order_of())
        after = OrderService(store, cast("Sender", told), lambda: NOW).act("SBX1", COMPLETE, {"companyName": "乙公司"})
        assert (after.status, after.company_name, after.verified_at) == (1, "乙公司", NOW)
        assert store.orders.all() == [after]
        assert told.orders == [after]


def test_somebody_was_faster() -> None:
    """If the order changes between look and leap, the new state counts, and nobody's change is lost."""
    with closing(Store(None)) as store:
        store.orders.add(order_of())
        told = Told()

        def clock() -> float:
            (order,) = store.orders.all()
            if order.status is None:
                store.orders.compare_and_swap(order, evolve(order, status=3))
            return NOW

        with pytest.raises(ValueError, match="has orderStatus 3 already"):
            OrderService(store, cast("Sender", told), clock).act("SBX1", REVIEW, {})
        assert [order.status for order in store.orders.all()] == [3]
        assert told.orders == []


def test_many_hands() -> None:
    """Of many threads that complete one order at the same time, one does it, and one notification goes out."""
    with Sandbox() as sandbox, ThreadPoolExecutor(8) as pool:
        store = sandbox._running().store
        store.orders.add(order_of({"authCallbackUrl": "nowhere"}))

        def complete(_: int) -> bool:
            try:
                sandbox.complete("SBX1")
            except ValueError:
                return False
            return True

        assert sum(pool.map(complete, range(32))) == 1
        assert len(asyncio.run(sandbox.settled())) == 1
