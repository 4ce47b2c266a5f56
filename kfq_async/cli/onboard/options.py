"""The options of ``kfq onboard``, read and checked; nothing is opened here."""

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
from kfq_async.cli.options import UsageError
from kfq_async.onboarding.runner import CONCURRENCY

__all__ = ["OnboardOptions", "callback_urls", "column_names", "concurrency", "rate_limit"]

SECRET_VARIABLE = "KFQ_CALLBACK_SECRET"  # noqa: S105  # a variable's name
LOCAL_CONCURRENCY = 50
"""Requests under way where the platform is on this machine, which nobody else uses."""
LOCAL = frozenset({"127.0.0.1", "::1", "localhost"})
_UNITS = {"": 1, "s": 1, "sec": 1, "min": 60, "m": 60, "h": 3600}


@frozen(kw_only=True)
class OnboardOptions:
    """How the file is read and what is done with it.

    Parameters
    ----------
    out
        Where the rows go with their links; .xlsx, .csv or .jsonl. Next to the input otherwise.
    ledger
        Where the ids are kept from before anything is sent. Next to the input otherwise.
    report
        The HTML report. Next to the input otherwise.
    key
        The column that a company is recognised by; credit code and account otherwise.
    column
        field=heading where a heading is not understood, as company_name=甲方; repeatable.
    sheet
        The sheet of a workbook; its first one with rows otherwise.
    encoding
        utf-8 or gb18030; found out otherwise.
    dry_run
        Read, check and compare with the ledger; send nothing, write nothing.
    strict
        Take what looks wrong for an error, as a check digit that does not fit.
    retry_refused
        Ask again for what was refused, as a new order.
    concurrency
        Requests under way at a time; 10, or 50 on this machine's sandbox.
    rate_limit
        How many begin in a time, as 5/s or 100/min; no bound otherwise.
    page
        前端跳转页, to which each request's id and its proof are appended; needs KFQ_CALLBACK_SECRET.
    notify
        异步回调地址, likewise; kfq_async.onboarding.completing then notes who has finished.
    """

    out: Path | None = None
    ledger: Path | None = None
    report: Path | None = None
    key: str | None = None
    column: Annotated[list[str] | None, Parameter(negative=())] = None
    sheet: str | None = None
    encoding: str | None = None
    dry_run: Annotated[bool, Parameter(negative=())] = False
    strict: Annotated[bool, Parameter(negative=())] = False
    retry_refused: Annotated[bool, Parameter(negative=())] = False
    concurrency: int | None = None
    rate_limit: str | None = None
    page: str | None = None
    notify: str | None = None


def column_names(given: Sequence[str] | None) -> dict[str, str]:
    """Read ``field=heading`` pairs."""
    names = {}
    for each in given or ():
        name, equals, heading = each.partition("=")
        if not (name and equals and heading):
            raise UsageError(f"--column takes field=heading, as company_name=甲方, not {each!r}")
        names[name.strip()] = heading
    return names


def concurrency(limit: int | None, base_url: str) -> int:
    """Return how many requests may be under way; without a word of the user's, few on a platform of others."""
    if limit is None:
        return LOCAL_CONCURRENCY if URL(base_url).host in LOCAL else CONCURRENCY
    if limit < 1:
        raise UsageError(f"--concurrency must be at least 1, not {limit}")
    return limit


def rate_limit(rate: str | None) -> float | None:
    """Read a rate: ``5/s``, ``100/min``, ``5`` a second."""
    if rate is None:
        return None
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(?:/([a-z]*))?", rate.strip())
    if found is None or (found[2] or "") not in _UNITS or not float(found[1]):
        raise UsageError(f"--rate-limit must be like 5/s or 100/min, not {rate!r}")
    return float(found[1]) / _UNITS[found[2] or ""]


def callback_urls(page: str | None, notify: str | None) -> CallbackUrls | None:
    """Return what binds the URLs, under the secret in the environment."""
    if page is None and notify is None:
        return None
    if page is None or notify is None:
        raise UsageError("--page and --notify go together: both URLs carry the id of their request")
    secret = os.environ.get(SECRET_VARIABLE, "")
    try:
        return CallbackUrls([bytes.fromhex(secret)], page=page, notify=notify)
    except ValueError as problem:
        if secret and not re.fullmatch("[0-9a-fA-F]*", secret):
            raise UsageError(f"{SECRET_VARIABLE} must hold hexadecimal digits, two for each byte") from None
        raise UsageError(f"--page, --notify or {SECRET_VARIABLE}: {problem}") from None
