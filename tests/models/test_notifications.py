"""Models of notifications: documented fields, unknown values and masking."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kfq_async import (
    ContractEvent,
    ContractStatus,
    DecodeError,
    EventSigner,
    IdentityNotification,
    IdentityStatus,
    supersedes,
)
from kfq_async.models.notifications import CallbackType, known_callback_type, known_identity_status
from kfq_async.protocol.codec import camel, decode
from senders import IDENTIFIED, SIGNED


def test_identity_notification_fields() -> None:
    """Every documented key of an identity notification has a field."""
    notification = decode(IdentityNotification, IDENTIFIED)
    fields = attrs.asdict(notification)
    assert fields.pop("extra") == {}
    assert {camel(name): value for name, value in fields.items()} == IDENTIFIED


def test_every_field_is_optional() -> None:
    """Any field may be absent or null, since the hosted platform's form is not documented."""
    nothing = IdentityNotification()
    assert decode(IdentityNotification, {}) == nothing
    assert decode(IdentityNotification, dict.fromkeys(IDENTIFIED)) == nothing


@pytest.mark.parametrize("model", [IdentityNotification, ContractEvent])
def test_unknown_keys_are_kept(model: Any) -> None:
    """Unknown keys are kept in ``extra``."""
    known = IDENTIFIED if model is IdentityNotification else SIGNED
    assert decode(model, {**known, "newKey": [1]}).extra == {"newKey": [1]}


@pytest.mark.parametrize(
    ("number", "status"),
    [
        (1, IdentityStatus.IDENTIFIED),
        (2, IdentityStatus.IN_PROGRESS),
        (3, IdentityStatus.WITHDRAWN),
        (4, IdentityStatus.EXPIRED),
    ],
)
def test_known_order_status(number: int, status: IdentityStatus) -> None:
    """A known status equals its name and its number."""
    notification = decode(IdentityNotification, {"orderStatus": number})
    assert notification.order_status is status
    assert notification.order_status == number


@given(st.integers().filter(lambda number: number not in {1, 2, 3, 4}))
def test_unknown_order_status(number: int) -> None:
    """An undocumented status stays a plain number."""
    assert type(known_identity_status(number)) is int
    assert known_identity_status(number) == number


FINAL = (IdentityStatus.IDENTIFIED, IdentityStatus.WITHDRAWN, IdentityStatus.EXPIRED)
unknown_statuses = st.integers().filter(lambda number: number not in {1, 2, 3, 4})
statuses = st.none() | st.sampled_from(IdentityStatus) | st.integers(1, 4) | unknown_statuses


def test_final_statuses() -> None:
    """An order stays identified, withdrawn or expired (protocol section 5.3)."""
    assert tuple(status for status in IdentityStatus if status.final) == FINAL


@pytest.mark.parametrize(
    ("new", "old", "expected"),
    [
        (2, None, True),
        (1, None, True),
        (5, None, True),
        (1, 2, True),
        (5, 2, True),
        (3, 5, True),
        (6, 5, True),
        (4, 10**30, True),
        (10**30, 2, True),
        (2, 5, False),
        (2, 2, False),
        (5, 5, False),
        (None, None, False),
        (None, 2, False),
        (10**30, 1, False),
        (-1, 4, False),
    ],
)
def test_supersedes(new: int | None, old: int | None, expected: bool) -> None:  # noqa: FBT001
    """A final status supersedes any other, an unknown one all but those, and in progress only nothing."""
    assert supersedes(new, old) is expected
    assert supersedes(known_identity_status(new), known_identity_status(old)) is expected


@given(statuses, statuses)
def test_supersedes_any(new: int | None, old: int | None) -> None:
    """Nothing supersedes a final status or itself; a final status supersedes every other."""
    if old in FINAL or new == old or new is None:
        assert not supersedes(new, old)
    elif new in FINAL or old is None:
        assert supersedes(new, old)


