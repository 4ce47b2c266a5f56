"""Microbenchmarks of the pure functions with pytest-benchmark: ``python -m pytest -n 0 benchmarks/micro``."""

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
LINK_URL = URL(f"https://home.kaifangqian.com/resrun-paas{PATH}")


def make() -> kfq.CorpIdentLinkRequest:
    """Return the request that the guide to single operations shows."""
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
    """A request object is built and validated."""
    assert benchmark(make).account_name


def test_id(benchmark: BenchmarkFixture) -> None:
    """An id is generated."""
    assert len(benchmark(new_id)) == 32


def test_encode(benchmark: BenchmarkFixture) -> None:
    """A request object is encoded as JSON."""
    request = make()
    assert benchmark(lambda: encode(to_wire(request)))


def test_decode(benchmark: BenchmarkFixture) -> None:
    """A result is decoded into its model."""
    assert benchmark(decode, kfq.CorpIdentLink, {"orderNo": "N1", "authUrl": "https://h.example"})


def test_envelope(benchmark: BenchmarkFixture) -> None:
    """A response body is parsed into an envelope."""
    assert benchmark(parse_envelope, BODY)


def test_prepare_and_write(benchmark: BenchmarkFixture) -> None:
    """A request is encoded and completed for one attempt."""
    request = make()

    def both() -> object:
        call = prepare(kfq.CORP_IDENT_LINK, request, url=LINK_URL, extra_body=NOTHING, extra_headers=NOTHING)
        return call.write(TOKEN, nonce="n", timestamp="1", unique_code="u", signer=None)

    assert benchmark(both)


def test_sign(benchmark: BenchmarkFixture, key: Any) -> None:
    """A body is signed."""
    assert benchmark(sign, BODY, key)


def test_verify(benchmark: BenchmarkFixture, key: Any) -> None:
    """A signature is verified."""
    assert benchmark(verify, BODY, sign(BODY, key), key.public_key())


def test_canonical(benchmark: BenchmarkFixture) -> None:
    """A body is converted to its canonical form."""
    assert benchmark(canonical_json, BODY)


def test_load_key(benchmark: BenchmarkFixture, key: Any) -> None:
    """A private key is loaded from PEM, once per signer."""
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415  # only here

    form = serialization.PrivateFormat.PKCS8
    pem = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    assert benchmark(load_private_key, pem)
