"""Contracts of the sandbox's store: look-ups, and transitions with their events."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING

import orjson
from attrs import evolve

from kfq_async.protocol.codec import decode, to_wire
from kfq_async.sandbox.checks import AuditedRefusal, Refused, check_column
from kfq_async.sandbox.dates import china_date, midnight_ms
from kfq_async.sandbox.lifecycle import (
    EXPIRED,
    SIGNING,
    WRITING,
    ContractState,
    TransitionError,
    event_body,
    expire,
    signed_steps,
)
from kfq_async.sandbox.quirks import (
    EARLY_COMPLETION,
    FOREIGN_CONTRACTS,
    OVERFLOWING_FIELDS,
    STALE_EXPIRY,
    UNDOCUMENTED_STATUSES,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from kfq_async.sandbox.collisions import Collision
    from kfq_async.sandbox.directory import Directory
    from kfq_async.sandbox.fixtures import Seal
    from kfq_async.sandbox.gateway import ApiCall
    from kfq_async.sandbox.lifecycle import Change, LifecycleEvent
    from kfq_async.sandbox.stamps import Stamper
    from kfq_async.sandbox.store import Contract, Store

    Publish = Callable[[str, str, Mapping[str, object]], None]

__all__ = ["ContractRepository", "dump_state", "participants_of", "state_of", "wire_status"]

MAX_CALLBACK_URL = 128
"""Maximum length of a callback URL; an event for a longer one cannot be stored (protocol section 6.1)."""
_DOCUMENTED = {"REFUSAL_WRIT": "REFUSAL_WRITE", "COMPLETE": "COMPLETED"}
"""Statuses that the platform's documentation spells in another way."""


def state_of(contract: Contract) -> ContractState:
    """Return the state of a contract."""
    return decode(ContractState, orjson.loads(contract.state), path="$")


def dump_state(state: ContractState) -> str:
    """Return a state as JSON."""
    return orjson.dumps(to_wire(state)).decode()


def participants_of(contract: Contract) -> set[str]:
    """Return the contacts of the initiator and of all who act for a party."""
    persons = [step.person for step in state_of(contract).steps]
    contacts = {person.contact for person in persons if person is not None and person.contact is not None}
    return contacts | {orjson.loads(contract.request)["operator"]["contact"]}


def wire_status(status: str, quirks: frozenset[str]) -> str:
    """Return a status as it is sent: in the platform's spelling, or as documented (protocol section 6.3)."""
    return status if UNDOCUMENTED_STATUSES in quirks else _DOCUMENTED.get(status, status)


