"""The pure parts one by one, by pytest-benchmark: ``python -m pytest benchmarks/micro``."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pytest
from yarl import URL

import kfq_async as kfq
from benchmarks.contestants import PATH, TOKEN, private_key
from benchmarks.server import BODY
from kfq_async.models.fields import new_id
from kfq_async.protocol.codec import decode, encode, to_wire
from kfq_async.protocol.envelope import parse_envelope
from kfq_async.protocol.requests import prepare
from kfq_async.protocol.signing import canonical_json, load_private_key, sign, verify

if TYPE_CHECKING:
    from pytest_benchmark.fixture import BenchmarkFixture

NOTHING: MappingProxyType[str, Any] = MappingProxyType({})
WHERE = URL(f"https://home.kaifangqian.com/resrun-paas{PATH}")


def make() -> kfq.CorpIdentLinkRequest:
    """Make the README's request."""
    return kfq.CorpIdentLinkRequest(
        account_name="13800138000",
        corp_ident_info=kfq.CorpIdentInfo(company_name="某某科技有限公司", credit_code="91110000MA01234567"),
        callback_page="https://your-domain.com/corp/callback",
    )


@pytest.fixture(scope="module")
def key() -> Any:
    """An RSA key."""
    return private_key()


def test_model(benchmark: BenchmarkFixture) -> None:
    """A request object is made and checked."""
    assert benchmark(make).account_name


def test_id(benchmark: BenchmarkFixture) -> None:
    """An id is drawn."""
    assert len(benchmark(new_id)) == 32


def test_codec_write(benchmark: BenchmarkFixture) -> None:
    """A request object becomes JSON."""
    request = make()
    assert benchmark(lambda: encode(to_wire(request)))


def test_codec_read(benchmark: BenchmarkFixture) -> None:
    """A result becomes its model."""
    assert benchmark(decode, kfq.CorpIdentLink, {"orderNo": "N1", "authUrl": "https://h.example"})


def test_envelope(benchmark: BenchmarkFixture) -> None:
    """The body of an answer becomes an envelope."""
    assert benchmark(parse_envelope, BODY)


def test_prepare_and_write(benchmark: BenchmarkFixture) -> None:
    """A request is encoded and completed for one attempt."""
    request = make()

    def both() -> object:
        call = prepare(kfq.CORP_IDENT_LINK, request, url=WHERE, extra_body=NOTHING, extra_headers=NOTHING)
        return call.write(TOKEN, nonce="n", timestamp="1", unique_code="u", signer=None)

    assert benchmark(both)


def test_sign(benchmark: BenchmarkFixture, key: Any) -> None:
    """A body is signed."""
    assert benchmark(sign, BODY, key)


def test_verify(benchmark: BenchmarkFixture, key: Any) -> None:
    """A signature is checked."""
    assert benchmark(verify, BODY, sign(BODY, key), key.public_key())


def test_canonical(benchmark: BenchmarkFixture) -> None:
    """A body is brought into the canonical form."""
    assert benchmark(canonical_json, BODY)


def test_load_key(benchmark: BenchmarkFixture, key: Any) -> None:
    """A private key is read from PEM, which a signer does once."""
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415  # only here

    form = serialization.PrivateFormat.PKCS8
    pem = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    assert benchmark(load_private_key, pem)
