"""The speed benchmarks: ``python -m benchmarks [--rounds 7] [--seconds 0.25] [--out FOLDER]``.

Writes RESULTS.md and results.svg. Takes about ten minutes on an otherwise idle machine.
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
CPU time of the client process per link, in microseconds: median and interquartile range of {rounds} interleaved rounds.
In bold, the ratio to code written by hand with aiohttp and `json` under the same conditions: the median of the ratios
of each round, since the speed of the machine varies between rounds. The server runs in its own process on another core
and sends every request the same response; glibc's allocator thresholds are pinned in all processes, since glibc adapts
them. `kfq_async` runs with its default settings; each link includes building and validating the request object and
parsing and validating the response. "tuned" is by hand with every known optimisation: orjson, static headers once,
`istr`, cheap ids, no `async with`.
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
    """The results of all cases."""

    def __init__(self, servers: Servers, options: argparse.Namespace) -> None:
        def measured(cases: list[Case], number: int = options.rounds) -> list[Case]:
            rounds.run(cases, servers, rounds=number, seconds=options.seconds)
            return cases

        few = max(1, min(3, options.rounds))
        self.main = measured(of.main_cases())
        self.tls = measured(of.tls_cases())
        self.gather = measured(of.gather_cases())
        self.signing = measured(of.signing_cases())
        self.memory = [measured(cases, 1)[0] for cases in of.memory_cases()]
        self.flight = measured(of.flight_cases(), few)
        self.number = measured(of.number_cases(), few)
        self.counts = counted.counts(servers.plain)
        self.layers = _profile(servers.plain, options.seconds * 40)
        self.imports = extras.import_times(options.rounds * 2 + 1)
        self.signature = extras.signature_time() * 1e6


def targets(got: Measured) -> list[tuple[str, float, float, bool]]:
    """Return each target: its name, the measured value, the bound, and whether the bound is an upper one."""

    def ratio(name: str, in_flight: int, to: str, loop: str = "asyncio") -> float:
        return _find(got.main, name, in_flight, loop).ratio(_find(got.main, to, in_flight))

    tls = _find(got.tls, of.SDK, 50).ratio(_find(got.tls, of.JSON, 50))
    gathered, beside = _find(got.gather, of.SDK, of.GATHERED), _find(got.gather, of.SDK, 50)
    unsigned, signed = (_find(got.signing, name, 50).cost for name in (of.SDK, of.SIGNED))
    peak = next(case for case in got.memory if (case.name, case.links) == (of.SDK, of.GATHERED)).peaks[0]
    dependencies, package = got.imports
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
        ("import, to the dependencies alone", package / dependencies, 1.15, True),
        ("signed, to unsigned and the RSA operation", signed / (unsigned + got.signature), 1.05, True),
    ]


EXPLANATION = """\
Missed targets: {own:.0%} of a link's CPU time is spent in this package (models, protocol, transport, session); the rest
is spent in aiohttp, asyncio and the system, as it is by hand. A machine with slow system calls therefore moves every
ratio towards one, and those to httpx and requests down. The instruction counts below show what the package itself can
change; `python -m benchmarks.guard` compares them. A waiting call of a `gather` holds its task, its coroutines and its
encoded body, about 2.6 KB together.
"""
COUNTED = """\
User-space instructions per link, counted by valgrind and independent of other load; in bold the ratio to by hand, json.
"""


def _explanation(got: Measured) -> str:
    own = sum(share for layer, share in got.layers.items() if layer.startswith(OWN))
    return EXPLANATION.format(own=own)


def _target(name: str, measured: float, bound: float, *, upper: bool) -> list[str]:
    met = measured <= bound if upper else measured >= bound
    return [name, f"**{measured:.2f}**", f"{'≤' if upper else '≥'} {bound:g}", "met" if met else "missed"]


def report(got: Measured, options: argparse.Namespace) -> str:
    """Return the text of RESULTS.md."""
    rows = [_target(name, measured, bound, upper=upper) for name, measured, bound, upper in targets(got)]
    memory = [[f"{case.links:,}", case.name, f"{case.peaks[0]:.1f}"] for case in got.memory]
    signing = [[case.name, f"{case.cost:.0f}"] for case in got.signing]
    signing.append(["one signature alone, RSA-2048", f"{got.signature:.0f}"])
    gather = [[c.name, f"{c.in_flight:,}", f"{c.cost:.0f}", "{:.0f} to {:.0f}".format(*c.spread)] for c in got.gather]
    dependencies, package = (f"{seconds * 1000:.0f}" for seconds in got.imports)
    return "\n".join(
        [
            "# Results\n",
            "Written by `python -m benchmarks`; do not edit.\n",
            table.surroundings() + "\n",
            INTRODUCTION.format(rounds=options.rounds),
            "![The ratios and the curves](results.svg)\n",
            "## Targets\n",
            table.rows(["kfq_async to", "measured", "target", ""], rows),
            _explanation(got),
            *(["## By instructions\n", COUNTED, counted.rows(got.counts)] if got.counts else []),
            "## Links in flight\n",
            table.comparison(got.main),
            "## Over TLS\n",
            table.comparison(got.tls),
            "## One `gather` of 10,000 over 100 connections\n",
            table.rows(["variant", "in flight", "µs", "interquartile range"], gather),
            "## Signing\n",
            table.rows(["variant, 50 in flight", "µs"], signing),
            "## Peak memory of one `gather` over 100 connections\n",
            table.rows(["links", "variant", "MB over the idle process"], memory),
            "## Importing\n",
            f"The dependencies alone {dependencies} ms of CPU, `kfq_async` with them {package} ms.\n",
            "## CPU time of one link by layer\n",
            "Samples of the innermost Python frame, 50 in flight; C code counts for its caller.\n",
            table.shares(got.layers, _find(got.main, of.SDK, 50).cost),
            "## Scaling\n",
            table.growth(got.flight, "in flight"),
            table.growth(got.number, "links in one gather"),
        ]
    )


def main() -> None:
    """Run all benchmarks and write the report."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.25, help="approximate CPU seconds of one measurement")
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
