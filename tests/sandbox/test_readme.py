"""The guide to the sandbox: the tests that it shows pass."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import pytest
from fastapi import FastAPI

import kfq_async as kfq
from calls import REQUEST
from guide_code import blocks, guide, run, section
from kfq_async.integrations.fastapi import notification_router
from kfq_async.sandbox import Sandbox
from pdfs import A4, pdf

if TYPE_CHECKING:
    from kfq_async.sandbox import CapturedNotification
    from kfq_async.testing import DeliverNotification, SessionFactory


async def code(number: int, **names: Any) -> dict[str, Any]:
    """Run the first blocks of the section on tests, up to this number, and return the names that they define."""
    names |= {"__name__": "guide", "request": REQUEST}
    for block in blocks(section(guide("sandbox"), "## In your tests"), "python")[:number]:
        await run(block, names)
    return names


@pytest.mark.kfq_faults("lose-response*1")
async def test_fastapi_application(
    kfq_environment: None,
    kfq_sandbox: Sandbox,
    kfq_notifications: list[CapturedNotification],
    kfq_deliver: DeliverNotification,
) -> None:
    """The shown test of a FastAPI application passes, with the fault that it shows: the retry makes no second order."""
    shown = (await code(5))["test_service"]
    assert shown.pytestmark == [pytest.mark.kfq_faults("lose-response*1").mark]
    await shown(kfq_environment, kfq_sandbox, kfq_notifications, kfq_deliver)
    assert [order.client_request_id for order in kfq_sandbox.orders] == ["row-1"]
    assert len(kfq_notifications) == 1


async def test_session(kfq_session: SessionFactory, kfq_sandbox: Sandbox) -> None:
    """The shown test of a call passes."""
    await (await code(1))["test_mine"](kfq_session, kfq_sandbox)


@pytest.mark.kfq_faults("lose-response*1")
async def test_lost_response(kfq_session: SessionFactory, kfq_sandbox: Sandbox) -> None:
    """The shown test of a fault passes, with the fault that it shows."""
    shown = (await code(2))["test_lost_response"]
    assert shown.pytestmark == [pytest.mark.kfq_faults("lose-response*1").mark]
    await shown(kfq_session, kfq_sandbox)


@pytest.mark.kfq_faults("callback-duplicate*1")
async def test_notification(
    kfq_session: SessionFactory,
    kfq_sandbox: Sandbox,
    kfq_notifications: list[CapturedNotification],
    kfq_deliver: DeliverNotification,
) -> None:
    """The shown test of a notification passes, with the fault that it shows: two copies are handled once."""
    handled: list[str | None] = []

    async def handler(delivery: kfq.NotificationDelivery[kfq.IdentityNotification]) -> None:
        handled.append(delivery.client_request_id)

    urls = kfq.CallbackUrls(
        [b"a secret of 32 random bytes....."],
        page="https://your-domain.com/done",
        notify="https://your-domain.com/hooks/kfq",
    )
    app = FastAPI()
    app.include_router(notification_router(kfq.NotificationReceiver(handler, urls=urls), "/hooks/kfq"))
    shown = (await code(3, urls=urls, app=app, handled=handled))["test_notification"]
    assert shown.pytestmark == [pytest.mark.kfq_faults("callback-duplicate*1").mark]
    await shown(kfq_session, kfq_sandbox, kfq_notifications, kfq_deliver)
    assert len(kfq_notifications) == 2


@pytest.mark.parametrize(("action", "status"), [("complete", "COMPLETE"), ("refuse", "REFUSAL_SIGN")])
async def test_signature_without_a_browser(action: str, status: str) -> None:
    """The shown function signs on the page of a contract, or refuses to."""
    laptop = section(guide("sandbox"), "# A contract on a laptop")
    [platform] = blocks(laptop, "json")
    [shown] = [block for block in blocks(laptop, "python") if "async def act(" in block]
    names: dict[str, Any] = {}
    await run(shown, names)
    employee = kfq.ContractUser(name="陈一", contact_type="MOBILE", contact="13900000001")
    person = kfq.ContractUser(name="林二", contact_type="MOBILE", contact="13900000002")
    async with (
        Sandbox(fixtures=orjson.loads(platform), quirks=(), capture=bool) as sandbox,
        kfq.AsyncSession(sandbox.token, base_url=sandbox.base_url) as session,
    ):
        document = await session.files.upload_document(pdf(A4), name="contract.pdf")
        draft = await session.contracts.draft(
            kfq.ContractDraftRequest(
                send="1",
                operator=employee,
                sign_re_id="purchase",
                subject="采购合同",
                sign_document_list=[kfq.SignDocument(doc_id=document.doc_id)],
                signer_list=[
                    kfq.ContractSigner(
                        signer_type="RECEIVER_PERSONAL", signer_order="1", signer_name="林二", receiver=person
                    )
                ],
            )
        )
        link = await session.contracts.page_url(draft.contract_id, "13900000002", no_login=True)
        await names["act"](link.page_url, action)
        assert sandbox.contracts[0].status == status
