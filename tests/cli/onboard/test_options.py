"""The options of `kfq onboard`."""

from __future__ import annotations

import pytest

from kfq_async import CorpIdentLinkRequest
from kfq_async.cli.onboard.options import callback_urls, column_names, concurrency, rate_limit
from kfq_async.cli.options import UsageError

PAGE, NOTIFY = "https://shop.example/done", "https://shop.example/hooks"


@pytest.mark.parametrize(
    ("given", "names"),
    [
        (None, {}),
        (["company_name=甲方名称"], {"company_name": "甲方名称"}),
        (["mobile = a=b", "id_card=证件"], {"mobile": " a=b", "id_card": "证件"}),
    ],
)
def test_column_names(given: list[str] | None, names: dict[str, str]) -> None:
    """A heading may hold anything, an equals sign included."""
    assert column_names(given) == names


@pytest.mark.parametrize("given", ["company_name", "=甲方", "company_name="])
def test_poor_column_names(given: str) -> None:
    """What is no pair is shown as it was given."""
    with pytest.raises(UsageError, match="--column takes field=heading"):
        column_names([given])


@pytest.mark.parametrize(
    ("limit", "base_url", "number"),
    [
        (None, "https://home.kaifangqian.com/resrun-paas", 10),
        (None, "http://127.0.0.1:8080/resrun-paas", 50),
        (None, "http://[::1]:8080/resrun-paas", 50),
        (7, "http://localhost:8080/resrun-paas", 7),
    ],
)
def test_in_flight(limit: int | None, base_url: str, number: int) -> None:
    """A platform of others is asked cautiously."""
    assert concurrency(limit, base_url) == number


def test_no_requests_at_all() -> None:
    """None under way would never end."""
    with pytest.raises(UsageError, match="--concurrency must be at least 1, not 0"):
        concurrency(0, "http://localhost")


@pytest.mark.parametrize(
    ("rate", "number"),
    [(None, None), ("5", 5), ("5/s", 5), ("0.5/sec", 0.5), ("120/min", 2), ("60/m", 1), ("3600/h", 1), (" 5/s ", 5)],
)
def test_per_second(rate: str | None, number: float | None) -> None:
    """Rates are written as people say them."""
    assert rate_limit(rate) == number


@pytest.mark.parametrize("rate", ["", "fast", "5/day", "-1/s", "0", "0.0/s", "5//s"])
def test_poor_rates(rate: str) -> None:
    """What is no rate is answered with an example."""
    with pytest.raises(UsageError, match="--rate-limit must be like 5/s or 100/min"):
        rate_limit(rate)


def test_callback_urls(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both URLs are bound under the secret in the environment."""
    monkeypatch.setenv("KFQ_CALLBACK_SECRET", "ab" * 32)
    urls = callback_urls(PAGE, NOTIFY)
    assert urls is not None
    bound = urls.bind(CorpIdentLinkRequest(client_request_id="id-1"))
    assert str(bound.auth_callback_url).startswith(f"{NOTIFY}/")
    assert callback_urls(None, None) is None


@pytest.mark.parametrize(
    ("page", "notify", "secret", "words"),
    [
        (PAGE, None, "ab" * 32, "--page and --notify go together"),
        (None, NOTIFY, "ab" * 32, "--page and --notify go together"),
        (PAGE, NOTIFY, "secret!", "KFQ_CALLBACK_SECRET must hold hexadecimal digits, two for each byte"),
        (PAGE, NOTIFY, "abc", "KFQ_CALLBACK_SECRET: non-hexadecimal"),
        (PAGE, NOTIFY, "abcd", "KFQ_CALLBACK_SECRET: a secret has 2 bytes"),
        (PAGE, NOTIFY, "", "KFQ_CALLBACK_SECRET: a secret has 0 bytes"),
        ("shop.example", NOTIFY, "ab" * 32, "page must be like https"),
    ],
)
def test_poor_callback_urls(
    page: str | None, notify: str | None, secret: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is missing is named, and the secret is never shown."""
    monkeypatch.setenv("KFQ_CALLBACK_SECRET", secret)
    with pytest.raises(UsageError, match=words) as told:
        callback_urls(page, notify)
    assert not secret or secret not in str(told.value)
