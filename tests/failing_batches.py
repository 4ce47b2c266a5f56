"""Batches that fail in the middle, with invented data: ``python failing_batches.py NAME FOLDER`` reports one to Sentry.

Prints what Sentry, with its default integrations, would send.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sentry_sdk

from companies import BANK_CARD, ID_CARD, MOBILE, PERSON, row, rows
from kfq_async import AsyncSession, CallbackUrls, CorpIdentLinkRequest, LedgerError, ParameterError, SourceError
from kfq_async.onboarding import FileSource, Onboarding, Row, SqliteLedger
from kfq_async.onboarding.ledgers.base import Hashes
from kfq_async.onboarding.output.files import Result, write_output
from kfq_async.onboarding.records import State
from kfq_async.sandbox import Sandbox
from ledgers import entry
from workbooks import write_workbook

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence

COMPANY = "甲测试有限公司"
KEY = b"0123456789abcdef0123456789abcdef"
LINK = "https://platform.example/page?code="
HEADINGS = "企业名称,账号,经办人姓名,身份证号,手机号,银行卡号"
SECRETS = (PERSON, ID_CARD, MOBILE, BANK_CARD, COMPANY, KEY.decode(), KEY.hex(), "?code=")
"""What no tool may show."""


async def outcomes(folder: Path) -> None:
    """Fail in a loop over outcomes."""
    urls = CallbackUrls([KEY], page="https://d.example/page", notify="https://d.example/notify")
    async with (
        Sandbox() as sandbox,
        AsyncSession(sandbox.token, base_url=sandbox.base_url) as session,
        SqliteLedger(folder / "companies.ledger", secret=KEY) as ledger,
        Onboarding(session, ledger, rows(5), callbacks=urls) as run,
    ):
        async for outcome in run:
            url, entry = outcome.auth_url, outcome.entry
            raise ConnectionError(f"no database for row {outcome.row_number}: {len(url or '')}, {entry is None}")


async def _run(folder: Path, rows: Any, *, ledger: SqliteLedger | None = None, **options: Any) -> None:
    async with (
        Sandbox(**options) as sandbox,
        AsyncSession(sandbox.token, base_url=sandbox.base_url) as session,
        ledger or SqliteLedger(folder / "companies.ledger", secret=KEY) as opened,
        Onboarding(session, opened, rows) as run,
    ):
        async for outcome in run:
            assert outcome.row_number


def _company(number: int) -> str:
    return f"{COMPANY}{number},{number}{MOBILE},{PERSON},{ID_CARD},{MOBILE},{BANK_CARD}"


async def csv_row(folder: Path) -> None:
    """Fail at a row of a CSV that cannot be parsed."""
    file = folder / "companies.csv"
    file.write_text("\n".join([HEADINGS, *map(_company, range(3)), f'"{COMPANY}"x,"']), encoding="utf-8")
    await _run(folder, await asyncio.to_thread(FileSource, file, checks=False))


def _json(count: int) -> bytes:
    names = HEADINGS.split(",")
    objects = (dict(zip(names, _company(number).split(","), strict=True)) for number in range(count))
    return "".join(json.dumps(each, ensure_ascii=False) + "\n" for each in objects).encode()


async def json_row(folder: Path) -> None:
    """Fail at a line of JSON Lines that is not in the file's encoding."""
    file = folder / "companies.jsonl"
    file.write_bytes(_json(3))
    source = await asyncio.to_thread(FileSource, file, checks=False)
    file.write_bytes(_json(200) + b"\xff")  # the first lines are read before the rest is decoded
    await _run(folder, source)


async def headings(folder: Path) -> None:
    """Fail at a file whose first row is a company's."""
    file = folder / "companies.csv"
    file.write_text(_company(1) + "\n", encoding="utf-8")
    await asyncio.to_thread(FileSource, file, checks=False)


