"""The seal of waiting requests: nobody reads them without the secret, and none is taken for another."""

from __future__ import annotations

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from companies import PERSONAL, request
from kfq_async import CorpIdentConfig, LedgerError
from kfq_async.onboarding.sealing import Seal
from kfq_async.protocol.codec import encode, fields_of

FIELDS = fields_of(attrs.evolve(request(), corp_ident_config=CorpIdentConfig(unmodifiable_params=())))
SEAL = Seal(b"s" * 32)


def test_comes_back_as_it_was() -> None:
    """What was sealed is what is opened, with its lists and its nested parts."""
    opened = SEAL.open(SEAL.seal(FIELDS, "id-1"), "id-1")
    assert encode(opened) == encode(FIELDS)
    assert {"corpIdentInfo", "corpIdentConfig", "oprIdentInfo"} <= opened.keys()


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text(text: str) -> None:
    """Whatever JSON can carry comes back."""
    assert SEAL.open(SEAL.seal({"accountName": text}, "x"), "x") == {"accountName": text}


def test_nothing_can_be_read() -> None:
    """The sealed bytes hold no person's data, and are other ones each time."""
    sealed = SEAL.seal(FIELDS, "id-1")
    assert [each for each in PERSONAL if each.encode() in sealed] == []
    assert SEAL.seal(FIELDS, "id-1") != sealed


@pytest.mark.parametrize("place", [0, 12, 40, -1])
def test_a_changed_byte(place: int) -> None:
    """Whatever is changed is noticed, and not shown."""
    sealed = bytearray(SEAL.seal(FIELDS, "id-1"))
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
    sealed = SEAL.seal(FIELDS, "id-1")
    with pytest.raises(LedgerError):
        Seal(b"t" * 32).open(sealed, "id-1")
    with pytest.raises(LedgerError):
        SEAL.open(sealed, "id-2")
