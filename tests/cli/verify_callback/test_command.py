"""`kfq verify-callback` on notifications that were saved whole, or altered on the way."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import attrs
import pytest
from cryptography.hazmat.primitives import serialization

from kfq_async import AsyncSession, CallbackUrls, CorpIdentLinkRequest
from kfq_async.cli.app import run
from kfq_async.sandbox import Sandbox
from receivers import acknowledge
from senders import APP_ID, NOW, PATH, SIGNED, make_body, private_key, signed_event_headers, signed_headers
from servers import ReceivedRequest, ScriptedServer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

BODY = make_body()
EVENT = make_body(SIGNED)
SECRET = "00112233445566778899aabbccddeeff"
NOTIFY = f"https://your-domain.com{PATH}"


def key_file(folder: Path, key: RSAPrivateKey, number: int = 1) -> str:
    """Write a public key as PEM, and return the name of the file."""
    file = folder / f"key{number}.pem"
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    file.write_bytes(key.public_key().public_bytes(serialization.Encoding.PEM, form))
    return str(file)


@attrs.frozen
class Command:
    """The command with files in a folder."""

    folder: Path
    output: pytest.CaptureFixture[str]

    def __call__(self, body: bytes, headers: Mapping[str, str] | str, *options: str) -> dict[str, dict[str, str]]:
        """Run it with --json and the key of the tests, and return the checks by their names."""
        (self.folder / "body").write_bytes(body)
        head = headers if isinstance(headers, str) else "".join(f"{name}: {headers[name]}\n" for name in headers)
        (self.folder / "head").write_text(head, encoding="utf-8")
        files = ["--body", str(self.folder / "body"), "--headers", str(self.folder / "head")]
        status = run(["verify-callback", "--json", *files, *options])
        shown = self.output.readouterr().out
        document: dict[str, Any] = json.loads(shown)
        checks = {check.pop("name"): check for check in document["checks"]}
        failed = any(check["status"] == "failed" for check in checks.values())
        assert (status, document["ok"]) == (int(failed), not failed)
        for secret in ("张三", "110101199001011234", "13800138000", "ORDER-1", "nonce-1", APP_ID, SECRET):
            assert secret not in shown
        return checks

    def identity(self, body: bytes, headers: Mapping[str, str], path: str = PATH, *more: str) -> dict[str, str]:
        """Return the check of an identity notification's signature."""
        key = key_file(self.folder, private_key())
        checks = self(body, headers, "--path", path, "--app-id", APP_ID, "--public-key", key, *more)
        return checks["signature"]

    def event(self, body: bytes, headers: Mapping[str, str]) -> dict[str, str]:
        """Return the check of a contract event's signature."""
        return self(body, headers, "--event", "--public-key", key_file(self.folder, private_key()))["signature"]


@pytest.fixture
def command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    """The command."""
    return Command(tmp_path, capsys)


