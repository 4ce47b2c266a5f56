"""What a run shows and asks before it sends anything, and what its ledger is bound to."""

from __future__ import annotations

import io
import json
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from kfq_async.cli.app import run
from kfq_async.sandbox import Fault, Sandbox

if TYPE_CHECKING:
    from pathlib import Path

HEADINGS = "企业名称,信用代码,联系电话,账号"
URLS = ["--page", "https://shop.example/done", "--notify", "https://shop.example/hooks"]
OTHER_URLS = ["--page", "https://new.example/done", "--notify", "https://new.example/hooks"]


@pytest.fixture
def connection_options(kfq_sandbox: Sandbox) -> list[str]:
    """Options for the token and base URL of the sandbox."""
    return ["--token", kfq_sandbox.token, "--base-url", kfq_sandbox.base_url]


def write(path: Path, count: int = 2, headings: str = HEADINGS) -> str:
    """Write a CSV of companies, and return its path."""
    lines = [f"公司{number},C{number:05d},1380013800{number},{number}@example.com" for number in range(count)]
    path.write_text("\n".join([headings, *lines]) + "\n", encoding="utf-8")
    return str(path)


def error_line(capsys: pytest.CaptureFixture[str]) -> str:
    """Return what standard error shows, as one line."""
    return " ".join(capsys.readouterr().err.split())


def hosts(sandbox: Sandbox) -> list[str | None]:
    """Return the host of each order's notifications, ``None`` for an order without."""
    found = [json.loads(order.request).get("authCallbackUrl") for order in sandbox.orders]
    return [url and url.split("/")[2] for url in found]


class Terminal(io.StringIO):
    """A terminal on which somebody types an answer."""

    def isatty(self) -> bool:
        """Return that it is a terminal."""
        return True


