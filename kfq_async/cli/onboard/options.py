"""Options of ``kfq onboard`` and their parsers."""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Self

from attrs import asdict, evolve, frozen
from cyclopts import Parameter
from yarl import URL

from kfq_async.callbacks.urls import CallbackUrls
from kfq_async.cli.options import Flag, UsageError
from kfq_async.languages import gettext, translate
from kfq_async.models.hosts import is_loopback
from kfq_async.models.masking import MaskedBytes, MaskedStr
from kfq_async.onboarding import FileSource
from kfq_async.onboarding.runner import CONCURRENCY

__all__ = [
    "READ_AS_DETECTED",
    "SECRET_VARIABLE",
    "OnboardOptions",
    "SourceOptions",
    "check_callback_options",
    "column_option",
    "create_callback_urls",
    "option_text",
    "parse_callback_secrets",
    "parse_columns",
    "parse_concurrency",
    "parse_rate_limit",
]

SECRET_VARIABLE = "KFQ_CALLBACK_SECRET"  # noqa: S105  # name of an environment variable
SECRET_COMMAND = 'python3 -c "import secrets; print(secrets.token_hex(32))"'  # noqa: S105  # generates one
LOOPBACK_CONCURRENCY = 50
"""Default concurrency for a sandbox on this machine, which has no other users."""
_UNQUOTED = re.compile(r"[\w=.-]+")
"""Values that mean the same to a shell without quotes."""
_SECONDS = {"": 1, "s": 1, "sec": 1, "min": 60, "m": 60, "h": 3600}


@frozen(kw_only=True)
class SourceOptions:
    """Options for reading a file of companies.

    Parameters
    ----------
    column
        field=heading for a heading that is not recognised, such as company_name=甲方; repeatable (default: as in the
        ledger's last run).
    sheet
        Sheet of a workbook (default: as in the ledger's last run, or the first visible one that is not empty).
    encoding
        Encoding of a text file: utf-8 or gb18030 (default: as in the ledger's last run, or detected).
    header_row
        Row of the headings (default: as in the ledger's last run, or the first one, or the one below a title).
    """

    column: Annotated[list[str] | None, Parameter(negative=())] = None
    sheet: str | None = None
    encoding: str | None = None
    header_row: int | None = None

    @classmethod
    def from_fact(cls, fact: str | None) -> Self:
        """Return the options that a ledger remembers."""
        return cls(**json.loads(fact or "{}"))

    def to_fact(self) -> str:
        """Return the options as a ledger remembers them."""
        return json.dumps(self._given(), ensure_ascii=False)

    def or_else(self, others: Self) -> Self:
        """Return these options, and the others in place of those that are not given."""
        return evolve(others, **self._given())

    def arguments(self) -> Iterator[str]:
        """Iterate over the options as on a command line."""
        for name, value in self._given().items():
            for each in value if isinstance(value, list) else [value]:
                yield option_text(f"--{name.replace('_', '-')}", str(each))

    def _given(self) -> dict[str, Any]:
        return {name: value for name, value in asdict(self).items() if value is not None}

    def open(self, path: Path, *, key: str | None, strict: bool = False, show_key: bool = False) -> FileSource:
        """Open a file of companies; raise `UsageError` if it, or an option, cannot be used."""
        try:
            return FileSource(
                path,
                key=key,
                columns=parse_columns(self.column),
                strict=strict,
                show_key=show_key,
                sheet=self.sheet,
                encoding=self.encoding,
                header_row=self.header_row,
            )
        except ValueError as error:
            raise UsageError(str(error)) from None


READ_AS_DETECTED = SourceOptions()
"""No option given."""


