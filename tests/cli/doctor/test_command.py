"""`kfq doctor` on platforms that work, and on the mistakes that it is made for."""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
import trustme

from kfq_async.cli.app import run
from kfq_async.sandbox import Sandbox
from proxies import ForwardProxy, server_context
from self_hosted import STOPPED_TOKEN, TOKEN, fixtures_document
from servers import ReceivedRequest, ScriptedServer, http_response

if TYPE_CHECKING:
    from pathlib import Path

API_PATH = "/kaifangqian/openAPI/V2"
NOWHERE = "http://127.0.0.1:1/resrun-paas"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No settings and no proxy in the environment."""
    for name in ("KFQ_APP_AUTH_TOKEN", "KFQ_BASE_URL", "http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        for variable in (name, name.upper()):
            monkeypatch.delenv(variable, raising=False)


@pytest.fixture
def output(capsys: pytest.CaptureFixture[str]) -> pytest.CaptureFixture[str]:
    """The output of the commands."""
    return capsys


@pytest.fixture
def trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> trustme.CA:
    """A certificate authority that the environment trusts."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    return authority


def diagnose(output: pytest.CaptureFixture[str], *arguments: str) -> dict[str, dict[str, str]]:
    """Run the command with --json, compare status and verdict, and return the checks by their names."""
    status = run(["doctor", "--json", *arguments])
    document: dict[str, Any] = json.loads(output.readouterr().out)
    checks = {check.pop("name"): check for check in document["checks"]}
    failed = any(check["status"] == "failed" for check in checks.values())
    assert (status, document["ok"]) == (int(failed), not failed)
    return checks


def statuses(checks: dict[str, dict[str, str]]) -> dict[str, str]:
    """Return the statuses of the checks."""
    return {name: check["status"] for name, check in checks.items()}


def test_everything_works(kfq_sandbox: Sandbox, output: pytest.CaptureFixture[str]) -> None:
    """Each check has its line and its sign, and nothing is changed on the platform."""
    where = ["--base-url", kfq_sandbox.base_url, "--token", kfq_sandbox.token]
    assert run(["doctor", *where, "--hook", f"{kfq_sandbox.origin}/hook"]) == 0
    lines = output.readouterr().out.splitlines()
    names = ["versions", "base-url", "proxy", "connection", "clock", "platform", "edition", "token", "hook"]
    assert [line.split()[:2] for line in lines] == [["✓", name] for name in names]
    assert "it offers contracts and identification links" in lines[6]
    assert kfq_sandbox.orders == ()


