"""The sandbox's operations on contracts (protocol sections 4.6 to 4.12).

Assumed, because it is not known: that the checks of an operation run in the sequence of its fields in the protocol, and
that operations which are not said to look at the enterprise of the token do not.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import orjson

from kfq_async.models.contracts import ContractDraftRequest
from kfq_async.models.parties import PositionParam
from kfq_async.protocol.codec import to_wire
from kfq_async.sandbox.binding import PERSON, Shape, shape_of
from kfq_async.sandbox.checks import AuditedRefusal, GenericFailure, Refused, success
from kfq_async.sandbox.contract_repository import dump_state, state_of, wire_status
from kfq_async.sandbox.dates import china_date
from kfq_async.sandbox.documents import load_documents
from kfq_async.sandbox.drafts import check_draft, check_id, check_seals, check_start, draft_state
from kfq_async.sandbox.gateway import ApiOperation
from kfq_async.sandbox.lifecycle import (
    PERSONAL,
    SENDER,
    SIGNING,
    add_parties,
    approve,
    finish,
    open_tasks,
    refuse,
    sign,
    start,
    withdraw,
)
from kfq_async.sandbox.parties import PartyReader, check_member, check_person, new_task_id
from kfq_async.sandbox.quirks import FINISH_AGAIN, LEFTOVER_DRAFTS, SILENT_COMPLETION, UNCHECKED_APPROVAL
from kfq_async.sandbox.store import Contract

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from kfq_async.models.parties import ContractUser
    from kfq_async.sandbox.checks import PlatformResponse
    from kfq_async.sandbox.contract_repository import ContractRepository
    from kfq_async.sandbox.directory import Directory
    from kfq_async.sandbox.files import FileService
    from kfq_async.sandbox.fixtures import Account, Seal
    from kfq_async.sandbox.gateway import ApiCall
    from kfq_async.sandbox.lifecycle import Change, ContractState, Party, Step

__all__ = ["ContractService"]

API_REASON = "通过API撤销"
USES_DOCUMENTS = ("/contract/draft", "/contract/approval", "/contract/signer/add", "/contract/sign/personal/proxy")
"""Operations that read PDFs or sign them, which takes time; after an approval an automatic seal may follow."""
PERSON_NODES = ("AGENT_SIGN", "LEGAL_PERSON_SIGN", "PERSONAL_SIGN")
"""Steps of an enterprise that a person signs."""

_DRAFT = shape_of(ContractDraftRequest)
_CONTRACT: Mapping[str, Shape] = {"contractId": str}
_APPROVAL: Mapping[str, Shape] = {"contractId": str, "signer": PERSON, "approval": int, "comment": str}
_ADDED_SIGNERS: Mapping[str, Shape] = {"contractId": str, "signerList": _DRAFT["signerList"]}
_PROXY: Mapping[str, Shape] = {
    "contractId": str,
    "signatureSubjectType": str,
    "signer": PERSON,
    "positionParamList": [shape_of(PositionParam)],
}


class ContractService:
    """Operations that create, drive and look at contracts."""

    def __init__(self, repository: ContractRepository, directory: Directory, files: FileService) -> None:
        self._repository = repository
        self._directory = directory
        self._files = files

    def operations(self) -> Iterable[ApiOperation]:
        """Return the operations."""
        yield ApiOperation(method="GET", path="/contract/tasks", shape=_CONTRACT, handler=self._tasks)
        handlers: dict[str, tuple[Mapping[str, Shape], Callable[[ApiCall], PlatformResponse]]] = {
            "/contract/draft": (_DRAFT, self._draft),
            "/contract/approval": (_APPROVAL, self._approval),
            "/contract/signer/add": (_ADDED_SIGNERS, self._add_signers),
            "/contract/finish": (_CONTRACT, self._finish),
            "/contract/recall": (_CONTRACT, self._recall),
            "/contract/sign/personal/proxy": (_PROXY, self._sign_by_proxy),
        }
        for path, (shape, handler) in handlers.items():
            yield ApiOperation(
                method="POST",
                path=path,
                shape=shape,
                handler=handler,
                limited=path == "/contract/draft",
                thread_above=0 if path in USES_DOCUMENTS else None,
            )

    def _draft(self, call: ApiCall) -> PlatformResponse:
        """Create a contract; the same request twice creates two. A draft that cannot be started stays."""
        line = check_draft(call, self._directory)
        documents = load_documents(call.fields, self._files.document)
        documents.check()
        reader = PartyReader(call.enterprise, self._directory, documents, call.quirks)
        state = draft_state(call, line, reader)
        contract = Contract(
            contract_id=secrets.token_hex(16),
            token=call.token,
            enterprise=call.enterprise.name,
            status=state.status,
            request=orjson.dumps(call.fields).decode(),
            state=dump_state(state),
            created_at=call.now_ms / 1000,
        )
        self._repository.add(contract)
        if call.fields["send"] == "1":
            try:
                check_start(state, call.enterprise, documents, self._directory, call.quirks)
                self._apply(call, contract, start)
            except (Refused, AuditedRefusal):
                if LEFTOVER_DRAFTS not in call.quirks:
                    self._repository.remove(contract)
                raise
        return _accepted(contract)

    def _tasks(self, call: ApiCall) -> PlatformResponse:
        contract_id = call.fields.get("contractId")
        if not contract_id:
            raise Refused(21000, "缺少 contractId")
        contract = self._repository.of_call(call)
        tasks = [self._task(party, step) for party, step in open_tasks(state_of(contract))]
        return success({"status": wire_status(contract.status, call.quirks), "todoTaskList": tasks})

    def _task(self, party: Party, step: Step) -> dict[str, object]:
        """Return an open task as the platform tells it: with the names that it knows, not those of the request."""
        account = self._account(step.person)
        if party.party_type == PERSONAL:
            name = None if account is None else account.shown_name
        else:
            name = party.name if self._directory.is_enterprise(party.name) else None
        return {
            "taskId": step.task_id,
            "taskType": step.task_type,
            "partyType": party.party_type,
            "partyName": name,
            "partyAccount": None if account is None else account.account_id,
            "party": None if party.party_type == SENDER else to_wire(step.person),
        }

    def _approval(self, call: ApiCall) -> PlatformResponse:
        contract = self._repository.own(call)
        _check_signing(contract)
        signer = check_person(call.fields.get("signer"), "signer")
        check_member(signer, call.enterprise, self._directory)
        step = _open_step(contract, signer, lambda _, step: step.is_approval)
        approval = call.fields.get("approval")
        if approval not in {0, 1} and UNCHECKED_APPROVAL not in call.quirks:
            raise Refused(21000 if approval is None else 23000, "approval 须为 1 或 0")
        # Any other value is recorded, changes nothing, and is answered as a success.
        match approval:
            case 1:
                self._apply(call, contract, lambda state: approve(state, step.task_id))
            case 0:
                self._apply(call, contract, lambda state: refuse(state, step.task_id, call.fields.get("comment")))
        return _accepted(contract)

    def _sign_by_proxy(self, call: ApiCall) -> PlatformResponse:
        """Sign one task of a person with a seal that the person has granted for the business line."""
        contract = self._repository.of_call(call)
        _check_signing(contract)
        subject = call.fields.get("signatureSubjectType")
        if subject not in _PROXY_STEPS:
            raise Refused(31000, "signatureSubjectType 须为 PERSON 或 EMPLOYEE")
        signer = check_person(call.fields.get("signer"), "signer")
        account = self._account(signer)
        if account is None:
            raise Refused(31000, "签署人不存在")
        if subject == "EMPLOYEE":
            check_member(signer, call.enterprise, self._directory)
        step = _open_step(contract, signer, _PROXY_STEPS[subject])
        request = orjson.loads(contract.request)
        today = china_date(call.now_ms).isoformat()
        seal = self._directory.granted_seal(account, request["signReId"], today)
        if seal is None:
            raise Refused(31000, "签署人未授权印章")
        documents = load_documents(request, self._files.document)
        added = PartyReader(call.enterprise, self._directory, documents, call.quirks).positions(call.fields)
        if not step.positions and not added:
            raise AuditedRefusal("缺少签署控件")
        silent = SILENT_COMPLETION in call.quirks
        self._apply(
            call, contract, lambda state: sign(state, step.task_id, by_proxy=silent, positions=added), seal=seal
        )
        return success(None)

    def _add_signers(self, call: ApiCall) -> PlatformResponse:
        check_id(call.fields.get("contractId"), "contractId")
        contract = self._repository.own(call)
        if "signerList" not in call.fields:
            raise GenericFailure("缺少 signerList", 21000)
        documents = load_documents(orjson.loads(contract.request), self._files.document)
        reader = PartyReader(call.enterprise, self._directory, documents, call.quirks, adding=True)
        parties = reader.parties(call.fields["signerList"], auto_finish=False)
        check_seals(parties, call.enterprise, documents, self._directory, call.quirks)
        self._apply(call, contract, lambda state: add_parties(state, parties, new_task_id, call.quirks))
        return _accepted(contract)

    def _finish(self, call: ApiCall) -> PlatformResponse:
        contract = self._repository.own(call)
        checked = FINISH_AGAIN not in call.quirks
        self._apply(call, contract, lambda state: finish(state, checked=checked))
        return _accepted(contract)

    def _recall(self, call: ApiCall) -> PlatformResponse:
        contract = self._repository.own(call)
        self._apply(call, contract, lambda state: withdraw(state, API_REASON))
        return _accepted(contract)

    def _apply(
        self,
        call: ApiCall,
        contract: Contract,
        transition: Callable[[ContractState], Change],
        seal: Seal | None = None,
    ) -> None:
        self._repository.apply(contract, transition, seal=seal, collision=call.collision)

    def _account(self, person: ContractUser | None) -> Account | None:
        return None if person is None or person.contact is None else self._directory.account(person.contact)


def _accepted(contract: Contract) -> PlatformResponse:
    return success({"contractId": contract.contract_id})


def _check_signing(contract: Contract) -> None:
    if contract.status != SIGNING:
        raise Refused(31000, f"合同状态为 {contract.status}，不在签署中")


def _open_step(contract: Contract, person: ContractUser, accepts: Callable[[Party, Step], bool]) -> Step:
    """Return the first open task of a person of a certain kind; refuse if there is none."""
    for party, step in open_tasks(state_of(contract)):
        if step.person is not None and step.person.contact == person.contact and accepts(party, step):
            return step
    raise Refused(31000, "当前没有该签署人的任务")


def _is_personal(party: Party, _: Step) -> bool:
    return party.party_type == PERSONAL


def _is_employees(party: Party, step: Step) -> bool:
    return party.party_type == SENDER and step.node_type in PERSON_NODES


_PROXY_STEPS = {"PERSON": _is_personal, "EMPLOYEE": _is_employees}
"""Tasks that can be signed by proxy, by ``signatureSubjectType``; those of a receiving enterprise cannot."""
