"""Functions of a user that fail while their variables hold people's data, links or keys.

Texts that must not be recorded stand in constants, because tracebacks show source lines too.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import attrs
import orjson

from companies import BANK_CARD, ID_CARD, MOBILE, PERSON
from companies import request as company_request
from kfq_async import CallbackUrls, ContractEventVerifier, ContractTasks, CorpIdentLink, NotificationReceiver
from kfq_async.cli.request import RequestOptions
from kfq_async.examples.companies import parse_form
from kfq_async.protocol.envelope import Envelope, parse_envelope
from senders import SIGNED, make_body, private_key, signed_event_headers

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from kfq_async import CallbackRejected, ContractEvent, IdentityNotification, NotificationDelivery

LINK = "https://platform.example/auth/order-7?code=" + "q1w2" * 50
"""A link that tools shorten before they show it."""
KEY = b"a key of 32 random bytes........"
SECRETS = (PERSON, ID_CARD, MOBILE, BANK_CARD, "order-7", "q1w2", KEY.decode())
"""Texts that nothing recorded of a failure may hold."""
PEOPLE: dict[str, Any] = {"name": PERSON, "idCard": ID_CARD, "mobile": MOBILE, "bankCard": BANK_CARD}
UNKNOWN: dict[str, Any] = {"pageUrl": LINK, "people": [PEOPLE, [MOBILE]]}
PARTY = {"name": PERSON, "contactType": "MOBILE", "contact": MOBILE}
TASK = {"taskId": "T1", "taskType": "SIGN", "partyName": PERSON, "partyAccount": MOBILE, "party": PARTY, **UNKNOWN}
EVENT = {**SIGNED, "signerName": PERSON, "reason": PERSON, "signer": PARTY, **UNKNOWN}
ORIGIN = "https://a.example"
URLS = CallbackUrls([KEY], page=f"{ORIGIN}/page", notify=f"{ORIGIN}/notify")
REQUEST = URLS.bind(attrs.evolve(company_request(), client_request_id="r1"))


class DatabaseDownError(Exception):
    """The failure of the user's code."""


def store(*_values: object) -> None:
    """Fail to store values."""
    raise DatabaseDownError


async def handle_identification(delivery: NotificationDelivery[IdentityNotification]) -> None:
    """Fail in a handler that took values out of its notification."""
    notification = delivery.notification
    name, mobile = notification.name, notification.mobile
    numbers = [notification.id_card, notification.bank_card]
    people = notification.extra["people"]
    store(name, mobile, numbers, people)


async def handle_event(delivery: NotificationDelivery[ContractEvent]) -> None:
    """Fail in a handler that took values out of its event."""
    event = delivery.notification
    signer = event.signer
    values = event.signer_name, event.reason, event.extra["pageUrl"], signer and signer.contact
    store(values)


async def rejection_of(receive: Callable[[Callable[[CallbackRejected], None]], Awaitable[None]]) -> CallbackRejected:
    """Return what the receiver reports of a notification."""
    rejections: list[CallbackRejected] = []
    await receive(rejections.append)
    return rejections[0]


async def receive_identification(on_rejected: Callable[[CallbackRejected], None]) -> None:
    """Receive the notification of an identification at its bound URL."""
    path = str(REQUEST.auth_callback_url).removeprefix(ORIGIN)
    async with NotificationReceiver(handle_identification, urls=URLS, on_rejected=on_rejected) as receiver:
        await receiver.receive(make_body(**PEOPLE, **UNKNOWN), {}, path)


async def receive_event(on_rejected: Callable[[CallbackRejected], None]) -> None:
    """Receive a signed event."""
    body, verifier = make_body(EVENT), ContractEventVerifier(private_key().public_key())
    async with NotificationReceiver(handle_event, verifier=verifier, on_rejected=on_rejected) as receiver:
        await receiver.receive(body, signed_event_headers(body), "/")


async def fail_in_a_handler() -> None:
    """A handler of identifications fails."""
    raise await rejection_of(receive_identification)


async def fail_in_a_handler_of_events() -> None:
    """A handler of events fails."""
    raise await rejection_of(receive_event)


def envelope(result: object) -> Envelope:
    """Return the envelope of a success."""
    found = parse_envelope(orjson.dumps({"code": 10000, "message": "成功", "result": result, **UNKNOWN}))
    assert found is not None
    return found


async def fail_with_a_link() -> None:
    """A user's function fails that has a link and its request."""
    request, link = REQUEST, envelope({"orderNo": "1", "authUrl": LINK, **UNKNOWN}).decode_result(CorpIdentLink)
    url, page, extra = link.auth_url, request.callback_page, link.extra
    operator = request.opr_ident_info
    values = [request.account_name, operator and (operator.name, operator.id_card, operator.mobile)]
    store(url, page, extra, values)


async def fail_in_a_loop() -> None:
    """A loop over the tasks of a contract fails."""
    result = envelope({"status": "SIGNING", "todoTaskList": [TASK]})
    for task in result.decode_result(ContractTasks).todo_task_list:
        name, account, page = task.party_name, task.party_account, task.extra["pageUrl"]
        contact = task.party and task.party.contact
        store(name, account, page, contact)


async def fail_with_plain_data() -> None:
    """A loop over a result without a model fails."""
    response = envelope({"todoTaskList": [TASK]})
    for task in response.result["todoTaskList"]:
        page, party, unknown = task["pageUrl"], task["party"], response.extra
        store(page, party, unknown)


async def fail_in_decoding() -> None:
    """A result cannot be decoded."""
    envelope({"authUrl": LINK, **UNKNOWN}).decode_result(CorpIdentLink)


async def fail_in_an_example() -> None:
    """A function of a web application fails that has a form."""
    form = parse_form(FORM)
    account = form and form.account_name
    store(account)


FORM = urlencode({"key": "k", "company_name": "c", "account_name": MOBILE}).encode()


async def fail_in_a_command() -> None:
    """A command fails that has options."""
    options = make_options()
    url, number = options.callback_page, options.id_card
    store(url, number)


def make_options(**values: Any) -> RequestOptions:
    """Return the options of ``kfq link``."""
    return RequestOptions(operator_name=PERSON, id_card=ID_CARD, mobile=MOBILE, callback_page=LINK, **values)


async def fail_in_the_settings() -> None:
    """The URL beside a good key is wrong."""
    make_urls()


make_urls = partial(CallbackUrls, [KEY], page="a.example/page", notify=f"{ORIGIN}/notify")
FAILURES = (
    fail_in_a_handler,
    fail_in_a_handler_of_events,
    fail_with_a_link,
    fail_in_a_loop,
    fail_with_plain_data,
    fail_in_decoding,
    fail_in_an_example,
    fail_in_a_command,
    fail_in_the_settings,
)
