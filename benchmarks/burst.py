"""A burst: notifications with duplicates and forgeries against two workers that share a real Redis.

``python -m benchmarks.burst [--notifications 20000]`` prints what it saw; status 1 if a genuine one was not handled
exactly once, or a forgery was not refused. It needs ``redis-server``. Loopback only, bounded in time and count.
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
ALONE = 2_000
"""Notifications measured one after the other for the cost of authentication."""


def make_app() -> FastAPI:
    """Make a worker's application: the bare route, and one for each proof."""
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
    """Bind URLs below a path."""
    return kfq.CallbackUrls([secret], page=f"{BASE}/done", notify=f"{BASE}{path}")


class Letters:
    """What a sender sends, signed in advance so that signing costs the burst nothing."""

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
        """Return one with another body, one under a changed URL, one without a signature, in turn."""
        path, body, headers = self.genuine(number)
        if number % 3 == 0:
            return path, body.replace(b"N", b"M"), headers
        if number % 3 == 1:
            return path[:-1] + ("A" if path[-1] != "A" else "B"), body, headers
        return path, body, {name: value for name, value in headers.items() if name != "sign"}


async def post(
    http: aiohttp.ClientSession, origin: str, letter: tuple[str, bytes, dict[str, str]]
) -> tuple[int, bytes]:
    """Send a letter once."""
    path, body, headers = letter
    async with http.post(URL(origin + path, encoded=True), data=body, headers=headers) as answer:
        return answer.status, await answer.read()


async def burst(origins: list[str], letters: Letters, count: int, redis: str) -> tuple[dict[str, object], bool]:
    """Send everything in a shuffled order, to either worker, each until it is acknowledged or refused for good."""
    share = max(1, round(count * SHARE))
    genuine = await asyncio.to_thread(lambda: [letters.genuine(number) for number in range(count - 2 * share)])
    forged = await asyncio.to_thread(lambda: [letters.forged(count + number) for number in range(share)])
    chance = random.Random(0)  # noqa: S311  # an order that can be repeated
    everything = [(letter, True) for letter in genuine + chance.sample(genuine, share)]
    everything += [(letter, False) for letter in forged]
    chance.shuffle(everything)
    answers: Counter[tuple[bool, int]] = Counter()
    slots = asyncio.Semaphore(IN_FLIGHT)

    async def deliver(number: int, letter: tuple[str, bytes, dict[str, str]], *, real: bool) -> None:
        async with slots:
            for _ in range(100):
                status, _ = await post(http, origins[number % 2], letter)
                if status != 503:
                    break
                answers[real, 503] += 1
                await asyncio.sleep(0.02)
            answers[real, status] += 1

    begun = time.perf_counter()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=IN_FLIGHT)) as http:
        await asyncio.gather(*(deliver(n, letter, real=real) for n, (letter, real) in enumerate(everything)))
    seconds = time.perf_counter() - begun
    async with Redis.from_url(redis) as client:
        handled = Counter(map(int, (await client.hgetall("handled")).values()))
    refused = sum(times for (real, status), times in answers.items() if not real and status in {400, 401})
    seen: dict[str, object] = {
        "notifications": len(everything),
        "genuine": len(genuine),
        "duplicates": share,
        "forgeries": len(forged),
        "handled once": handled[1],
        "handled more often": sum(handled.values()) - handled[1],
        "acknowledged": answers[True, 200],
        "told to come again": answers[True, 503],
        "forgeries refused": refused,
        "seconds": f"{seconds:.1f}",
        "per second": f"{len(everything) / seconds:.0f}",
    }
    well = handled == Counter({1: len(genuine)}) and refused == len(forged)
    return seen, well and answers[True, 200] == len(genuine) + share


async def exclusive(origin: str, letters: Letters) -> list[tuple[str, float]]:
    """Measure each route one request after the other, in turn; microseconds in the median."""
    routes = {"bare route": "/bare", "bound URL": "/by-url", "signature": "/by-signature"}
    took: dict[str, list[float]] = {name: [] for name in routes}
    async with aiohttp.ClientSession() as http:
        for number in range(ALONE):
            for name, path in routes.items():
                letter = letters.genuine(number, "/by-signature" if path == "/bare" else path)
                if path == "/bare":
                    letter = (path, *letter[1:])
                begun = time.perf_counter()
                status, _ = await post(http, origin, letter)
                took[name].append(time.perf_counter() - begun)
                assert status == 200
    return [(name, median(values) * 1e6) for name, values in took.items()]


def free_port() -> int:
    """Return a port that is free now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def running(port: int, *command: str) -> Iterator[None]:
    """Run a server until the end."""
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
    """Run it and print it."""
    server = shutil.which("redis-server")
    if server is None:
        raise SystemExit("redis-server is not installed")
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    secret = os.urandom(32)
    redis_port, *ports = (free_port() for _ in range(3))
    redis = f"redis://127.0.0.1:{redis_port}/0"
    os.environ["BURST_REDIS"], os.environ["BURST_SECRET"] = redis, secret.hex()
    os.environ["BURST_KEY"] = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    letters = Letters(secret, key)
    with TemporaryDirectory() as folder, ExitStack() as stack:
        options = f"--port {redis_port} --bind 127.0.0.1 --appendonly no --dir {folder}".split()
        stack.enter_context(running(redis_port, server, *options, "--save", ""))
        for port in ports:
            stack.enter_context(running(port, sys.executable, "-m", "benchmarks.burst", "--serve", str(port)))
        origins = [f"{BASE}:{port}" for port in ports]
        costs = asyncio.run(exclusive(origins[0], letters))
        seen, well = asyncio.run(burst(origins, letters, count, redis))
    lines = ["# Burst", "", "| what | seen |", "|---|---|", *(f"| {name} | {value} |" for name, value in seen.items())]
    lines += [f"| verdict | {'all well' if well else 'NOT well'} |", ""]
    lines += [
        "| one notification, the round trip | median, µs | over the bare route, µs | ratio |",
        "|---|---|---|---|",
    ]
    base = costs[0][1]
    lines += [f"| {name} | {cost:.0f} | {cost - base:.0f} | {cost / base:.2f} |" for name, cost in costs]
    sys.stdout.write("\n".join(lines) + "\n")
    return 0 if well else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--notifications", type=int, default=20_000)
    parser.add_argument("--serve", type=int, help=argparse.SUPPRESS)
    found = parser.parse_args()
    if found.serve:
        uvicorn.run(make_app, factory=True, port=found.serve, log_level="error", access_log=False)
    else:
        sys.exit(main(min(found.notifications, 1_000_000)))
