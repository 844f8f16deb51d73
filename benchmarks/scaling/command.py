"""`its-gateway scaling`: every strategy against repeated sampling at equal tokens."""

from __future__ import annotations

import argparse
import os
import platform
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

from rich.console import Console

from benchmarks.demo.gateway_process import NotReady
from benchmarks.evaluation.client import Fatal
from benchmarks.evaluation.journal import BadRun
from benchmarks.evaluation.options import positive, words
from benchmarks.evaluation.sources import data
from benchmarks.scaling.beds import Bed, demo, recorded
from benchmarks.scaling.comparing import RESAMPLES
from benchmarks.scaling.report import command_line, written
from benchmarks.scaling.running import How, run
from benchmarks.scaling.table import BadTable, unknown
from gateway.registry import load

HERE = Path(__file__).parent
RECORDINGS = ("math500_gpt-oss-20b", "aime2024_gpt-oss-20b")


def main(argv: Sequence[str]) -> int:
    """Run and report; 2 for a bad command line or table, 1 for a gateway that cannot be asked."""
    console = Console(stderr=True, soft_wrap=True)
    before = signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        options = _parser().parse_args(argv)
        with _work(options) as work:
            print(_run(options, work, argv, console))
        return 0
    except (BadTable, BadRun, ValueError) as error:
        console.print(f"its-gateway scaling: {error}", markup=False, highlight=False)
        return 2
    except (Fatal, NotReady) as error:
        console.print(f"its-gateway scaling: {error}", markup=False, highlight=False)
        return 1
    except KeyboardInterrupt:
        return 130
    finally:
        signal.signal(signal.SIGTERM, before)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="its-gateway scaling", description=__doc__, allow_abbrev=False
    )
    parser.add_argument("--out", type=Path, default=HERE, help="folder of the report (this one)")
    parser.add_argument("--work", type=Path, help="folder of journals, to go on after an end")
    parser.add_argument("--quick", action="store_true", help="few problems, small budgets")
    parser.add_argument("--problems", type=positive, help="of the demo's kind (120, quick 16)")
    parser.add_argument("--languages", type=words, default=["en"], help="of these problems (en)")
    parser.add_argument("--budgets", type=_budgets, help="of the curve (2,4,8,16,32; quick 2,4)")
    parser.add_argument(
        "--recorded", type=words, default=list(RECORDINGS), metavar="MODEL,…",
        help=f"recorded answers to replay ({','.join(RECORDINGS)})",
    )  # fmt: skip
    parser.add_argument("--seed", type=int, default=7, help="of problems, draws, bootstrap (7)")
    parser.add_argument("--concurrency", type=positive, default=4, help="problems at once (4)")
    return parser


def _budgets(text: str) -> list[int]:
    return sorted({positive(word) for word in words(text)} - {1})


@contextmanager
def _work(options: argparse.Namespace) -> Iterator[Path]:
    if options.work is not None:
        yield options.work
        return
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def _run(options: argparse.Namespace, work: Path, argv: Sequence[str], console: Console) -> Path:
    started = time.monotonic()
    registries = (
        load("strategy", "strategies", "its_gateway.strategies"),
        load("verifier", "verifiers", "its_gateway.verifiers"),
    )
    for folder in (options.out, work):
        folder.mkdir(parents=True, exist_ok=True)
    how = How(work, options.out, options.seed, options.concurrency, not sys.stderr.isatty())
    parts = [run(bed, registries, how, console) for bed in _beds(options, console)]
    command = command_line("its-gateway scaling", argv)
    facts = [
        f"`{command}`: {time.monotonic() - started:.0f} seconds on {os.cpu_count()} cores",
        f"its-gateway {version('its-gateway')}, Python {platform.python_version()}; "
        f"seed {options.seed}; {RESAMPLES} resamples",
        *(f"`strategies.toml` has lines for `{name}`, which is not here"
          for name in unknown(registries[0])),
    ]  # fmt: skip
    page: Path = options.out / "report.md"
    page.write_text(written(parts, facts))
    return page


def _beds(options: argparse.Namespace, console: Console) -> Iterator[Bed]:
    quick = options.quick
    budgets = options.budgets or ([2, 4] if quick else [2, 4, 8, 16, 32])
    problems = options.problems or (16 if quick else 120)
    yield demo(problems, options.seed, options.languages, budgets)
    folder = data() / "recorded"
    for name in options.recorded:
        file = folder / f"{name}.jsonl"
        if not file.is_file():
            console.print(f"not run: {name} (set ITS_DATA to the folder that has recorded/)")
            continue
        small = name.startswith("aime")
        limit = 10 if quick else 30 if small else 150
        yield recorded(file, limit=limit, repeats=1 if quick or not small else 8, budgets=budgets)