def test_everything_holds(
    command: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Signature and URL of a notification hold; each step has its line, and names no value."""
    monkeypatch.setenv("KFQ_CALLBACK_SECRET", SECRET)
    urls = CallbackUrls([bytes.fromhex(SECRET)], page=NOTIFY, notify=NOTIFY)
    bound = urls.bind(CorpIdentLinkRequest(client_request_id="row-1")).auth_callback_url or ""
    path = bound.removeprefix("https://your-domain.com")
    keys = [key_file(tmp_path, private_key(number=number), number) for number in (1, 0)]
    head = f"POST {path} HTTP/1.1\n" + "".join(f"> {n}: {v}\n" for n, v in signed_headers(BODY, path=path).items())
    options = [
        "--app-id",
        APP_ID,
        "--notify",
        NOTIFY,
        "--received",
        f"{NOW:.0f}",
        *(f"--public-key={key}" for key in keys),
    ]
    checks = command(BODY, head, *options)
    assert {check["status"] for check in checks.values()} == {"ok"}
    assert checks["signature"]["finding"] == "it holds, under key 2 of 2"
    assert checks["url"]["finding"] == "it holds, for clientRequestId row-1"
    files = ["--body", str(tmp_path / "body"), "--headers", str(tmp_path / "head")]
    assert run(["verify-callback", *files, *options]) == 0
    lines = capsys.readouterr().out.splitlines()
    names = ["body", "headers", "appId", "freshness", "signature", "url", "fields"]
    assert [line.split()[:2] for line in lines] == [["✓", name] for name in names]


@pytest.mark.parametrize(
    ("saved", "signed", "more", "finding", "remedy"),
    [
        ("/auth", "/hooks/kfq/auth", ["--notify", NOTIFY], "removed the prefix /hooks/kfq", "public_path='/hooks/kfq'"),
        ("/inner", "/hooks/kfq/auth", ["--notify", NOTIFY], "rewrote the path of --notify", "public_path=a function"),
        ("/kfq/auth/x.y", "/hooks/kfq/auth/x.y", ["--notify", NOTIFY], "removed the prefix /hooks ", "='/hooks'"),
        ("/app/hooks/kfq", "/hooks/kfq", [], "put the prefix /app in front", "public_path=a function"),
        ("/hooks/", "/hooks", [], "a slash was added", "path unchanged"),
        ("/hooks", "/hooks/", [], "a slash was added", "path unchanged"),
        ("/hooks/甲 b", f"/hooks/{quote('甲 b')}", [], "percent-decoded", "raw path"),
        (f"/hooks/{quote('甲 b')}", "/hooks/甲 b", [], "percent-decoded", "raw path"),
        ("/hooks?x=1", "/hooks", [], "has a query", "without its query"),
    ],
)
def test_altered_paths(  # noqa: PLR0917  # one case each
    saved: str, signed: str, more: list[str], finding: str, remedy: str, command: Command
) -> None:
    """What a proxy did to the path is found, with the setting that undoes it."""
    check = command.identity(BODY, signed_headers(BODY, path=signed), saved, *more)
    assert check["status"] == "failed"
    assert finding in check["finding"]
    assert remedy in check["remedy"]


@pytest.mark.parametrize(
    ("alter", "finding"),
    [
        (lambda body: b"\xef\xbb\xbf" + body, "byte order mark"),
        (lambda body: body.decode("latin-1").encode(), "read as Latin-1"),
        (lambda body: body.decode().encode("gb18030"), "converted from UTF-8 to GBK"),
    ],
)
def test_altered_bodies(alter: Any, finding: str, command: Command) -> None:
    """Another encoding of the body is found, of notifications and of events."""
    assert finding in command.identity(alter(BODY), signed_headers(BODY))["finding"]
    assert finding in command.event(alter(EVENT), signed_event_headers(EVENT))["finding"]


def test_notation_does_not_matter_for_notifications(command: Command) -> None:
    """The signature of a notification covers the JSON's values; that of an event covers its bytes."""
    written = json.dumps(json.loads(BODY), indent=1, sort_keys=True).encode()
    assert command.identity(written, signed_headers(BODY))["status"] == "ok"
    for text, finding in (
        (json.dumps(json.loads(EVENT)).encode(), "parsed and written again"),
        (EVENT + b"\r\n", "white space was added"),
    ):
        assert finding in command.event(text, signed_event_headers(EVENT))["finding"]
    two_lines = b'{\n"contractId": "C1"}'
    converted = two_lines.replace(b"\n", b"\r\n")
    assert "line ends" in command.event(converted, signed_event_headers(two_lines))["finding"]


@pytest.mark.parametrize(
    ("alter", "finding"),
    [
        (lambda sign: sign.replace("+", " "), "+ became a space"),
        (lambda sign: quote(sign, safe=""), "percent-encoded"),
        (lambda sign: sign.replace("+", "-").replace("/", "_"), "URL-safe alphabet"),
        (lambda sign: sign.rstrip("="), "padding"),
        (lambda sign: sign[:-4], "bytes, and those of the keys have 256"),
        (lambda _: "?", "not base64"),
    ],
)
def test_altered_signatures(alter: Any, finding: str, command: Command) -> None:
    """What happened to the header is found."""
    headers = next(
        signed
        for signed in (signed_headers(BODY, nonce=f"{number}") for number in range(1000))
        if {"+", "/", "="} <= set(signed["sign"])
    )
    check = command.identity(BODY, {**headers, "sign": alter(headers["sign"])})
    assert check["status"] == "failed"
    assert finding in check["finding"]


def test_keys_and_content(command: Command) -> None:
    """A wrong key is told from content that was changed, and one kind of notification from the other."""
    other = signed_headers(BODY, by=private_key(number=1))
    assert command.identity(BODY, other)["finding"] == "none of the keys made it"
    changed = command.identity(make_body(orderStatus=3), signed_headers(BODY))
    assert "key 1 of 1 made it, for another request: body, path, nonce, timestamp or appId" in changed["finding"]
    assert "give --notify" in changed["remedy"]
    given = command.identity(make_body(orderStatus=3), signed_headers(BODY), PATH, "--notify", NOTIFY)
    assert "compare --notify with the URL that the platform has" in given["remedy"]
    unreadable = command.identity(b"no JSON", signed_headers(BODY))
    assert "for another request" in unreadable["finding"]
    event = command.event(EVENT[:-1] + b" ,}", signed_event_headers(EVENT))
    assert "for another request: body changed" in event["finding"]
    as_event = {**signed_headers(EVENT), **signed_event_headers(EVENT)}
    assert "it is a contract event" in command.identity(EVENT, as_event)["finding"]
    assert "it is an identity notification" in command.event(BODY, signed_headers(BODY, path="/"))["finding"]
    foreign = command.identity(BODY, {**signed_headers(BODY), "appId": "OTHER"})
    assert "the header appId was changed" in foreign["finding"]


def test_two_alterations(command: Command) -> None:
    """Several alterations at once are named together."""
    check = command.identity(
        b"\xef\xbb\xbf" + BODY, {**signed_headers(BODY), "sign": signed_headers(BODY)["sign"].rstrip("=")}, f"{PATH}/"
    )
    assert all(part in check["finding"] for part in ("padding", "byte order mark", "slash"))
    assert "; " in check["remedy"]


@pytest.mark.parametrize(
    ("received", "status", "finding"),
    [
        ([], "unknown", "not known"),
        (["--received", f"{NOW:.0f}000"], "ok", "0.0 s after"),
        (["--received", "2025-06-15T15:11:41Z"], "failed", "301.0 s after"),
        (["--received", "2025-06-15T15:01:39Z"], "failed", "301.0 s before"),
        (["--received", "2025-06-15T15:11:41Z", "--tolerance", "600"], "ok", "301.0 s after"),
    ],
)
def test_freshness(received: list[str], status: str, finding: str, command: Command, tmp_path: Path) -> None:
    """The timestamp is compared with the time of reception, and with no other."""
    key = key_file(tmp_path, private_key())
    options = ["--path", PATH, "--app-id", APP_ID, "--public-key", key, *received]
    checks = command(BODY, signed_headers(BODY), *options)
    assert checks["freshness"]["status"] == status
    assert finding in checks["freshness"]["finding"]
    checks = command(BODY, signed_headers(BODY, timestamp="now"), *options)
    assert checks["freshness"]["finding"] == "the timestamp is not a number of milliseconds"


@pytest.mark.parametrize(
    ("body", "more", "finding"),
    [
        (BODY[:-1], {"Content-Length": str(len(BODY))}, "it was truncated: Content-Length says"),
        (BODY + b"x", {"Content-Length": str(len(BODY))}, "it was extended: Content-Length says"),
        (BODY + b"\r\n", {"Content-Length": str(len(BODY))}, "it was extended: Content-Length says"),
        (BODY, {"Content-Length": str(len(BODY) + 21)}, "it was re-encoded: Content-Length says"),
        (BODY, {"Content-Length": str(len(BODY) - 21)}, "it was re-encoded: Content-Length says"),
        (BODY[:-1], {}, "it was truncated: the JSON does not end"),
        (b'{"name": "', {}, "it was truncated: the JSON does not end"),
        (b'{"name" "x"}', {}, "not a JSON object"),
        (b"\xff", {}, "not a JSON object"),
        (b"[" * 100_000, {}, ""),
        (BODY, {"Content-Length": "1", "Content-Encoding": "gzip"}, None),
    ],
)
def test_bodies(body: bytes, more: dict[str, str], finding: str | None, command: Command, tmp_path: Path) -> None:
    """A body that is not whole is told from one that is no JSON; a compressed one has another length."""
    key = key_file(tmp_path, private_key())
    checks = command(body, {**signed_event_headers(body), **more}, "--event", "--public-key", key)
    assert checks["body"]["status"] == ("ok" if finding is None else "failed")
    assert finding is None or finding in checks["body"]["finding"]
    assert checks["fields"]["status"] == "failed"


def test_headers(command: Command, tmp_path: Path) -> None:
    """Headers that are missing or repeated are named, and what depends on them is left out."""
    options = ["--path", PATH, "--app-id", APP_ID, "--public-key", key_file(tmp_path, private_key())]
    headers = {"sign": "x", "nonce": " "}
    checks = command(BODY, json.dumps([*headers.items(), ("Sign", "y")]), *options)
    assert checks["headers"]["status"] == "failed"
    assert [name in checks["headers"]["finding"] for name in ("appId", "nonce", "timestamp", "sign")] == [True] * 4
    assert checks.keys() == {"body", "headers", "fields"}
    checks = command(BODY, json.dumps({**signed_headers(BODY), "appId": ["OTHER"]}), *options)
    assert (checks["headers"]["status"], checks["appId"]["status"]) == ("ok", "failed")


def test_bound_urls(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """The URL alone can be the proof; what is wrong with the path is named."""
    monkeypatch.setenv("KFQ_CALLBACK_SECRET", SECRET)
    urls = CallbackUrls([bytes.fromhex(SECRET)], page=NOTIFY, notify=NOTIFY)
    request = urls.bind(CorpIdentLinkRequest(client_request_id="row-1"))
    notify, page = (
        (url or "").removeprefix("https://your-domain.com")
        for url in (request.auth_callback_url, request.callback_page)
    )
    segment = notify.rpartition("/")[2]
    cases = {
        notify: "it holds, for clientRequestId row-1",
        page: "it is the URL of the page",
        f"/auth/{segment}": "removed the prefix /hooks/kfq of the path",
        f"/other/{segment}": "rewrote the path of --notify",
        f"{notify}/": "a slash was added at the end",
        f"/app{notify}": "put the prefix /app in front",
        PATH: "carries no id with its HMAC",
        notify.lower(): "made with another secret, or altered",
    }
    for path, finding in cases.items():
        checks = command(BODY, "", "--path", path, "--notify", NOTIFY)
        assert checks.keys() == {"body", "url", "fields"}
        assert finding in checks["url"]["finding"]
        assert (checks["url"]["status"] == "ok") == (path == notify)
        assert bool(checks["url"]["remedy"]) == (path != notify)


def test_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With --body - the body is read from standard input; empty lines between headers do not matter."""
    (tmp_path / "head").write_text("".join(f"{n}: {v}\n\n" for n, v in signed_event_headers(EVENT).items()))
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(EVENT)))
    files = ["--body", "-", "--headers", str(tmp_path / "head"), "--public-key", key_file(tmp_path, private_key())]
    assert run(["verify-callback", "--event", *files]) == 0


@pytest.mark.parametrize(
    ("options", "secret", "message"),
    [
        (["--event"], None, "give --public-key, or --notify with KFQ_CALLBACK_SECRET"),
        (["--path", "/x", "--notify", NOTIFY], None, "give --public-key, or --notify with KFQ_CALLBACK_SECRET"),
        (["--public-key", "KEY", "--app-id", "A"], None, "--path is missing"),
        (["--public-key", "KEY", "--path", "/x"], None, "--public-key needs --app-id"),
        (["--public-key", "KEY", "--app-id", "A", "--event"], None, "--public-key needs --app-id"),
        (["--public-key", "/nowhere", "--event"], None, "--public-key /nowhere: No such file"),
        (["--public-key", "HEAD", "--event"], None, "neither PEM, nor bare base64"),
        (["--public-key", "KEY", "--event", "--received", "noon"], None, "--received must be a number of seconds"),
        (["--public-key", "KEY", "--event", "--tolerance", "-1"], None, "--tolerance must be at least 0 seconds"),
        (["--public-key", "KEY", "--event", "--notify", "http://["], None, "--notify must be like https://"),
        (["--path", "/x", "--notify", NOTIFY], "no digits", "KFQ_CALLBACK_SECRET must hold hexadecimal digits"),
        (["--path", "/x", "--notify", NOTIFY], "00", "--notify or KFQ_CALLBACK_SECRET: a secret has 1 bytes"),
        (["--path", "/x", "--notify", "nonsense"], SECRET, "--notify or KFQ_CALLBACK_SECRET: page must be like"),
    ],
)
def test_usage_errors(
    options: list[str],
    secret: str | None,
    message: str,
    tmp_path: Path,
    environment: pytest.MonkeyPatch,
) -> None:
    """An invalid option is a usage error that names it."""
    if secret is not None:
        environment.setenv("KFQ_CALLBACK_SECRET", secret)
    (tmp_path / "head").write_text("sign: x\n")
    names = {"KEY": key_file(tmp_path, private_key()), "HEAD": str(tmp_path / "head")}
    files = ["--body", str(tmp_path / "head"), "--headers", str(tmp_path / "head")]
    shown = run_with_errors(["verify-callback", *files, *(names.get(option, option) for option in options)])
    assert message in shown


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The environment without a secret."""
    monkeypatch.delenv("KFQ_CALLBACK_SECRET", raising=False)
    return monkeypatch


@pytest.mark.parametrize(
    ("head", "message"),
    [
        (b"no colon", "line 1 is not like `Name: value`"),
        (b"a: b\n: c", "line 2 is not like `Name: value`"),
        (b"\xff", "it is not UTF-8"),
        (b"{", "neither a JSON object of headers, nor an array of pairs"),
        (b'["a"]', "neither a JSON object of headers, nor an array of pairs"),
        (b'{"a": 1}', "a header is not text"),
    ],
)
def test_headers_that_cannot_be_read(head: bytes, message: str, tmp_path: Path) -> None:
    """A file of headers in another form is a usage error that names the file."""
    (tmp_path / "head").write_bytes(head)
    shown = run_with_errors(["verify-callback", "--body", "x", "--headers", str(tmp_path / "head")])
    assert f"--headers {tmp_path / 'head'}: " in shown
    assert message in shown


def run_with_errors(arguments: list[str]) -> str:
    """Run a command that is used wrongly, and return its error output."""
    stream = io.StringIO()
    standard, sys.stderr = sys.stderr, stream
    try:
        assert run(arguments) == 2
    finally:
        sys.stderr = standard
    return stream.getvalue()


async def notify() -> tuple[ReceivedRequest, str]:
    """Return a notification as a server received it from a sandbox, and the sandbox's key."""
    async with ScriptedServer(acknowledge) as server, Sandbox(app_id=APP_ID, retry_after=[]) as sandbox:
        request = CorpIdentLinkRequest(account_name="13800138000", auth_callback_url=f"{server.origin}{PATH}")
        async with AsyncSession(sandbox.token, base_url=sandbox.base_url) as session:
            sandbox.complete((await session.auth.corp_ident_link(request)).order_no)
        await sandbox.wait_for_notifications()
    return server.requests[0], sandbox.public_key


def test_notification_of_the_sandbox(command: Command, tmp_path: Path) -> None:
    """What the sandbox sends holds as it was received, and a rewritten path is found there, too."""
    received, key = asyncio.run(notify())
    (tmp_path / "key.txt").write_text(key)
    head = "".join(f"{name}: {value}\r\n" for name, value in received.headers.items())
    options = ["--public-key", str(tmp_path / "key.txt"), "--app-id", APP_ID, "--notify", NOTIFY]
    checks = command(received.body, f"POST {received.target} HTTP/1.1\r\n{head}\r\n", *options)
    assert {name: check["status"] for name, check in checks.items() if check["status"] != "ok"} == {
        "freshness": "unknown"
    }
    checks = command(received.body, head, "--path", "/auth", *options)
    assert "the proxy removed the prefix /hooks/kfq" in checks["signature"]["finding"]


def test_base64_of_the_key(command: Command, tmp_path: Path) -> None:
    """A key may be given in the form that the platform's pages show."""
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    der = private_key().public_key().public_bytes(serialization.Encoding.DER, form)
    (tmp_path / "key.txt").write_text(base64.b64encode(der).decode() + "\n")
    checks = command(EVENT, signed_event_headers(EVENT), "--event", "--public-key", str(tmp_path / "key.txt"))
    assert checks["signature"]["status"] == "ok"
