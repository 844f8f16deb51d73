"""The demo's command line: run the policies, show one table, keep serving."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

from openai import AsyncOpenAI
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from benchmarks.demo.gateway_process import NotReady, gateway
from benchmarks.demo.policies import (
    CONCURRENCY,
    COVERAGE_POLICY,
    COVERAGE_SAMPLES,
    POLICIES,
    Row,
    row,
    solve_all,
)
from benchmarks.evaluation.coverage import coverage
from benchmarks.problems import Problem, generate

MODEL = "its-demo"
COVERAGE_AT = (1, 4, 16, 64)


def main(argv: Sequence[str]) -> int:
    """Run the demo; 1 where the gateway did not start."""
    options = _parser().parse_args(argv)
    # Standard output belongs to the table or the JSON line; all else is told on standard error.
    console = Console(stderr=True)
    try:
        with tempfile.TemporaryDirectory() as folder:
            log = Path(folder) / "gateway.log"
            serve = ["--port", str(options.port)]
            with gateway(serve, log) as base:
                return _demo(options, base, console)
    except NotReady as error:
        console.print(f"the gateway did not start:\n{error}", style="red", markup=False)
        return 1
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="its-gateway demo", description=__doc__)
    parser.add_argument("--once", action="store_true", help="stop after the table")
    parser.add_argument("--json", action="store_true", help="end with one JSON object, no table")
    parser.add_argument("--problems", type=_positive, default=100, help="how many (100)")
    parser.add_argument("--seed", type=int, default=7, help="which problems (7)")
    parser.add_argument("--port", type=int, default=0, help="port to serve on (a free one)")
    return parser


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value


def _demo(options: argparse.Namespace, base: str, console: Console) -> int:
    problems = list(generate(options.problems, options.seed, split="test"))
    started = time.perf_counter()
    rows, covered = asyncio.run(_measure(base, problems, options.seed, console))
    console.print(
        f"{len(problems)} unseen problems, seed {options.seed}, "
        f"{time.perf_counter() - started:.0f} s; temperature 1, {CONCURRENCY} problems at once"
    )
    if options.json:
        coverage_by_k = {str(k): value for k, value in covered.items()}
        print(json.dumps({"policies": [asdict(r) for r in rows], "coverage": coverage_by_k}))
    else:
        _show(rows, covered)
    if not options.once:
        _keep_serving(base, problems[0].question)
    return 0


async def _measure(
    base: str, problems: Sequence[Problem], seed: int, console: Console
) -> tuple[list[Row], dict[int, float]]:
    rows: list[Row] = []
    covered: dict[int, float] = {}
    columns = (
        TextColumn("{task.description:14}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    async with AsyncOpenAI(base_url=f"{base}/v1", api_key="none", timeout=600) as client:
        with Progress(*columns, console=console) as progress:
            bars = {name: progress.add_task(name, total=len(problems)) for name in POLICIES}
            for name in POLICIES:
                solved = await solve_all(
                    client, MODEL, name, problems, seed, partial(progress.advance, bars[name])
                )
                rows.append(row(name, solved))
                if name == COVERAGE_POLICY:
                    hits = [each.hits for each in solved]
                    covered = {k: coverage(hits, COVERAGE_SAMPLES, k) for k in COVERAGE_AT}
    return rows, covered


def _show(rows: Sequence[Row], covered: dict[int, float]) -> None:
    table = Table(title="What more samples buy")
    table.add_column("policy")
    for name in ("accuracy", "samples", "tokens", "p50 ms"):
        table.add_column(name, justify="right")
    for each in rows:
        table.add_row(
            each.name,
            f"{each.accuracy:.1%}",
            f"{each.samples_mean:.1f}",
            f"{each.tokens_mean:.0f}",
            f"{each.p50_ms:.0f}",
        )
    output = Console()
    output.print(table)
    told = "   ".join(f"@{k} {value:.1%}" for k, value in covered.items())
    output.print(f"coverage, a right answer among k samples: {told}", soft_wrap=True)


CURLS = """
The gateway serves on {base}; ctrl-C ends it. Try:

curl {base}/v1/chat/completions -H 'content-type: application/json' \\
  -d '{{"model": "its-demo", "messages": [{{"role": "user", "content": {question}}}]}}'

curl -i {base}/v1/chat/completions -H 'content-type: application/json' \\
  -H 'X-ITS-Strategy: best_of_n' -H 'X-ITS-Budget: 16' -H 'X-ITS-Detail: summary' \\
  -d '{{"model": "its-demo", "messages": [{{"role": "user", "content": {question}}}]}}'

curl -N {base}/v1/chat/completions -H 'content-type: application/json' \\
  -d '{{"model": "its-demo@verified-16", "stream": true, "its": {{"progress": true}},
       "messages": [{{"role": "user", "content": {question}}}]}}'

Metrics: {base}/metrics
"""


def _keep_serving(base: str, question: str) -> None:
    quoted = json.dumps(question.replace("'", "’"))
    print(CURLS.format(base=base, question=quoted), flush=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    signal.pause()
