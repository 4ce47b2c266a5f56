"""Findings about responses of platforms, gateways and one's own service."""

from __future__ import annotations

import orjson
import pytest
from yarl import URL

from kfq_async.cli.doctor.checks import (
    check_base_url,
    check_clock,
    check_connection,
    check_edition,
    check_hook,
    check_other_url,
    check_platform,
    check_token,
    usual_url,
)
from kfq_async.cli.findings import Check, Status
from kfq_async.errors import AttemptTimeout, CertificateError, ConnectError, KfqError, Phase, ProxyError, ServerError
from kfq_async.protocol.responses import HttpResponse

BASE_URL = "https://sign.example.com/resrun-paas"
HOOK = URL("https://your-domain.com/kfq/notify")
OK, FAILED, UNKNOWN = Status.OK, Status.FAILED, Status.UNKNOWN
LOST = AttemptTimeout("no complete response", phase=Phase.SENT)
HTML = HttpResponse(200, {"Content-Type": "text/html"}, b"<html>")


def envelope(code: int, *, success: bool | None = None, timestamp: object = None, status: int = 200) -> HttpResponse:
    """Return a response with an envelope, the internal one if ``success`` is given."""
    data: dict[str, object] = {"code": code, "message": "", "result": None, "timestamp": timestamp}
    if success is not None:
        data["success"] = success
    return HttpResponse(status, {}, orjson.dumps(data))


ROOT = envelope(200, success=True)
NO_TOKEN = envelope(40000)
HIDDEN = envelope(401, success=True, status=401)
WRONG_METHOD = envelope(405, success=False)
UNHANDLED = envelope(500, success=False)


@pytest.mark.parametrize(
    ("root", "contracts", "status", "finding"),
    [
        (ROOT, NO_TOKEN, OK, "its API responds"),
        (HTML, NO_TOKEN, OK, "its API responds"),
        (ROOT, envelope(10000), OK, "its API responds"),
        (ROOT, HIDDEN, FAILED, f"a platform responds, without an API at {BASE_URL}/kaifangqian/openAPI/V2"),
        (HTML, HIDDEN, FAILED, "a platform responds"),
        (ROOT, HTML, FAILED, "a platform responds"),
        (HTML, HTML, FAILED, "UnexpectedResponse: HTTP 200 with 6 bytes of text/html"),
        (HTML, LOST, FAILED, "AttemptTimeout: no complete response"),
    ],
)
def test_platform(root: HttpResponse, contracts: HttpResponse | KfqError, status: Status, finding: str) -> None:
    """The API counts; what a platform answers besides tells whether the path or the host is wrong."""
    check = check_platform(BASE_URL, root, contracts)
    assert (check.status, check.finding[: len(finding)]) == (status, finding)
    assert ("context path" in check.remedy) == (status is FAILED)


@pytest.mark.parametrize(
    ("response", "remedy"),
    [(NO_TOKEN, "give --base-url https://h.example/resrun-paas, where its API responds"), (HTML, "r"), (LOST, "r")],
)
def test_other_url(response: HttpResponse | KfqError, remedy: str) -> None:
    """The usual context path is the remedy if the API responds there."""
    found = check_other_url(Check("platform", FAILED, "f", "r"), usual_url("https://h.example/wrong"), response)
    assert found == Check("platform", FAILED, "f", remedy)


def test_doubled_context_path() -> None:
    """A context path that was given twice is named as such."""
    found = check_base_url("https://h.example/resrun-paas/resrun-paas")
    assert (found.status, found.finding) == (FAILED, "its path holds /resrun-paas more than once")
    assert found.remedy == "give --base-url https://h.example/resrun-paas"


@pytest.mark.parametrize(
    ("contracts", "links", "status", "finding"),
    [
        (NO_TOKEN, WRONG_METHOD, OK, "contracts and identification links"),
        (NO_TOKEN, NO_TOKEN, OK, "contracts and identification links"),
        (NO_TOKEN, HIDDEN, OK, "contracts, and no identification links"),
        (NO_TOKEN, UNHANDLED, UNKNOWN, "whether it offers identification links is unknown"),
        (NO_TOKEN, envelope(404, success=False), UNKNOWN, "whether it offers identification links is unknown"),
        (NO_TOKEN, LOST, UNKNOWN, "the response: AttemptTimeout: no complete response"),
        (envelope(10000), WRONG_METHOD, UNKNOWN, "whether it offers contracts is unknown"),
    ],
)
def test_edition(contracts: HttpResponse, links: HttpResponse | KfqError, status: Status, finding: str) -> None:
    """Only documented responses tell whether an operation exists."""
    check = check_edition(BASE_URL, contracts, links)
    assert check.status is status
    assert finding in check.finding


