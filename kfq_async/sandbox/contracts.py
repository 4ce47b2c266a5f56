"""The sandbox's contract operations: draft, start, tasks; signing is not included (protocol sections 4.6, 4.12).

Assumed: one business line in free mode, to which every ``signReId`` refers; one task for each personal signer.
"""

from __future__ import annotations

import re
import secrets
from datetime import datetime
from typing import TYPE_CHECKING, Any

import orjson

from kfq_async.models.contracts import ContractDraftRequest
from kfq_async.models.zones import CHINA
from kfq_async.protocol.codes import TOO_FREQUENT, TOO_FREQUENT_MESSAGE
from kfq_async.sandbox.checks import PlatformResponse, Refused, check_fields, check_token, json_object, success
from kfq_async.sandbox.store import Contract

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from kfq_async.sandbox.store import Store

__all__ = ["ContractService"]

WINDOW_MS = 1000
WINDOW_CALLS = 5
CREDENTIALS = ("appAuthToken", "uniqueCode")


class ContractService:
    """Operations of the contract family."""

    def __init__(self, store: Store, *, tokens: Collection[str], strict: bool) -> None:
        self._store = store
        self._tokens = tokens
        self._strict = strict
        self._window = (-float(WINDOW_MS), 0)

    def draft(self, body: bytes, *, now_ms: float) -> PlatformResponse:
        """Handle ``contract/draft``; the same request twice creates two contracts."""
        if not self._admit(now_ms):
            return PlatformResponse(TOO_FREQUENT, TOO_FREQUENT_MESSAGE)
        try:
            fields = json_object(body)
            token = check_token(fields.get("appAuthToken"), self._tokens)
            unique_code = fields.get("uniqueCode")
            request = {name: value for name, value in fields.items() if name not in CREDENTIALS}
            self._check(request, now_ms)
        except Refused as refused:
            return refused.response
        started = request["send"] == "1"
        contract = Contract(
            contract_id=secrets.token_hex(16),
            token=token,
            status="SIGNING" if started else "DRAFT",
            request=orjson.dumps(request).decode(),
            created_at=now_ms / 1000,
        )
        self._store.contracts.add(contract)
        if not unique_code:
            # The operation has taken effect, and only then its audit record fails (protocol section 1.3).
            return PlatformResponse(500, "沙箱：操作失败，null", internal=True)
        return success({"contractId": contract.contract_id})

    def tasks(self, query: Mapping[str, str]) -> PlatformResponse:
        """Handle ``contract/tasks``."""
        try:
            check_token(query.get("appAuthToken"), self._tokens)
            if not query.get("contractId"):
                raise Refused(21000, "缺少 contractId")
            contract = self._store.contracts.one("contract_id = ?", query["contractId"])
            if contract is None:
                raise Refused(31000, "合同不存在")
        except Refused as refused:
            return refused.response
        return success({"status": contract.status, "todoTaskList": list(_open_tasks(contract))})

    def _admit(self, now_ms: float) -> bool:
        """Count a call in a fixed window that starts with its first call (protocol section 1.8)."""
        start, calls = self._window
        if now_ms - start >= WINDOW_MS:
            start, calls = now_ms, 0
        self._window = start, calls + 1
        return calls < WINDOW_CALLS

    def _check(self, request: dict[str, Any], now_ms: float) -> None:
        check_fields(request, ContractDraftRequest, strict=self._strict)
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
