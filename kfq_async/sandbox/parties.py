"""Parties of a request: checks with the platform's codes, and the steps that they become (protocol section 4.0)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from kfq_async.models.parties import ContractUser
from kfq_async.sandbox.checks import GenericFailure, Refused, check_column
from kfq_async.sandbox.lifecycle import ENTERPRISE, ENTERPRISE_SEAL, PERSONAL, SENDER, Party, Step
from kfq_async.sandbox.positions import check_positions
from kfq_async.sandbox.quirks import DROPPED_PARTIES, UNRESOLVED_DOCUMENTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from kfq_async.models.parties import PositionParam
    from kfq_async.sandbox.directory import Directory
    from kfq_async.sandbox.documents import ContractDocuments
    from kfq_async.sandbox.fixtures import Account, Enterprise, Line, LineNode, LineParty

__all__ = ["PartyReader", "check_member", "check_person", "new_task_id"]

MAX_ENTERPRISE_NAME = 50
MAX_PERSON_NAME = 50
MAX_CONTACT = 255
MAX_NODE_NAME = 20
"""Maximum length of the name of a person who acts for a receiving enterprise."""
ORDERS = range(-128, 128)
PARTY_TYPES = {"SENDER": SENDER, "RECEIVER_ENT": ENTERPRISE, "RECEIVER_PERSONAL": PERSONAL}
CONTACT_TYPES = ("MOBILE", "EMAIL")
AUTO_SIGN = "AUTO_SIGN"

_INTEGER = re.compile(r"[+-]?\d{1,9}", re.ASCII)


def new_task_id() -> str:
    """Return a new ``taskId``."""
    return str(uuid4())


def check_person(person: Mapping[str, str] | None, role: str) -> ContractUser:
    """Return a person; refuse one of whom anything is missing."""
    if person is None:
        raise Refused(21000, f"{role}-参数缺失")
    for name, title in (("name", "姓名"), ("contactType", "联系类型"), ("contact", "联系方式")):
        if not person.get(name):
            raise Refused(21000, f"{role}-{title}-参数缺失")
    if person["contactType"] not in CONTACT_TYPES:
        raise Refused(31000, f"{role}-不支持的联系类型 {person['contactType']}")
    return ContractUser(name=person["name"], contact_type=person["contactType"], contact=person["contact"])


def check_member(person: ContractUser, enterprise: Enterprise, directory: Directory) -> Account:
    """Return the account of a person; refuse one that does not exist, or is no member of the enterprise."""
    contact = person.contact or ""
    account = directory.account(contact)
    if account is None:
        raise Refused(31000, f"账号 {contact} 不存在")
    if not directory.is_member(enterprise, contact):
        raise Refused(31000, f"账号 {contact} 不属于企业 {enterprise.name}")
    return account


class PartyReader:
    """Reads the parties of a request.

    Args:
        enterprise: Enterprise of the token, the sender.
        directory: Accounts, by which members are known.
        documents: ContractDocuments of the contract.
        quirks: Quirks of the platform that are imitated.
        adding: Whether the request adds parties to a contract, and does not draft one.
    """

    def __init__(
        self,
        enterprise: Enterprise,
        directory: Directory,
        documents: ContractDocuments,
        quirks: frozenset[str],
        *,
        adding: bool = False,
    ) -> None:
        self._quirks = quirks
        self._enterprise = enterprise
        self._directory = directory
        self._documents = documents
        self._adding = adding

    def parties(self, signers: Sequence[Mapping[str, Any]], *, auto_finish: bool) -> tuple[Party, ...]:
        """Return the parties of a business line in free mode; those of an unknown type are dropped.

        A contract that is kept open needs no steps of the sender.
        """
        for signer in signers:
            self._check(signer, auto_finish=auto_finish)
        return tuple(self._party(signer) for signer in signers if signer["signerType"] in PARTY_TYPES)

    def line_parties(self, line: Line, signers: Sequence[Mapping[str, Any]], operator: str) -> tuple[Party, ...]:
        """Return the parties of a business line in rule mode, with the receivers of the request.

        ``operator`` is the contact that acts for the sender where the line names none.
        """
        configured = [_order(party.signer_order) for party in line.parties if party.signer_type != "SENDER"]
        named = {_order(signer.get("signerOrder") or "0"): signer for signer in signers}
        if len(signers) != len(configured) or named.keys() != set(configured):
            raise Refused(31000, "接收方的数量或顺序与业务线的配置不符")
        return tuple(
            self._line_sender(party, operator)
            if party.signer_type == "SENDER"
            else self._line_receiver(party, named[_order(party.signer_order)])
            for party in line.parties
        )

    def positions(self, source: Mapping[str, Any], *, on_seal: bool = False) -> tuple[PositionParam, ...]:
        """Return the sign positions of a party, a step, or a signature by proxy."""
        return check_positions(
            source.get("positionParamList", ()),
            self._documents,
            self._quirks,
            on_seal=on_seal,
            filled_in=self._adding or UNRESOLVED_DOCUMENTS not in self._quirks,
        )

    def _check(self, signer: Mapping[str, Any], *, auto_finish: bool) -> None:
        kind = signer.get("signerType")
        if not kind:
            raise Refused(21000, "缺少 signerType")
        if kind not in PARTY_TYPES and DROPPED_PARTIES not in self._quirks:
            raise Refused(23000, f"signerType 须为 {'、'.join(PARTY_TYPES)} 之一")
        if kind == "RECEIVER_PERSONAL":
            check_person(signer.get("receiver"), "receiver")
        elif kind in PARTY_TYPES:
            nodes = signer.get("internalNodeList", ())
            if not nodes and self._adding:
                raise GenericFailure("缺少 internalNodeList", 21000)
            if not nodes and (auto_finish or kind != "SENDER"):
                raise Refused(21000, "缺少 internalNodeList")
            for node in nodes:
                self._check_node(node, kind)

    def _check_node(self, node: Mapping[str, Any], kind: str) -> None:
        for name in ("nodeType", "signerOrder"):
            if not node.get(name):
                raise Refused(21000, f"internalNodeList 缺少 {name}")
        if not _is_automatic(node, kind):
            person = check_person(node.get("signer"), "signer")
            if kind == "SENDER":
                check_member(person, self._enterprise, self._directory)

    def _party(self, signer: Mapping[str, Any]) -> Party:
        kind = signer["signerType"]
        # A missing order counts as 0, but for the sender, where the platform fails.
        order = _order(signer.get("signerOrder") or ("" if kind == "SENDER" else "0"))
        if kind == "RECEIVER_PERSONAL":
            return self._person(signer, order)
        name = self._enterprise.name if kind == "SENDER" else signer.get("signerName")
        steps = [self._step(node, kind) for node in signer.get("internalNodeList", ())]
        return self._enterprise_party(kind, name, order, steps)

    def _person(self, signer: Mapping[str, Any], order: int) -> Party:
        receiver = check_person(signer.get("receiver"), "receiver")
        check_column(self._quirks, "receiver.name", receiver.name, MAX_PERSON_NAME)
        check_column(self._quirks, "receiver.contact", receiver.contact, MAX_CONTACT)
        step = Step(task_id=new_task_id(), person=receiver, positions=self.positions(signer))
        return Party(party_type=PERSONAL, order=order, steps=(step,))

    def _step(self, node: Mapping[str, Any], kind: str, person: ContractUser | None = None) -> Step:
        automatic = _is_automatic(node, kind)
        if person is None and not automatic:
            person = check_person(node.get("signer"), "signer")
            length = MAX_NODE_NAME if kind == "RECEIVER_ENT" else MAX_PERSON_NAME
            check_column(self._quirks, "signer.name", person.name, length)
        return Step(
            task_id=new_task_id(),
            node_type=node["nodeType"],
            order=_order(node["signerOrder"]),
            person=person,
            automatic=automatic,
            seal_id=node.get("sealId"),
            positions=self.positions(node, on_seal=node["nodeType"] == ENTERPRISE_SEAL),
        )

    def _line_sender(self, party: LineParty, operator: str) -> Party:
        steps = [
            self._step(_line_node(node), "SENDER", self._account_user(node.signer or operator))
            for node in party.internal_node_list
        ]
        return self._enterprise_party("SENDER", self._enterprise.name, _order(party.signer_order), steps)

    def _line_receiver(self, party: LineParty, signer: Mapping[str, Any]) -> Party:
        order = _order(party.signer_order)
        if party.signer_type == "RECEIVER_PERSONAL":
            return self._person(signer, order)
        nodes = {_order(node.get("signerOrder") or "0"): node for node in signer.get("internalNodeList", ())}
        steps = []
        for configured in party.internal_node_list:
            node = nodes.get(_order(configured.signer_order))
            if node is None:
                raise Refused(31000, "接收方企业的节点与业务线的配置不符")
            person = None if configured.signer is None else self._account_user(configured.signer)
            steps.append(self._step({**node, **_line_node(configured)}, party.signer_type, person))
        return self._enterprise_party(party.signer_type, signer.get("signerName"), order, steps)

    def _enterprise_party(self, kind: str, name: str | None, order: int, steps: Iterable[Step]) -> Party:
        check_column(self._quirks, "signerName", name, MAX_ENTERPRISE_NAME)
        in_order = tuple(sorted(steps, key=lambda step: step.order))
        return Party(party_type=PARTY_TYPES[kind], name=name, order=order, steps=in_order)

    def _account_user(self, contact: str) -> ContractUser:
        account = self._directory.account(contact)
        if account is None:
            raise Refused(31000, f"账号 {contact} 不存在")
        return ContractUser(name=account.name, contact_type=account.contact_type, contact=account.contact)


def _line_node(node: LineNode) -> dict[str, str]:
    """Return a step of a business line in the form of a request."""
    fields = {"nodeType": node.node_type, "signerOrder": node.signer_order}
    return fields if node.seal_id is None else {**fields, "sealId": node.seal_id}


def _is_automatic(node: Mapping[str, Any], kind: str) -> bool:
    return kind == "SENDER" and node["nodeType"] == ENTERPRISE_SEAL and node.get("autoSign") == AUTO_SIGN


def _order(text: str) -> int:
    if not _INTEGER.fullmatch(text) or int(text) not in ORDERS:
        raise GenericFailure(f"signerOrder 无法处理：{text}", 23000 if text else 21000)
    return int(text)
