"""Load test of the notification receiver: duplicates and forgeries against two workers that share a real Redis.

``python -m benchmarks.burst [--notifications 20000]`` prints the result; exit status 1 if a genuine one was not handled
exactly once, or a forgery was accepted. Needs ``redis-server``. Loopback only, bounded in time and count.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import shutil
import socket
import subprocess
import sys
import time
from collections import Counter
from contextlib import ExitStack, contextmanager
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import aiohttp
import orjson
import uvicorn
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from fastapi import FastAPI, Request, Response
from redis.asyncio import Redis
from yarl import URL

import kfq_async as kfq
from kfq_async.callbacks.stores_redis import RedisStore
from kfq_async.integrations.fastapi import kfq_lifespan, notification_router
from kfq_async.protocol.signing import sign, string_to_sign

if TYPE_CHECKING:
    from collections.abc import Iterator

APP_ID = "BURST1"
BASE = "http://127.0.0.1"
IN_FLIGHT = 200
SHARE = 0.01
"""Share of duplicates, and of forgeries, among the notifications."""
SEQUENTIAL = 2_000
"""Notifications sent one after the other to measure the cost of authentication."""


def make_app() -> FastAPI:
    """Return a worker's application: a route without authentication, and one for each way to authenticate."""
    client = Redis.from_url(os.environ["BURST_REDIS"], socket_timeout=10, max_connections=300)
    key, secret = os.environ["BURST_KEY"], bytes.fromhex(os.environ["BURST_SECRET"])

    async def handle(received: kfq.NotificationDelivery[kfq.IdentityNotification]) -> None:
        await client.hincrby("handled", received.key, 1)

    async def nothing(_: kfq.NotificationDelivery[kfq.IdentityNotification]) -> None:
        pass

    urls = urls_of(secret)
    verifier = kfq.CallbackVerifier(key, app_id=APP_ID)
    store = RedisStore(client)
    both = kfq.NotificationReceiver(handle, urls=urls, verifier=verifier, store=store, reply_timeout=30)
    receivers = {
        "/hooks": both,
        "/by-url": kfq.NotificationReceiver(nothing, urls=urls_of(secret, "/by-url")),
        "/by-signature": kfq.NotificationReceiver(nothing, verifier=verifier),
    }
    app = FastAPI(lifespan=kfq_lifespan(lambda: kfq.AsyncSession("none"), receivers=receivers.values()))
    for path, receiver in receivers.items():
        app.include_router(notification_router(receiver, path))

    @app.post("/bare")
    async def bare(request: Request) -> Response:
        orjson.loads(await request.body())
        return Response(b"success", media_type="text/plain")

    return app


def urls_of(secret: bytes, path: str = "/hooks") -> kfq.CallbackUrls:
    """Return URLs bound below a path."""
    return kfq.CallbackUrls([secret], page=f"{BASE}/done", notify=f"{BASE}{path}")


class Notifications:
    """Signed notifications, made in advance so that signing does not slow the burst."""

    def __init__(self, secret: bytes, key: rsa.RSAPrivateKey) -> None:
        self._secret = secret
        self._key = key

    def genuine(self, number: int, path: str = "/hooks") -> tuple[str, bytes, dict[str, str]]:
        """Return path, body and headers."""
        urls = urls_of(self._secret, path)
        bound = urls.bind(kfq.CorpIdentLinkRequest(client_request_id=f"row-{number}")).auth_callback_url or ""
        target = path if path == "/by-signature" else bound.removeprefix(BASE)
        body = orjson.dumps({"orderNo": f"N{number}", "orderStatus": 1, "companyName": "某某科技有限公司"})
        nonce, now = f"nonce-{path}-{number}", f"{time.time() * 1000:.0f}"
        text = string_to_sign(APP_ID, body, nonce=nonce, timestamp=now, uri=target)
        headers = {"appId": APP_ID, "nonce": nonce, "timestamp": now, "sign": sign(text.encode(), self._key)}
        return target, body, headers

    def forged(self, number: int) -> tuple[str, bytes, dict[str, str]]:
        """Return a forgery: with a changed body, with a changed URL, or without a signature, in turn."""
        path, body, headers = self.genuine(number)
        if number % 3 == 0:
            return path, body.replace(b"N", b"M"), headers
        if number % 3 == 1:
            return path[:-1] + ("A" if path[-1] != "A" else "B"), body, headers
        return path, body, {name: value for name, value in headers.items() if name != "sign"}


async def post(
    http: aiohttp.ClientSession, origin: str, notification: tuple[str, bytes, dict[str, str]]
) -> tuple[int, bytes]:
    """Send a notification once."""
    path, body, headers = notification
    async with http.post(URL(origin + path, encoded=True), data=body, headers=headers) as response:
        return response.status, await response.read()


