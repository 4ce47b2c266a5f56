"""The seal of waiting requests: nobody reads them without the secret, and none is taken for another."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from companies import PERSONAL, request
from kfq_async import LedgerError
from kfq_async.onboarding.bodies import written
from kfq_async.onboarding.sealing import Seal
from kfq_async.protocol.requests import Encoded

REQUEST = written(request(), "id-1")
SEAL = Seal(b"s" * 32)


def test_comes_back_as_it_was() -> None:
    """What was sealed is what is opened."""
    assert SEAL.open(SEAL.seal(REQUEST), "id-1") == REQUEST


@given(st.binary(min_size=1))
def test_any_bytes(body: bytes) -> None:
    """Whatever can be sent comes back."""
    assert SEAL.open(SEAL.seal(Encoded(body, "x")), "x") == Encoded(body, "x")


def test_nothing_can_be_read() -> None:
    """The sealed bytes hold no person's data, and are other ones each time."""
    sealed = SEAL.seal(REQUEST)
    assert [each for each in PERSONAL if each.encode() in sealed] == []
    assert SEAL.seal(REQUEST) != sealed


@pytest.mark.parametrize("place", [0, 12, 40, -1])
def test_a_changed_byte(place: int) -> None:
    """Whatever is changed is noticed, and not shown."""
    sealed = bytearray(SEAL.seal(REQUEST))
    sealed[place] ^= 1
    with pytest.raises(LedgerError, match="was not sealed here") as caught:
        SEAL.open(bytes(sealed), "id-1")
    assert caught.value.__context__ is None


@pytest.mark.parametrize("sealed", [b"", b"short", bytes(12), bytes(13)])
def test_no_seal_at_all(sealed: bytes) -> None:
    """What is too short to be one is refused in the same words."""
    with pytest.raises(LedgerError, match="was not sealed here"):
        SEAL.open(sealed, "id-1")


def test_another_secret_and_another_id() -> None:
    """A request moved to another ledger, or to another row's place, is refused."""
    sealed = SEAL.seal(REQUEST)
    with pytest.raises(LedgerError):
        Seal(b"t" * 32).open(sealed, "id-1")
    with pytest.raises(LedgerError):
        SEAL.open(sealed, "id-2")
