"""Changes of contracts: look at the contract after an operation, and resolve doubt about its outcome by looking."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, TypeVar

from attrs import frozen

from kfq_async.contracts.lifecycle import Effect, Verdict
from kfq_async.errors import (
    BusinessError,
    KfqError,
    OutcomeUnknown,
    PoolTimeout,
    ServerError,
    TasksUnavailable,
    TotalTimeout,
)
from kfq_async.models.contracts import ContractTasks
from kfq_async.models.fields import MAX_KEY
from kfq_async.protocol.operation import Operation
from kfq_async.redaction import printable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from kfq_async.protocol.operation import Send

T = TypeVar("T")

__all__ = ["ContractChange", "ContractChanges", "Success"]

WORKFLOW = "流程"
"""Part of the message of a refusal that another operation has caused (protocol section 4.17)."""

_log = logging.getLogger("kfq_async")


@frozen(kw_only=True)
class ContractChange:
    """An operation on a contract.

    Attributes:
        operation: Operation.
        request: Its request.
        contract_id: Id of the contract.
        effect: Effect of the operation, as the contract shows it.
    """

    operation: Operation[Any, object]
    request: object
    contract_id: str
    effect: Effect


@frozen(kw_only=True)
class Success:
    """A change that took effect.

    Attributes:
        attempts: Number of attempts.
        unique_code: ``uniqueCode`` of the last one.
        tasks: State and open tasks that showed the effect, if it was in doubt.
    """

    attempts: int
    unique_code: str | None
    tasks: ContractTasks | None = None


class ContractChanges:
    """Performs changes of contracts, and tells their outcome from the contracts themselves.

    Args:
        send: Sends an operation, and again where nothing can have arrived.
        look: Returns state and open tasks of a contract.
        attempts: Number of times that a change is sent at most.
    """

    def __init__(self, send: Send, look: Callable[[str], Awaitable[ContractTasks]], attempts: int) -> None:
        self._send = send
        self._look = look
        self._attempts = attempts

    async def perform(self, change: ContractChange, *, confirm: bool) -> ContractTasks | None:
        """Perform a change, and return state and open tasks afterwards; ``None`` if nothing was looked at.

        In doubt the contract is always looked at. Raises `KfqError`.
        """
        outcome = await self._perform(change)
        if isinstance(outcome, Success):
            if outcome.tasks is None and not confirm:
                return None
            return await self.confirm(change.operation, change.contract_id, outcome, change.effect.find_problem)
        try:
            raise outcome
        finally:
            del outcome  # the traceback holds this frame: a local variable would close a reference cycle

    async def confirm(
        self,
        operation: Operation[Any, Any],
        contract_id: str,
        success: Success,
        find_problem: Callable[[str, ContractTasks], KfqError | None],
    ) -> ContractTasks:
        """Return state and open tasks after a success; raise the problem that they show, or `TasksUnavailable`."""
        tasks: ContractTasks | KfqError | None = success.tasks
        if tasks is None:
            tasks = await _catch(self._look(contract_id))
        problem: KfqError | None
        if isinstance(tasks, KfqError):
            problem = TasksUnavailable(contract_id, tasks)
        else:
            problem = find_problem(contract_id, tasks)
            if problem is None:
                return tasks
        _describe(problem, operation, success.attempts, success.unique_code)
        try:
            raise problem
        finally:
            del problem, tasks  # as in `perform`

    async def _perform(self, change: ContractChange) -> Success | KfqError:
        """Send a change until its outcome is known; return the error to raise if it did not take effect."""
        attempts = 0
        doubt: KfqError | None = None
        for _ in range(self._attempts):
            outcome = await _catch(self._send(change.operation, change.request))
            attempts += outcome.attempts
            if not isinstance(outcome, KfqError):
                return Success(attempts=attempts, unique_code=outcome.unique_code)
            outcome.attempts = attempts
            if doubt is None and not _is_doubtful(outcome):
                return outcome
            if doubt is None or isinstance(outcome, OutcomeUnknown):
                doubt = outcome
            doubt.attempts = attempts
            tasks = await _catch(self._look(change.contract_id))
            if isinstance(tasks, KfqError):
                return _unknown(doubt, change.operation)
            verdict = change.effect.judge(tasks, outcome)
            if verdict is Verdict.DONE:
                _log_doubt(change, outcome, "the contract shows its effect")
                return Success(attempts=attempts, unique_code=outcome.unique_code, tasks=tasks)
            obstacle = change.effect.find_obstacle(change.contract_id, tasks)
            if obstacle is not None:
                return _describe(obstacle, change.operation, attempts, outcome.unique_code)
            if not _is_doubtful(outcome):  # a repetition was refused, or could not be sent
                return doubt if isinstance(doubt, OutcomeUnknown) else outcome
            if verdict is Verdict.UNCLEAR or _is_out_of_time(outcome):
                return _unknown(doubt, change.operation)
            _log_doubt(change, outcome, "the contract shows no effect; retry")
        assert doubt is not None  # noqa: S101  # at least one attempt is made
        return doubt


def _log_doubt(change: ContractChange, error: KfqError, conclusion: str) -> None:
    """Log what a look at the contract has told of an attempt whose outcome was in doubt."""
    _log.info(
        "%s: attempt %d failed with %s (%s), and %s; contract_id=%s unique_code=%s",
        change.operation.name,
        error.attempts,
        type(error).__name__,
        error.phase,
        conclusion,
        printable(change.contract_id, MAX_KEY),
        error.unique_code or "none",
        extra={
            "operation": change.operation.name,
            "attempt": error.attempts,
            "error": type(error).__name__,
            "phase": error.phase,
            "contract_id": change.contract_id,
            "unique_code": error.unique_code,
        },
    )


async def _catch(call: Awaitable[T]) -> T | KfqError:
    """Return the result of a call, or its error without the frames that hold it."""
    try:
        return await call
    except KfqError as problem:
        return problem.with_traceback(None)


def _is_doubtful(error: KfqError) -> bool:
    """Return whether an operation may have taken effect, or may take effect if it is repeated alone."""
    return isinstance(error, OutcomeUnknown | ServerError) or (
        isinstance(error, BusinessError) and WORKFLOW in (error.message or "")
    )


def _is_out_of_time(error: KfqError) -> bool:
    """Return whether the ``total`` of the call is over."""
    return isinstance(error, OutcomeUnknown) and isinstance(error.original_error, TotalTimeout | PoolTimeout)


def _unknown(doubt: KfqError, operation: Operation[Any, Any]) -> KfqError:
    if isinstance(doubt, OutcomeUnknown):
        return doubt
    return _describe(OutcomeUnknown(doubt), operation, doubt.attempts, doubt.unique_code)


def _describe(error: KfqError, operation: Operation[Any, Any], attempts: int, unique_code: str | None) -> KfqError:
    error.operation = operation.name
    error.attempts = attempts
    error.unique_code = unique_code
    return error
