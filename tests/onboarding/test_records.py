"""Entries, and what the end of a call makes of them."""

from __future__ import annotations

from typing import Any

from kfq_async.onboarding.records import ENDED, FIXED, TOLD, Entry, State

ENTRY = Entry(
    key_hash=b"k",
    generation=2,
    client_request_id="id",
    body_hash=b"b",
    row_number=7,
    state=State.UNKNOWN,
    run=3,
    label="C1",
    opened_at=5.0,
    status=1,
    status_at=9.0,
)
END: dict[str, Any] = {
    "state": State.LINKED,
    "order_no": "O1",
    "auth_url": "https://secret.example",
    "code": 31000,
    "reason": "no",
    "attempts": 2,
    "seconds": 0.5,
    "ended_at": 8.0,
}


def test_ended() -> None:
    """The end of a call changes what it must, and nothing else."""
    assert tuple(END) == ENDED
    ended = ENTRY.ended(**END)
    assert ended == ENTRY._replace(**END)
    assert [name for name in Entry._fields if getattr(ended, name) == getattr(ENTRY, name)] == [
        name for name in Entry._fields if name not in ENDED
    ]
    assert {*FIXED, *TOLD} & {*ENDED} == set()


def test_the_link_is_not_shown() -> None:
    """An entry can be logged; its link can not be read there."""
    assert "secret" not in repr(ENTRY.ended(**END))
    assert "auth_url='***'" in repr(ENTRY.ended(**END))
    assert repr(ENTRY).startswith("Entry(key_hash=b'k', generation=2, client_request_id='id'")
    assert "auth_url=None" in repr(ENTRY)
