"""What our gateway takes beside CPU: time to start; memory idle, in flight, over many requests."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from benchmarks.overhead.measuring import Load
from benchmarks.overhead.processes import SERVED, memory, running, wait_for
from benchmarks.overhead.rounds import load_of, upstream_of
from benchmarks.overhead.scenarios import Scenario, Upstream
from benchmarks.overhead.targets import Target
from benchmarks.ports import free_port

PLAIN = Scenario("pass-through")
HELD = Scenario(
    "best_of_n 8 in flight",
    Upstream(latency_ms=1000, tokens=500),
    ours={"its": {"strategy": "best_of_n", "budget": 8, "verifier": "agreement"}},
)
GROWING = Scenario("streams in flight", Upstream(chunks=200, gap_us=5000), body={"stream": True})
CLIENTS = 64
HELD_SECONDS = 4.0
PORTIONS = 10
SETTLED = 0.5
"""Seconds after the first answer, from which on memory is called idle."""


@dataclass
class Footprint:
    """Seconds from start to /ready and MB then, by round; MB after so many requests; KB a candidate
    in flight, by what they are."""

    ready_s: list[float] = field(default_factory=list)
    idle_mb: list[float] = field(default_factory=list)
    grown: list[tuple[int, float]] = field(default_factory=list)
    candidate_kb: dict[str, float] = field(default_factory=dict)

    def section(self) -> str:
        """What the page says of it."""
        told = [
            "## Footprint of its-gateway\n",
            "| | |",
            "| --- | ---: |",
            f"| start to ready, median of {len(self.ready_s)} | {median(self.ready_s):.2f} s |",
            f"| RSS idle, median | {median(self.idle_mb):.1f} MB |",
            *(f"| a candidate of {n} | {kb:.1f} KB |" for n, kb in self.candidate_kb.items()),
        ]
        if self.grown:
            told += ["\n| requests answered | RSS MB |", "| ---: | ---: |"]
            told += [f"| {count:,} | {mb:.1f} |" for count, mb in self.grown]
        return "\n".join(told) + "\n"


@contextmanager
def _served(
    target: Target, scenario: Scenario, program: Path, folder: Path
) -> Iterator[tuple[Load, int, float]]:
    """A load on `target` before an upstream of its own, its group, and seconds until ready."""
    with ExitStack() as stack:
        port, own = free_port(), folder / f"footprint-{time.monotonic_ns()}"
        own.mkdir()
        upstream = upstream_of(scenario, program, own / "upstream.log", stack)
        started = time.monotonic()
        command = list(target.command(port, upstream, own))
        group = stack.enter_context(running(command, SERVED, own / "log", target.environment))
        wait_for(f"http://127.0.0.1:{port}/ready", own / "log")
        yield load_of(scenario, target.strategies, port, own), group, time.monotonic() - started


def footprint(
    target: Target,
    program: Path,
    folder: Path,
    rounds: int,
    requests: int,
    tell: Callable[[str], None],
) -> Footprint:
    """Start it `rounds` times, hold candidates in flight, and answer `requests` (0: none)."""
    found = Footprint()
    for _ in range(rounds):
        with _served(target, PLAIN, program, folder) as (_, group, ready):
            time.sleep(SETTLED)
            found.ready_s.append(ready)
            found.idle_mb.append(memory(group))
    tell("footprint: started")
    for scenario, each in ((HELD, 8), (GROWING, 1)):
        with _served(target, scenario, program, folder) as (load, group, _):
            found.candidate_kb[scenario.name] = _held(load, group) * 1000 / (CLIENTS * each)
    tell("footprint: held")
    if requests:
        with _served(target, PLAIN, program, folder) as (load, group, _):
            found.grown = list(_grown(load, group, requests))
        tell("footprint: grown")
    return found


def _held(load: Load, group: int) -> float:
    """MB that a full load takes at most beyond what a warm gateway takes."""
    Load(load.port, load.body, load.key, 1).run(HELD_SECONDS, group)
    before = memory(group)
    busy = Load(load.port, load.body, load.key, CLIENTS)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(busy.run, 2 * HELD_SECONDS, group)
        most = before
        while not running.done():
            most = max(most, memory(group))
            time.sleep(0.02)
        running.result()
    return most - before


def _grown(load: Load, group: int, requests: int) -> Iterator[tuple[int, float]]:
    """Requests answered so far and MB, ten times."""
    busy = Load(load.port, load.body, load.key, 16)
    answered, seconds = 0, 1.0
    for portion in range(1, PORTIONS + 1):
        while answered < portion * requests // PORTIONS:
            done = busy.run(seconds, group)
            answered += round(done.rate * seconds)
            left = portion * requests // PORTIONS - answered
            seconds = max(1.0, round(left / done.rate))
        yield answered, memory(group)
