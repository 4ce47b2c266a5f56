"""``kfq sandbox complete`` and the like: a sandbox that runs in another process, driven from scripts."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from typing import Annotated, Any
from urllib.parse import quote

from attrs import frozen
from cyclopts import Parameter
from rich.console import Console

from kfq_async.cli.options import JsonOutput, UsageError
from kfq_async.cli.terminal import print_error, print_json, print_line
from kfq_async.languages import translate
from kfq_async.models.notifications import IdentityStatus
from kfq_async.models.urls import parse_http_url

__all__ = ["COMMANDS"]

DEFAULT_SANDBOX = "http://127.0.0.1:8899/resrun-paas"
TIMEOUT = 30.0
"""Seconds that the sandbox has for its response."""


class SandboxError(Exception):
    """The sandbox cannot do what was asked; the message is its own."""


@frozen(kw_only=True)
class ControlOptions:
    """Options of every command.

    Parameters
    ----------
    base_url
        Base URL that `kfq sandbox` prints.
    json_
        Print JSON instead of text.
    """

    base_url: Annotated[str, Parameter(name="--base-url", env_var="KFQ_BASE_URL")] = DEFAULT_SANDBOX
    json_: JsonOutput = False


Options = Annotated[ControlOptions, Parameter(name="*")]
DEFAULT_OPTIONS = ControlOptions()


def complete(order: str, /, *, options: Options = DEFAULT_OPTIONS) -> int:
    """Complete the identification of an order of a running sandbox: orderStatus 1.

    The page is submitted as it is filled in, and the notification is sent. Exit status: 0 success, 1 the sandbox
    cannot do it or does not run, 2 usage error.

    Parameters
    ----------
    order
        orderNo, as `kfq link` and `kfq sandbox orders` print it.
    """
    return _act(options, order, "complete", {})


def review(order: str, /, *, options: Options = DEFAULT_OPTIONS) -> int:
    """Submit the page of an order, and leave the identification in progress: orderStatus 2.

    Parameters
    ----------
    order
        orderNo, as `kfq link` and `kfq sandbox orders` print it.
    """
    return _act(options, order, "review", {})


def abandon(order: str, /, *, options: Options = DEFAULT_OPTIONS) -> int:
    """Abandon the identification of an order: orderStatus 3.

    Parameters
    ----------
    order
        orderNo, as `kfq link` and `kfq sandbox orders` print it.
    """
    return _act(options, order, "abandon", {})


def expire(order: str, /, *, options: Options = DEFAULT_OPTIONS) -> int:
    """Let an order expire: orderStatus 4.

    Parameters
    ----------
    order
        orderNo, as `kfq link` and `kfq sandbox orders` print it.
    """
    return _act(options, order, "expire", {})


def resend(order: str, /, *, fault: str | None = None, options: Options = DEFAULT_OPTIONS) -> int:
    """Send the newest notification of an order once more.

    Parameters
    ----------
    order
        orderNo, as `kfq link` and `kfq sandbox orders` print it.
    fault
        Fault of this delivery, such as `callback-duplicate` or `callback-corrupt`; `kfq sandbox --faults` lists them.
    """
    return _act(options, order, "resend", {"fault": fault})


def orders(*, options: Options = DEFAULT_OPTIONS) -> int:
    """List the orders of a running sandbox, oldest first: orderNo, state, clientRequestId and company."""
    try:
        listed = _request(options.base_url, "", None)
    except SandboxError as error:
        return _print_error(error, as_json=options.json_)
    if options.json_:
        print_json(listed)
        return 0
    console = Console(highlight=False)
    for order in listed["orders"]:
        columns = (order["orderNo"], _state(order), order["clientRequestId"] or "-", order["companyName"])
        print_line(console, "  ".join(columns))
    return 0


COMMANDS = (complete, review, abandon, expire, resend, orders)
"""Commands below ``kfq sandbox``."""


def _act(options: ControlOptions, order: str, action: str, body: object) -> int:
    try:
        changed = _request(options.base_url, f"/{quote(order, safe='')}/{action}", body)
    except SandboxError as error:
        return _print_error(error, as_json=options.json_)
    if options.json_:
        print_json(changed)
    else:
        print_line(Console(highlight=False), f"{changed['orderNo']}  {_state(changed)}")
    return 0


def _state(order: dict[str, Any]) -> str:
    status = order["orderStatus"]
    return translate("NEW" if status is None else f"{IdentityStatus(status).name} ({status})")


def _print_error(error: SandboxError, *, as_json: bool) -> int:
    if as_json:
        print_json({"error": type(error).__name__, "text": str(error)})
    else:
        print_error(f"{type(error).__name__}: {translate(error)}")
    return 1


def _request(base_url: str, path: str, body: object) -> Any:
    """Return the JSON of the sandbox's response; raise `SandboxError` for every other response.

    No proxy is used: a sandbox is reached on this machine, or by a name that it was told.
    """
    try:
        origin = parse_http_url("--base-url", base_url, example=DEFAULT_SANDBOX).origin()
    except ValueError as error:
        raise UsageError(str(error)) from None
    request = urllib.request.Request(  # noqa: S310  # http or https
        f"{origin}/sandbox/orders{path}",
        data=None if body is None else json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=TIMEOUT) as response:
            return _document(response.read(), origin)
    except urllib.error.HTTPError as error:
        with error:
            body = error.read()
        if (error.code, error.headers.get_content_type()) == (403, "text/plain"):  # the sandbox's access policy
            raise SandboxError(body.decode(errors="replace")) from None
        raise SandboxError(str(_document(body, origin).get("error"))) from None
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        text = f"no sandbox responds at {origin} ({reason}); start it with `kfq sandbox`, or give its --base-url"
        raise SandboxError(text) from None


def _document(body: bytes, origin: object) -> dict[str, Any]:
    """Return the JSON object of a response; a platform, or a page, has none of these."""
    try:
        document = json.loads(body)
    except ValueError:
        document = None
    if not isinstance(document, dict) or not document.keys() & {"orders", "orderNo", "error"}:
        raise SandboxError(f"{origin} does not respond as a sandbox: check --base-url")
    return document
