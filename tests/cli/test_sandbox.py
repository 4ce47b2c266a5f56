"""`kfq sandbox` as a process."""

import inspect
import json
import re
import shlex
import signal
import socket
import sqlite3
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from kfq_async.cli.app import run
from kfq_async.cli.sandbox import sandbox
from kfq_async.sandbox import Fault, Sandbox
from kfq_async.sandbox.faults import FAULT_KINDS
from kfq_async.sandbox.quirks import QUIRKS
from self_hosted import TOKEN, fixtures_document


@contextmanager
def serving(*options: str, stdin: int | None = None) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run the command, and yield its process and its first line of output."""
    process = subprocess.Popen(
        [sys.executable, "-m", "kfq_async", "sandbox", "--port", "0", *options],
        stdin=stdin,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield process, process.stdout.readline()
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)


def orders(base_url: str) -> int:
    """Return the number of orders of a running sandbox."""
    with urllib.request.urlopen(base_url.replace("/resrun-paas", "/sandbox/orders"), timeout=10) as response:
        return int(json.load(response)["count"])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals(number: signal.Signals) -> None:
    """It prints base URL and token, serves, and ends with status 0 on Ctrl-C and on SIGTERM."""
    with serving() as (process, line):
        base_url = line.split()[2]
        assert base_url.endswith("/resrun-paas")
        assert "PV9LQWZA" in line
        assert orders(base_url) == 0
        process.send_signal(number)
        assert process.wait(timeout=20) == 0


@pytest.mark.parametrize("content", ["", "ignored\n"])
def test_until_eof(content: str) -> None:
    """With --until-eof it serves until the program that started it closes the pipe."""
    with serving("--until-eof", stdin=subprocess.PIPE) as (process, line):
        assert process.stdin is not None
        process.stdin.write(content)
        process.stdin.flush()
        assert orders(line.split()[2]) == 0
        process.stdin.close()
        assert process.wait(timeout=20) == 0
        process.stdin = None


def test_allowed_hosts() -> None:
    """With --allowed-host the sandbox serves under that name as well."""
    with serving("--allowed-host", "kfq.test") as (_, line):
        statuses = {}
        for host in ("kfq.test", "127.0.0.1", "other.test"):
            with closing(HTTPConnection(urlsplit(line.split()[2]).netloc, timeout=10)) as connection:
                connection.request("GET", "/sandbox/orders", headers={"Host": host})
                statuses[host] = connection.getresponse().status
    assert statuses == {"kfq.test": 200, "127.0.0.1": 200, "other.test": 403}


def test_until_eof_without_standard_input() -> None:
    """With --until-eof and a closed standard input it ends at once."""
    command = [sys.executable, "-m", "kfq_async", "sandbox", "--port", "0", "--until-eof"]
    ran = subprocess.run(["sh", "-c", 'exec "$@" <&-', "sh", *command], capture_output=True, text=True, check=True)
    assert ran.stdout.startswith("sandbox at")


def test_state_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With --state an order survives a restart."""
    state = tmp_path / "sandbox.db"
    with serving("--state", str(state)) as (_, line):
        assert run(["link", "--company-name", "甲", "--token", "PV9LQWZA", "--base-url", line.split()[2]]) == 0
    with serving("--state", str(state)) as (_, line):
        assert orders(line.split()[2]) == 1
    assert "orderNo" in capsys.readouterr().out
    with closing(sqlite3.connect(state)) as database:
        assert database.execute("SELECT company_name FROM orders").fetchall() == [("甲",)]


def test_fault_option(capsys: pytest.CaptureFixture[str]) -> None:
    """With --fault the first response is lost, and the retry of the client succeeds."""
    with serving("--fault", "lose-response*1", "--token", "TENANT01") as (_, line):
        connection_options = ["--token", "TENANT01", "--base-url", line.split()[2]]
        assert run(["link", "--company-name", "甲", "--json", *connection_options]) == 0
        assert json.loads(capsys.readouterr().out)["attempts"] == 2
        assert orders(line.split()[2]) == 1