def test_signs_on_a_plain_terminal(
    kfq_sandbox: Sandbox, output: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Words stand for signs that the encoding lacks, which would all look alike, and columns stay aligned."""
    monkeypatch.setattr("kfq_async.cli.findings.can_encode", lambda _: False)
    assert run(["doctor", "--base-url", kfq_sandbox.base_url, "--token", "WRONG"]) == 1
    lines = [line for line in output.readouterr().out.splitlines() if "remedy: " not in line]
    assert [line.split()[0] for line in lines] == ["ok"] * 7 + ["failed"]
    assert {line.index(line.split()[1]) for line in lines} == {8}


@pytest.mark.parametrize(
    ("token", "status", "finding"),
    [
        (TOKEN, "ok", "accepts it"),
        ("WRONG", "failed", "token invalid"),
        (STOPPED_TOKEN, "failed", "developer disabled"),
        ("T" * 65, "unknown", "neither accepts nor refuses it"),
        ("“T”", "failed", "printable ASCII"),
        (None, "unknown", "none was given"),
    ],
)
def test_self_hosted(token: str | None, status: str, finding: str, output: pytest.CaptureFixture[str]) -> None:
    """A platform without identification links is recognised, and the token is tried there."""
    with Sandbox(fixtures=fixtures_document()) as sandbox:
        options = [] if token is None else ["--token", token]
        checks = diagnose(output, "--base-url", sandbox.base_url, *options)
    assert "no identification links" in checks["edition"]["finding"]
    assert checks["token"]["status"] == status
    assert finding in checks["token"]["finding"]
    assert bool(checks["token"]["remedy"]) == (status == "failed" or token is None)


@pytest.mark.parametrize(
    ("path", "name", "texts"),
    [
        ("", "platform", ("did you mean", "give --base-url {origin}/resrun-paas, where its API responds")),
        ("/wrong", "platform", ("did you mean {origin}/resrun-paas ?", "give --base-url {origin}/resrun-paas, where")),
        (
            "/resrun-paas/paas",
            "platform",
            (f"without an API at {{origin}}/resrun-paas/paas{API_PATH}", "give --base-url {origin}/resrun-paas, where"),
        ),
        ("/resrun-paas/resrun-paas", "base-url", ("more than once", "give --base-url {origin}/resrun-paas")),
        (f"/resrun-paas{API_PATH}", "base-url", ("API path", "give --base-url {origin}/resrun-paas")),
        ("/resrun-paas/kaifangqian/openapi/v2/", "base-url", ("API path", "give --base-url {origin}/resrun-paas")),
        ("/resrun-paas?x=1", "base-url", ("query", "give --base-url, such as https://")),
    ],
)
def test_wrong_paths(
    path: str, name: str, texts: tuple[str, str], kfq_sandbox: Sandbox, output: pytest.CaptureFixture[str]
) -> None:
    """A base URL with a wrong path fails with the right one; later checks are listed as not made."""
    checks = diagnose(output, "--base-url", f"{kfq_sandbox.origin}{path}", "--token", "T")
    assert checks[name]["status"] == "failed"
    finding, remedy = (text.format(origin=kfq_sandbox.origin) for text in texts)
    assert finding in checks[name]["finding"]
    assert remedy in checks[name]["remedy"]
    assert statuses(checks)["token"] == statuses(checks)["edition"] == "unknown"
    assert checks["token"]["finding"] == "not checked: an earlier check failed"


def test_no_connection(output: pytest.CaptureFixture[str]) -> None:
    """A server that does not listen fails with the cause and a remedy, and so does a hook."""
    checks = diagnose(output, "--base-url", NOWHERE, "--callback-url", "http://127.0.0.1:1/hook")
    assert "ECONNREFUSED" in checks["connection"]["finding"]
    assert "--trust-env" in checks["connection"]["remedy"]
    assert statuses(checks)["clock"] == "unknown"
    assert statuses(checks)["hook"] == "failed"


@pytest.mark.parametrize(("seconds", "status"), [(-400, "failed"), (400, "failed"), (200, "ok")])
def test_clock(seconds: int, status: str, output: pytest.CaptureFixture[str]) -> None:
    """Clocks may differ by five minutes; the direction is named."""
    with Sandbox(clock=lambda: time.time() + seconds) as sandbox:
        checks = diagnose(output, "--base-url", sandbox.base_url)
    assert checks["clock"]["status"] == status
    assert ("ahead" if seconds > 0 else "behind") in checks["clock"]["finding"]
    assert bool(checks["clock"]["remedy"]) == (status == "failed")


def test_unknown_hook(kfq_sandbox: Sandbox, output: pytest.CaptureFixture[str]) -> None:
    """With a base URL that is invalid, a hook on this machine is judged by the hosted platform."""
    checks = diagnose(output, "--base-url", "nonsense", "--hook", f"{kfq_sandbox.origin}/hook")
    assert "is this machine" in checks["hook"]["finding"]


async def test_tls(tmp_path: Path, output: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """An unknown authority fails with the means to trust it; once it is trusted, the check passes.

    With --trust-env it goes through the proxy of the environment, and otherwise says that it does not.
    """
    authority = trustme.CA()

    async def respond(_number: int, request: ReceivedRequest) -> bytes:
        code = 41000 if "appAuthToken" in request.target else 40000
        return http_response({"code": code, "message": "", "result": None, "timestamp": None})

    async with ForwardProxy() as proxy, ScriptedServer(respond, ssl=server_context(authority, "127.0.0.1")) as server:
        arguments, named = ["--base-url", server.base_url, "--token", "T"], f"{proxy.url} of the environment"
        untrusted = await asyncio.to_thread(diagnose, output, *arguments)
        authority.cert_pem.write_to_path(tmp_path / "ca.pem")
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
        monkeypatch.setenv("https_proxy", proxy.url)
        direct = await asyncio.to_thread(diagnose, output, *arguments)
        assert proxy.tunnels == []
        proxied = await asyncio.to_thread(diagnose, output, *arguments, "--trust-env")
        assert set(proxy.tunnels) == {server.origin.removeprefix("https://")}
    assert "unable to get local issuer certificate" in untrusted["connection"]["finding"]
    assert "SSL_CERT_FILE" in untrusted["connection"]["remedy"]
    assert direct["connection"] == proxied["connection"]
    assert "its certificate is trusted" in direct["connection"]["finding"]
    assert direct["proxy"]["finding"] == f"{named} is not used"
    assert "trust_env=True" in direct["proxy"]["remedy"]
    assert proxied["proxy"]["finding"] == f"{named} is used"
    assert statuses(proxied)["token"] == "failed"
    assert statuses(proxied)["clock"] == "unknown"


@pytest.mark.parametrize(
    ("name", "year", "texts"),
    [
        ("other.example", 2100, ("IP address mismatch", "give the host name")),
        ("127.0.0.1", 2020, ("certificate has expired", "renew the certificate")),
    ],
)
async def test_certificates(
    name: str, year: int, texts: tuple[str, str], output: pytest.CaptureFixture[str], trusted: trustme.CA
) -> None:
    """A certificate of a trusted authority that is not valid has the remedy for its fault."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trusted.issue_cert(name, not_after=datetime(year, 1, 1, tzinfo=UTC)).configure_cert(context)

    async def respond(_number: int, _request: ReceivedRequest) -> bytes:
        return http_response("never")

    async with ScriptedServer(respond, ssl=context) as server:
        checks = await asyncio.to_thread(diagnose, output, "--base-url", server.base_url)
    assert texts[0] in checks["connection"]["finding"]
    assert texts[1] in checks["connection"]["remedy"]


def test_https_without_tls(kfq_sandbox: Sandbox, output: pytest.CaptureFixture[str]) -> None:
    """A server that speaks plain HTTP under an https URL is recognised."""
    checks = diagnose(output, "--base-url", kfq_sandbox.base_url.replace("http://", "https://"))
    assert "does not speak TLS" in checks["connection"]["finding"]
    assert "starts with http://" in checks["connection"]["remedy"]


def test_invalid_proxy(output: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy that cannot be used fails under its variable, for the platform and for the hook."""
    monkeypatch.setenv("all_proxy", "socks5://127.0.0.1:1")
    checks = diagnose(output, "--base-url", NOWHERE, "--hook", "http://127.0.0.1:1/hook", "--trust-env")
    for name in ("proxy", "hook"):
        assert checks[name]["status"] == "failed"
        assert "all_proxy of the environment" in checks[name]["finding"]
        assert checks[name]["remedy"] == "correct --proxy, or the variable of the environment"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--hook", "not a URL"], "--hook must be like https://"),
        (["--timeout", "0"], "--timeout must be more than 0 seconds, and finite, not 0"),
        (["--timeout", "nan"], "--timeout must be more than 0 seconds"),
    ],
)
def test_usage_errors(options: list[str], message: str, output: pytest.CaptureFixture[str]) -> None:
    """An invalid option is a usage error that names it."""
    assert run(["doctor", *options]) == 2
    assert message in output.readouterr().err
