"""Canonical keys: one company and account, however they are written, have one key."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from attrs import evolve

from companies import row
from kfq_async import CorpIdentInfo, CorpIdentLinkRequest
from kfq_async.onboarding.decisions import Decision, PendingRequest, SkipReason
from kfq_async.onboarding.input.source import FileSource, request_rows
from kfq_async.onboarding.keys import (
    canonical_account,
    canonical_code,
    combine_key,
    default_key,
    displayable,
    former_keys,
)
from kfq_async.onboarding.ledgers.sqlite import SqliteLedger
from kfq_async.onboarding.planner import Planner

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from kfq_async.onboarding.records import Row

CODE = "91110000600037341L"
MOBILE = "13800138000"


@pytest.mark.parametrize(
    "written",
    [
        CODE,
        CODE.lower(),
        "91110000-600037341-L",
        "9111 0000 6000 3734 1L",
        f"'{CODE}",
        f"`{CODE}\t",
        "\uff19\uff11110000600037341\uff4c",
        f"\u200b{CODE}\u202c",
        f"\u2018{CODE}\u2019",
    ],
)
def test_code(written: str) -> None:
    """Case, separators, full width, guards and invisible characters of a code do not matter."""
    assert canonical_code(written) == CODE


def test_other_codes() -> None:
    """Dashes are kept in codes of other lengths, of which they may be part, and long texts are not normalised."""
    assert canonical_code("ab-12") == "AB-12"
    assert canonical_code("") == ""
    long = "\uff21" * 1001
    assert canonical_code(long) == long


@pytest.mark.parametrize(
    "written",
    [
        MOBILE,
        f"+86{MOBILE}",
        f"86{MOBILE}",
        f"0086{MOBILE}",
        f"(+86) {MOBILE}",
        f"+86-{MOBILE}",
        "138-0013-8000",
        "138 0013 8000",
        "138.0013.8000",
        "\uff0b\uff18\uff1613800138000",
        f"'{MOBILE}",
        f"`{MOBILE}\t",
    ],
)
def test_mobile(written: str) -> None:
    """The prefix of the mainland, separators, full width and guards of a mobile number do not matter."""
    assert canonical_account(written) == MOBILE


def test_other_accounts() -> None:
    """An e-mail address is compared without case; what is neither is kept."""
    assert canonical_account(" Zhang.San@Example.COM ") == "zhang.san@example.com"
    assert canonical_account("Zhang-San") == "Zhang-San"
    assert canonical_account("+85298765432") == "+85298765432"


def test_former_keys() -> None:
    """The keys of earlier versions are those of each spelling; the present key is none of them."""
    former = former_keys((CODE, MOBILE), (CODE.lower(), "138-0013-8000"))
    assert former == tuple(
        f"{CODE}\x1f{account}" for account in (f"+86{MOBILE}", f"86{MOBILE}", f"0086{MOBILE}", "138-0013-8000")
    )
    assert former_keys(("", "A@b.cn")) == ("\x1fA@b.cn",)
    assert former_keys((CODE, "")) == ()


def companies(*pairs: tuple[str, str]) -> list[CorpIdentLinkRequest]:
    """Return requests of these codes and accounts."""
    return [
        CorpIdentLinkRequest(account_name=account, corp_ident_info=CorpIdentInfo(company_name="甲", credit_code=code))
        for code, account in pairs
    ]


async def test_requests_of_one_company() -> None:
    """Requests of one company written in several ways have one key, which is shown in capitals."""
    requests = companies((CODE, f"+86{MOBILE}"), (CODE.lower(), MOBILE), (f"{CODE[:9]}-{CODE[9:]}", f"0086{MOBILE}"))
    found = [each async for each in request_rows(requests)]
    assert {each.key for each in found} == {combine_key(CODE, MOBILE)}
    assert {each.label for each in found} == {CODE}
    assert {default_key(each) for each in requests} == {(combine_key(CODE, MOBILE), CODE)}


def rows_of(
    folder: Path, lines: Sequence[str], key: str | Callable[[CorpIdentLinkRequest], str | None] | None
) -> list[Row]:
    """Return the rows of a CSV with these lines."""
    file = folder / "companies.csv"
    file.write_text("\n".join(["企业名称,信用代码,账号", *lines]) + "\n", encoding="utf-8")
    return list(FileSource(file, key=key, checks=False))


@pytest.mark.parametrize(
    ("key", "cells"),
    [
        (None, [(CODE, MOBILE), (CODE.lower(), f"+86{MOBILE}"), (f"'{CODE}", f"86 {MOBILE}")]),
        (None, [("", "a@b.cn"), ("", "A@B.CN")]),
        ("信用代码", [(CODE, MOBILE), (CODE.lower(), "13900139000")]),
        ("账号", [(CODE, "a@b.cn"), ("", "A@B.cn")]),
        ("账号", [(CODE, MOBILE), ("", f"+86{MOBILE}")]),
    ],
)
def test_rows_of_one_company(key: str | None, cells: Sequence[tuple[str, str]], tmp_path: Path) -> None:
    """Rows of one company written in several ways have one key, also with a key column."""
    lines = [f"甲,{code},{account}" for code, account in cells]
    assert len({each.key for each in rows_of(tmp_path, lines, key)}) == 1


@pytest.mark.parametrize(
    ("key", "written", "former"),
    [
        (None, f"甲,{CODE.lower()},86-138-0013-8000", f"{CODE}\x1f86-138-0013-8000"),
        (None, f"甲,{CODE},{MOBILE}", f"{CODE}\x1f0086{MOBILE}"),
        (None, "甲,,A@b.cn", "\x1fA@b.cn"),
        ("信用代码", f"甲,{CODE.lower()},", CODE.lower()),
        ("账号", "甲,,A@b.cn", "A@b.cn"),
    ],
)
async def test_ledger_of_an_earlier_version(key: str | None, written: str, former: str, tmp_path: Path) -> None:
    """A company that a ledger holds under a key of earlier versions is recognised, and so is a duplicate of it."""
    (source,) = await asyncio.to_thread(rows_of, tmp_path, [written], key)
    old = evolve(source, key=former, former_keys=())
    async with SqliteLedger(tmp_path / "ledger") as ledger:
        (before,) = await Planner(ledger, run=1).decide([old])
        (found,) = await Planner(ledger, run=2).decide([source])
        assert isinstance(before, PendingRequest)
        assert isinstance(found, PendingRequest)
        assert found.entry.client_request_id == before.entry.client_request_id
        (later,) = await Planner(ledger, run=2).decide([evolve(source, row_number=9)])
        (seen,) = await Planner(ledger, run=2).inspect([source])
        assert len([entry async for entry in ledger.entries()]) == 1
    assert isinstance(later, Decision)
    assert later.reason is SkipReason.DUPLICATE
    assert isinstance(seen, PendingRequest)


async def test_duplicate_in_one_batch(tmp_path: Path) -> None:
    """Two rows of one batch whose company the ledger holds under an earlier key are one company."""
    old, new = row(1), evolve(row(1), key="canonical", former_keys=(row(1).key or "",))
    async with SqliteLedger(tmp_path / "ledger") as ledger:
        await Planner(ledger, run=1).decide([old])
        first, second = await Planner(ledger, run=2).decide([new, evolve(new, row_number=9)])
    assert isinstance(first, PendingRequest)
    assert isinstance(second, Decision)
    assert second.reason is SkipReason.DUPLICATE


async def test_rows_without_former_keys(tmp_path: Path) -> None:
    """A key from a function of the caller is taken as it is."""
    found = await asyncio.to_thread(rows_of, tmp_path, ["甲,,A@b.cn", "乙,,"], lambda request: request.account_name)
    assert [(each.key, each.former_keys) for each in found] == [("A@b.cn", ()), (None, ())]
    (requested,) = [each async for each in request_rows(companies((CODE, "A@b.cn")), key=lambda _: "own")]
    assert (requested.key, requested.former_keys) == ("own", ())


def test_former_keys_are_masked() -> None:
    """A row shows none of its keys."""
    shown = repr(evolve(row(), former_keys=(f"{CODE}\x1f{MOBILE}",)))
    assert MOBILE not in shown


@pytest.mark.parametrize("key", [CODE, "91350100M000100Y43"])
def test_valid_credit_codes_are_shown(key: str) -> None:
    """A credit code with the right check digit is public."""
    assert displayable(key) == key


@pytest.mark.parametrize(
    "key",
    [
        "91110000600037341M",
        CODE.lower(),
        f"{CODE} ",
        f"{CODE}\x1f{MOBILE}",
        MOBILE,
        "110101199001011237",
        "EA1234567",
        "A-1",
        "甲有限公司",
        "911100006000373I1L",
        "",
    ],
)
def test_other_keys_are_not_shown(key: str) -> None:
    """Neither are a code with a wrong check digit, ids, names and accounts."""
    assert displayable(key) is None


def test_id_number_with_a_right_check_digit_is_not_shown() -> None:
    """An ID number can also be a credit code, check digit included, and is not shown then."""
    numbers = [f"11010119900101{number:03}{check}" for number in range(1000) for check in "0123456789X"]
    assert [number for number in numbers if displayable(number)] == []
    alike = [f"11010119901301{number:03}{check}" for number in range(1000) for check in "0123456789"]
    assert any(displayable(number) for number in alike)