def test_output(tmp_path: Path, vectors: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    """It prints console, appId and the public key of --private-key.

    Then it prints a command that requests a link, quoted for a shell.
    """
    file = tmp_path / "key.txt"
    file.write_text(vectors["privateKeyPkcs8"] + "\n")
    with serving("--token", "it's", "--app-id", "APP", "--private-key", str(file)) as (process, line):
        assert process.stdout is not None
        origin = line.split()[2].removesuffix("/resrun-paas")
        assert process.stdout.readline() == f"console at {origin}/sandbox/\n"
        notice = process.stdout.readline()
        assert notice == (
            "notifications have appId APP; verify them and contract events with the public key "
            f"{vectors['publicKeySpki']}\n"
        )
        command = next(each for each in process.stdout if each.startswith("try: kfq "))
        assert run(shlex.split(command)[2:]) == 0
    assert "authUrl: http://127.0.0.1" in capsys.readouterr().out


def test_json(tmp_path: Path, vectors: dict[str, str]) -> None:
    """With --json one line tells a program all that it needs."""
    file = tmp_path / "key.txt"
    file.write_text(vectors["privateKeyPkcs8"])
    with serving("--json", "--app-id", "APP", "--private-key", str(file)) as (_, line):
        document = json.loads(line)
        base_url = document.pop("baseUrl")
        assert orders(base_url) == 0
    assert document == {
        "token": "PV9LQWZA",
        "console": f"{base_url.removesuffix('/resrun-paas')}/sandbox/",
        "appId": "APP",
        "publicKey": vectors["publicKeySpki"],
    }


def test_lists_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    """The lists of faults and quirks are JSON with --json."""
    assert run(["sandbox", "--faults", "--json"]) == 0
    assert run(["sandbox", "--quirks", "--json"]) == 0
    faults, quirks = map(json.loads, capsys.readouterr().out.splitlines())
    assert faults["faults"].keys() == FAULT_KINDS.keys()
    assert quirks["quirks"] == {quirk.name: quirk.summary for quirk in QUIRKS.values()}


def test_fixtures(tmp_path: Path) -> None:
    """With --fixtures it serves a self-hosted platform, which offers no links, and prints its first token.

    It ignores unknown fields unless --strict is given; --rate-limit-form chooses the response beyond the rate limit.
    """
    file = tmp_path / "platform.json"
    file.write_text(json.dumps(fixtures_document()))
    codes: dict[str, list[int]] = {}
    body = {"appAuthToken": TOKEN, "uniqueCode": "u", "fileName": "a", "fileSuffix": ".zip", "file": "UEsDBA==", "x": 1}
    for strict in ("--strict", "--no-strict"):
        with serving("--fixtures", str(file), strict, "--rate-limit-form", "api") as (process, line):
            assert f"token {TOKEN};" in line
            assert process.stdout is not None
            printed = [process.stdout.readline() for _ in range(2)]
            request = urllib.request.Request(
                f"{line.split()[2]}/kaifangqian/openAPI/V2/annex/file", json.dumps(body).encode(), method="POST"
            )
            codes[strict] = []
            for _ in range(6):
                with urllib.request.urlopen(request, timeout=10) as response:
                    codes[strict].append(json.load(response)["code"])
            process.send_signal(signal.SIGTERM)
            printed.append(process.stdout.read())
        assert not any("try: " in text or "default fixtures" in text for text in printed)
    assert codes == {"--strict": [23000] * 5 + [999999], "--no-strict": [10000] * 5 + [999999]}


def test_default_fixtures() -> None:
    """Without --fixtures it says that everything is known."""
    with serving() as (process, _):
        assert process.stdout is not None
        assert "default fixtures: every business line" in "".join(process.stdout.readline() for _ in range(3))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--fixtures", "/nowhere/platform.json"], "/nowhere/platform.json: No such file or directory"),
        (["--fixtures", __file__], "is not JSON"),
        (["--fixtures", "platform.json", "--token", "TENANT01"], "--token does not go with --fixtures"),
        (["--rate-limit-form", "off"], "rate-limit-form"),
        (["--private-key", "/nowhere/key.pem"], "/nowhere/key.pem: No such file or directory"),
        (["--private-key", __file__], "private key is neither PEM"),
        (["--app-id", ""], "app_id"),
        (["--fault", "explode"], "'explode' is not a fault"),
        (["--fault", "lose-response@2"], "between 0 and 1"),
        (["--port", "70000"], "--port must be from 0 to 65535, not 70000"),
        (["--port", "-1"], "--port must be from 0 to 65535, not -1"),
        (["--token", ""], "--token must be printable ASCII without spaces, and not empty"),
        (["--token", "TENANT01", "--token", "a b"], "--token must be printable ASCII"),
        (["--retry-speed", "0"], "retry_speed must be finite and more than 0, not 0"),
        (["--allowed-host", "http://kfq.test"], "allowed_hosts must hold host names or addresses, without scheme"),
        (["--callback-host", "kfq.test:80"], "callback_hosts must hold host names or addresses, without scheme"),
        (["--state", "/nowhere/at/all.db"], "/nowhere/at/all.db: No such file or directory"),
    ],
)
def test_usage_errors(options: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    """An invalid option is a usage error that names it."""
    assert run(["sandbox", *options]) == 2
    assert message in capsys.readouterr().err


def test_port_in_use(capsys: pytest.CaptureFixture[str]) -> None:
    """A port in use is a usage error that names it."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert run(["sandbox", "--port", str(port)]) == 2
    assert f"--port {port}: " in capsys.readouterr().err


def test_foreign_state_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file of another kind is refused and not changed."""
    state = tmp_path / "letter.txt"
    state.write_text("Dear Sir or Madam, " * 100)
    assert run(["sandbox", "--state", str(state)]) == 2
    assert "letter.txt is not a state file" in capsys.readouterr().err.replace("\n", " ")
    assert state.read_text().startswith("Dear Sir")


HELP = (inspect.getdoc(sandbox) or "").partition("\nfault\n")[2].partition("\nseed\n")[0]


@pytest.mark.parametrize(
    ("example", "fault"),
    [
        ("delay:0.3@0.05", Fault("delay", seconds=0.3, probability=0.05)),
        ("lose-response*2", Fault("lose-response", times=2)),
        ("502/acted", Fault("502", acted=True)),
        ("503:2*1@0.5", Fault("503", seconds=2.0, times=1, probability=0.5)),
        ("code-41003", Fault("code-41003")),
        ("internal-510", Fault("internal-510")),
    ],
)
def test_examples_of_the_help(example: str, fault: Fault) -> None:
    """Each example of a fault in the help is parsed."""
    assert example in re.findall("`([^`]+)`", HELP)
    assert Fault.parse(example) == fault


def test_help_names_no_other_example() -> None:
    """The help has no example that is not tried, and the form that it names is that of the parser."""
    form, *examples = re.findall("`([^`]+)`", HELP)
    assert len(examples) == 6
    assert form == "KIND[/acted|/unacted][:SECONDS][*TIMES][@PROBABILITY]"
    for acted in ("", "/acted", "/unacted"):
        for rest in ("", ":0.5", "*3", "@0.25", ":0.5*3", ":0.5@0.25", "*3@0.25", ":0.5*3@0.25"):
            assert str(Fault.parse(f"502{acted}{rest}")).endswith(rest)


def test_faults_option(capsys: pytest.CaptureFixture[str]) -> None:
    """--faults lists every kind of fault with its effect."""
    assert run(["sandbox", "--faults"]) == 0
    shown = capsys.readouterr().out
    assert all(f"\n{name} " in f"\n{shown}" for name in FAULT_KINDS)


def test_quirks_option(capsys: pytest.CaptureFixture[str]) -> None:
    """--quirks lists every quirk with its summary, and serves nothing."""
    assert run(["sandbox", "--quirks"]) == 0
    assert capsys.readouterr().out.splitlines() == [f"{name:27}{QUIRKS[name].summary}" for name in QUIRKS]


@pytest.mark.parametrize(
    ("options", "kept"),
    [
        ([], QUIRKS.keys()),
        (["late-audit", "collisions"], QUIRKS.keys() - {"late-audit", "collisions"}),
        (["late-audit", "all"], set()),
    ],
)
def test_without_quirk(options: list[str], kept: set[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """--without-quirk switches quirks off by name, or all of them."""
    chosen: list[set[str]] = []

    class Recorded(Sandbox):
        def __init__(self, **arguments: Any) -> None:
            chosen.append(arguments["quirks"])
            raise ValueError("not to be started")

    monkeypatch.setattr("kfq_async.cli.sandbox.Sandbox", Recorded)
    assert run(["sandbox", *(part for name in options for part in ("--without-quirk", name))]) == 2
    assert chosen == [kept]


def test_unknown_quirk(capsys: pytest.CaptureFixture[str]) -> None:
    """An unknown name is refused with the known ones."""
    assert run(["sandbox", "--without-quirk", "colisions"]) == 2
    shown = " ".join(capsys.readouterr().err.split())
    assert "--without-quirk must be all or one of collisions," in shown
    assert "not colisions" in shown
