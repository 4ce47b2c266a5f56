"""Options of ``kfq onboard`` and their parsers."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from attrs import frozen
from cyclopts import Parameter
from yarl import URL

from kfq_async.callbacks.urls import CallbackUrls
from kfq_async.cli.options import Flag, UsageError
from kfq_async.models.hosts import is_loopback
from kfq_async.onboarding.runner import CONCURRENCY

__all__ = ["OnboardOptions", "parse_callback_urls", "parse_columns", "parse_concurrency", "parse_rate_limit"]

SECRET_VARIABLE = "KFQ_CALLBACK_SECRET"  # noqa: S105  # name of an environment variable
LOOPBACK_CONCURRENCY = 50
"""Default concurrency for a sandbox on this machine, which has no other users."""
_SECONDS = {"": 1, "s": 1, "sec": 1, "min": 60, "m": 60, "h": 3600}


@frozen(kw_only=True)
class OnboardOptions:
    """Options for the files and the requests.

    Parameters
    ----------
    out
        Output with the links: .xlsx, .csv or .jsonl (default: next to the input, NAME.links.xlsx and so on).
    ledger
        Ledger with the request ids, written before anything is sent (default: next to the input, NAME.ledger).
    report
        HTML report (default: next to the input, NAME.report.html).
    key
        Heading of the column that identifies a company (default: credit code and account together).
    column
        field=heading for a heading that is not recognised, such as company_name=甲方; repeatable.
    sheet
        Sheet of a workbook (default: the first visible one that is not empty).
    encoding
        Encoding of a text file: utf-8 or gb18030 (default: detected).
    header_row
        Row of the headings (default: the first one, or the one below a title).
    dry_run
        Check the rows and compare them with the ledger; send and write nothing.
    strict
        Treat warnings, such as a wrong check digit, as errors.
    retry_refused
        Request a new order for each refused row.
    concurrency
        Number of concurrent requests (default: 10, or 50 with a sandbox on this machine).
    rate_limit
        Maximum rate of requests, such as 5/s or 100/min (default: no limit).
    page
        前端跳转页. Each request's id and its HMAC are appended; needs KFQ_CALLBACK_SECRET.
    notify
        异步回调地址, with the same suffix. kfq_async.onboarding.completion_handler records in the ledger which
        companies have finished.
    """

    out: Path | None = None
    ledger: Path | None = None
    report: Path | None = None
    key: str | None = None
    column: Annotated[list[str] | None, Parameter(negative=())] = None
    sheet: str | None = None
    encoding: str | None = None
    header_row: int | None = None
    dry_run: Flag = False
    strict: Flag = False
    retry_refused: Flag = False
    concurrency: int | None = None
    rate_limit: str | None = None
    page: str | None = None
    notify: str | None = None


def parse_columns(pairs: Sequence[str] | None) -> dict[str, str]:
    """Parse ``field=heading`` pairs."""
    columns = {}
    for pair in pairs or ():
        field, equals, heading = pair.partition("=")
        if not (field and equals and heading):
            raise UsageError(f"--column must be field=heading, such as company_name=甲方, not {pair!r}")
        columns[field.strip()] = heading
    return columns


def parse_concurrency(value: int | None, base_url: str) -> int:
    """Return the concurrency; the default is low for a platform that has other users."""
    if value is None:
        return LOOPBACK_CONCURRENCY if is_loopback(URL(base_url).host or "") else CONCURRENCY
    if value < 1:
        raise UsageError(f"--concurrency must be at least 1, not {value}")
    return value


def parse_rate_limit(value: str | None) -> float | None:
    """Return the requests per second of ``5/s``, ``100/min`` or ``5``; ``None``: no limit."""
    if value is None:
        return None
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(?:/([a-z]*))?", value.strip())
    if match is None or (match[2] or "") not in _SECONDS or not float(match[1]):
        raise UsageError(f"--rate-limit must be like 5/s or 100/min, not {value!r}")
    return float(match[1]) / _SECONDS[match[2] or ""]


def parse_callback_urls(page: str | None, notify: str | None) -> CallbackUrls | None:
    """Return the callback URLs, authenticated with the secret of the environment."""
    if page is None and notify is None:
        return None
    if page is None or notify is None:
        raise UsageError("--page and --notify go together, since both URLs carry the id of their request; give both")
    secret = os.environ.get(SECRET_VARIABLE, "")
    try:
        return CallbackUrls([bytes.fromhex(secret)], page=page, notify=notify)
    except ValueError as error:
        if secret and not re.fullmatch("[0-9a-fA-F]*", secret):
            raise UsageError(f"{SECRET_VARIABLE} must hold hexadecimal digits, two per byte") from None
        raise UsageError(f"--page, --notify or {SECRET_VARIABLE}: {error}") from None
