"""The sandbox's contract operations: draft, start, tasks; signing is not included (protocol sections 4.6, 4.12).

Assumed: one business line in free mode, to which every ``signReId`` refers; one task for each personal signer.
"""

from __future__ import annotations

import re
import secrets
from datetime import datetime
from typing import TYPE_CHECKING, Any

import orjson

from kfq_async.models.contracts import ContractDraftRequest, ContractTasksRequest
from kfq_async.models.zones import CHINA
from kfq_async.sandbox.binding import shape_of
from kfq_async.sandbox.checks import Refused, success
from kfq_async.sandbox.gateway import ApiOperation
from kfq_async.sandbox.store import Contract

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kfq_async.sandbox.checks import PlatformResponse
    from kfq_async.sandbox.gateway import ApiCall
    from kfq_async.sandbox.store import Store

__all__ = ["ContractService"]


class ContractService:
    """Operations of the contract family."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def operations(self) -> Iterable[ApiOperation]:
        """Return the operations."""
        yield ApiOperation(
            method="POST",
            path="/contract/draft",
            shape=shape_of(ContractDraftRequest),
            handler=self._draft,
            limited=True,
        )
        yield ApiOperation(
            method="GET", path="/contract/tasks", shape=shape_of(ContractTasksRequest), handler=self._tasks
        )

    def _draft(self, call: ApiCall) -> PlatformResponse:
        """Create a contract; the same request twice creates two."""
        _check(call.fields, call.now_ms)
        contract = Contract(
            contract_id=secrets.token_hex(16),
            token=call.token,
            status="SIGNING" if call.fields["send"] == "1" else "DRAFT",
            request=orjson.dumps(call.fields).decode(),
            created_at=call.now_ms / 1000,
        )
        self._store.contracts.add(contract)
        return success({"contractId": contract.contract_id})

    def _tasks(self, call: ApiCall) -> PlatformResponse:
        contract_id = call.fields.get("contractId")
        if not contract_id:
            raise Refused(21000, "缺少 contractId")
        contract = self._store.contracts.one("contract_id = ?", contract_id)
        if contract is None:
            raise Refused(31000, "合同不存在")
        return success({"status": contract.status, "todoTaskList": list(_open_tasks(contract))})


def _check(request: Mapping[str, Any], now_ms: float) -> None:
    if not request.get("send"):
        raise Refused(21000, "缺少 send")
    operator = request.get("operator", {})
    if missing := [name for name in ("name", "contactType", "contact") if not operator.get(name)]:
        raise Refused(21000, f"operator 缺少 {'、'.join(missing)}")
    line = request.get("signReId")
    if not line:
        raise Refused(21000, "缺少 signReId")
    if len(line) > 64 or " " in line:
        raise Refused(23000, "signReId 过长或含空格")
    _check_expiry(request.get("expireDate"), now_ms)
    if "signerList" not in request:
        raise Refused(500, "缺少 signerList", internal=True)


def _check_expiry(date: str | None, now_ms: float) -> None:
    if date is None:
        return
    today = datetime.fromtimestamp(now_ms / 1000, CHINA).strftime("%Y-%m-%d")
    if not re.match(r"\d{4}-\d{2}-\d{2}", date, re.ASCII):
        raise Refused(23000, "expireDate 须为 yyyy-MM-dd 格式")
    if date[:10] < today:
        raise Refused(31000, "expireDate 早于当前日期")


def _open_tasks(contract: Contract) -> list[dict[str, object]]:
    """Return the open tasks: the signature of each personal receiver, once the contract has started."""
    if contract.status != "SIGNING":
        return []
    return [
        {
            "taskId": f"{contract.contract_id}-{number}",
            "taskType": "SIGN",
            "partyType": "PERSONAL",
            "partyName": signer["receiver"].get("name"),
            "partyAccount": None,
            "party": signer["receiver"],
        }
        for number, signer in enumerate(orjson.loads(contract.request)["signerList"], start=1)
        if signer.get("receiver")
    ]
