"""The cases of each table of the report."""

from __future__ import annotations

from benchmarks.rounds import Case

JSON, ORJSON, TUNED = "by hand, json", "by hand, orjson", "by hand, orjson, tuned"
SDK, SIGNED = "kfq_async", "kfq_async, signed"
OTHERS = ("httpx", "requests in threads")
IN_FLIGHT = (1, 50, 500)
GATHERED = 10_000


def main_cases() -> list[Case]:
    """Return all contestants over plain HTTP, 1 to 500 in flight."""
    return [
        Case(name, in_flight, loop=loop)
        for in_flight in IN_FLIGHT
        for name, loop in (
            (JSON, "asyncio"),
            (SDK, "asyncio"),
            (ORJSON, "asyncio"),
            (TUNED, "asyncio"),
            (SDK, "uvloop"),
            (JSON, "uvloop"),
            *((name, "asyncio") for name in OTHERS),
        )
    ]


def tls_cases() -> list[Case]:
    """Return the main contestants over TLS, as in production."""
    pairs = ((JSON, "asyncio"), (SDK, "asyncio"), (TUNED, "asyncio"), (SDK, "uvloop"))
    return [Case(name, 50, loop=loop, tls=True) for name, loop in pairs]


def gather_cases() -> list[Case]:
    """Return one ``gather`` of 10,000 calls over 100 connections, beside 50 in flight."""
    return [
        *(Case(name, GATHERED, links=GATHERED) for name in (JSON, SDK, TUNED)),
        Case(SDK, 50, links=GATHERED),
    ]


def signing_cases() -> list[Case]:
    """Return the cases with and without a signature."""
    return [Case(SDK, 50), Case(SIGNED, 50)]


def memory_cases() -> list[list[Case]]:
    """Return one ``gather`` per list, since each list runs in fresh processes."""
    return [[Case(name, links, links=links)] for links in (1_000, 10_000, 100_000) for name in (JSON, SDK)]


def flight_cases() -> list[Case]:
    """Return the cost by calls in flight."""
    return [Case(name, number) for number in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000) for name in (JSON, SDK)]


def number_cases() -> list[Case]:
    """Return the cost by links in one ``gather`` over 100 connections."""
    numbers = (100, 300, 1_000, 3_000, 10_000, 30_000)
    return [Case(name, number, links=number) for number in numbers for name in (JSON, SDK)]
