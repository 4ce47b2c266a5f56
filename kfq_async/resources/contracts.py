"""Contracts (protocol section 4): create them, read and change their state, and link to their pages."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, Protocol, overload

from attrs import evolve

from kfq_async.contracts.changes import ContractChange, ContractChanges, Success
from kfq_async.contracts.events import ContractEvents
from kfq_async.contracts.lifecycle import Addition, Aim, StartPlan, find_addition_obstacle, is_started
from kfq_async.contracts.lost_drafts import describe_draft
from kfq_async.contracts.waiting import WaitTarget, WatchedContract, parse_until
from kfq_async.errors import BusinessError, ContractUnfinished, ParameterError
from kfq_async.models.contracts import (
    ContractAddSignersRequest,
    ContractApprovalRequest,
    ContractDownloadRequest,
    ContractDraft,
    ContractDraftRequest,
    ContractFinishRequest,
    ContractPageUrlRequest,
    ContractProxySignRequest,
    ContractRecallRequest,
    ContractStatus,
    ContractTasks,
    ContractTasksRequest,
    ContractTaskUrlRequest,
    PageLink,
)
from kfq_async.models.masking import type_name
from kfq_async.models.zones import format_china_time
from kfq_async.protocol.operation import CredentialPlacement, Idempotency, Operation
from kfq_async.resources.arguments import check_bool, check_seconds, require

if TYPE_CHECKING:
    import os
    from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Hashable, Sequence
    from pathlib import Path

    from kfq_async.contracts.waiting import ContractWaits
    from kfq_async.models.contracts import TaskParty
    from kfq_async.models.parties import ContractSigner, ContractUser, PositionParam
    from kfq_async.protocol.downloads import DownloadProgress, DownloadStream, FileHead
    from kfq_async.protocol.operation import Send

__all__ = [
    "CONTRACT_ADD_SIGNERS",
    "CONTRACT_APPROVAL",
    "CONTRACT_DOWNLOAD",
    "CONTRACT_DRAFT",
    "CONTRACT_FINISH",
    "CONTRACT_PAGE_URL",
    "CONTRACT_PROXY_SIGN",
    "CONTRACT_RECALL",
    "CONTRACT_TASKS",
    "CONTRACT_TASK_URL",
    "Contracts",
    "Downloads",
]


CONTRACT_DRAFT = Operation(
    "POST",
    "/contract/draft",
    request=ContractDraftRequest,
    result=ContractDraft,
    credentials=CredentialPlacement.PARAMETERS,
    idempotency=Idempotency.NONE,
    rate_limited=True,
    exclusive=is_started,
)
CONTRACT_TASKS = Operation(
    "GET",
    "/contract/tasks",
    request=ContractTasksRequest,
    result=ContractTasks,
    credentials=CredentialPlacement.PARAMETERS,
    idempotency=Idempotency.SAFE,
)
CONTRACT_ADD_SIGNERS: Operation[ContractAddSignersRequest, object] = Operation(
    "POST",
    "/contract/signer/add",
    request=ContractAddSignersRequest,
    credentials=CredentialPlacement.PARAMETERS,
    idempotency=Idempotency.NONE,
    exclusive=True,
)
CONTRACT_APPROVAL: Operation[ContractApprovalRequest, object] = Operation(
    "POST",
    "/contract/approval",
    request=ContractApprovalRequest,
    credentials=CredentialPlacement.PARAMETERS,
    idempotency=Idempotency.NONE,
    exclusive=True,
)
CONTRACT_FINISH: Operation[ContractFinishRequest, object] = Operation(
    "POST",
    "/contract/finish",
    request=ContractFinishRequest,
    credentials=CredentialPlacement.PARAMETERS,
    idempotency=Idempotency.NONE,
)
CONTRACT_RECALL: Operation[ContractRecallRequest, object] = Operation(
    "POST",
    "/contract/recall",
    request=ContractRecallRequest,
    credentials=CredentialPlacement.PARAMETERS,
    idempotency=Idempotency.NONE,
)
CONTRACT_PROXY_SIGN: Operation[ContractProxySignRequest, object] = Operation(
    "POST",
    "/contract/sign/personal/proxy",
    request=ContractProxySignRequest,
    credentials=CredentialPlacement.PARAMETERS,
    idempotency=Idempotency.NONE,
    exclusive=True,
)
CONTRACT_TASK_URL = Operation(
    "GET",
    "/contract/taskUrl",
    request=ContractTaskUrlRequest,
    result=PageLink,
    credentials=CredentialPlacement.PARAMETERS,
    idempotency=Idempotency.SAFE,
)
CONTRACT_DOWNLOAD: Operation[ContractDownloadRequest, object] = Operation(
    "GET",
    "/contract/document/download",
    request=ContractDownloadRequest,
    credentials=CredentialPlacement.PARAMETERS,
    idempotency=Idempotency.SAFE,
    rate_limited=True,
)
CONTRACT_PAGE_URL = Operation(
    "GET",
    "/contract/pageUrl",
    request=ContractPageUrlRequest,
    result=PageLink,
    credentials=CredentialPlacement.PARAMETERS,
    idempotency=Idempotency.SAFE,
)


class Downloads(Protocol):
    """Downloads of a session, which it passes to its resources.

    ``file_name`` is the name of a file to which the platform gives none, and ``check`` is awaited before the request.
    """

    async def to_file(
        self,
        operation: Operation[Any, Any],
        request: object,
        *,
        file_name: str,
        to: str | os.PathLike[str],
        progress: DownloadProgress | None,
        check: Callable[[], Awaitable[None]] | None,
    ) -> Path:
        """Download into a file or folder; return the path."""
        ...

    def to_stream(
        self,
        operation: Operation[Any, Any],
        request: object,
        *,
        file_name: str,
        progress: DownloadProgress | None,
        check: Callable[[], Awaitable[None]] | None,
    ) -> DownloadStream:
        """Return the chunks of a download."""
        ...

    async def read_head(self, operation: Operation[Any, Any], request: object) -> FileHead:
        """Return what header and first bytes tell of a file; the connection is closed before the rest of it."""
        ...


class Contracts:
    """``session.contracts``: create contracts, read and change their state, link to their pages, and download them.

    A success of the platform does not show that the contract runs (protocol section 4.17). The methods that change a
    contract look at it afterwards, and return its state and open tasks as seen then; `ContractStuck` reports a success
    that was none. ``confirm=False`` does without, and returns ``None``. The look is a call of its own with a ``total``
    of its own; if it fails, whatever the reason, they raise `TasksUnavailable`: the change took effect.

    If the outcome of a change is in doubt, since its response was lost or reports a failure inside the platform, the
    contract is looked at, too: a change that took effect is a success, one that did not is repeated, at most
    ``RetryPolicy.attempts`` times, and `OutcomeUnknown` remains for what the contract does not show.
    """

    def __init__(
        self, send: Send, downloads: Downloads, *, attempts: int, waits: ContractWaits, tenant: Hashable
    ) -> None:
        self._send = send
        self._downloads = downloads
        self._changes = ContractChanges(send, self.tasks, attempts)
        self._waits = waits
        self._tenant = tenant

    async def draft(self, request: ContractDraftRequest, *, confirm: bool = True) -> ContractDraft:
        """Create a contract, and start it if ``request.send`` is ``"1"`` (protocol section 4.6).

        Subject to the session's ``rate_limit``, by default five calls per second. Retried only if the platform cannot
        have acted on it, because each request creates another contract.

        Args:
            request: Title, documents, parties and sign positions.
            confirm: Whether to look at a contract that was started.

        Returns:
            Id of the contract and, of one that was started, its state and open tasks.

        Raises:
            OutcomeUnknown: The request may have arrived; a contract may exist whose id was not received.
            ContractStuck: The contract was started, and is in ``START``, waits for nobody, or is complete although a
                party of the request had to act.
            TasksUnavailable: The contract was started, but its tasks could not be read.
            KfqError: The call failed otherwise. After a `BusinessError` a draft may remain.
            TypeError: ``request`` has the wrong type.
        """
        check_bool(confirm=confirm)
        plan = StartPlan.of(request) if confirm else None
        sending = self._send(CONTRACT_DRAFT, request)
        del request  # it may be plain data in place of the model: no frame of a traceback shows it
        response = await sending
        draft = response.result
        if plan is None:
            return draft
        success = Success(attempts=response.attempts, unique_code=response.unique_code)
        tasks = await self._changes.confirm(CONTRACT_DRAFT, draft.contract_id, success, plan.find_problem)
        return evolve(draft, tasks=tasks)

    async def tasks(self, contract_id: str) -> ContractTasks:
        """Return the state and the open tasks of a contract (protocol section 4.12).

        Authoritative, while events may be late or lost. Only reads, so every transient failure is retried.

        Args:
            contract_id: Id of the contract.

        Returns:
            State, and one entry per open task.

        Raises:
            KfqError: The call failed; `ParameterError` or `BusinessError` if there is no such contract.
            TypeError: ``contract_id`` is not a ``str``.
        """
        require(contract_id=contract_id)
        return await self._fetch_tasks(ContractTasksRequest(contract_id=contract_id))

    async def wait(
        self,
        contract_id: str,
        *,
        until: ContractStatus | Collection[ContractStatus] = ContractStatus.COMPLETED,
        total: float | None = None,
        events: ContractEvents | None = None,
        auto_finish: bool = False,
    ) -> ContractTasks:
        """Wait until a contract is complete, or in another state (protocol section 4.12).

        Looks at the contract, by `tasks`: at once, after 2 to 3 seconds, and then less and less often, down to every 40
        to 60 seconds. A state that the contract leaves before the next look is not seen. Waits for the same contract by
        a session and its views share their looks if they have the same token and ``operator_account``, one of the last
        2 seconds included; all waits of a session together make at most 50 looks per second. In between, a wait holds
        neither a slot nor the ``lane``. `Timeouts` and `RetryPolicy` apply to each look.

        A look that fails for a while, its retries included, does not end the wait: a timeout, a lost connection, an
        HTTP status from 500 on, a failure inside the platform, `HiddenErrorPage`. The first such failure is logged as a
        warning. One that is refused for good does.

        Args:
            contract_id: Id of the contract.
            until: State to wait for, or several.
            total: Limit of the wait, in seconds; ``None`` sets no limit.
            events: Events of the platform, of the same event loop. One of this contract makes the next look be at once,
                and claims the contract (`ContractEvents.claim`); the state is that of the look. Without events, or if
                they are late or lost, the wait ends the same at a later look.
            auto_finish: Whether the contract is known to finish by itself: was not drafted with ``auto_finish=0``. If
                it then waits for no one, or is in ``START``, at two looks in a row, it is stuck. Without, it looks like
                one that is kept open, which is in ``SIGNING`` without a task until `finish`.

        Returns:
            State and open tasks at the last look.

        Raises:
            ContractEnded: The contract has ended in another state. ``reason`` is that of its last event with one;
                ``None`` if a look has seen the end before the event arrived.
            ContractCompleted: The contract is complete, which was not waited for.
            ContractStuck: The contract is stuck, with ``auto_finish=True``.
            TotalTimeout: ``total`` expired; ``tasks`` and the text have the last state.
            SessionError: The session is closed, or was closed meanwhile.
            KfqError: A look was refused for good; `ParameterError` or `BusinessError` if there is no such contract.
            TypeError: An argument has the wrong type.
            ValueError: ``until`` or ``total`` is invalid.
            RuntimeError: ``events`` belongs to another event loop.
        """
        states = parse_until(until)
        check_seconds(total=total)
        check_bool(auto_finish=auto_finish)
        contract = self._watched(contract_id, events)
        target = WaitTarget(contract, states, auto_finish=auto_finish)
        return await self._waits.wait(contract, target, total=total)

    def watch(self, contract_id: str, *, events: ContractEvents | None = None) -> AsyncGenerator[ContractTasks, None]:
        """Yield state and open tasks of a contract whenever they have changed, until it has ended.

        Looks at the contract as `wait` does; a change that is undone before the next look is not seen. ``async with
        contextlib.aclosing(session.contracts.watch(...)) as changes`` ends an iteration that is left before its end.

        Args:
            contract_id: Id of the contract.
            events: As for `wait`.

        Yields:
            The present state, and then each one with another ``status`` or other open tasks; a final one is the last.

        Raises:
            SessionError: As for `wait`, from the iteration.
            KfqError: As for `wait`, from the iteration.
            TypeError: An argument has the wrong type.
            RuntimeError: As for `wait`, from the iteration.
        """
        return self._waits.watch(self._watched(contract_id, events))

    def _watched(self, contract_id: str, events: ContractEvents | None) -> WatchedContract:
        require(contract_id=contract_id)
        if events is not None and not isinstance(events, ContractEvents):
            raise TypeError(f"events must be a ContractEvents, or None, not {type_name(events)}")
        request = ContractTasksRequest(contract_id=contract_id)
        return WatchedContract(
            contract_id=contract_id, tenant=self._tenant, look=partial(self._fetch_tasks, request), events=events
        )

    async def _fetch_tasks(self, request: ContractTasksRequest) -> ContractTasks:
        return (await self._send(CONTRACT_TASKS, request)).result

    @overload
    async def add_signers(
        self,
        contract_id: str,
        signers: Sequence[ContractSigner],
        *,
        revive: bool = False,
        confirm: Literal[True] = True,
    ) -> ContractTasks: ...

    @overload
    async def add_signers(
        self, contract_id: str, signers: Sequence[ContractSigner], *, revive: bool = False, confirm: Literal[False]
    ) -> None: ...

    async def add_signers(
        self, contract_id: str, signers: Sequence[ContractSigner], *, revive: bool = False, confirm: bool = True
    ) -> ContractTasks | None:
        """Add parties to a contract that was drafted with ``auto_finish=0`` (protocol section 4.8).

        The contract is looked at before, since the platform does not check its state. With ``NO_ORDER`` every party
        gets a task again, those who have signed included. With ``ORDER`` the added party gets a task in its turn if an
        earlier task is open, or if only approvals went before; after the last signature it gets none.

        In doubt the parties count as added if one of them has a new task. It is repeated only if the platform refused
        it while the session's ``lane`` was held, since a repetition would add the parties twice.

        Args:
            contract_id: Id of the contract.
            signers: Parties to add.
            revive: Whether to add them to a draft, or to a contract that was withdrawn or refused, or expired: it is
                being signed again then, and `finish` completes it even if nobody signs.
            confirm: Whether to look at the contract afterwards.

        Returns:
            State and open tasks afterwards.

        Raises:
            OutcomeUnknown: The parties may have been added, and no task shows it.
            ContractStuck: The added party has no task, since none is open; `finish` would complete the contract
                without it.
            ContractEnded: The contract has ended, and ``revive`` is not set; nothing was sent.
            ContractCompleted: The contract is complete; nothing was sent.
            ContractStateError: The contract is a draft, and ``revive`` is not set; nothing was sent.
            TasksUnavailable: The parties were added, but the tasks could not be read.
            KfqError: The call failed otherwise; `BusinessError` if the contract finishes by itself.
            TypeError: An argument has the wrong type.
        """
        require(contract_id=contract_id, signers=signers)
        check_bool(revive=revive, confirm=confirm)
        request = ContractAddSignersRequest(contract_id=contract_id, signer_list=signers)
        try:
            before = await self.tasks(contract_id)
        except (BusinessError, ParameterError):  # there is no such contract: the operation has a reason of its own
            before = ContractTasks(status="", todo_task_list=())
        obstacle = find_addition_obstacle(contract_id, before, revive=revive)
        if obstacle is not None:
            obstacle.operation = CONTRACT_ADD_SIGNERS.name
            try:
                raise obstacle
            finally:
                del obstacle  # the traceback holds this frame: a local variable would close a reference cycle
        effect = Addition(before=before, signers=request.signer_list or ())
        change = ContractChange(operation=CONTRACT_ADD_SIGNERS, request=request, contract_id=contract_id, effect=effect)
        return await self._changes.perform(change, confirm=confirm)

    @overload
    async def approve(
        self,
        contract_id: str,
        *,
        signer: ContractUser,
        comment: str | None = None,
        auto_finish: bool = False,
        confirm: Literal[True] = True,
    ) -> ContractTasks: ...

    @overload
    async def approve(
        self,
        contract_id: str,
        *,
        signer: ContractUser,
        comment: str | None = None,
        auto_finish: bool = False,
        confirm: Literal[False],
    ) -> None: ...

    async def approve(
        self,
        contract_id: str,
        *,
        signer: ContractUser,
        comment: str | None = None,
        auto_finish: bool = False,
        confirm: bool = True,
    ) -> ContractTasks | None:
        """Approve a contract in the name of an approver whose turn it is (protocol section 4.9).

        In doubt it counts as approved if the contract is complete, or waits for no approval; it is repeated as long as
        an approval is open. An approver with two approvals in a row may then have given both.

        Args:
            contract_id: Id of the contract, which must be in ``SIGNING``.
            signer: Approver, an employee of the token's enterprise with an open approval.
            comment: Reason, for the record.
            auto_finish: Whether the contract is known to finish by itself: was not drafted with ``auto_finish=0``. If
                it then waits for no one afterwards, it is stuck; without, it looks like one that is kept open, which
                is in ``SIGNING`` without a task until `finish`.
            confirm: Whether to look at the contract afterwards.

        Returns:
            State and open tasks afterwards.

        Raises:
            OutcomeUnknown: The request may have arrived, and the contract does not show its effect.
            ContractStuck: The contract is approved and in ``START`` or, with ``auto_finish=True``, waits for no one.
            ContractEnded: The outcome was in doubt, and the contract has been refused, withdrawn or has expired.
            TasksUnavailable: The approval is recorded, but the tasks could not be read.
            KfqError: The call failed otherwise; `BusinessError` if the approver has no open approval.
            TypeError: An argument has the wrong type.
        """
        require(contract_id=contract_id, signer=signer)
        check_bool(auto_finish=auto_finish, confirm=confirm)
        request = ContractApprovalRequest(contract_id=contract_id, signer=signer, approval=1, comment=comment)
        effect = Aim(ends_as=ContractStatus.COMPLETED, is_pending=_has_approval, finishes=auto_finish)
        change = ContractChange(operation=CONTRACT_APPROVAL, request=request, contract_id=contract_id, effect=effect)
        return await self._changes.perform(change, confirm=confirm)

    @overload
    async def refuse(
        self, contract_id: str, *, signer: ContractUser, comment: str | None = None, confirm: Literal[True] = True
    ) -> ContractTasks: ...

    @overload
    async def refuse(
        self, contract_id: str, *, signer: ContractUser, comment: str | None = None, confirm: Literal[False]
    ) -> None: ...

    async def refuse(
        self, contract_id: str, *, signer: ContractUser, comment: str | None = None, confirm: bool = True
    ) -> ContractTasks | None:
        """Refuse a contract in the name of an approver whose turn it is, which ends it (protocol section 4.9).

        In doubt it counts as refused if the contract is in ``REFUSAL_SIGN``, and is repeated as long as an approval is
        open.

        Args:
            contract_id: Id of the contract, which must be in ``SIGNING``, and is in ``REFUSAL_SIGN`` afterwards.
            signer: Approver, an employee of the token's enterprise with an open approval.
            comment: Reason, for the record.
            confirm: Whether to look at the contract afterwards.

        Returns:
            State and open tasks afterwards.

        Raises:
            OutcomeUnknown: The request may have arrived, and the contract does not show its effect.
            ContractCompleted: The contract is complete.
            ContractStuck: The contract is in ``START``, or waits for no one.
            ContractEnded: The outcome was in doubt, and the contract has been withdrawn or has expired.
            TasksUnavailable: The refusal is recorded, but the tasks could not be read.
            KfqError: The call failed otherwise; `BusinessError` if the approver has no open approval.
            TypeError: An argument has the wrong type.
        """
        require(contract_id=contract_id, signer=signer)
        check_bool(confirm=confirm)
        request = ContractApprovalRequest(contract_id=contract_id, signer=signer, approval=0, comment=comment)
        effect = Aim(ends_as=ContractStatus.REFUSAL_SIGN, is_pending=_has_approval, ends=True, finishes=True)
        change = ContractChange(operation=CONTRACT_APPROVAL, request=request, contract_id=contract_id, effect=effect)
        return await self._changes.perform(change, confirm=confirm)

    @overload
    async def finish(self, contract_id: str, *, confirm: Literal[True] = True) -> ContractTasks: ...

    @overload
    async def finish(self, contract_id: str, *, confirm: Literal[False]) -> None: ...

    async def finish(self, contract_id: str, *, confirm: bool = True) -> ContractTasks | None:
        """Finish a contract that was drafted with ``auto_finish=0`` and has no open tasks (protocol section 4.10).

        In doubt it counts as finished if the contract is complete, and is repeated as long as it runs.

        Args:
            contract_id: Id of the contract.
            confirm: Whether to look at the contract afterwards.

        Returns:
            State and open tasks afterwards.

        Raises:
            OutcomeUnknown: The request may have arrived, and the contract does not show its effect.
            ContractStuck: The contract is in ``START``.
            ContractEnded: The outcome was in doubt, and the contract has been refused, withdrawn or has expired.
            TasksUnavailable: The contract is finished, but its tasks could not be read.
            KfqError: The call failed otherwise; `BusinessError` if tasks are open or the contract finishes by itself.
            TypeError: An argument has the wrong type.
        """
        require(contract_id=contract_id)
        check_bool(confirm=confirm)
        request = ContractFinishRequest(contract_id=contract_id)
        effect = Aim(ends_as=ContractStatus.COMPLETED, is_pending=_always, ends=True)
        change = ContractChange(operation=CONTRACT_FINISH, request=request, contract_id=contract_id, effect=effect)
        return await self._changes.perform(change, confirm=confirm)

    @overload
    async def recall(self, contract_id: str, *, confirm: Literal[True] = True) -> ContractTasks: ...

    @overload
    async def recall(self, contract_id: str, *, confirm: Literal[False]) -> None: ...

    async def recall(self, contract_id: str, *, confirm: bool = True) -> ContractTasks | None:
        """Withdraw a contract in ``APPROVING``, ``WRITING`` or ``SIGNING`` (protocol section 4.11).

        The platform reports success also where the contract completes in the same moment; only its state tells. In
        doubt it counts as withdrawn if the contract is in ``RECALLED``, and is repeated as long as it runs.

        Args:
            contract_id: Id of the contract.
            confirm: Whether to look at the contract afterwards.

        Returns:
            State and open tasks afterwards.

        Raises:
            OutcomeUnknown: The request may have arrived, and the contract does not show its effect.
            ContractCompleted: The contract is complete.
            ContractStuck: The contract is in ``START``.
            ContractEnded: The outcome was in doubt, and the contract has been refused or has expired.
            TasksUnavailable: The platform reported success, but the tasks could not be read.
            KfqError: The call failed otherwise; `BusinessError` if the contract is in another state.
            TypeError: An argument has the wrong type.
        """
        require(contract_id=contract_id)
        check_bool(confirm=confirm)
        request = ContractRecallRequest(contract_id=contract_id)
        effect = Aim(ends_as=ContractStatus.RECALLED, is_pending=_always, ends=True)
        change = ContractChange(operation=CONTRACT_RECALL, request=request, contract_id=contract_id, effect=effect)
        return await self._changes.perform(change, confirm=confirm)

    @overload
    async def sign_for_person(
        self,
        contract_id: str,
        *,
        signer: ContractUser,
        subject_type: str = "PERSON",
        positions: Sequence[PositionParam] | None = None,
        auto_finish: bool = False,
        confirm: Literal[True] = True,
    ) -> ContractTasks: ...

    @overload
    async def sign_for_person(
        self,
        contract_id: str,
        *,
        signer: ContractUser,
        subject_type: str = "PERSON",
        positions: Sequence[PositionParam] | None = None,
        auto_finish: bool = False,
        confirm: Literal[False],
    ) -> None: ...

    async def sign_for_person(
        self,
        contract_id: str,
        *,
        signer: ContractUser,
        subject_type: str = "PERSON",
        positions: Sequence[PositionParam] | None = None,
        auto_finish: bool = False,
        confirm: bool = True,
    ) -> ContractTasks | None:
        """Sign on behalf of a person who has authorised it (授权签署, protocol section 4.7).

        Signs one open task. The person must have granted a seal authorisation for the contract's business line. In
        doubt it counts as signed if the contract is complete, or the person has no open signature in it, and is
        repeated as long as there is one; a person with two of them may then have given both.

        Args:
            contract_id: Id of the contract, which must be in ``SIGNING``.
            signer: Person whose signature it is.
            subject_type: ``PERSON``, a personal receiver, or ``EMPLOYEE``, a person of the initiating enterprise.
            positions: Sign positions, in addition to the contract's; ``None`` uses those.
            auto_finish: Whether the contract is known to finish by itself, as for `approve`.
            confirm: Whether to look at the contract afterwards.

        Returns:
            State and open tasks afterwards.

        Raises:
            OutcomeUnknown: The request may have arrived, and the contract does not show its effect.
            ContractStuck: The contract is signed and in ``START`` or, with ``auto_finish=True``, waits for no one.
            ContractEnded: The outcome was in doubt, and the contract has been refused, withdrawn or has expired.
            TasksUnavailable: The contract is signed, but its tasks could not be read.
            KfqError: The call failed otherwise; `BusinessError` if the person has no open task or no authorisation.
            TypeError: An argument has the wrong type.
        """
        require(contract_id=contract_id, signer=signer)
        check_bool(auto_finish=auto_finish, confirm=confirm)
        request = ContractProxySignRequest(
            contract_id=contract_id, signature_subject_type=subject_type, signer=signer, position_param_list=positions
        )
        is_pending = partial(_has_signature, signer=signer, subject_type=subject_type)
        effect = Aim(ends_as=ContractStatus.COMPLETED, is_pending=is_pending, finishes=auto_finish)
        change = ContractChange(operation=CONTRACT_PROXY_SIGN, request=request, contract_id=contract_id, effect=effect)
        return await self._changes.perform(change, confirm=confirm)

    async def task_url(self, contract_id: str, task_id: str, *, callback_page: str | None = None) -> PageLink:
        """Return the page of one task, which needs a login (protocol section 4.13).

        Only reads, so every transient failure is retried.

        Args:
            contract_id: Id of the contract.
            task_id: Id of the task, from `tasks`.
            callback_page: URL that the browser is sent to afterwards, at most 500 characters.

        Returns:
            URL of the page, which holds the signer's mobile number.

        Raises:
            KfqError: The call failed; `BusinessError` if there is no such contract or task.
            TypeError: An argument has the wrong type.
        """
        require(contract_id=contract_id, task_id=task_id)
        request = ContractTaskUrlRequest(contract_id=contract_id, task_id=task_id, callback_page=callback_page)
        return (await self._send(CONTRACT_TASK_URL, request)).result

    async def page_url(
        self,
        contract_id: str,
        contact: str,
        *,
        task_id: str | None = None,
        party_name: str | None = None,
        no_login: bool = False,
        expires_at: datetime | None = None,
    ) -> PageLink:
        """Return a short link to a contract for one person (protocol section 4.14).

        The platform does not check who opens a link without login: whoever holds it can sign, approve and refuse as
        that person for about a day. Only reads, so every transient failure is retried.

        Args:
            contract_id: Id of the contract.
            contact: Account that the link is for: mobile number or e-mail address.
            task_id: Id of the task to open; ``None`` opens the contract.
            party_name: Name of the person or enterprise to act as.
            no_login: Whether the link opens without a login.
            expires_at: End of a link without login, with a time zone, in whole seconds and in the future; the platform
                shortens it to 72 hours from now, which ``None`` stands for.

        Returns:
            URL of the page, a bearer secret.

        Raises:
            KfqError: The call failed; `BusinessError` if the contract has nothing for this account.
            TypeError: An argument has the wrong type.
            ValueError: ``expires_at`` has no time zone, is not in the future, or is given without ``no_login=True``.
        """
        require(contract_id=contract_id, contact=contact)
        request = ContractPageUrlRequest(
            contact=contact,
            contract_id=contract_id,
            task_id=task_id,
            party_name=party_name,
            no_login=no_login,
            page_url_expire_time=None if expires_at is None else _format_expiry(expires_at, no_login=no_login),
        )
        return (await self._send(CONTRACT_PAGE_URL, request)).result

    async def download(
        self,
        contract_id: str,
        *,
        contact: str,
        to: str | os.PathLike[str],
        allow_unfinished: bool = False,
        progress: DownloadProgress | None = None,
    ) -> Path:
        """Download the documents of a contract: a PDF, or a ZIP of several (protocol section 4.15).

        The file is whole or it is not there. It is received into a temporary file beside its final place, in threads,
        with mode 0600, and takes that place once all of it arrived and the disk has it. An older file stays as it was
        if that fails, and nothing else is left, after a cancellation either.

        Subject to the session's ``rate_limit``, by default five calls per second. Only reads, so every transient
        failure is retried, from the first byte on: a connection that is lost, and a file that was cut. ``attempt`` of
        `Timeouts` bounds the time until the first byte, ``stall`` the time without one from then on.

        Args:
            contract_id: Id of the contract.
            contact: Account of a party, or of one who is authorised to download: mobile number or e-mail address.
            to: A folder, if it exists as one or ends with a separator, made if it is absent; otherwise the file, which
                is replaced if it exists. In a folder the file has the name that the platform gives it, without what is
                unsafe in a name, or that of the contract's id; ``name (2).pdf`` if there is such a file.
            allow_unfinished: Whether to download a contract that is not complete, with the signatures made so far. By
                default its state is read first.
            progress: Called in the event loop, after each piece, with the number of bytes that arrived in this attempt,
                and with all, which the platform does not tell: ``None``. A retry begins again. What it raises ends the
                call and is raised.

        Returns:
            Path of the file.

        Raises:
            ContractUnfinished: The contract is not complete; nothing was downloaded.
            FileNotWritten: The file cannot be written.
            KfqError: The call failed otherwise; `BusinessError` if there is no such contract, or not for this account.
            TypeError: An argument has the wrong type.
            ValueError: ``to`` is empty.
        """
        try:
            require(contract_id=contract_id, contact=contact)
            request = ContractDownloadRequest(contract_id=contract_id, contact=contact)
        except TypeError as problem:
            raise problem.with_traceback(None) from None
        finally:
            del contact  # a traceback of this call does not show it
        check = self._check(contract_id, allow_unfinished=allow_unfinished)
        return await self._downloads.to_file(
            CONTRACT_DOWNLOAD, request, file_name=contract_id, to=to, progress=progress, check=check
        )

    def download_stream(
        self,
        contract_id: str,
        *,
        contact: str,
        allow_unfinished: bool = False,
        progress: DownloadProgress | None = None,
    ) -> DownloadStream:
        """Download the documents of a contract as chunks of bytes, without a file (protocol section 4.15).

        ``async with session.contracts.download_stream(...) as chunks`` begins the call, and ``async for chunk in
        chunks`` receives it. The iteration raises at its end if not all of the file arrived, and what was received is
        of no use then. Retried until the first chunk is handed over, and not afterwards. Leaving the block before the
        end closes the connection.

        Args:
            contract_id: Id of the contract.
            contact: As for `download`.
            allow_unfinished: As for `download`.
            progress: As for `download`.

        Returns:
            Async context manager and async iterator over the chunks, with the ``name`` of the file and its ``size``.
            ``async with`` and the iteration raise what `download` does.

        Raises:
            TypeError: An argument has the wrong type.
        """
        try:
            require(contract_id=contract_id, contact=contact)
            request = ContractDownloadRequest(contract_id=contract_id, contact=contact)
        except TypeError as problem:
            raise problem.with_traceback(None) from None
        finally:
            del contact  # as in `download`
        check = self._check(contract_id, allow_unfinished=allow_unfinished)
        return self._downloads.to_stream(
            CONTRACT_DOWNLOAD, request, file_name=contract_id, progress=progress, check=check
        )

    async def find_lost(
        self, contract_id: str, *, contact: str, reference: str, receivers: Sequence[str | ContractUser] = ()
    ) -> bool | None:
        """Return whether a contract is the one of a draft whose response was lost (protocol section 4.17).

        Only a contract that was started can be found, and only where a callback URL is registered for the token: its id
        comes with an event, as `ContractEvents.unclaimed` yields it. A document that was uploaded with a ``reference``
        carries it in its name, which is read from the header of the download; the file is not received. Subject to the
        session's ``rate_limit``, as `download` is. Only reads, so every transient failure is retried.

        Args:
            contract_id: Id of the contract, from an event.
            contact: Account of the draft's ``operator``, who may download the contract: mobile number or e-mail
                address.
            reference: ``reference`` of `Files.upload_document`, for the document of the draft.
            receivers: If several drafts share the document, all who act for the receiving parties of this one, as
                contacts or as `ContractUser`; the open tasks of the contract, which `tasks` returns, must name them.
                Empty if the reference alone tells.

        Returns:
            ``True`` if it is the contract of the draft, ``False`` if it is another one, and ``None`` where nothing
            tells: a ZIP of several documents, a name without a reference, a contract that ``contact`` may not download,
            or no open task of a receiving party while ``receivers`` are given.

        Raises:
            KfqError: The call failed.
            TypeError: An argument has the wrong type.
            ValueError: ``reference`` is not well-formed, or one of the ``receivers`` has no contact.
        """
        try:
            require(contract_id=contract_id, contact=contact)
            draft = describe_draft(reference, receivers)
            request = ContractDownloadRequest(contract_id=contract_id, contact=contact)
        except (TypeError, ValueError) as problem:
            raise problem.with_traceback(None) from None
        finally:
            del contact, receivers  # as in `download`
        try:
            found = draft.matches_head(await self._downloads.read_head(CONTRACT_DOWNLOAD, request))
        except BusinessError:
            return None
        return draft.matches_tasks(await self.tasks(contract_id)) if found and draft.contacts else found

    def _check(self, contract_id: str, *, allow_unfinished: object) -> Callable[[], Awaitable[None]] | None:
        check_bool(allow_unfinished=allow_unfinished)
        return None if allow_unfinished else partial(self._check_complete, contract_id)

    async def _check_complete(self, contract_id: str) -> None:
        """Raise `ContractUnfinished` unless the contract is complete."""
        tasks = await self.tasks(contract_id)
        if tasks.status != ContractStatus.COMPLETED:
            raise _unfinished(contract_id, tasks)


def _always(_: ContractTasks) -> bool:
    return True


def _has_approval(tasks: ContractTasks) -> bool:
    """Return whether an approval is open, or may still open."""
    return tasks.status != ContractStatus.SIGNING or any(task.task_type == "APPROVE" for task in tasks.todo_task_list)


def _has_signature(tasks: ContractTasks, *, signer: ContractUser, subject_type: str) -> bool:
    """Return whether a signature of a person is open, or may still open; the sender's tasks name no person."""
    return tasks.status != ContractStatus.SIGNING or any(
        task.task_type == "SIGN"
        and (task.party is None if subject_type == "EMPLOYEE" else _is_person(task.party, signer))
        for task in tasks.todo_task_list
    )


def _is_person(party: TaskParty | None, person: ContractUser) -> bool:
    return party is not None and party.contact == person.contact


def _unfinished(contract_id: str, tasks: ContractTasks) -> ContractUnfinished:
    error = ContractUnfinished(contract_id, tasks)
    error.operation = CONTRACT_DOWNLOAD.name
    return error


def _format_expiry(moment: datetime, *, no_login: bool) -> str:
    if not no_login:
        raise ValueError("expires_at needs no_login=True: a link with a login does not expire")
    text = format_china_time("expires_at", moment)
    if moment.replace(microsecond=0) <= datetime.now(UTC):  # the platform would issue an expired link
        raise ValueError(
            "expires_at must be in the future by at least 1 second: it is sent in whole seconds, without the fraction"
        )
    return text
