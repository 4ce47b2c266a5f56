"""`session.contracts.find_lost`: what is sent, what is received, and what is not."""

from __future__ import annotations

import asyncio
from traceback import walk_tb
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus

import pytest

from calls import NO_RETRY, TOKEN, open_session, refusal, respond
from downloads import CONTACT, PDF, HeldServer, chunked, head, make_zip, respond_to_downloads
from kfq_async import (
    BusinessError,
    ConnectionLost,
    ContractUser,
    EncodeError,
    HiddenErrorPage,
    KfqError,
    UnexpectedResponse,
)
from servers import ScriptedServer, http_response, success

if TYPE_CHECKING:
    from collections.abc import Iterable

ANNA = "13800000001"
SIGNING = success(
    {"status": "SIGNING", "todoTaskList": [{"taskId": "T1", "taskType": "SIGN", "party": {"contact": ANNA}}]}
)


def document(name: str, content: bytes = PDF) -> bytes:
    """Return the download of a document of this name."""
    return chunked(content, more=f"Content-Disposition: attachment;fileName={quote_plus(name)}\r\n")


async def find(server: ScriptedServer, receivers: Iterable[object] = (), **options: Any) -> bool | None:
    """Return whether contract ``C1`` is that of the draft ``PO-42``."""
    async with open_session(server, rate_limit=None, **options) as session:
        return await session.contracts.find_lost(
            "C1",
            contact=CONTACT,
            reference="PO-42",
            receivers=receivers,  # type: ignore[arg-type]
        )


@pytest.mark.parametrize(
    ("response", "found"),
    [
        (document("采购合同〔PO-42〕.pdf"), True),
        (document("长" * 110 + "〔PO-42〕.pdf"), True),
        (document("采购合同〔PO-43〕.pdf"), False),
        (document("采购合同.pdf"), None),
        (document("采购合同〔PO-42〕.zip", make_zip(PDF, PDF)), None),
        (chunked(PDF, more=""), None),
        (refusal(31000, "无权限"), None),
    ],
)
async def test_reference(response: bytes, *, found: bool | None) -> None:
    """The name of the document tells, in one request like that of a download."""
    async with ScriptedServer(respond_to_downloads(response)) as server:
        assert await find(server) is found
        (request,) = server.requests
    assert "/contract/document/download?" in request.target
    assert request.target.endswith(f"contact={CONTACT}&contractId=C1")
    assert request.headers["Accept-Encoding"] == "identity"


@pytest.mark.parametrize(
    ("name", "receivers", "found", "requests"),
    [
        ("〔PO-42〕.pdf", [ANNA], True, 2),
        ("〔PO-42〕.pdf", [ContractUser(contact=ANNA), "other@example.org"], True, 2),
        ("〔PO-42〕.pdf", ["other@example.org"], False, 2),
        ("〔PO-43〕.pdf", [ANNA], False, 1),
        ("采购合同.pdf", [ANNA], None, 1),
    ],
)
async def test_receivers(name: str, receivers: list[object], requests: int, *, found: bool | None) -> None:
    """Of contracts that share the reference, the open tasks tell; where that differs, they are not read."""
    async with ScriptedServer(respond_to_downloads(document(name), tasks=SIGNING)) as server:
        assert await find(server, receivers) is found
        assert len(server.requests) == requests


async def test_rest_is_not_received() -> None:
    """The connection is closed before a large file has arrived."""
    async with HeldServer() as server:
        assert await find(server, retry=NO_RETRY) is None
        await asyncio.wait_for(server.ended.wait(), 5)


async def test_retry() -> None:
    """What is transient is retried, as for a download."""
    responses = (None, chunked(b"%PD"), http_response("", 502), document("〔PO-42〕.pdf"))
    async with ScriptedServer(respond_to_downloads(*responses)) as server:
        assert await find(server) is True
        assert len(server.requests) == 4


@pytest.mark.parametrize(
    ("response", "kind"),
    [
        (None, ConnectionLost),
        ((head() + b"%PD",), ConnectionLost),
        (success({"contractId": "C1"}), UnexpectedResponse),
        (http_response("<html>login"), UnexpectedResponse),
        (http_response({"success": False, "code": 401, "message": "…"}, 401), HiddenErrorPage),
    ],
)
async def test_errors(response: bytes | tuple[bytes, ...] | None, kind: type[KfqError]) -> None:
    """Whatever is no file is the error that it is for a download, and shows neither token nor contacts."""
    async with ScriptedServer(respond_to_downloads(response)) as server:
        with pytest.raises(kind) as caught:
            await find(server, [ANNA], retry=NO_RETRY)
    assert caught.value.operation == "GET /contract/document/download"
    frames = [frame for frame, _ in walk_tb(caught.value.__traceback__) if "kfq_async" in frame.f_code.co_filename]
    shown = repr([frame.f_locals for frame in frames])
    assert "ContractDownloadRequest" in shown
    for secret in (TOKEN, CONTACT, ANNA):
        assert secret not in shown


async def test_unreadable_tasks() -> None:
    """Tasks that cannot be read are an error, and no answer."""
    script = respond_to_downloads(document("〔PO-42〕.pdf"), tasks=refusal(31000))
    async with ScriptedServer(script) as server:
        with pytest.raises(BusinessError) as caught:
            await find(server, [ANNA])
    assert caught.value.operation == "GET /contract/tasks"


@pytest.mark.parametrize(
    ("arguments", "kind", "text"),
    [
        ({"contract_id": None}, TypeError, "contract_id must not be None"),
        ({"contract_id": "\ud800"}, EncodeError, "contractId"),
        ({"contact": 5}, TypeError, "contact must be a str"),
        ({"reference": "PO 42"}, ValueError, "^reference must be 1 to 32"),
        ({"receivers": ANNA}, TypeError, "^receivers must be a sequence"),
    ],
)
async def test_wrong_arguments(arguments: dict[str, Any], kind: type[Exception], text: str) -> None:
    """A wrong argument is refused before anything is sent."""
    async with ScriptedServer(respond(None)) as server, open_session(server) as session:
        with pytest.raises(kind, match=text):
            await session.contracts.find_lost(
                **{"contract_id": "C1", "contact": CONTACT, "reference": "PO-42", **arguments}
            )
        assert server.requests == []
