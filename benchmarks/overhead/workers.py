"""What a request costs one worker and two, of the same gateway."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from benchmarks.overhead.measuring import Failed, Load
from benchmarks.overhead.processes import LOADING, SERVED, NotUp
from benchmarks.overhead.rounds import DRAIN, WARM_UP, Effort, started, upstream_of
from benchmarks.overhead.scenarios import Scenario
from benchmarks.overhead.targets import Target, ours

SCENARIO = Scenario("workers", concurrency=(16, 64))
SETTLED = 1.0
"""Seconds until the last worker of a gateway that answers is up, too."""

HEAD = """## Workers

CPU of a request passed through, over all processes of a gateway, its supervisor and its probes of
backends included; × is the median over the rounds of the ratio, within a round, to the row before
that has × 1. On two cores no layout compares one worker with two and nothing else, so here are two:

- *on one core* all of a gateway's processes share the first core, and load and upstream have the
  second, as everywhere on this page. Two workers take turns there, each with the caches that the
  other has left; on a core of its own neither would.
- *on both cores* the gateway runs where the kernel puts it. One worker has a core to itself; of
  two, one works beside load and upstream. What two processes on these cores cost more by that
  alone, the last row tells: two gateways of one worker each, which know nothing of each other, with
  half of the clients each. The rest is the price of being workers of one gateway.
"""


@dataclass(frozen=True)
class Setup:
    """`gateways` of so many `workers`, which share the clients; × is the ratio to `against`."""

    name: str
    workers: int
    core: str
    gateways: int = 1
    against: str | None = None

    def targets(self) -> list[Target]:
        """The gateways."""
        flags = ("--workers", str(self.workers))
        names = [f"{self.name}, {number}" for number in range(self.gateways)]
        return [ours(name, *flags, core=self.core) for name in names]


ONE, BOTH = "1 worker, on one core", "1 worker, on both cores"
SETUPS = (
    Setup(ONE, 1, SERVED),
    Setup("2 workers, on one core", 2, SERVED, against=ONE),
    Setup(BOTH, 1, f"{SERVED},{LOADING}"),
    Setup("2 workers, on both cores", 2, f"{SERVED},{LOADING}", against=BOTH),
    Setup("2 gateways, on both cores", 1, f"{SERVED},{LOADING}", gateways=2, against=BOTH),
)

Costs = dict[tuple[str, int], list[float]]
"""CPU of a request in ms, by setup and concurrency, round by round."""


@dataclass
class Found:
    """What was measured, and what could not be, and why."""

    costs: Costs = field(default_factory=lambda: defaultdict(list))
    missing: dict[str, str] = field(default_factory=dict)

    def section(self) -> str:
        """What the page says of it."""
        columns = "".join(f" CPU ms, c = {c} | × |" for c in SCENARIO.concurrency)
        rule = " ---: | ---: |" * len(SCENARIO.concurrency)
        rows = [self._row(setup) for setup in SETUPS]
        missing = [f"\n- {name}: not measured, {why}" for name, why in self.missing.items()]
        return "\n".join([HEAD, f"| |{columns}", f"| --- |{rule}", *rows, *missing]) + "\n"

    def _row(self, setup: Setup) -> str:
        cells = [f"| {setup.name} |"]
        for concurrency in SCENARIO.concurrency:
            own = self.costs[setup.name, concurrency]
            base = self.costs[setup.against or setup.name, concurrency]
            if own and len(own) == len(base):
                ratio = median(b / a for a, b in zip(base, own, strict=True))
                cells.append(f" {median(own):.3f} | {ratio:.2f} |")
            else:
                cells.append(" | |")
        return "".join(cells)


def workers(program: Path, folder: Path, effort: Effort, tell: Callable[[str], None]) -> str:
    """Measure every setup in every round, and say what the page says of it."""
    found = Found()
    with ExitStack() as stack:
        upstream = upstream_of(SCENARIO, program, folder / "workers-upstream.log", stack)
        served = {}
        for setup in SETUPS:
            try:
                served[setup.name] = [
                    started(target, SCENARIO, upstream, folder, stack) for target in setup.targets()
                ]
            except NotUp as error:
                found.missing[setup.name] = str(error)
        time.sleep(SETTLED)
        for number in range(effort.rounds):
            for name, gateways in served.items():
                _round(found, name, gateways, effort.seconds)
            tell(f"workers: round {number + 1} of {effort.rounds}")
    return found.section()


def _round(found: Found, name: str, gateways: Sequence[tuple[Load, int]], seconds: float) -> None:
    if name in found.missing:
        return
    try:
        for concurrency in SCENARIO.concurrency:
            if not found.costs[name, concurrency]:
                _cost(gateways, concurrency, WARM_UP)
            found.costs[name, concurrency].append(_cost(gateways, concurrency, seconds))
            time.sleep(DRAIN)
    except (Failed, OSError) as error:
        found.missing[name] = str(error)


def _cost(gateways: Sequence[tuple[Load, int]], concurrency: int, seconds: float) -> float:
    """CPU of a request in ms, over all `gateways` at the same time."""

    def run(gateway: tuple[Load, int]) -> tuple[float, float]:
        load, group = gateway
        busy = Load(load.port, load.body, load.key, concurrency // len(gateways))
        sample = busy.run(seconds, group)
        return sample.cpu_ms * sample.rate, sample.rate

    with ThreadPoolExecutor(len(gateways)) as pool:
        parts = list(pool.map(run, gateways))
    return sum(cost for cost, _ in parts) / sum(rate for _, rate in parts)