class ContractRepository:
    """Looks contracts up and changes them. Thread-safe. ``quirks`` are the names of those that are imitated.

    ``stamper`` puts the marks of signatures into the documents. ``publish`` takes the ``contractId``, the callback URL
    and the body of each event, in order; it is called in the thread that changes the contract.
    """

    def __init__(
        self, store: Store, directory: Directory, stamper: Stamper, publish: Publish, *, quirks: frozenset[str]
    ) -> None:
        self._quirks = quirks
        self._store = store
        self._directory = directory
        self._stamper = stamper
        self._publish = publish
        self._lock = Lock()

    def add(self, contract: Contract) -> None:
        """Add a contract."""
        self._store.contracts.add(contract)

    def remove(self, contract: Contract) -> None:
        """Remove a contract whatever has become of it since."""
        self._store.contracts.remove(contract)

    def find(self, contract_id: str | None, now_ms: int) -> Contract:
        """Return a contract, expired if it is overdue; raise `Refused` if it does not exist."""
        contract = None if contract_id is None else self._store.contracts.one("contract_id = ?", contract_id)
        if contract is None:
            raise Refused(31000, f"合同 {contract_id} 不存在")
        return self.apply(contract, expire) if _is_overdue(contract, now_ms) else contract

    def of_call(self, call: ApiCall) -> Contract:
        """Return the contract of a call, as it was when the call arrived if another call changes it meanwhile.

        Raises `Refused` if it does not exist and, without the quirk ``foreign-contracts``, if it is another
        enterprise's.
        """
        contract = None if call.collision is None else call.collision.found
        contract = contract or self.find(call.fields.get("contractId"), call.now_ms)
        return contract if FOREIGN_CONTRACTS in call.quirks else _own(contract, call)

    def own(self, call: ApiCall) -> Contract:
        """Return the contract of a call; raise `Refused` if it does not exist or is another enterprise's."""
        return _own(self.of_call(call), call)

    def apply(
        self,
        contract: Contract,
        transition: Callable[[ContractState], Change],
        *,
        seal: Seal | None = None,
        collision: Collision | None = None,
    ) -> Contract:
        """Apply a transition, sign the documents, publish the events, and return the changed contract.

        Steps that the transition completes with a signature leave their marks in the documents, which takes time: call
        it outside the event loop. ``seal`` is the one that a person has granted for a signature by proxy. ``collision``
        is what the call has met, and decides what becomes of the contract.

        Raises `Refused` if the state does not allow the transition, and `Refused` or `AuditedRefusal` if a mark cannot
        be placed; nothing has changed then, unless a collision leaves a contract behind.
        """
        before = state_of(contract)
        if collision is not None:
            contract = self._current(contract)
        while True:
            state = state_of(contract)
            try:
                change = transition(state) if collision is None else collision.change(transition, before, state)
            except TransitionError as problem:
                raise Refused(31000, str(problem)) from None
            url = self._callback_url(contract) if change.events else None
            try:
                updates = self._stamper.sign(contract, signed_steps(state, change.state), seal)
            except (Refused, AuditedRefusal):
                if self._current(contract) == contract:
                    raise
                updates = []  # the documents are those of another signature meanwhile
            changed = evolve(contract, status=change.state.status, state=dump_state(change.state))
            with self._lock:  # events keep the sequence of the changes
                if self._store.change_contract(contract, changed, updates):
                    self._publish_all(contract.contract_id, url, change.events)
                    break
            contract = self._current(contract)  # another call has changed it meanwhile
        if change.refusal is not None:
            raise Refused(31000, change.refusal)
        return changed

    def _current(self, contract: Contract) -> Contract:
        (current,) = self._store.contracts.all("contract_id = ?", contract.contract_id)
        return current

    def _publish_all(self, contract_id: str, url: str | None, events: Iterable[LifecycleEvent]) -> None:
        if url is not None:
            for event in events:
                if event.kind == "COMPLETE" and event.status == SIGNING and EARLY_COMPLETION not in self._quirks:
                    continue
                status = event.status
                if event.kind == "EXPIRED" and STALE_EXPIRY not in self._quirks:
                    status = EXPIRED
                sent = evolve(event, status=wire_status(status, self._quirks))
                self._publish(contract_id, url, event_body(contract_id, sent, self._directory.account))

    def _callback_url(self, contract: Contract) -> str | None:
        found = self._directory.developer(contract.token)
        url = found[1].callback_url or None if found else None
        if url is not None and OVERFLOWING_FIELDS in self._quirks:
            check_column(self._quirks, "callbackUrl", url, MAX_CALLBACK_URL)
        return url


def _own(contract: Contract, call: ApiCall) -> Contract:
    if contract.enterprise != call.enterprise.name:
        raise Refused(31000, "合同不属于当前企业")
    return contract


def _is_overdue(contract: Contract, now_ms: int) -> bool:
    """Return whether the platform's scheduled job has expired a contract (protocol section 4.6).

    Assumed, because it is not known when the job runs: at midnight in China.
    """
    deadline_ms = state_of(contract).deadline_ms
    last_run_ms = midnight_ms(china_date(now_ms))
    return (
        contract.status in {WRITING, SIGNING}
        and deadline_ms is not None
        and deadline_ms <= last_run_ms
        and contract.created_at * 1000 < last_run_ms
    )