async def burst(
    origins: list[str], notifications: Notifications, count: int, redis: str
) -> tuple[dict[str, object], bool]:
    """Send all notifications in random order to both workers, each until it is acknowledged or rejected."""
    share = max(1, round(count * SHARE))
    genuine = await asyncio.to_thread(lambda: [notifications.genuine(number) for number in range(count - 2 * share)])
    forged = await asyncio.to_thread(lambda: [notifications.forged(count + number) for number in range(share)])
    chance = random.Random(0)  # noqa: S311  # a reproducible order
    everything = [(each, True) for each in genuine + chance.sample(genuine, share)]
    everything += [(each, False) for each in forged]
    chance.shuffle(everything)
    statuses: Counter[tuple[bool, int]] = Counter()
    semaphore = asyncio.Semaphore(IN_FLIGHT)

    async def deliver(number: int, notification: tuple[str, bytes, dict[str, str]], *, real: bool) -> None:
        async with semaphore:
            for _ in range(100):
                status, _ = await post(http, origins[number % 2], notification)
                if status != 503:
                    break
                statuses[real, 503] += 1
                await asyncio.sleep(0.02)
            statuses[real, status] += 1

    begun = time.perf_counter()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=IN_FLIGHT)) as http:
        await asyncio.gather(*(deliver(n, each, real=real) for n, (each, real) in enumerate(everything)))
    seconds = time.perf_counter() - begun
    async with Redis.from_url(redis) as client:
        handled = Counter(map(int, (await client.hgetall("handled")).values()))
    refused = sum(times for (real, status), times in statuses.items() if not real and status in {400, 401})
    seen: dict[str, object] = {
        "notifications": len(everything),
        "genuine": len(genuine),
        "duplicates": share,
        "forgeries": len(forged),
        "handled once": handled[1],
        "handled more often": sum(handled.values()) - handled[1],
        "acknowledged": statuses[True, 200],
        "deferred with 503": statuses[True, 503],
        "forgeries refused": refused,
        "seconds": f"{seconds:.1f}",
        "per second": f"{len(everything) / seconds:.0f}",
    }
    complete = handled == Counter({1: len(genuine)}) and refused == len(forged)
    return seen, complete and statuses[True, 200] == len(genuine) + share


async def sequential(origin: str, notifications: Notifications) -> list[tuple[str, float]]:
    """Measure the routes in turn, one request at a time; return the medians in microseconds."""
    routes = {"bare route": "/bare", "bound URL": "/by-url", "signature": "/by-signature"}
    took: dict[str, list[float]] = {name: [] for name in routes}
    async with aiohttp.ClientSession() as http:
        for number in range(SEQUENTIAL):
            for name, path in routes.items():
                each = notifications.genuine(number, "/by-signature" if path == "/bare" else path)
                if path == "/bare":
                    each = (path, *each[1:])
                begun = time.perf_counter()
                status, _ = await post(http, origin, each)
                took[name].append(time.perf_counter() - begun)
                assert status == 200
    return [(name, median(values) * 1e6) for name, values in took.items()]


def free_port() -> int:
    """Return an unused port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def running(port: int, *command: str) -> Iterator[None]:
    """Run a server within the context."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 20
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{command[0]} did not start")
            time.sleep(0.02)
        yield
    finally:
        process.terminate()
        process.wait(20)


def main(count: int) -> int:
    """Run the load test and print the result."""
    server = shutil.which("redis-server")
    if server is None:
        raise SystemExit("redis-server is not installed")
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    secret = os.urandom(32)
    redis_port, *ports = (free_port() for _ in range(3))
    redis = f"redis://127.0.0.1:{redis_port}/0"
    os.environ["BURST_REDIS"], os.environ["BURST_SECRET"] = redis, secret.hex()
    os.environ["BURST_KEY"] = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    notifications = Notifications(secret, key)
    with TemporaryDirectory() as folder, ExitStack() as stack:
        options = f"--port {redis_port} --bind 127.0.0.1 --appendonly no --dir {folder}".split()
        stack.enter_context(running(redis_port, server, *options, "--save", ""))
        for port in ports:
            stack.enter_context(running(port, sys.executable, "-m", "benchmarks.burst", "--serve", str(port)))
        origins = [f"{BASE}:{port}" for port in ports]
        costs = asyncio.run(sequential(origins[0], notifications))
        seen, passed = asyncio.run(burst(origins, notifications, count, redis))
    lines = [
        "# Burst",
        "",
        "| count | value |",
        "|---|---|",
        *(f"| {name} | {value} |" for name, value in seen.items()),
    ]
    lines += [f"| verdict | {'passed' if passed else 'FAILED'} |", ""]
    lines += [
        "| one notification, the round trip | median, µs | over the bare route, µs | ratio |",
        "|---|---|---|---|",
    ]
    base = costs[0][1]
    lines += [f"| {name} | {cost:.0f} | {cost - base:.0f} | {cost / base:.2f} |" for name, cost in costs]
    sys.stdout.write("\n".join(lines) + "\n")
    return 0 if passed else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--notifications", type=int, default=20_000)
    parser.add_argument("--serve", type=int, help=argparse.SUPPRESS)
    found = parser.parse_args()
    if found.serve:
        uvicorn.run(make_app, factory=True, port=found.serve, log_level="error", access_log=False)
    else:
        sys.exit(main(min(found.notifications, 1_000_000)))
