"""`python -m benchmarks.overhead`: CPU, added latency and memory of a request, beside nginx."""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console

from benchmarks.evaluation.options import positive, words
from benchmarks.overhead.footprint import footprint
from benchmarks.overhead.measuring import Failed
from benchmarks.overhead.processes import NotUp
from benchmarks.overhead.report import written
from benchmarks.overhead.rounds import Effort, Result, built, measured
from benchmarks.overhead.scenarios import SCENARIOS
from benchmarks.overhead.targets import NGINX_TARGET, OURS, PEERS, Missing, ours
from benchmarks.overhead.workers import workers
from benchmarks.scaling.report import command_line

HERE = Path(__file__).parent


def main(argv: Sequence[str]) -> int:
    """Measure and write the page; 1 where the tools for that are missing."""
    options = _parser().parse_args(argv)
    console = Console(stderr=True, soft_wrap=True)
    with tempfile.TemporaryDirectory() as told:
        try:
            parts = _parts(options, Path(told), lambda line: console.print(line, markup=False))
        except Missing as error:
            console.print(f"SKIPPED: {error}", markup=False)
            return 1
    facts = [
        f"`{command_line('python -m benchmarks.overhead', argv)}`, commit {_commit()}",
        f"{options.rounds} rounds of {options.seconds} s; {os.cpu_count()} cores, "
        f"Python {platform.python_version()}",
    ]
    page = "\n".join([written(parts[0], facts), *parts[1]])
    options.out.write_text(page)
    print(page)
    return 0


def _parts(
    options: argparse.Namespace, folder: Path, tell: Callable[[str], None]
) -> tuple[list[Result], list[str]]:
    """What the scenarios gave, and the sections beside them; `tell` hears how long each took."""

    def wanted(name: str) -> bool:
        return not options.only or any(word in name for word in options.only)

    targets = [NGINX_TARGET, OURS, *(PEERS[name] for name in options.peers)]
    if options.redis:
        targets.append(ours("its-gateway with Redis", "--redis", options.redis))
    program, started = built(folder), time.monotonic()

    def timed(line: str) -> None:
        tell(f"{time.monotonic() - started:5.0f} s  {line}")

    effort = Effort(options.rounds, options.seconds)
    results = [
        measured(scenario, targets, program, folder, effort, timed)
        for scenario in SCENARIOS
        if wanted(scenario.name)
    ]
    sections = [workers(program, folder, effort, timed)] if wanted("workers") else []
    if not wanted("footprint"):
        return results, sections
    try:
        found = footprint(OURS, program, folder, options.rounds, options.requests, timed)
    except (Failed, NotUp) as error:
        return results, [*sections, f"## Footprint of its-gateway\n\nNot measured: {error}\n"]
    return results, [*sections, found.section()]


def _commit() -> str:
    done = subprocess.run(
        ["git", "-C", str(HERE), "rev-parse", "--short", "HEAD"], capture_output=True, text=True
    )
    return done.stdout.strip() or "unknown"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.overhead", description=__doc__)
    parser.add_argument("--out", type=Path, default=HERE / "results.md", help="the page")
    parser.add_argument("--rounds", type=positive, default=5)
    parser.add_argument("--seconds", type=positive, default=2, help="of each load in a round")
    parser.add_argument("--only", type=words, default=[], help="parts of scenarios' names")
    parser.add_argument(
        "--requests", type=int, default=200_000, help="over which memory is looked at; 0: not"
    )
    parser.add_argument(
        "--peers", type=words, default=[], help=f"others to measure: {', '.join(PEERS)}"
    )
    parser.add_argument("--redis", help="URL of a Redis that a second gateway of ours uses")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