@frozen(kw_only=True)
class OnboardOptions:
    """Options for the files and the requests.

    Parameters
    ----------
    out
        Output with the links: .xlsx, .csv or .jsonl (default: next to the input, NAME.links.xlsx and so on).
    ledger
        Ledger with the request ids, written before anything is sent (default: next to the input: NAME.ledger, or the
        only ledger of the folder, so that a renamed copy of the input is recognised).
    report
        HTML report (default: next to the input, NAME.report.html).
    key
        Heading of the column that identifies a company (default: as in the ledger's last run, or credit code and
        account together).
    show_key
        Keep keys that are no credit code readable in the ledger, to find companies by them.
    dry_run
        Check the rows and compare them with the ledger; send and write nothing.
    strict
        Treat warnings, such as a wrong check digit, as errors.
    yes
        Send without asking, also if no column fills company_name or account_name.
    force
        Replace files at --out and --report that were not written for this ledger.
    new_token
        The token is a new one of the enterprise to which the ledger belongs.
    retry_refused
        Request a new order for each refused row.
    concurrency
        Number of concurrent requests (default: 10, or 50 with a sandbox on this machine).
    rate_limit
        Maximum rate of requests, such as 5/s or 100/min (default: no limit).
    page
        前端跳转页. Each request's id and its HMAC are appended; needs KFQ_CALLBACK_SECRET, a secret in hexadecimal, or
        a new one and former ones, separated by commas (default: as in the ledger's last run).
    notify
        异步回调地址, with the same suffix (default: as in the ledger's last run).
        kfq_async.onboarding.completion_handler records in the ledger which companies have finished.
    """

    out: Path | None = None
    ledger: Path | None = None
    report: Path | None = None
    key: str | None = None
    show_key: Flag = False
    dry_run: Flag = False
    strict: Flag = False
    yes: Flag = False
    force: Flag = False
    new_token: Flag = False
    retry_refused: Flag = False
    concurrency: int | None = None
    rate_limit: str | None = None
    page: str | None = None
    notify: str | None = None


def column_option(field: str, heading: str) -> str:
    """Return the option that fills a field from a column, as on a command line."""
    return option_text("--column", f"{field}={heading}")


def option_text(option: str, value: str) -> str:
    """Return an option as on a command line; a value with other signs than letters of any language is quoted."""
    return f"{option} {value if _UNQUOTED.fullmatch(value) else shlex.quote(value)}"


def parse_columns(pairs: Sequence[str] | None) -> dict[str, str]:
    """Parse ``field=heading`` pairs."""
    columns = {}
    for pair in pairs or ():
        field, equals, heading = pair.partition("=")
        if not (field and equals and heading):
            raise UsageError(
                gettext("--column must be field=heading, such as company_name=甲方, not {pair}", pair=repr(pair))
            )
        columns[field.strip()] = heading
    return columns


def parse_concurrency(value: int | None, base_url: str) -> int:
    """Return the concurrency; the default is low for a platform that has other users."""
    if value is None:
        return LOOPBACK_CONCURRENCY if is_loopback(URL(base_url).host or "") else CONCURRENCY
    if value < 1:
        raise UsageError(gettext("--concurrency must be at least 1, not {value}", value=value))
    return value


def parse_rate_limit(value: str | None) -> float | None:
    """Return the requests per second of ``5/s``, ``100/min`` or ``5``; ``None``: no limit."""
    if value is None:
        return None
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(?:/([a-z]*))?", value.strip())
    if match is None or (match[2] or "") not in _SECONDS or not float(match[1]):
        raise UsageError(gettext("--rate-limit must be like 5/s or 100/min, not {value}", value=repr(value)))
    return float(match[1]) / _SECONDS[match[2] or ""]


def check_callback_options(page: str | None, notify: str | None) -> None:
    """Raise `UsageError` unless both URLs are given or none, and can be used."""
    if page is None and notify is None:
        return
    if page is None or notify is None:
        raise UsageError(
            gettext("--page and --notify go together, since both URLs carry the id of their request; give both")
        )
    create_callback_urls(page, notify, parse_callback_secrets())


def parse_callback_secrets() -> list[bytes]:
    """Return the secrets of the environment, hexadecimal and separated by commas; the first one signs."""
    text = MaskedStr(os.environ.get(SECRET_VARIABLE, ""))
    if not text:
        raise UsageError(
            gettext(
                "{name} is not set: generate a secret with {command}, and keep it, since later runs need the same one",
                name=SECRET_VARIABLE,
                command=SECRET_COMMAND,
            )
        )
    try:
        return [MaskedBytes(bytes.fromhex(secret)) for secret in text.split(",")]
    except ValueError:
        raise UsageError(gettext("{name} must hold hexadecimal digits, two per byte", name=SECRET_VARIABLE)) from None


def create_callback_urls(page: str, notify: str, secrets: Sequence[bytes]) -> CallbackUrls:
    """Return callback URLs, authenticated with these secrets."""
    try:
        return CallbackUrls(secrets, page=page, notify=notify)
    except ValueError as error:
        raise UsageError(
            gettext("--page, --notify or {variable}: {error}", variable=SECRET_VARIABLE, error=translate(error))
        ) from None