async def sheet(folder: Path) -> None:
    """Fail in a key function over the rows of a workbook."""
    file = folder / "companies.xlsx"
    write_workbook(file, *[line.split(",") for line in (HEADINGS, _company(1), _company(2))])

    def key(request: CorpIdentLinkRequest) -> str:
        raise LookupError(f"no key for {len(request.account_name or '')} characters")

    await _run(folder, await asyncio.to_thread(FileSource, file, key=key, checks=False))


async def row_source(folder: Path) -> None:
    """Fail in an iterator over rows of the caller's own."""

    def companies() -> Iterator[Row]:
        yield from rows(3)
        raise OSError("the disk is gone")

    await _run(folder, companies())


async def full_ledger(folder: Path) -> None:
    """Fail while ids are stored."""
    ledger = SqliteLedger(folder / "companies.ledger", secret=KEY)
    async with ledger:
        await ledger._do(lambda: ledger._run("PRAGMA max_page_count = 8"))
        await ledger.put([entry(number, label=MOBILE, auth_url=f"{LINK}{number}") for number in range(2000)])


async def unwritable_results(folder: Path) -> None:
    """Fail while results are stored: no table accepts them."""
    ledger = SqliteLedger(folder / "companies.ledger", secret=KEY)
    async with ledger:
        await ledger._do(lambda: ledger._run("DROP TABLE entries"))
        await ledger.record([entry(number, label=MOBILE, auth_url=f"{LINK}{number}") for number in range(20)])


async def output(folder: Path) -> None:
    """Fail while results are written beside the input's columns."""
    file = folder / "companies.csv"
    file.write_text("\n".join([HEADINGS, *map(_company, range(3))]), encoding="utf-8")
    source = await asyncio.to_thread(FileSource, file, checks=False)

    def results(batch: Sequence[Row]) -> list[Result]:
        made = [Result(state=str(State.LINKED), auth_url=f"{LINK}{each.row_number}") for each in batch]
        raise LookupError(f"no result for {len(made)} rows")

    await asyncio.to_thread(write_output, source, folder / "out.csv", results)


async def short_key(_folder: Path) -> None:
    """Fail for a secret of the wrong length."""
    Hashes(KEY + KEY)


async def raised_result(folder: Path) -> None:
    """Fail with the platform's refusal of a row."""
    async with (
        Sandbox(faults=["code-21000"]) as sandbox,
        AsyncSession(sandbox.token, base_url=sandbox.base_url) as session,
        SqliteLedger(folder / "companies.ledger", secret=KEY) as ledger,
        Onboarding(session, ledger, [row(1)]) as run,
    ):
        async for outcome in run:
            raise ParameterError(21000, outcome.reason, http_status=200)


BATCHES: dict[str, tuple[Callable[[Path], Awaitable[None]], type[Exception]]] = {
    "outcomes": (outcomes, ConnectionError),
    "csv_row": (csv_row, SourceError),
    "json_row": (json_row, SourceError),
    "headings": (headings, SourceError),
    "sheet": (sheet, LookupError),
    "row_source": (row_source, OSError),
    "full_ledger": (full_ledger, LedgerError),
    "unwritable_results": (unwritable_results, LedgerError),
    "output": (output, LookupError),
    "short_key": (short_key, ValueError),
    "raised_result": (raised_result, ParameterError),
}
"""Functions by name, and what they raise."""


def main(name: str, folder: str) -> None:
    """Run a batch, and print the events that Sentry would send."""
    events: list[Any] = []
    sentry_sdk.init(dsn="http://a@127.0.0.1:9/1", before_send=lambda event, _: events.append(event), shutdown_timeout=0)

    batch, expected = BATCHES[name]

    async def run() -> None:
        await batch(Path(folder))

    try:
        asyncio.run(run())
    except expected as error:
        sentry_sdk.capture_exception(error)
    sys.stdout.write(json.dumps(events, ensure_ascii=False, default=str))


if __name__ == "__main__":
    main(*sys.argv[1:])