@pytest.mark.parametrize(
    ("response", "status"),
    [
        (envelope(40000, timestamp=1_750_000_000_000), OK),
        (envelope(40000, timestamp="1750000290"), OK),
        (envelope(40000, timestamp=1_750_000_301_000), FAILED),
        (HttpResponse(200, {"Date": "Sun, 15 Jun 2025 15:06:40 GMT"}, b"<html>"), OK),
        (HttpResponse(200, {"Date": "Sun, 15 Jun 2025 15:16:40 GMT"}, NO_TOKEN.body), FAILED),
        (HttpResponse(200, {"Date": "Sun, 15 Jun 2025 15:06:40 -0000"}, b"[]"), UNKNOWN),
        (HttpResponse(200, {"Date": "soon"}, b"{}"), UNKNOWN),
        (NO_TOKEN, UNKNOWN),
        (LOST, UNKNOWN),
    ],
)
def test_clock(response: HttpResponse | KfqError, status: Status) -> None:
    """The envelope's time is compared, else the header's; without either nothing is claimed."""
    assert check_clock(response, 1_750_000_000.0).status is status


@pytest.mark.parametrize(
    ("offset", "found"),
    [
        (0.9, "agrees with that of this machine"),
        (-0.9, "agrees with that of this machine"),
        (1.0, "is 1.0 s behind"),
        (-1.0, "is 1.0 s ahead"),
    ],
)
def test_offset_of_the_clock(offset: float, found: str) -> None:
    """A header tells whole seconds, so that less than one is no difference."""
    response = HttpResponse(200, {"Date": "Sun, 15 Jun 2025 15:06:40 GMT"}, b"[]")
    check = check_clock(response, 1_750_000_000.0 + offset)
    assert (check.status, check.finding) == (OK, f"the platform's clock {found}")


@pytest.mark.parametrize(
    ("base_url", "response", "status", "remedy"),
    [
        (BASE_URL, ROOT, OK, ""),
        ("http://kfq.localhost:8899/resrun-paas", ROOT, OK, ""),
        ("http://10.0.0.5:8899/resrun-paas", ROOT, UNKNOWN, "plain text"),
        (BASE_URL, CertificateError("certificate has expired"), FAILED, "renew the certificate"),
        (BASE_URL, CertificateError("Hostname mismatch, certificate is not valid"), FAILED, "give the host name"),
        (BASE_URL, CertificateError("unable to get local issuer certificate"), FAILED, "SSL_CERT_FILE"),
        (BASE_URL, ProxyError("no", http_status=407), FAILED, "check the proxy"),
        (BASE_URL, ConnectError("no"), FAILED, "--trust-env"),
    ],
)
def test_connection(base_url: str, response: HttpResponse | KfqError, status: Status, remedy: str) -> None:
    """A failure has the remedy for its kind; whether a network can be trusted without TLS is left open."""
    check = check_connection(base_url, response)
    assert check.status is status
    assert remedy in check.remedy
    assert bool(check.remedy) == bool(remedy)


@pytest.mark.parametrize(
    ("error", "status"),
    [(None, OK), (LOST, UNKNOWN), (ServerError(500, None, http_status=200, meaning="unhandled"), UNKNOWN)],
)
def test_token(error: KfqError | None, status: Status) -> None:
    """Only the platform's own verdict counts."""
    assert check_token(error).status is status


@pytest.mark.parametrize(
    ("hook", "response", "status", "finding"),
    [
        (HOOK, HttpResponse(405, {}, b""), OK, "cannot be seen from this machine"),
        (HOOK, HttpResponse(404, {}, b""), UNKNOWN, "does not tell"),
        (HOOK, HttpResponse(301, {}, b""), FAILED, "HTTP 301"),
        (HOOK, HttpResponse(502, {}, b""), FAILED, "HTTP 502"),
        (HOOK, CertificateError("no"), FAILED, "CertificateError: no"),
        (URL("http://localhost:8000/notify"), HttpResponse(405, {}, b""), FAILED, "is this machine"),
    ],
)
def test_hook(hook: URL, response: HttpResponse | KfqError, status: Status, finding: str) -> None:
    """Any response of the service will do; redirects, gateways, and names of this machine will not."""
    check = check_hook(hook, response, BASE_URL)
    assert check.status is status
    assert finding in check.finding
    assert bool(check.remedy) == (status is not OK)
