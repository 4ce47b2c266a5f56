"""Tickets: which fields are accepted, until when, and by which signer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kfq_async.sandbox.web.tickets import Ticket, TicketSigner

SIGNER = TicketSigner()
TICKET = Ticket(contract_id="C1", task_id="T1", callback_page="https://h/?a=1&b=张", until=2_000)


def test_a_ticket_is_read_back() -> None:
    """The fields of a ticket give the ticket until it ends."""
    assert SIGNER.read(SIGNER.fields(TICKET), 1_999.9) == TICKET
    assert SIGNER.read(SIGNER.fields(TICKET), 2_000) is None
    assert "https://h/" not in repr(TICKET)


def test_a_ticket_of_another_process() -> None:
    """The key of another signer is refused."""
    assert TicketSigner().read(SIGNER.fields(TICKET), 0) is None


@given(st.sampled_from(["contract", "task", "callback", "until", "key"]), st.text())
def test_changed_fields(name: str, value: str) -> None:
    """A field with another value is refused, whatever it is."""
    fields = SIGNER.fields(TICKET)
    read = SIGNER.read(fields | {name: value}, 0)
    assert (read is not None) == (fields[name] == value)


@pytest.mark.parametrize("name", ["contract", "task", "callback", "until", "key"])
def test_missing_fields(name: str) -> None:
    """A field that is missing is refused."""
    fields = SIGNER.fields(TICKET)
    del fields[name]
    assert SIGNER.read(fields, 0) is None


def test_values_do_not_run_together() -> None:
    """A key fits one division of the same characters into fields only."""
    moved = SIGNER.fields(TICKET) | {"contract": "C1T", "task": "1"}
    assert SIGNER.read(moved, 0) is None
