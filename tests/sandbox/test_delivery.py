"""What a notification looks like on the wire, and what settings are refused."""

from __future__ import annotations

import math
from typing import Any

import orjson
import pytest
from yarl import URL

from kfq_async.protocol.signing import CanonicalRsa2Signer, string_to_sign, verify
from kfq_async.sandbox.delivery import Delivery, Outcome, corrupted, write_letter
from kfq_async.sandbox.keys import process_key, public_text


def delivery(**changes: Any) -> Delivery:
    """Return good settings but for the changes."""
    known: dict[str, Any] = {"app_id": "A", "retry_after": (0.5,), "timeout": 5.0, "hosts": frozenset()}
    return Delivery(**{**known, **changes})


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"app_id": ""}, "app_id"),
        ({"app_id": "a\nb"}, "app_id"),
        ({"app_id": "应用"}, "app_id"),
        ({"retry_after": (1.0, -1.0)}, "retry_after"),
        ({"retry_after": (math.nan,)}, "retry_after"),
        ({"retry_after": (math.inf,)}, "retry_after"),
        ({"timeout": 0}, "callback_timeout"),
        ({"timeout": math.nan}, "callback_timeout"),
        ({"timeout": math.inf}, "callback_timeout"),
    ],
)
def test_poor_settings(changes: dict[str, Any], problem: str) -> None:
    """A setting that could not work is refused by its name."""
    with pytest.raises(ValueError, match=problem):
        delivery(**changes)


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000/hook", "http://localhost/", "https://[::1]/a"])
def test_this_machine_is_notified(url: str) -> None:
    """Whatever listens on this machine can be notified."""
    assert delivery().target(url) == URL(url)


@pytest.mark.parametrize("url", ["https://your-domain.com/api/corp/auth/callback", "http://10.0.0.1/", "http://h/"])
def test_another_machine_is_not(url: str) -> None:
    """Another machine, which may be in use, is not told what never happened, unless it was named."""
    host = URL(url).raw_host
    assert (
        delivery().target(url) == f"{host} is not this machine: name it in callback_hosts, if a sandbox may notify it"
    )
    assert delivery(hosts=frozenset({host})).target(url) == URL(url)


@pytest.mark.parametrize("url", ["", "nothing", "ftp://127.0.0.1/", "javascript:alert(1)"])
def test_no_url(url: str) -> None:
    """What is no URL of the web is called so."""
    assert delivery().target(url) == "not an http or https URL"


def test_letter() -> None:
    """A letter carries the four headers, signed over the path as the receiver sees it, without the query."""
    body = '{"orderNo":"SBX1","orderStatus":1,"companyName":"某"}'
    url = URL("http://127.0.0.1:1/hooks/公司?a=1")
    signer = CanonicalRsa2Signer("APP", process_key())
    letter = write_letter(body, url, "APP", signer, nonce="n", timestamp="1775010802000")
    assert letter.body == body.encode()
    assert {name: letter.headers[name] for name in ("appId", "nonce", "timestamp")} == {
        "appId": "APP",
        "nonce": "n",
        "timestamp": "1775010802000",
    }
    path = "/hooks/%E5%85%AC%E5%8F%B8"
    message = string_to_sign("APP", letter.body, nonce="n", timestamp="1775010802000", uri=path)
    assert verify(message.encode(), letter.headers["sign"], public_text(process_key()))


@pytest.mark.parametrize(("status", "other"), [(1, 3), (2, 1), (3, 1), (4, 1)])
def test_corrupted(status: int, other: int) -> None:
    """A corrupted letter says another status under the old signature."""
    signer = CanonicalRsa2Signer("APP", process_key())
    letter = write_letter(f'{{"orderStatus":{status}}}', URL("http://h/"), "APP", signer, nonce="n", timestamp="1")
    assert orjson.loads(corrupted(letter).body) == {"orderStatus": other}
    assert corrupted(letter).headers == letter.headers


@pytest.mark.parametrize(
    ("outcome", "acknowledged"),
    [
        (Outcome(200, b"success"), True),
        (Outcome(201, b"success"), False),
        (Outcome(200, b"success\n"), False),
        (Outcome(200, b'"success"'), False),
        (Outcome(200, b"SUCCESS"), False),
        (Outcome(200, b""), False),
        (Outcome(200, b"success", "broken off"), False),
        (Outcome(), False),
    ],
)
def test_acknowledged(outcome: Outcome, acknowledged: bool) -> None:  # noqa: FBT001
    """HTTP 200 with the bare body ``success`` acknowledges, and nothing else."""
    assert outcome.acknowledged is acknowledged
