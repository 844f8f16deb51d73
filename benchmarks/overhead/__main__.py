"""`python -m benchmarks.overhead`: CPU, added latency and memory of a request, beside nginx."""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from benchmarks.evaluation.options import positive, words
from benchmarks.overhead.footprint import footprint
from benchmarks.overhead.report import written
from benchmarks.overhead.rounds import Effort, Result, built, measured
from benchmarks.overhead.scenarios import SCENARIOS
from benchmarks.overhead.targets import NGINX_TARGET, OURS, PEERS, Missing, ours
from benchmarks.scaling.report import command_line

HERE = Path(__file__).parent


def main(argv: Sequence[str]) -> int:
    """Measure and write the page; 1 where the tools for that are missing."""
    options = _parser().parse_args(argv)
    console = Console(stderr=True, soft_wrap=True)
    targets = [NGINX_TARGET, OURS, *(PEERS[name] for name in options.peers)]
    if options.redis:
        targets.append(ours("its-gateway with Redis", "--redis", options.redis))
    results: list[Result] = []
    with tempfile.TemporaryDirectory() as told:
        folder = Path(told)
        try:
            program = built(folder)
        except Missing as error:
            console.print(f"SKIPPED: {error}", markup=False)
            return 1
        for scenario in SCENARIOS:
            if options.only and not any(word in scenario.name for word in options.only):
                continue
            results.append(
                measured(
                    scenario,
                    targets,
                    program,
                    folder,
                    Effort(options.rounds, options.seconds),
                    lambda line: console.print(line, markup=False),
                )
            )
        found = None
        if not options.only:
            found = footprint(
                OURS,
                program,
                folder,
                options.rounds,
                options.requests,
                lambda line: console.print(line, markup=False),
            )
    facts = [
        f"`{command_line('python -m benchmarks.overhead', argv)}`, commit {_commit()}",
        f"{options.rounds} rounds of {options.seconds} s; {os.cpu_count()} cores, "
        f"Python {platform.python_version()}",
    ]
    page = written(results, facts) + ("\n" + found.section() if found else "")
    options.out.write_text(page)
    print(page)
    return 0


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
