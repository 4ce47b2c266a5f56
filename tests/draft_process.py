"""A process that makes one contract, even if it is killed: ``draft_process.py BASE_URL PUBLIC_KEY FOLDER FD COUNT``.

It notes its reference in FOLDER before the draft is sent, and the contract afterwards. If a run finds a reference
without a contract, it looks at so many contracts that are unclaimed, whose events arrive at the listening socket FD,
and sends the draft again only if none of them is its own.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from aiohttp import web

import kfq_async as kfq

if TYPE_CHECKING:
    from collections.abc import Callable

TOKEN, OPERATOR, PERSON = "DEMO0001", "13900000001", "13900000002"
REFERENCE = "PO-42"


def make_request(document: kfq.UploadedDocument) -> kfq.ContractDraftRequest:
    """Return a draft that is started, and waits for one person."""
    receiver = kfq.ContractUser(name="林二", contact_type="MOBILE", contact=PERSON)
    return kfq.ContractDraftRequest(
        send="1",
        operator=kfq.ContractUser(name="陈一", contact_type="MOBILE", contact=OPERATOR),
        sign_re_id="sales",
        subject="采购合同",
        sign_document_list=[kfq.SignDocument(doc_id=document.doc_id)],
        signer_list=[kfq.ContractSigner(signer_type="RECEIVER_PERSONAL", signer_order="1", receiver=receiver)],
    )


async def draft(session: kfq.AsyncSession, folder: Path) -> str:
    """Upload the document under the reference, and start the contract."""
    document = await session.files.upload_document(folder / "采购合同.pdf", reference=REFERENCE)
    (folder / "reference").write_text(REFERENCE)
    return (await session.contracts.draft(make_request(document))).contract_id


async def find(
    session: kfq.AsyncSession, public_key: str, listener: socket.socket, count: int, on_listening: Callable[[], None]
) -> str | None:
    """Return the contract of the reference if it is one of those whose events arrive."""
    async with AsyncExitStack() as stack:
        events = await stack.enter_async_context(kfq.ContractEvents(grace=0))
        verifier = kfq.ContractEventVerifier(public_key)
        receiver = await stack.enter_async_context(kfq.NotificationReceiver(events, verifier=verifier))

        async def receive(request: web.Request) -> web.Response:
            reply = await receiver.receive(await request.read(), request.headers, request.raw_path)
            return web.Response(status=reply.status, body=reply.body, headers={"Content-Type": reply.content_type})

        app = web.Application()
        app.router.add_post("/events", receive)
        runner = web.AppRunner(app)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.SockSite(runner, listener).start()
        on_listening()
        seen = set[str]()
        async for event in events.unclaimed():
            seen.add(event.contract_id)
            if await session.contracts.find_lost(event.contract_id, contact=OPERATOR, reference=REFERENCE):
                return event.contract_id
            if len(seen) == count:
                break
    return None


def print_line(line: str) -> None:
    """Print a line, unbuffered."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


async def main(base_url: str, public_key: str, folder: Path, listener: socket.socket, count: int) -> None:
    """Find the contract, or make it; print its id."""
    async with kfq.AsyncSession(TOKEN, base_url=base_url) as session:
        contract_id = None
        if (folder / "reference").exists():
            contract_id = await find(session, public_key, listener, count, lambda: print_line("listening"))
        print_line(contract_id or await draft(session, folder))


if __name__ == "__main__":
    _, base_url, public_key, folder, descriptor, count = sys.argv
    asyncio.run(main(base_url, public_key, Path(folder), socket.socket(fileno=int(descriptor)), int(count)))
