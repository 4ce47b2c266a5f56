"""Keyed hashes."""

from __future__ import annotations

import hashlib

import pytest

from kfq_async.onboarding.ledgers.base import HASH_BYTES, SECRET_BYTES, Hashes

SECRET = bytes(range(SECRET_BYTES))


def test_the_same_is_recognised() -> None:
    """Under one secret, the same text and the same request have the same hash each time."""
    one, other = Hashes(SECRET), Hashes(SECRET)
    assert one.key("甲") == other.key("甲")
    assert one.body(b"{}") == other.body(b"{}")
    assert one.check() == other.check()
    assert len(one.key("甲")) == HASH_BYTES


def test_they_stay_what_they_are() -> None:
    """Ledgers live longer than versions: what one has written, the next must recognise."""
    hashes = Hashes(SECRET)
    for made, data, purpose in (
        (hashes.key("甲"), "甲".encode(), b"key"),
        (hashes.body(b"{}"), b"{}", b"body"),
        (hashes.check(), b"", b"check"),
    ):
        assert made == hashlib.blake2b(data, digest_size=16, key=SECRET, person=purpose).digest()


def test_what_differs_differs() -> None:
    """Another text, another field, another purpose or another secret make another hash."""
    hashes, others = Hashes(SECRET), Hashes(bytes(SECRET_BYTES))
    made = {
        hashes.key(""),
        hashes.key("甲"),
        others.key("甲"),
        hashes.check(),
        others.check(),
        hashes.body(b""),
        hashes.body("甲".encode()),
    }
    assert len(made) == 7


def test_a_key_that_is_no_text_of_unicode() -> None:
    """A key may hold anything that a file can."""
    assert Hashes(SECRET).key("\ud800") != Hashes(SECRET).key("?")


def test_a_short_secret_is_refused() -> None:
    """A secret of another length is a mistake."""
    with pytest.raises(ValueError, match=r"^a ledger's secret has 32 bytes, not 5$"):
        Hashes(b"short")
