"""The sandbox's operations that return links to pages of a contract (protocol sections 4.13 and 4.14).

A link leads to the signing page: that of a task by way of the web application's start page, whose script reads the
fragment.

Assumed, because it is not known: the form of the links but for their ends; that a task which is done is unknown to
``contract/taskUrl``; and that ``taskId`` and ``partyName`` must fit the contact.
"""

from __future__ import annotations

import secrets
import string
from datetime import datetime
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from kfq_async.models.zones import CHINA
from kfq_async.sandbox.checks import Refused, check_column, success
from kfq_async.sandbox.contract_repository import participants_of, state_of
from kfq_async.sandbox.gateway import ApiOperation
from kfq_async.sandbox.lifecycle import open_tasks
from kfq_async.sandbox.store import ShortLink

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kfq_async.sandbox.binding import Shape
    from kfq_async.sandbox.checks import PlatformResponse
    from kfq_async.sandbox.contract_repository import ContractRepository
    from kfq_async.sandbox.gateway import ApiCall
    from kfq_async.sandbox.lifecycle import Step
    from kfq_async.sandbox.store import Contract, Store

__all__ = ["SHORT_LINK", "SIGNING_PAGE", "LinkService", "task_link"]

SHORT_LINK = "/sandbox/contract"
"""Path of short links."""
SIGNING_PAGE = "/sandbox/sign"
"""Path of the signing page; those below it belong to it."""

MAX_CALLBACK_PAGE = 500
MAX_LIFETIME_MS = 72 * 60 * 60 * 1000
"""Longest and default lifetime of a link that opens without login."""
CODE_LENGTH = 8
CODE_CHARACTERS = string.ascii_letters + string.digits

_TASK_URL: Mapping[str, Shape] = {"contractId": str, "taskId": str, "callbackPage": str, "linkType": str}
_PAGE_URL: Mapping[str, Shape] = {
    "contact": str,
    "contractId": str,
    "taskId": str,
    "partyName": str,
    "noLogin": bool,
    "pageUrlExpireTime": str,
}


class LinkService:
    """Links to pages of a contract."""

    def __init__(self, store: Store, repository: ContractRepository) -> None:
        self._store = store
        self._repository = repository

    def operations(self) -> Iterable[ApiOperation]:
        """Return the operations."""
        yield ApiOperation(method="GET", path="/contract/taskUrl", shape=_TASK_URL, handler=self._task_url)
        yield ApiOperation(method="GET", path="/contract/pageUrl", shape=_PAGE_URL, handler=self._page_url)

    def _task_url(self, call: ApiCall) -> PlatformResponse:
        """Return the page of an open task; the link contains the contact of the person."""
        for name in ("contractId", "taskId"):
            if not call.fields.get(name):
                raise Refused(21000, f"缺少 {name}")
        contract = self._repository.of_call(call)
        for _, step in open_tasks(state_of(contract)):
            if step.task_id == call.fields["taskId"]:
                break
        else:
            raise Refused(31000, f"任务 {call.fields['taskId']} 不存在")
        check_column(call.quirks, "callbackPage", call.fields.get("callbackPage"), MAX_CALLBACK_PAGE)
        link = task_link(contract.contract_id, step, call.fields.get("callbackPage", ""))
        return success({"pageUrl": f"{call.origin}{link}"})

    def _page_url(self, call: ApiCall) -> PlatformResponse:
        """Return a short link; with ``noLogin`` whoever has its code acts as the contact."""
        fields = call.fields
        for name in ("contact", "contractId"):
            if not fields.get(name):
                raise Refused(21000, f"缺少 {name}")
        expires_at_ms = _expiry(call) if fields.get("noLogin") else None
        contract = self._repository.of_call(call)
        task_id, party_name = fields.get("taskId") or None, fields.get("partyName") or None
        _check_contact(contract, fields["contact"], task_id, party_name)
        link = ShortLink(
            code="".join(secrets.choice(CODE_CHARACTERS) for _ in range(CODE_LENGTH)),
            contract_id=contract.contract_id,
            contact=fields["contact"],
            task_id=task_id,
            party_name=party_name,
            no_login=bool(fields.get("noLogin")),
            expires_at=None if expires_at_ms is None else expires_at_ms / 1000,
        )
        self._store.links.add(link)
        return success({"pageUrl": f"{call.origin}{SHORT_LINK}?code={link.code}"})


def task_link(contract_id: str, step: Step, callback_page: str = "") -> str:
    """Return the path of the page of a task; it contains the contact of the person."""
    query = {
        "contractId": contract_id,
        "taskId": step.task_id,
        "taskType": "" if step.is_approval else "sign",
        "phone": "" if step.person is None else step.person.contact,
        "callbackPage": callback_page,
    }
    return f"/#/contract/sign?{urlencode(query)}"


def _check_contact(contract: Contract, contact: str, task_id: str | None, party_name: str | None) -> None:
    """Refuse a contact that has nothing to do with the contract, the task, or the party."""
    acting = [
        (party.name, step.task_id, step.person.name)
        for party in state_of(contract).parties
        for step in party.steps
        if step.person is not None and step.person.contact == contact
    ]
    if task_id is None and party_name is None:
        found = contact in participants_of(contract)
    else:
        found = any(
            task_id in {None, own_task} and party_name in {None, party, person} for party, own_task, person in acting
        )
    if not found:
        raise Refused(31000, "未找到该账号可处理的合同页面")


def _expiry(call: ApiCall) -> int:
    """Return the time at which a link without login expires; times in the past are accepted."""
    latest = call.now_ms + MAX_LIFETIME_MS
    text = call.fields.get("pageUrlExpireTime")
    if not text:
        return latest
    try:
        expires_at = datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=CHINA)
    except ValueError:
        raise Refused(23000, "pageUrlExpireTime 须为 yyyy-MM-dd HH:mm:ss 格式") from None
    return min(latest, round(expires_at.timestamp() * 1000))
