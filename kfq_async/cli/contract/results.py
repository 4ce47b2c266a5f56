"""Results of ``kfq contract``: the state of a contract, errors, and exit statuses."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum

from rich.console import Console

from kfq_async.cli.failures import print_call_error
from kfq_async.cli.terminal import print_json, print_line
from kfq_async.errors import (
    ApiError,
    ContractStateError,
    ContractStuck,
    ContractUnfinished,
    KfqError,
    OutcomeUnknown,
    TasksUnavailable,
    TotalTimeout,
)
from kfq_async.languages import gettext, translate
from kfq_async.models.contracts import ContractTask, ContractTasks
from kfq_async.redaction import printable

__all__ = ["ContractExit", "print_failure", "print_tasks", "print_values"]


class ContractExit(IntEnum):
    """Exit statuses of ``kfq contract``; 2 is a usage error, 3 belongs to ``kfq onboard``."""

    SUCCESS = 0
    FAILED = 1
    NOT_FOUND = 4
    ENDED = 5
    UNFINISHED = 6
    STUCK = 7
    IN_DOUBT = 8


def print_tasks(contract_id: str, tasks: ContractTasks, *, as_json: bool) -> None:
    """Print the state and the open tasks of a contract."""
    if as_json:
        open_tasks = [_task_values(task) for task in tasks.todo_task_list]
        print_json({"contractId": contract_id, "status": tasks.status, "tasks": open_tasks})
        return
    print_values({gettext("contractId"): contract_id, gettext("status"): translate(tasks.status)})
    console = Console(highlight=False)
    for task in tasks.todo_task_list:
        party = task.party
        kind = [name for name in (task.task_type, task.party_type) if name]
        who = [task.party_name] if party is None else [party.name, party.contact]
        parts = [*map(translate, kind), *who, f"({task.task_id})"]
        text = gettext("open task: {task}", task=" ".join(part for part in parts if part))
        print_line(console, text)


def print_values(values: Mapping[str, str], *, as_json: bool = False) -> None:
    """Print named values: as JSON, or one a line, which is not folded, so that a link can be copied."""
    if as_json:
        print_json(values)
        return
    console = Console(highlight=False)
    for name, value in values.items():
        print_line(console, f"{name}: {printable(value)}")


def print_failure(error: KfqError, *, as_json: bool, show_message: bool = False) -> ContractExit:
    """Print an error, and return the exit status for it."""
    if as_json:
        values: dict[str, object] = {
            "error": type(error).__name__,
            "code": error.code if isinstance(error, ApiError) else None,
            "phase": error.phase,
            "attempts": error.attempts,
            "text": str(error),
        }
        if isinstance(error, ContractStateError | TotalTimeout) and error.tasks is not None:
            values["status"] = error.tasks.status
        print_json(values)
    else:
        print_call_error(error, show_message=show_message)
    match error:
        case ContractStuck():
            return ContractExit.STUCK
        case ContractUnfinished() | TotalTimeout(tasks=ContractTasks()):
            return ContractExit.UNFINISHED
        case ContractStateError():
            return ContractExit.ENDED
        case OutcomeUnknown() | TasksUnavailable():
            return ContractExit.IN_DOUBT
        case _:
            return ContractExit.FAILED


def _task_values(task: ContractTask) -> dict[str, object]:
    party = task.party
    return {
        "taskId": task.task_id,
        "taskType": task.task_type,
        "partyType": task.party_type,
        "partyName": task.party_name,
        "party": None
        if party is None
        else {"name": party.name, "contactType": party.contact_type, "contact": party.contact},
    }
