"""A platform with one contract, whose operations can fail before or after they take effect."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import orjson
from attrs import frozen

from calls import TOKEN, refusal
from kfq_async import AsyncSession, ContractSigner, ContractTasks, ContractUser, RetryPolicy, Timeouts
from kfq_async.resources.contracts import Contracts
from servers import ScriptedServer, http_response, success

if TYPE_CHECKING:
    from servers import ReceivedRequest

OPERATOR = ContractUser(name="李四", contact_type="EMAIL", contact="li@example.com")
PERSON = ContractUser(name="王五", contact_type="MOBILE", contact="13900139000")
OTHER = ContractUser(name="赵六", contact_type="MOBILE", contact="13700137000")
ADDED = ContractSigner(signer_type="RECEIVER_PERSONAL", signer_order="2", receiver=PERSON)

FAILURES: dict[str, bytes | None] = {
    "time-out": None,
    "lost": None,
    "502": http_response("<html>", 502),
    "generic": http_response({"success": False, "code": 500, "message": "操作失败，null"}),
    "hidden": http_response(
        {"success": True, "message": "应用Token失效，请重新授权!", "code": 401, "result": None}, 401
    ),
    "collision": refusal(31000, "流程执行失败"),
    "91000": refusal(91000),
    "refused": refusal(31000, "当前没有该签署人的任务"),
}
"""Responses to a request; the first two are none."""


def task(kind: str, person: ContractUser | None = None, number: int = 1) -> dict[str, Any]:
    """Return an open task as the platform tells it; one of the sender names no person."""
    party = person and {"name": person.name, "contactType": person.contact_type, "contact": person.contact}
    return {
        "taskId": f"task-{number}",
        "taskType": kind,
        "partyType": "SENDER" if person is None else "PERSONAL",
        "party": party,
    }


@frozen
class Changing:
    """A method that changes a contract: its call, and the contract before and after it takes effect."""

    call: Callable[[Contracts], Awaitable[ContractTasks]]
    before: tuple[str, list[dict[str, Any]]]
    after: tuple[str, list[dict[str, Any]]]


CHANGING = {
    "approve": Changing(
        lambda contracts: contracts.approve("C-1", signer=OPERATOR),
        ("SIGNING", [task("APPROVE")]),
        ("SIGNING", [task("SIGN", PERSON, 2)]),
    ),
    "approve, the last step": Changing(
        lambda contracts: contracts.approve("C-1", signer=OPERATOR), ("SIGNING", [task("APPROVE")]), ("COMPLETED", [])
    ),
    "refuse": Changing(
        lambda contracts: contracts.refuse("C-1", signer=OPERATOR),
        ("SIGNING", [task("APPROVE")]),
        ("REFUSAL_SIGN", []),
    ),
    "sign": Changing(
        lambda contracts: contracts.sign_for_person("C-1", signer=PERSON),
        ("SIGNING", [task("SIGN", PERSON), task("SIGN", OTHER, 2)]),
        ("SIGNING", [task("SIGN", OTHER, 2)]),
    ),
    "sign for an employee": Changing(
        lambda contracts: contracts.sign_for_person("C-1", signer=OPERATOR, subject_type="EMPLOYEE"),
        ("SIGNING", [task("SIGN")]),
        ("SIGNING", [task("SIGN", PERSON, 2)]),
    ),
    "finish": Changing(lambda contracts: contracts.finish("C-1"), ("SIGNING", []), ("COMPLETED", [])),
    "recall": Changing(
        lambda contracts: contracts.recall("C-1"), ("SIGNING", [task("SIGN", PERSON)]), ("RECALLED", [])
    ),
    "add_signers": Changing(
        lambda contracts: contracts.add_signers("C-1", [ADDED]),
        ("SIGNING", [task("SIGN", OTHER)]),
        ("SIGNING", [task("SIGN", OTHER), task("SIGN", PERSON, 2)]),
    ),
}


class ChangingPlatform:
    """Platform with one contract.

    Args:
        before: State and open tasks of the contract.
        after: The same once an operation has taken effect.
        failures: Failure of each request in order, as ``KIND``, or ``KIND after`` if the operation takes effect before
            it; further requests succeed.
    """

    def __init__(
        self, before: tuple[str, list[dict[str, Any]]], after: tuple[str, list[dict[str, Any]]], *failures: str
    ) -> None:
        self.contract = before
        self.posts = 0
        """Number of operations that were sent."""
        self.looks = 0
        """Number of times that the contract was looked at."""
        self.look_failure: bytes | None = b""
        """Response to a look, in place of the tasks; ``None`` closes the connection."""
        self._after = after
        self._failures = list(failures)
        self.server = ScriptedServer(self._respond)

    def open(self, **options: Any) -> AsyncSession:
        """Return a session that gives up a request soon."""
        defaults: dict[str, Any] = {
            "retry": RetryPolicy(attempts=3, initial=0.01, maximum=0.02),
            "timeouts": Timeouts(attempt=0.3),
        }
        return AsyncSession(TOKEN, base_url=self.server.base_url, **(defaults | options))

    async def _respond(self, _number: int, seen: ReceivedRequest) -> bytes | None:
        if seen.method == "GET":
            self.looks += 1
            if self.look_failure != b"":
                return self.look_failure
            status, tasks = self.contract
            return success({"status": status, "todoTaskList": tasks})
        self.posts += 1
        failure, _, moment = self._failures.pop(0).partition(" ") if self._failures else ("", "", "after")
        if moment == "after":
            self.contract = self._after
        if not failure:
            return success({"contractId": orjson.loads(seen.body).get("contractId", "C-1")})
        if failure == "time-out":
            await asyncio.Event().wait()
        return FAILURES[failure]
