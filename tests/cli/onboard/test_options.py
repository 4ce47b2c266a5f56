"""Option parsers of `kfq onboard`."""

from __future__ import annotations

import pytest

from kfq_async import CorpIdentLinkRequest
from kfq_async.cli.onboard.options import (
    check_callback_options,
    create_callback_urls,
    parse_callback_secrets,
    parse_columns,
    parse_concurrency,
    parse_rate_limit,
)
from kfq_async.cli.options import UsageError

PAGE, NOTIFY = "https://shop.example/done", "https://shop.example/hooks"


@pytest.mark.parametrize(
    ("pairs", "columns"),
    [
        (None, {}),
        (["company_name=甲方名称"], {"company_name": "甲方名称"}),
        (["mobile = a=b", "id_card=证件"], {"mobile": " a=b", "id_card": "证件"}),
    ],
)
def test_parse_columns(pairs: list[str] | None, columns: dict[str, str]) -> None:
    """A heading may contain anything, an equals sign included."""
    assert parse_columns(pairs) == columns


@pytest.mark.parametrize("pair", ["company_name", "=甲方", "company_name="])
def test_invalid_columns(pair: str) -> None:
    """Text that is no pair is a usage error."""
    with pytest.raises(UsageError, match="--column must be field=heading"):
        parse_columns([pair])


@pytest.mark.parametrize(
    ("value", "base_url", "concurrency"),
    [
        (None, "https://home.kaifangqian.com/resrun-paas", 10),
        (None, "http://127.0.0.1:8080/resrun-paas", 50),
        (None, "http://[::1]:8080/resrun-paas", 50),
        (None, "nonsense", 10),
        (7, "http://localhost:8080/resrun-paas", 7),
    ],
)
def test_parse_concurrency(value: int | None, base_url: str, concurrency: int) -> None:
    """The default is low, except for a sandbox on this machine."""
    assert parse_concurrency(value, base_url) == concurrency


def test_concurrency_below_one() -> None:
    """Without a request in progress the run would never end."""
    with pytest.raises(UsageError, match="--concurrency must be at least 1, not 0"):
        parse_concurrency(0, "http://localhost")


@pytest.mark.parametrize(
    ("value", "rate_limit"),
    [(None, None), ("5", 5), ("5/s", 5), ("0.5/sec", 0.5), ("120/min", 2), ("60/m", 1), ("3600/h", 1), (" 5/s ", 5)],
)
def test_parse_rate_limit(value: str | None, rate_limit: float | None) -> None:
    """A rate is a number per second, minute or hour."""
    assert parse_rate_limit(value) == rate_limit


@pytest.mark.parametrize("value", ["", "fast", "5/day", "-1/s", "0", "0.0/s", "5//s"])
def test_invalid_rate_limits(value: str) -> None:
    """The error for an invalid rate has an example."""
    with pytest.raises(UsageError, match="--rate-limit must be like 5/s or 100/min"):
        parse_rate_limit(value)


def test_callback_urls(monkeypatch: pytest.MonkeyPatch) -> None:
    """URLs are bound with the first secret of the environment."""
    monkeypatch.setenv("KFQ_CALLBACK_SECRET", f"{'ab' * 32},{'cd' * 16}")
    secrets = parse_callback_secrets()
    assert secrets == [b"\xab" * 32, b"\xcd" * 16]
    assert "ab" not in repr(secrets)
    bound = create_callback_urls(PAGE, NOTIFY, secrets).bind(CorpIdentLinkRequest(client_request_id="id-1"))
    assert bound == create_callback_urls(PAGE, NOTIFY, secrets[:1]).bind(bound)
    assert str(bound.auth_callback_url).startswith(f"{NOTIFY}/")
    check_callback_options(PAGE, NOTIFY)
    check_callback_options(None, None)


@pytest.mark.parametrize(
    ("page", "notify", "secret", "message"),
    [
        (PAGE, None, "ab" * 32, "--page and --notify go together"),
        (None, NOTIFY, "ab" * 32, "--page and --notify go together"),
        (PAGE, NOTIFY, "secret!", "KFQ_CALLBACK_SECRET must hold hexadecimal digits, two per byte"),
        (PAGE, NOTIFY, "abc", "KFQ_CALLBACK_SECRET must hold hexadecimal digits, two per byte"),
        (PAGE, NOTIFY, "abcd", "KFQ_CALLBACK_SECRET: a secret has 2 bytes"),
        (PAGE, NOTIFY, "", "KFQ_CALLBACK_SECRET is not set: generate a secret with python3 -c "),
        ("shop.example", NOTIFY, "ab" * 32, "page must be like https"),
    ],
)
def test_invalid_callback_urls(
    page: str | None, notify: str | None, secret: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error names the invalid part and never shows the secret."""
    monkeypatch.setenv("KFQ_CALLBACK_SECRET", secret)
    with pytest.raises(UsageError, match=message) as raised:
        check_callback_options(page, notify)
    assert not secret or secret not in str(raised.value)