@given(st.sampled_from(FINAL), st.lists(st.none() | st.just(2) | unknown_statuses), st.randoms(use_true_random=False))
def test_order_of_arrival(final: int, others: list[int | None], random: Any) -> None:
    """In whatever order and however often notifications arrive, the row ends with the final status."""
    arrivals = [*others, final, *others, final]
    random.shuffle(arrivals)
    row: int | None = None
    for status in arrivals:
        if supersedes(status, row):
            row = status
    assert row == final


@pytest.mark.parametrize(("new", "old"), [("1", 2), (1, "2"), (1.0, None)])
def test_supersedes_takes_numbers(new: Any, old: Any) -> None:
    """A status that was stored as text raises, since it would equal no number."""
    with pytest.raises(TypeError, match=r"must be an int or None, not (str|float)$"):
        supersedes(new, old)


def test_contract_event_fields() -> None:
    """Every documented key of a contract event has a field."""
    event = decode(ContractEvent, SIGNED)
    assert event == ContractEvent(
        contract_id="C1",
        contract_status="SIGNING",
        callback_type="SUBMIT_SIGN",
        task_id="T1",
        signer_type="ENTERPRISE",
        signer_name="某某科技有限公司",
        node_type="SEAL_NODE",
        signer=EventSigner(name="李四", contact_type="MOBILE", contact="13800138000"),
        reason="李四的电话13800138000",
    )
    assert event.contract_status is ContractStatus.SIGNING
    assert event.callback_type is CallbackType.SUBMIT_SIGN


@pytest.mark.parametrize("missing", ["contractId", "contractStatus", "callbackType"])
def test_required_keys_of_an_event(missing: str) -> None:
    """An event without a key that is always sent is refused, naming the key."""
    with pytest.raises(DecodeError, match=rf"required key missing @ \$\.result\.{missing}"):
        decode(ContractEvent, {key: value for key, value in SIGNED.items() if key != missing})


@pytest.mark.parametrize(
    ("sent", "status", "kind"),
    [
        ("REFUSAL_WRIT", ContractStatus.REFUSAL_WRITE, CallbackType.REFUSAL_WRITE),
        ("REFUSAL_WRITE", ContractStatus.REFUSAL_WRITE, CallbackType.REFUSAL_WRITE),
        ("COMPLETE", ContractStatus.COMPLETED, CallbackType.COMPLETE),
        ("COMPLETED", ContractStatus.COMPLETED, CallbackType.COMPLETE),
    ],
)
def test_both_spellings(sent: str, status: ContractStatus, kind: CallbackType) -> None:
    """The server's spelling and the published one are the same status, and the same event."""
    event = decode(ContractEvent, {"contractId": "C1", "contractStatus": sent, "callbackType": sent})
    assert (event.contract_status, event.callback_type) == (status, kind)


def test_every_documented_event_is_known() -> None:
    """All fourteen events of the platform are members of `CallbackType`."""
    assert len(CallbackType) == 14
    assert all(known_callback_type(kind.value) is kind for kind in CallbackType)


def test_unknown_event() -> None:
    """An unknown event or status stays plain text."""
    event = decode(ContractEvent, {"contractId": "C1", "contractStatus": "NEW", "callbackType": "NEWER"})
    assert (event.contract_status, event.callback_type) == ("NEW", "NEWER")


@pytest.mark.parametrize(
    ("model", "fields", "hidden"),
    [
        (IdentityNotification, IDENTIFIED, ["张三", "110101199001011234", "13800138000", "6222020200112233445"]),
        (ContractEvent, SIGNED, ["某某", "李四", "13800138000"]),
    ],
)
def test_repr_hides_personal_data(model: Any, fields: dict[str, Any], hidden: list[str]) -> None:
    """``repr`` of a notification shows no personal data, not even in unknown keys."""
    shown = repr(decode(model, {**fields, "phone2": hidden[0]}))
    assert [secret for secret in hidden if secret in shown] == []
    assert "phone2" in shown