def test_shown_first(connection_options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Platform, ledger, columns and tenant are shown; the token is not."""
    source = write(tmp_path / "companies.csv")
    assert run(["onboard", source, *connection_options]) == 0
    shown = capsys.readouterr().err
    assert f"platform: {connection_options[3]}\n" in shown
    assert f"ledger: {tmp_path / 'companies.ledger'} (new)\n" in shown
    assert "columns: 企业名称 → company_name, 信用代码 → credit_code, 联系电话 → mobile, 账号 → account_name\n" in shown
    assert "new to the ledger\n" in shown
    assert connection_options[1] not in shown
    assert run(["onboard", source, *connection_options]) == 0
    again = capsys.readouterr().err
    assert f"ledger: {tmp_path / 'companies.ledger'}\n" in again
    assert "tenant: token #" in again
    assert ", as in the last run\n" in again


@pytest.mark.parametrize(
    ("headings", "missing", "options"),
    [
        ("企业名称,信用代码,联系电话,甲", "account_name (accountName)", "--column account_name=联系电话"),
        ("企业名称,信用代码,乙,甲", "account_name (accountName)", "--column account_name=HEADING"),
        ("甲,信用代码,联系电话,账号", "company_name (companyName)", "--column company_name=HEADING"),
        (
            "甲,信用代码,联系 电话,乙",
            "company_name (companyName) and account_name (accountName)",
            "--column company_name=HEADING --column 'account_name=联系 电话'",
        ),
    ],
)
def test_important_columns(
    *,
    headings: str,
    missing: str,
    options: str,
    connection_options: list[str],
    kfq_sandbox: Sandbox,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Without a column for an important field nothing is sent, unless ``--yes`` says so; a dry run only tells it."""
    source = write(tmp_path / "companies.csv", headings=headings)
    assert run(["onboard", source, *connection_options]) == 2
    shown = error_line(capsys)
    assert f"nothing was sent, since no column fills {missing}: choose one with --column " in shown
    assert {path.name for path in tmp_path.iterdir()} == {"companies.csv"}
    assert run(["onboard", source, *connection_options, "--dry-run"]) == 2
    shown = error_line(capsys)
    assert f"no column fills {missing} " in shown
    assert shown.endswith(
        f"a run would send nothing, since no column fills {missing}: choose one with {options} (one column may fill "
        "two fields), or add --yes to send without"
    )
    assert run(["onboard", source, *connection_options, "--dry-run", "--yes"]) == 0
    capsys.readouterr()
    assert run(["onboard", source, *connection_options, "--dry-run", "--lang", "zh"]) == 2
    assert f"请用 {options.replace('HEADING', '表头')} 指定" in capsys.readouterr().err
    assert not kfq_sandbox.orders
    assert run(["onboard", source, *connection_options, "--yes"]) == 0
    assert len(kfq_sandbox.orders) == 2


def test_one_column_for_two_fields(connection_options: list[str], kfq_sandbox: Sandbox, tmp_path: Path) -> None:
    """A column may fill two fields."""
    source = write(tmp_path / "companies.csv", headings="企业名称,信用代码,联系电话,甲")
    columns = ["--column", "account_name=联系电话", "--column", "mobile=联系电话"]
    assert run(["onboard", source, *connection_options, *columns]) == 0
    sent = json.loads(kfq_sandbox.orders[0].request)
    assert sent["accountName"] == sent["oprIdentInfo"]["mobile"]


@pytest.mark.parametrize(("answer", "status", "orders"), [("y\n", 0, 2), ("YES\n", 0, 2), ("n\n", 2, 0), ("", 2, 0)])
def test_question(
    *,
    answer: str,
    status: int,
    orders: int,
    connection_options: list[str],
    kfq_sandbox: Sandbox,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On a terminal, the question is asked before the first order."""
    source = write(tmp_path / "companies.csv", headings="企业名称,信用代码,联系电话,甲")
    screen = Terminal()
    monkeypatch.setattr("sys.stdin", Terminal(answer))
    monkeypatch.setattr("sys.stderr", screen)
    assert run(["onboard", source, *connection_options]) == status
    assert "Send the rows without account_name (accountName)? [y/N]" in " ".join(screen.getvalue().split())
    assert len(kfq_sandbox.orders) == orders


def test_copies_are_recognised(
    connection_options: list[str], kfq_sandbox: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The companies of a renamed copy are not requested again; with several other ledgers, one is to be named."""
    source = write(tmp_path / "companies.csv")
    assert run(["onboard", source, *connection_options]) == 0
    copy = str(shutil.copy(source, tmp_path / "copy.csv"))
    assert run(["onboard", copy, *connection_options]) == 0
    assert len(kfq_sandbox.orders) == 2
    assert run(["onboard", copy, *connection_options, "--ledger", str(tmp_path / "second.ledger"), "--force"]) == 0
    assert len(kfq_sandbox.orders) == 4
    capsys.readouterr()
    assert run(["onboard", copy, *connection_options]) == 2
    assert "several ledgers (companies.ledger, second.ledger); name one of them" in " ".join(
        capsys.readouterr().err.split()
    )
    assert run(["onboard", source, *connection_options]) == 0
    assert len(kfq_sandbox.orders) == 4


def test_foreign_files(
    connection_options: list[str], kfq_sandbox: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file that was not written for the ledger is only replaced with ``--force``, and is its own from then on."""
    source, ledger = write(tmp_path / "companies.csv"), ["--ledger", str(tmp_path / "l.ledger")]
    for option, name in (("--out", "thesis.csv"), ("--report", "thesis.html")):
        (tmp_path / name).write_text("years of work")
        assert run(["onboard", source, *connection_options, *ledger, option, str(tmp_path / name)]) == 2
        shown = error_line(capsys)
        assert f"thesis{name[-4:] if option == '--out' else '.html'} was not written for" in shown
        assert f"choose another file with {option}, or add --force to replace it" in shown
        assert (tmp_path / name).read_text() == "years of work"
    assert not kfq_sandbox.orders
    outputs = ["--out", str(tmp_path / "thesis.csv"), "--report", str(tmp_path / "thesis.html")]
    assert run(["onboard", source, *connection_options, *ledger, *outputs, "--force"]) == 0
    assert run(["onboard", source, *connection_options, *ledger, *outputs]) == 0
    assert "years of work" not in (tmp_path / "thesis.csv").read_text(encoding="utf-8-sig")


def test_outputs_of_an_earlier_version(connection_options: list[str], tmp_path: Path) -> None:
    """A ledger whose earlier runs recorded none of their files goes on to replace them."""
    source = write(tmp_path / "companies.csv")
    assert run(["onboard", source, *connection_options]) == 0
    with closing(sqlite3.connect(tmp_path / "companies.ledger")) as database:
        database.execute("DELETE FROM facts WHERE name = 'outputs'")
        database.commit()
    assert run(["onboard", source, *connection_options]) == 0


def test_leftovers(connection_options: list[str], tmp_path: Path) -> None:
    """What a killed run left beside its output is removed by the next one, what a running one writes is not."""
    source = write(tmp_path / "companies.csv")
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        ended.wait()
    left = [tmp_path / f".{name}.kfq-{ended.pid}-abcdefgh" for name in ("companies.links.csv", "companies.report.html")]
    kept = [tmp_path / f".companies.links.csv.{name}" for name in (f"kfq-{os.getppid()}-abcdefgh", "kfq-notes", "abc")]
    for folder in (*left, *kept):
        folder.mkdir()
        (folder / "companies.links.csv").write_text("people")
    assert run(["onboard", source, *connection_options]) == 0
    assert [folder.exists() for folder in left] == [False, False]
    assert [folder.exists() for folder in kept] == [True, True, True]


def test_leftovers_beside_former_outputs(connection_options: list[str], tmp_path: Path) -> None:
    """A run removes what a killed one left beside an output that the ledger remembers, wherever that is."""
    source = write(tmp_path / "companies.csv")
    (tmp_path / "elsewhere").mkdir()
    assert run(["onboard", source, *connection_options, "--out", str(tmp_path / "elsewhere" / "o.csv")]) == 0
    left = tmp_path / "elsewhere" / ".o.csv.kfq-999999999-abcdefgh"
    left.mkdir()
    assert run(["onboard", source, *connection_options]) == 0
    assert not left.exists()


def test_another_tenant(
    connection_options: list[str], kfq_sandbox: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With orders in the ledger, another token is refused, unless it is said to be a new one of the same enterprise."""
    source = write(tmp_path / "companies.csv")
    assert run(["onboard", source, *connection_options]) == 0
    links = (tmp_path / "companies.links.csv").read_bytes()
    other = ["--token", "ANOTHER1", *connection_options[2:]]
    for more in ([], ["--dry-run"]):
        capsys.readouterr()
        assert run(["onboard", source, *other, *more]) == 2
        shown = error_line(capsys)
        assert "belongs to another tenant" in shown
        assert "add --new-token if the token is a new one of the same enterprise" in shown
        assert "ANOTHER1" not in shown
    assert (tmp_path / "companies.links.csv").read_bytes() == links
    assert run(["onboard", source, *other, "--new-token"]) == 0
    assert run(["onboard", source, *other]) == 0
    assert run(["onboard", source, *connection_options]) == 2
    assert "tenant: not checked, since no token is given" not in capsys.readouterr().err
    assert run(["onboard", source, "--dry-run", *connection_options[2:]]) == 0
    assert "tenant: not checked, since no token is given" in capsys.readouterr().err
    assert len(kfq_sandbox.orders) == 2


def test_wrong_token_first(connection_options: list[str], kfq_sandbox: Sandbox, tmp_path: Path) -> None:
    """A token with which no order was made does not claim the ledger."""
    source = write(tmp_path / "companies.csv")
    assert run(["onboard", source, "--token", "WRONG", *connection_options[2:]]) == 3
    assert run(["onboard", source, *connection_options]) == 0
    assert len(kfq_sandbox.orders) == 2


def test_another_tenant_of_refused_companies(
    connection_options: list[str], kfq_sandbox: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Companies that were refused have no order, so another tenant may follow; another platform may not."""
    kfq_sandbox.inject_faults(Fault("code-31000"))
    source = write(tmp_path / "companies.csv", 1)
    assert run(["onboard", source, *connection_options]) == 1
    assert run(["onboard", source, *connection_options[:2], "--base-url", "http://127.0.0.1:9/x"]) == 2
    assert "has the platform" in capsys.readouterr().err
    assert run(["onboard", source, "--token", "ANOTHER1", *connection_options[2:]]) == 1
    assert "new to the ledger" in capsys.readouterr().err


@pytest.mark.parametrize("first", ["address", "token"])
def test_wrong_connection_first(
    *,
    first: str,
    connection_options: list[str],
    kfq_sandbox: Sandbox,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """An address and a token with which nothing was ordered claim no ledger; those of an order do, as ever."""
    monkeypatch.setattr("kfq_async.transport.retry.backoff", lambda *_: 0.0)
    source = write(tmp_path / "companies.csv", 9)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    wrong = {
        "address": ["--token", "ANOTHER1", "--base-url", f"http://127.0.0.1:{port}"],
        "token": ["--token", "ANOTHER1", *connection_options[2:]],
    }[first]
    assert run(["onboard", source, *wrong]) == (1 if first == "address" else 3)
    shown = capsys.readouterr().err
    assert "9 companies: 9 pending" in shown
    assert ("0 sent in" in shown) is (first == "address")
    for more in (["--dry-run"], []):
        assert run(["onboard", source, *connection_options, *more]) == 0
    assert len(kfq_sandbox.orders) == 9
    capsys.readouterr()
    for more in (["--dry-run"], []):
        assert run(["onboard", source, *wrong, *more]) == 2
        assert ("has the platform" if first == "address" else "another tenant") in capsys.readouterr().err


def test_callbacks_are_remembered(
    connection_options: list[str], kfq_sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without --page and --notify, a run has the callback URLs of the run before; other ones change no row."""
    monkeypatch.setenv("KFQ_CALLBACK_SECRET", "ab" * 32)
    source, ledger = tmp_path / "companies.csv", str(tmp_path / "companies.ledger")
    assert run(["onboard", write(source, 1), *connection_options, *URLS]) == 0
    assert run(["onboard", write(source, 2), *connection_options]) == 0
    assert run(["onboard", "reissue", ledger, "--key", "C00000,0@example.com"]) == 0
    assert run(["onboard", str(source), *connection_options]) == 0
    assert run(["onboard", write(source, 3), *connection_options, *OTHER_URLS]) == 0
    assert run(["onboard", write(source, 4), *connection_options]) == 0
    assert hosts(kfq_sandbox) == ["shop.example"] * 3 + ["new.example"] * 2
    assert "changed" not in (tmp_path / "companies.links.csv").read_text(encoding="utf-8-sig")


def test_links_without_callbacks(
    connection_options: list[str],
    kfq_sandbox: Sandbox,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Companies that got their links before the callback URLs were given are counted until they have new orders."""
    monkeypatch.setenv("KFQ_CALLBACK_SECRET", "ab" * 32)
    source, ledger = tmp_path / "companies.csv", str(tmp_path / "companies.ledger")
    assert run(["onboard", write(source, 1), *connection_options]) == 0
    assert "callback URLs" not in capsys.readouterr().err
    assert run(["onboard", write(source, 2), *connection_options, *URLS]) == 0
    shown = error_line(capsys)
    assert "1 company got its link without the callback URLs, so no notification about it will come" in shown
    assert run(["onboard", "reissue", ledger, "--key", "C00000,0@example.com"]) == 0
    assert run(["onboard", str(source), *connection_options]) == 0
    assert "callback URLs" not in capsys.readouterr().err
    assert len(kfq_sandbox.orders) == 3


def test_doubt_keeps_its_callbacks(
    connection_options: list[str], kfq_sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A row in doubt is repeated byte for byte, with the URLs and the secret that it was sent with."""
    monkeypatch.setattr("kfq_async.transport.retry.backoff", lambda *_: 0.0)
    monkeypatch.setenv("KFQ_CALLBACK_SECRET", "ab" * 32)
    source = write(tmp_path / "companies.csv", 1)
    kfq_sandbox.inject_faults(Fault("lose-response"))
    assert run(["onboard", source, *connection_options, *URLS]) == 1
    kfq_sandbox.inject_faults()
    monkeypatch.setenv("KFQ_CALLBACK_SECRET", "cd" * 32)
    assert run(["onboard", source, *connection_options, *OTHER_URLS]) == 1
    reason = (tmp_path / "companies.links.csv").read_text(encoding="utf-8-sig")
    assert "KFQ_CALLBACK_SECRET=NEW,FORMER" in reason
    monkeypatch.setenv("KFQ_CALLBACK_SECRET", f"{'cd' * 32},{'ab' * 32}")
    assert run(["onboard", source, *connection_options]) == 0
    assert hosts(kfq_sandbox) == ["shop.example"]


@pytest.mark.parametrize("more", [[], ["--dry-run"]])
def test_remembered_callbacks_need_their_secret(
    *,
    more: list[str],
    connection_options: list[str],
    kfq_sandbox: Sandbox,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Nothing is sent without callback URLs that the ledger remembers."""
    monkeypatch.setenv("KFQ_CALLBACK_SECRET", "ab" * 32)
    source = tmp_path / "companies.csv"
    assert run(["onboard", write(source, 1), *connection_options, *URLS]) == 0
    monkeypatch.delenv("KFQ_CALLBACK_SECRET")
    assert run(["onboard", write(source, 2), *connection_options, *more]) == 2
    assert "the ledger's callback URLs need KFQ_CALLBACK_SECRET, which is not set" in error_line(capsys)
    monkeypatch.setenv("KFQ_CALLBACK_SECRET", "not hexadecimal")
    assert run(["onboard", write(source, 2), *connection_options, *more]) == 2
    assert "the ledger's callback URLs need KFQ_CALLBACK_SECRET; KFQ_CALLBACK_SECRET must hold" in error_line(capsys)
    assert len(kfq_sandbox.orders) == 1
