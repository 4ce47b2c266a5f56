"""The command ``kfq doctor``: the order of the checks, and their output."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator
from typing import Annotated

from cyclopts import Parameter
from yarl import URL

from kfq_async.cli.doctor.checks import (
    check_base_url,
    check_clock,
    check_connection,
    check_edition,
    check_hook,
    check_other_url,
    check_platform,
    check_proxy,
    check_token,
    check_versions,
    unchecked,
    usual_url,
)
from kfq_async.cli.doctor.probe import Network, Probe
from kfq_async.cli.findings import Check, Status, print_check, print_checks_as_json
from kfq_async.cli.options import DEFAULT_CONNECTION, Connection, UsageError
from kfq_async.config import RetryPolicy, Timeouts
from kfq_async.errors import KfqError
from kfq_async.languages import gettext
from kfq_async.models.contracts import ContractTasksRequest
from kfq_async.models.masking import MaskedStr
from kfq_async.models.urls import parse_http_url
from kfq_async.protocol.requests import API_PATH
from kfq_async.resources.auth import CORP_IDENT_LINK
from kfq_async.resources.contracts import CONTRACT_TASKS
from kfq_async.session import HOSTED, AsyncSession
from kfq_async.transport.proxy import find_proxy

__all__ = ["doctor"]

NAMES = ("versions", "base-url", "proxy", "connection", "clock", "platform", "edition", "token")
"""Names of the checks that are always listed."""
NO_CONTRACT = "kfq-doctor"
"""Id of no contract."""
HOOK_EXAMPLE = "https://your-domain.com/kfq/notify"
PROXY_REMEDY = "correct --proxy, or the variable of the environment"


def doctor(
    *,
    hook: Annotated[str | None, Parameter(name=("--hook", "--callback-url"))] = None,
    timeout: float = 10.0,
    connection: Connection = DEFAULT_CONNECTION,
) -> int:
    """Check base URL, proxy, connection, platform, edition, clock, token and callback URL, and name the remedies.

    Nothing is changed: the token is tried by a look at the tasks of a contract that does not exist. `?` marks what
    cannot be told from here, or is not documented. Exit status: 0 no check failed, 1 one failed, 2 usage error, 130
    interrupted.

    Parameters
    ----------
    hook
        URL of your own to which the platform sends notifications, to be tried from this machine with a GET.
    timeout
        Limit of each request in seconds, once for the connection and once for the response.
    """
    if not 0 < timeout < math.inf:
        raise UsageError(gettext("--timeout must be more than 0 seconds, and finite, not {seconds:g}", seconds=timeout))
    timeouts = Timeouts(connect=timeout, attempt=timeout)
    network = Network(
        ssl=connection.tls_context(), timeouts=timeouts, proxy=connection.proxy, trust_env=connection.trust_env
    )
    try:
        hook_url = None if hook is None else parse_http_url("--hook", MaskedStr(hook), example=HOOK_EXAMPLE)
    except ValueError as error:
        raise UsageError(str(error)) from None
    checks = asyncio.run(_run(connection.base_url, connection.token, hook_url, network, shown=not connection.json_))
    if connection.json_:
        print_checks_as_json(checks)
    return int(any(check.status is Status.FAILED for check in checks))


async def _run(base_url: str, token: str | None, hook: URL | None, network: Network, *, shown: bool) -> list[Check]:
    """Make the checks, printing each as soon as it is made if ``shown``."""
    checks = []
    async for check in _checks(base_url, token, hook, network):
        checks.append(check)
        if shown:
            print_check(check)
    return checks


async def _checks(base_url: str, token: str | None, hook: URL | None, network: Network) -> AsyncIterator[Check]:
    made = set()
    async for check in _platform_checks(base_url, token, network):
        made.add(check.name)
        yield check
    for name in NAMES:
        if name not in made:
            yield unchecked(name, "an earlier check failed")
    if hook is not None:
        yield await _check_hook(hook, base_url if "clock" in made else HOSTED, network)


async def _platform_checks(base_url: str, token: str | None, network: Network) -> AsyncIterator[Check]:
    """Make the checks of the platform, up to one without which the next ones are pointless."""
    yield check_versions()
    valid = check_base_url(base_url)
    yield valid
    if valid.status is Status.FAILED:
        return
    base_url = valid.finding
    try:
        found = find_proxy(base_url, proxy=network.proxy, trust_env=True)
    except ValueError as error:
        yield Check("proxy", Status.FAILED, str(error), PROXY_REMEDY)
        return
    used = network.trust_env or network.proxy is not None
    yield check_proxy(found, given=network.proxy is not None, trust_env=network.trust_env)
    async with Probe.open(URL(base_url), network, found if used else None) as probe:
        root = await probe.get(URL(f"{base_url}/"))
        connected = check_connection(base_url, root)
        yield connected
        if connected.status is Status.FAILED:
            return
        before = time.time()
        contracts = await probe.get(URL(f"{base_url}{API_PATH}{CONTRACT_TASKS.path}"))
        now = (before + time.time()) / 2
        yield check_clock(contracts, now)
        found_platform = check_platform(base_url, root, contracts)
        usual = usual_url(base_url)
        if found_platform.status is Status.FAILED and usual != base_url:
            response = await probe.get(URL(f"{usual}{API_PATH}{CONTRACT_TASKS.path}"))
            found_platform = check_other_url(found_platform, usual, response)
        yield found_platform
        if found_platform.status is Status.FAILED:
            return
        links = await probe.get(URL(f"{base_url}{API_PATH}{CORP_IDENT_LINK.path}"))
        yield check_edition(base_url, contracts, links)
    yield await _check_token(token, base_url, network)


async def _check_token(token: str | None, base_url: str, network: Network) -> Check:
    if not token:
        return unchecked("token", "none was given", "give --token, or set KFQ_APP_AUTH_TOKEN")
    try:
        session = AsyncSession(
            token,
            base_url=base_url,
            timeouts=network.timeouts,
            retry=RetryPolicy(attempts=1),
            ssl=network.ssl,
            proxy=network.proxy,
            trust_env=network.trust_env,
        )
    except ValueError as error:
        return Check("token", Status.FAILED, str(error), "copy it again from the administration pages")
    refusal: KfqError | None = None
    async with session:
        try:
            await session.send(CONTRACT_TASKS, ContractTasksRequest(contract_id=NO_CONTRACT))
        except KfqError as error:
            refusal = error
    return check_token(refusal)


async def _check_hook(hook: URL, base_url: str, network: Network) -> Check:
    try:
        proxy = find_proxy(str(hook), proxy=network.proxy, trust_env=network.trust_env)
    except ValueError as error:
        return Check("hook", Status.FAILED, str(error), PROXY_REMEDY)
    async with Probe.open(hook, network, proxy) as probe:
        return check_hook(hook, await probe.get(hook), base_url)
