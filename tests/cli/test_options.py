"""Options of the commands that call the platform: proxy, certificates and environment."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from base64 import b64encode
from typing import TYPE_CHECKING

import pytest
import trustme

from kfq_async.cli.app import run
from kfq_async.cli.options import ConnectionOptions, UsageError
from proxies import ForwardProxy, server_context
from servers import ReceivedRequest, ScriptedServer, success

if TYPE_CHECKING:
    from pathlib import Path

PASSWORD = "pa55word"
COMMANDS = {
    "link": ["link", "--company-name", "甲", "--credit-code", "C1", "--account-name", "13800138000"],
    "contract": ["contract", "status", "C-1"],
    "onboard": ["onboard", "companies.csv", "--yes"],
    "doctor": ["doctor"],
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Working folder with one company, and an environment without settings."""
    for name in ("KFQ_PROXY", "KFQ_CA_FILE", "KFQ_TRUST_ENV", "https_proxy", "http_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "companies.csv").write_text("企业名称,账号\n甲,甲@example.com\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def authority(folder: Path) -> trustme.CA:
    """Private authority, whose certificate is in ``ca.pem``."""
    made = trustme.CA()
    made.cert_pem.write_to_path(folder / "ca.pem")
    return made


async def kfq(*arguments: str) -> str:
    """Run the command in a process, since a run of many companies handles signals; return what it printed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "kfq_async", *arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    output, _ = await process.communicate()
    return output.decode()


async def respond(_number: int, _request: ReceivedRequest) -> bytes:
    """Return a link to every request."""
    return success()


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("by_variables", [False, True])
async def test_proxy_and_authority(
    command: str, *, by_variables: bool, authority: trustme.CA, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every command goes through the proxy, trusts the authority, and prints no password."""
    platform = ScriptedServer(respond, ssl=server_context(authority, "127.0.0.1"))
    async with ForwardProxy() as proxy, platform as server:
        url, file = proxy.url.replace("://", f"://user:{PASSWORD}@"), str(folder / "ca.pem")
        options = [] if by_variables else ["--proxy", url, "--ca-file", file]
        if by_variables:
            monkeypatch.setenv("KFQ_PROXY", url)
            monkeypatch.setenv("KFQ_CA_FILE", file)
        shown = await kfq(*COMMANDS[command], "--token", "T", "--base-url", server.base_url, *options)
        assert {*proxy.tunnels} == {server.origin.removeprefix("https://")}
        assert server.requests
    credentials = b64encode(f"user:{PASSWORD}".encode()).decode()
    assert {headers["Proxy-Authorization"] for headers in proxy.headers} == {f"Basic {credentials}"}
    assert PASSWORD not in shown
    assert credentials not in shown


@pytest.mark.parametrize("trusted", ["", "--trust-env", "KFQ_TRUST_ENV"])
async def test_proxy_of_the_environment(
    trusted: str, authority: trustme.CA, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The proxy of the environment is used if that is trusted only."""
    platform = ScriptedServer(respond, ssl=server_context(authority, "127.0.0.1"))
    async with ForwardProxy() as proxy, platform as server:
        monkeypatch.setenv("https_proxy", proxy.url)
        options = ["--token", "T", "--base-url", server.base_url, "--ca-file", str(folder / "ca.pem")]
        if trusted.startswith("KFQ"):
            monkeypatch.setenv(trusted, "1")
        elif trusted:
            options.append(trusted)
        await kfq(*COMMANDS["onboard"], *options)
        assert bool(proxy.tunnels) is bool(trusted)
        assert server.requests


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--ca-file", "nowhere.pem"], "--ca-file nowhere.pem: No such file or directory"),
        (["--ca-file", "companies.csv"], "--ca-file companies.csv: it holds no certificate (PEM)"),
    ],
)
def test_invalid_file_of_certificates(
    command: str, options: list[str], message: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file of certificates that cannot be used is a usage error of every command."""
    assert run([*COMMANDS[command], "--token", "T", *options]) == 2
    assert message in " ".join(capsys.readouterr().err.split())
    assert [path.name for path in folder.iterdir()] == ["companies.csv"]


@pytest.mark.parametrize("proxy", [f"socks5://user:{PASSWORD}@127.0.0.1:1", f"user:{PASSWORD}@host:1", "http://x/y"])
@pytest.mark.parametrize("command", COMMANDS)
def test_invalid_proxy(command: str, proxy: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A proxy that cannot be used is an error that names it, and not its password."""
    status = run([*COMMANDS[command], "--token", "T", "--proxy", proxy, "--json"])
    shown = capsys.readouterr()
    assert status == (1 if command == "doctor" else 2)
    assert PASSWORD not in shown.out + shown.err
    text = shown.out if command == "doctor" else json.loads(shown.out)["text"]
    assert "proxy" in text
    assert [path.name for path in folder.iterdir()] == ["companies.csv"]


def test_secrets_are_masked() -> None:
    """Neither token nor proxy is in the repr of the options."""
    options = ConnectionOptions(token="T0ken", proxy=f"http://u:{PASSWORD}@host:1")
    assert "T0ken" not in repr(options)
    assert PASSWORD not in repr(options)
    with pytest.raises(UsageError, match="the appAuthToken is missing"):
        ConnectionOptions().require_token()
