"""Checks of ``contract/draft`` in the platform's order and with its codes (protocol section 4.6).

Not checked, because it is not known how, or because fixtures do not have it: whether the operator may use the business
line, values of templates, and ids of attachments.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from kfq_async.sandbox.checks import AuditedRefusal, GenericFailure, Refused, check_column
from kfq_async.sandbox.dates import china_date, lenient_date, midnight_ms, strict_date
from kfq_async.sandbox.lifecycle import ENTERPRISE_SEAL, SENDER, ContractState
from kfq_async.sandbox.parties import check_member, check_person
from kfq_async.sandbox.positions import SEALS, SIGN_DATE, place_marks
from kfq_async.sandbox.quirks import EARLY_DEADLINES, ROLLING_DATES, UNSIGNABLE_DATES

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

    from kfq_async.sandbox.directory import Directory
    from kfq_async.sandbox.documents import ContractDocuments
    from kfq_async.sandbox.fixtures import Enterprise, Line, Seal
    from kfq_async.sandbox.gateway import ApiCall
    from kfq_async.sandbox.lifecycle import Party, Step
    from kfq_async.sandbox.parties import PartyReader

__all__ = ["check_draft", "check_id", "check_seals", "check_start", "draft_state"]

MAX_ID = 64
MAX_TEXT = 200
"""Maximum length of ``sn`` and ``subject``."""


def check_id(value: str | None, name: str) -> str:
    """Return an id; refuse one that is missing, longer than 64 characters, or has a space."""
    if not value:
        raise Refused(21000, f"缺少 {name}")
    if len(value) > MAX_ID or " " in value:
        raise Refused(23000, f"{name} 过长或含空格")
    return value


def check_draft(call: ApiCall, directory: Directory) -> Line:
    """Check what a draft says of neither documents nor parties; return its business line."""
    if not call.fields.get("send"):
        raise Refused(21000, "缺少 send")
    check_member(check_person(call.fields.get("operator"), "operator"), call.enterprise, directory)
    _deadline(call)
    sign_re_id = check_id(call.fields.get("signReId"), "signReId")
    line = directory.line(call.enterprise, sign_re_id)
    if line is None:
        raise Refused(31000, f"业务线 {sign_re_id} 不存在")
    if not line.enabled:
        raise Refused(31000, f"业务线 {sign_re_id} 已停用")
    for name in ("sn", "subject"):
        check_column(call.quirks, name, call.fields.get(name), MAX_TEXT)
    return line


def draft_state(call: ApiCall, line: Line, reader: PartyReader) -> ContractState:
    """Return the state of a draft, with the parties of the request and, in rule mode, of the business line."""
    fields = call.fields
    auto_finish = fields.get("autoFinish") != 0
    if line.mode == "rule":
        parties = reader.line_parties(line, fields.get("signerList", ()), fields["operator"]["contact"])
    elif "signerList" in fields:
        parties = reader.parties(fields["signerList"], auto_finish=auto_finish)
    else:
        raise GenericFailure("缺少 signerList", 21000)
    deadline = _deadline(call)
    if deadline is not None and EARLY_DEADLINES not in call.quirks:
        deadline += timedelta(days=1)
    order_type = fields.get("signOrderType")
    return ContractState(
        ordered=(order_type if order_type in {"ORDER", "NO_ORDER"} else line.sign_order_type) == "ORDER",
        auto_finish=auto_finish,
        parties=parties,
        deadline_ms=None if deadline is None else midnight_ms(deadline),
    )


def check_start(
    state: ContractState,
    enterprise: Enterprise,
    documents: ContractDocuments,
    directory: Directory,
    quirks: frozenset[str],
) -> None:
    """Refuse what the platform refuses only when it starts a contract, which leaves the draft behind."""
    if not documents.ids:
        raise Refused(31000, "合同没有签署文档")
    if not state.parties:
        raise Refused(31000, "合同没有签署方")
    check_seals(state.parties, enterprise, documents, directory, quirks)


def check_seals(
    parties: Iterable[Party],
    enterprise: Enterprise,
    documents: ContractDocuments,
    directory: Directory,
    quirks: frozenset[str],
) -> None:
    """Refuse a seal of the sender that is missing, and an automatic one that cannot be applied."""
    parties = tuple(parties)
    for step in _sender_seals(parties):
        seal = None if step.seal_id is None else directory.seal(enterprise, step.seal_id)
        if seal is None:
            raise Refused(31000, "发起方的企业签章节点缺少印章")
        if step.automatic:
            if UNSIGNABLE_DATES in quirks and _has_date(parties):
                raise Refused(31000, "自动签署失败，签署日期控件的尺寸无法解析")
            _check_automatic_seal(step, seal, documents, quirks)


def _check_automatic_seal(step: Step, seal: Seal, documents: ContractDocuments, quirks: frozenset[str]) -> None:
    if not any(position.control_type in SEALS for position in step.positions):
        raise Refused(31000, "自动签署的节点缺少印章位置")
    try:
        place_marks(step.positions, documents, seal, quirks)
    except AuditedRefusal as refused:
        raise Refused(31000, f"自动签署失败，{refused}") from None


def _sender_seals(parties: Iterable[Party]) -> list[Step]:
    return [
        step
        for party in parties
        if party.party_type == SENDER
        for step in party.steps
        if step.node_type == ENTERPRISE_SEAL
    ]


def _has_date(parties: Iterable[Party]) -> bool:
    steps = [step for party in parties for step in party.steps]
    return any(position.control_type == SIGN_DATE for step in steps for position in step.positions)


def _deadline(call: ApiCall) -> date | None:
    """Return the last day of a draft."""
    text = call.fields.get("expireDate")
    if text is None:
        return None
    try:
        deadline = lenient_date(text) if ROLLING_DATES in call.quirks else strict_date(text)
    except ValueError:
        raise Refused(23000, "expireDate 须为 yyyy-MM-dd 格式") from None
    if deadline < china_date(call.now_ms):
        raise Refused(31000, "expireDate 早于当前日期")
    return deadline
