"""Interleaved rounds: each round measures every case once, so that other load affects all cases alike."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median, quantiles
from typing import TYPE_CHECKING

from benchmarks.processes import Client

if TYPE_CHECKING:
    from collections.abc import Sequence

LIMIT = 100
"""Concurrency of a session, and connections of the others, unless more calls are in flight."""


@dataclass
class Case:
    """One contestant under given conditions, with its cost per round in CPU microseconds per link."""

    name: str
    in_flight: int
    links: int = 0
    """Links of one measurement; 0 means as many as take about ``seconds``."""
    loop: str = "asyncio"
    tls: bool = False
    costs: list[float] = field(default_factory=list)
    peaks: list[float] = field(default_factory=list)
    """Peak memory per round in megabytes above the idle process."""

    @property
    def key(self) -> tuple[str, str, bool]:
        """Key of its process."""
        return self.name, self.loop, self.tls

    @property
    def cost(self) -> float:
        """Median cost in CPU microseconds per link."""
        return median(self.costs)

    def ratio(self, base: Case) -> float:
        """Return the median of the ratios of each round, since other load slows both cases of a round."""
        return median(own / other for own, other in zip(self.costs, base.costs, strict=True))

    @property
    def spread(self) -> tuple[float, float]:
        """Interquartile range of the cost."""
        if len(self.costs) == 1:
            return self.costs[0], self.costs[0]
        low, _, high = quantiles(self.costs, n=4, method="inclusive")
        return low, high


@dataclass(frozen=True)
class Servers:
    """Base URLs of the two servers, and the authority of the TLS one."""

    plain: str
    tls: str
    ca_file: str


class Clients:
    """The processes of the cases, each started on first use and kept."""

    def __init__(self, servers: Servers) -> None:
        self._servers = servers
        self._started: dict[tuple[str, str, bool], Client] = {}

    def of(self, case: Case) -> Client:
        """Return the process of a case."""
        if case.key not in self._started:
            url = self._servers.tls if case.tls else self._servers.plain
            ca_file = self._servers.ca_file if case.tls else None
            self._started[case.key] = Client(case.name, url, loop=case.loop, ca_file=ca_file)
        return self._started[case.key]

    def close(self) -> None:
        """End all processes."""
        for client in self._started.values():
            client.__exit__(None, None, None)
        self._started.clear()


def _measure(case: Case, clients: Clients) -> None:
    got = clients.of(case).measure(case.links, case.in_flight, max(LIMIT, case.in_flight if not _all(case) else 0))
    case.costs.append(got["cpu"] / case.links * 1e6)
    case.peaks.append((got["peak"] - got["rss"]) / 1e6)


def _all(case: Case) -> bool:
    return case.in_flight >= case.links


def _calibrate(case: Case, clients: Clients, seconds: float) -> None:
    """Choose the number of links by two trials, which also warm up."""
    least = max(50, round(case.in_flight * 1.2))  # not more links than in flight would be a gather
    for _ in range(2):
        case.links = least
        _measure(case, clients)
    case.links = max(least, round(seconds * 1e6 / case.costs[-1]))


def run(cases: Sequence[Case], servers: Servers, *, rounds: int, seconds: float) -> None:
    """Measure all cases and fill in their costs."""
    clients = Clients(servers)
    try:
        for case in cases:
            if not case.links:
                _calibrate(case, clients, seconds)
                case.costs.clear()
                case.peaks.clear()
        for number in range(rounds):
            print(f"round {number + 1} of {rounds}", flush=True)
            for case in cases:
                _measure(case, clients)
    finally:
        clients.close()
