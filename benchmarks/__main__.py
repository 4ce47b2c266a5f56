"""Everything that is measured about speed: ``python -m benchmarks [--rounds 7] [--seconds 0.25] [--out FOLDER]``.

Writes RESULTS.md and results.svg. It takes about ten minutes, and wants the machine for itself.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from benchmarks import cases as of
from benchmarks import counted, extras, picture, processes, rounds, table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.rounds import Case, Servers

OWN = ("models", "protocol", "transport", "session")
"""Layers of the package itself."""
INTRODUCTION = """\
CPU time of the client process per link, in microseconds: the median of {rounds} interleaved rounds, and the middle half
of them. In front, in bold, the ratio to what a developer writes by hand with aiohttp and `json`, in the same situation:
the median of the ratios in each round, since the machine's own speed changes from one round to the next.
The server is in its own process on another core and gives every request the same answer; glibc's allocator thresholds
are pinned in all processes, since it moves them by itself. `kfq_async` runs with its default settings: each link
includes the request object, made and checked, and the answer, read and checked. "tuned" is by hand with all that is
known to help: orjson, static headers once, `istr`, cheap ids, no `async with`.
"""


def _profile(base_url: str, seconds: float) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.profile", base_url, str(seconds)],
        env=processes.ENVIRONMENT,
        cwd=processes.ROOT,
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    layers: dict[str, float] = json.loads(done.stdout)
    return layers


def _find(cases: Sequence[Case], name: str, in_flight: int, loop: str = "asyncio") -> Case:
    return next(case for case in cases if (case.name, case.in_flight, case.loop) == (name, in_flight, loop))


class Measured:
    """All cases, after they ran."""

    def __init__(self, servers: Servers, options: argparse.Namespace) -> None:
        def ran(cases: list[Case], number: int = options.rounds) -> list[Case]:
            rounds.run(cases, servers, rounds=number, seconds=options.seconds)
            return cases

        few = max(1, min(3, options.rounds))
        self.main = ran(of.main_cases())
        self.tls = ran(of.tls_cases())
        self.gather = ran(of.gather_cases())
        self.signing = ran(of.signing_cases())
        self.memory = [ran(cases, 1)[0] for cases in of.memory_cases()]
        self.flight = ran(of.flight_cases(), few)
        self.number = ran(of.number_cases(), few)
        self.counts = counted.counts(servers.plain)
        self.layers = _profile(servers.plain, options.seconds * 40)
        self.imports = extras.import_times(options.rounds * 2 + 1)
        self.signature = extras.signature_time() * 1e6


def verdicts(got: Measured) -> list[tuple[str, float, float, bool]]:
    """Return each target: what, measured, wanted, and whether less is better."""

    def ratio(name: str, in_flight: int, to: str, loop: str = "asyncio") -> float:
        return _find(got.main, name, in_flight, loop).ratio(_find(got.main, to, in_flight))

    tls = _find(got.tls, of.SDK, 50).ratio(_find(got.tls, of.JSON, 50))
    gathered, beside = _find(got.gather, of.SDK, of.GATHERED), _find(got.gather, of.SDK, 50)
    signing_input, signed = (_find(got.signing, name, 50).cost for name in (of.SDK, of.SIGNED))
    peak = next(case for case in got.memory if (case.name, case.links) == (of.SDK, of.GATHERED)).peaks[0]
    exclusive, whole = got.imports
    return [
        ("by hand with json, 1 in flight", ratio(of.SDK, 1, of.JSON), 0.90, True),
        ("by hand with json, 50 in flight", ratio(of.SDK, 50, of.JSON), 0.80, True),
        ("by hand with json, 500 in flight", ratio(of.SDK, 500, of.JSON), 0.90, True),
        ("by hand with json, 50 in flight, uvloop", ratio(of.SDK, 50, of.JSON, "uvloop"), 0.68, True),
        ("by hand with json, 50 in flight, TLS", tls, 0.85, True),
        ("by hand with orjson, tuned, 50 in flight", ratio(of.SDK, 50, of.TUNED), 1.15, True),
        ("requests in threads, times cheaper at 50", ratio(of.OTHERS[1], 50, of.SDK), 8, False),
        ("httpx, times cheaper at 50", ratio(of.OTHERS[0], 50, of.SDK), 20, False),
        ("gather of 10,000, to 50 in flight", gathered.ratio(beside), 1.10, True),
        ("gather of 10,000, peak in MB over idle", peak, 24, True),
        ("import, to the dependencies alone", whole / exclusive, 1.15, True),
        ("signed, to unsigned and the RSA operation", signed / (signing_input + got.signature), 1.05, True),
    ]


REASONS = """\
Where a target is missed: {own:.0%} of a link's CPU time is this package's (models, protocol, transport, session); the
rest is spent in aiohttp, asyncio and the system, where by hand spends the same. So a machine on which system calls are
dear moves every ratio towards one, and those to httpx and requests down. The instructions below are what the package
itself can change, and what `python -m benchmarks.guard` compares. A waiting call of a `gather` holds its task, its
coroutines and its encoded body, about 2.6 KB together.
"""
COUNTED = """\
User-space instructions per link, by valgrind, which no other load disturbs; in front the ratio to by hand with `json`.
"""


def _reasons(got: Measured) -> str:
    own = sum(share for layer, share in got.layers.items() if layer.startswith(OWN))
    return REASONS.format(own=own)


def _target(what: str, measured: float, wanted: float, *, less: bool) -> list[str]:
    met = measured <= wanted if less else measured >= wanted
    return [what, f"**{measured:.2f}**", f"{'≤' if less else '≥'} {wanted:g}", "met" if met else "missed"]


def report(got: Measured, options: argparse.Namespace) -> str:
    """Write RESULTS.md."""
    targets = [_target(what, measured, wanted, less=less) for what, measured, wanted, less in verdicts(got)]
    memory = [[f"{case.links:,}", case.name, f"{case.peaks[0]:.1f}"] for case in got.memory]
    signing = [[case.name, f"{case.cost:.0f}"] for case in got.signing]
    signing.append(["one signature alone, RSA-2048", f"{got.signature:.0f}"])
    gather = [[c.name, f"{c.in_flight:,}", f"{c.cost:.0f}", "{:.0f} to {:.0f}".format(*c.spread)] for c in got.gather]
    exclusive, whole = (f"{seconds * 1000:.0f}" for seconds in got.imports)
    return "\n".join(
        [
            "# Results\n",
            "Written by `python -m benchmarks`; do not edit.\n",
            table.surroundings() + "\n",
            INTRODUCTION.format(rounds=options.rounds),
            "![The ratios and the curves](results.svg)\n",
            "## Targets\n",
            table.rows(["kfq_async to", "measured", "wanted", ""], targets),
            _reasons(got),
            *(["## By instructions\n", COUNTED, counted.rows(got.counts)] if got.counts else []),
            "## Links in flight\n",
            table.comparison(got.main),
            "## Over TLS\n",
            table.comparison(got.tls),
            "## One `gather` of 10,000 over 100 connections\n",
            table.rows(["variant", "in flight", "µs", "middle half"], gather),
            "## Signing\n",
            table.rows(["variant, 50 in flight", "µs"], signing),
            "## Peak memory of one `gather` over 100 connections\n",
            table.rows(["links", "variant", "MB over the idle process"], memory),
            "## Importing\n",
            f"The dependencies alone {exclusive} ms of CPU, `kfq_async` with them {whole} ms.\n",
            "## Where the time of one link goes\n",
            "Samples of the innermost Python frame, 50 in flight; what a library does in C counts for its caller.\n",
            table.shares(got.layers, _find(got.main, of.SDK, 50).cost),
            "## How the cost grows\n",
            table.growth(got.flight, "in flight"),
            table.growth(got.number, "links in one gather"),
        ]
    )


def main() -> None:
    """Measure, and write what was seen."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.25, help="CPU of one measurement, about")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    options = parser.parse_args()
    with TemporaryDirectory() as folder:
        certificate, authority = processes.certificates(Path(folder))
        with processes.server() as plain, processes.server(certificate) as tls:
            got = Measured(rounds.Servers(plain, tls, str(authority)), options)
    text = report(got, options)
    groups = {f"{number} in flight": [case for case in got.main if case.in_flight == number] for number in of.IN_FLIGHT}
    groups["50 in flight, TLS"] = got.tls
    curves = {"µs per link, by links in flight": got.flight, "µs per link, by links in one gather": got.number}
    (options.out / "RESULTS.md").write_text(text, encoding="utf-8")
    (options.out / "results.svg").write_text(picture.draw(groups, curves), encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
