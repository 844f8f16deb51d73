"""Interleaved rounds: every target of a scenario in turn, as often as there are rounds."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from benchmarks.overhead.measuring import Failed, Load, Sample
from benchmarks.overhead.processes import LOADING, NotUp, running, wait_for
from benchmarks.overhead.scenarios import Scenario
from benchmarks.overhead.targets import KEY, Missing, Target
from benchmarks.ports import free_port
from benchmarks.scaling.peers.environments import Unavailable

SOURCE = Path(__file__).with_name("upstream.c")
WARM_UP = 1.0
DRAIN = 0.2
"""Seconds in which what a load leaves behind ends before the next one begins."""
DIRECT = "no gateway"


@dataclass
class Result:
    """Samples of one scenario by (target, concurrency), and what could not be measured, and why."""

    scenario: Scenario
    samples: dict[tuple[str, int], list[Sample]] = field(default_factory=lambda: defaultdict(list))
    first_bytes: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    missing: dict[str, str] = field(default_factory=dict)

    def middle(
        self, target: str, concurrency: int, figure: Callable[[Sample], float]
    ) -> float | None:
        """The median of a figure over the rounds; None where there is none."""
        found = self.samples.get((target, concurrency))
        return median(map(figure, found)) if found else None


@dataclass(frozen=True)
class Effort:
    """How many rounds, and how long each load of a round takes, in seconds."""

    rounds: int
    seconds: float


def built(folder: Path) -> Path:
    """The upstream's program; `Missing` without a compiler or a load generator."""
    for need in ("gcc", "wrk", "taskset"):
        if shutil.which(need) is None:
            raise Missing(f"{need} is not installed (Debian: gcc, wrk, util-linux)")
    program = folder / "upstream"
    subprocess.run(["gcc", "-O2", "-o", str(program), str(SOURCE)], check=True)
    return program


def measured(
    scenario: Scenario,
    targets: Sequence[Target],
    program: Path,
    folder: Path,
    effort: Effort,
    tell: Callable[[str], None],
) -> Result:
    """Measure every target in every round; `tell` is called with each round's progress."""
    result = Result(scenario)
    with ExitStack() as stack:
        upstream = upstream_of(scenario, program, folder / "upstream.log", stack)
        loads = {DIRECT: (load_of(scenario, False, upstream, folder), 0)}
        for target in targets:
            if scenario.needs_strategy and not target.strategies:
                continue
            try:
                loads[target.name] = started(target, scenario, upstream, folder, stack)
            except (Missing, NotUp, Unavailable) as error:
                result.missing[target.name] = str(error)
        for number in range(effort.rounds):
            for name, (load, group) in loads.items():
                _round(result, name, load, group, effort.seconds)
            tell(f"{scenario.name}: round {number + 1} of {effort.rounds}")
    return result


def upstream_of(scenario: Scenario, program: Path, log: Path, stack: ExitStack) -> int:
    """The port of a scenario's upstream, which runs until `stack` ends."""
    port = free_port()
    command = [str(program), str(port), *scenario.upstream.flags()]
    stack.enter_context(running(command, LOADING, log))
    wait_for(f"http://127.0.0.1:{port}/stats", log)
    return port


def load_of(scenario: Scenario, ours: bool, port: int, folder: Path) -> Load:
    """A scenario's requests to a port; its body lies in `folder`."""
    body = folder / f"body-{port}.json"
    body.write_text(json.dumps(scenario.request(ours)))
    return Load(port, body, KEY, 0)


def started(
    target: Target, scenario: Scenario, upstream: int, folder: Path, stack: ExitStack
) -> tuple[Load, int]:
    """A scenario's load on `target`, which runs until `stack` ends, and its process group."""
    port = free_port()
    own = folder / f"{target.name}-{port}"
    own.mkdir()
    log = own / "log"
    command = target.command(port, upstream, own)
    group = stack.enter_context(running(command, target.core, log, target.environment))
    base = f"http://127.0.0.1:{port}"
    wait_for(f"{base}{target.ready}", log)
    target.prepare(base, f"http://127.0.0.1:{upstream}/v1", "mock")
    return load_of(scenario, target.strategies, port, folder), group


def _round(result: Result, name: str, load: Load, group: int, seconds: float) -> None:
    """All of a scenario's loads on one target; one that fails is told and measured no more."""
    scenario = result.scenario
    if name in result.missing:
        return
    try:
        with load.idle(scenario.idle):
            for concurrency in scenario.concurrency:
                busy = Load(load.port, load.body, load.key, concurrency)
                if not result.samples[name, concurrency]:
                    busy.run(WARM_UP, group)
                result.samples[name, concurrency].append(busy.run(seconds, group))
                time.sleep(DRAIN)
            if _streams(scenario.body):
                result.first_bytes[name].append(load.first_byte_ms())
    except (Failed, OSError) as error:
        result.missing[name] = str(error)


def _streams(body: Mapping[str, object]) -> bool:
    return bool(body.get("stream"))
