"""Hundreds of operations that drive contracts, and what must have become of each contract."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from attrs import frozen

from contract_platform import SECOND, node, receiver, sender, text_pdf, user
from kfq_async import AsyncSession, ContractDraftRequest, ContractSigner, ContractUser
from kfq_async.protocol.codec import decode, to_wire
from self_hosted import OPERATOR, PERSON

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kfq_async import ContractTasks

KINDS = ("start", "approve", "add", "start", "approve", "sign")
EXPECTED = {
    "start": ("SIGNING", ["APPROVE"]),
    "approve": ("SIGNING", ["SIGN"]),
    "add": ("SIGNING", ["SIGN"]),
    "sign": ("COMPLETED", []),
}
"""State and kinds of the open tasks after each operation."""


@frozen
class Drive:
    """An operation: its kind and, unless it is a start, its contract."""

    kind: str
    contract_id: str = ""


def contact_user(contact: str) -> ContractUser:
    """Return a person of the fixtures."""
    return decode(ContractUser, user(contact))


def draft_of(kind: str, doc_id: str) -> ContractDraftRequest:
    """Return a draft whose contract waits for an operation of a kind; that of a start waits for an approval."""
    position = {
        "controlType": "SIGNATURE",
        "signPositionType": "POSITION",
        "pageConfig": "1",
        "offsetX": "0.5",
        "offsetY": "0.5",
        "relationDocList": [{"docType": "1", "docId": doc_id}],
    }
    signers = [receiver(PERSON, order="2", positionParamList=[position])]
    if kind in {"start", "approve"}:
        signers = [sender(node("APPROVER_CHECK")), *signers]
    fields: dict[str, Any] = {
        "send": "1",
        "operator": user(OPERATOR),
        "signReId": "sales",
        "subject": "框架合同",
        "signDocumentList": [{"docId": doc_id}],
        "signerList": signers,
        "signOrderType": "ORDER",
        "autoFinish": 0 if kind == "add" else 1,
    }
    return decode(ContractDraftRequest, fields)


async def perform(session: AsyncSession, drive: Drive, doc_id: str) -> str:
    """Perform an operation, and return the id of its contract."""
    contracts = session.contracts
    match drive.kind:
        case "start":
            return (await contracts.draft(draft_of("start", doc_id))).contract_id
        case "approve":
            await contracts.approve(drive.contract_id, signer=contact_user(OPERATOR), auto_finish=True)
        case "sign":
            await contracts.sign_for_person(drive.contract_id, signer=contact_user(PERSON), auto_finish=True)
        case _:
            added = decode(ContractSigner, receiver(SECOND, order="3"))
            await contracts.add_signers(drive.contract_id, [added])
    return drive.contract_id


def wire_request(drive: Drive, doc_id: str) -> tuple[str, dict[str, Any]]:
    """Return path and fields of the request of an operation."""
    match drive.kind:
        case "start":
            return "/contract/draft", to_wire(draft_of("start", doc_id))
        case "approve":
            return "/contract/approval", {"contractId": drive.contract_id, "signer": user(OPERATOR), "approval": 1}
        case "sign":
            fields = {"contractId": drive.contract_id, "signatureSubjectType": "PERSON", "signer": user(PERSON)}
            return "/contract/sign/personal/proxy", fields
    return "/contract/signer/add", {"contractId": drive.contract_id, "signerList": [receiver(SECOND, order="3")]}


async def prepare(session: AsyncSession, doc_id: str, count: int) -> list[Drive]:
    """Return so many operations of all kinds in turn, after their contracts were started."""
    kinds = [KINDS[number % len(KINDS)] for number in range(count)]

    async def start(kind: str) -> Drive:
        if kind == "start":
            return Drive(kind)
        return Drive(kind, (await session.contracts.draft(draft_of(kind, doc_id))).contract_id)

    return await asyncio.gather(*map(start, kinds))


async def upload(session: AsyncSession) -> str:
    """Upload a document, and return its id."""
    return (await session.files.upload_document(text_pdf(1, "SIGNHERE"), name="合同")).doc_id


def shape(tasks: ContractTasks) -> tuple[str, list[str]]:
    """Return state and kinds of the open tasks."""
    return tasks.status, [task.task_type for task in tasks.todo_task_list]


async def shapes(session: AsyncSession, contract_ids: Iterable[str]) -> list[tuple[str, list[str]]]:
    """Look at contracts."""
    return [shape(await session.contracts.tasks(contract_id)) for contract_id in contract_ids]
