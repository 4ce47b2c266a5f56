"""Forked processes: each generates its own ids and nonces."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kfq_async.sandbox import Sandbox

CHILDREN = """
import asyncio, os, sys
import kfq_async as kfq

warmed = [kfq.CorpIdentLinkRequest().client_request_id for _ in range(10)]

async def request_links(base_url):
    async with kfq.AsyncSession("PV9LQWZA", base_url=base_url) as session:
        requests = [kfq.CorpIdentLinkRequest(account_name="13800138000") for _ in range(50)]
        await asyncio.gather(*(session.auth.corp_ident_link(request) for request in requests))

children = []
for _ in range(2):
    child = os.fork()
    if child == 0:
        asyncio.run(request_links(sys.argv[1]))
        os._exit(0)
    children.append(child)
for child in children:
    assert os.waitpid(child, 0)[1] == 0
"""


def test_forked_children_share_no_id(kfq_sandbox: Sandbox) -> None:
    """Two forked children send a hundred requests without a common id or nonce.

    The sandbox refuses a known nonce, so each successful call proves that its nonce is new.
    """
    subprocess.run([sys.executable, "-c", CHILDREN, kfq_sandbox.base_url], check=True, timeout=60)
    ids = [order.client_request_id for order in kfq_sandbox.orders]
    assert len(ids) == len(set(ids)) == 100
