"""`python -m benchmarks.self_evaluation`: what self-evaluation keeps of 16 samples' gain, beside
the bound of a perfect one; utility against thresholds; pruning.

Candidates are drawn, judged and pruned through the gateway, once; rules that stop early are
replayed on them, and some are asked of the gateway as well, to show that they do there what they
did in the replay.
"""

from __future__ import annotations

import argparse
import asyncio
import platform
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import aiohttp
from rich.console import Console

from benchmarks.demo.gateway_process import NotReady, gateway
from benchmarks.evaluation import journal
from benchmarks.evaluation.client import Asking, Fatal
from benchmarks.evaluation.options import positive, words
from benchmarks.evaluation.policies import Policy
from benchmarks.evaluation.problem import Problem, digest
from benchmarks.evaluation.running import Plan, carry_out, progress
from benchmarks.evaluation.sources import generated
from benchmarks.scaling.beds import REPEAT
from benchmarks.scaling.report import command_line
from benchmarks.self_evaluation.found import Found, bank_of, confirmed
from benchmarks.self_evaluation.plans import AIMS, CHOICES, drawn, families, policy
from benchmarks.self_evaluation.report import RESAMPLES, Told, written

HERE = Path(__file__).parent
MODEL = "its-demo"
LANGUAGES = "en,fr,de,es,ja,ru,zh"


def main(argv: Sequence[str]) -> int:
    """Run and report; 2 for a bad command line, 1 for a gateway that cannot be asked."""
    options = _parser().parse_args(argv)
    console = Console(stderr=True, soft_wrap=True)
    started = time.monotonic()
    asked = generated(options.problems, options.seed, options.languages)
    # One repeat of each, in the form that the arrays of `measured` go by.
    problems = [each.model_copy(update={"id": f"{each.id}{REPEAT}0"}) for each in asked]
    try:
        with _work(options.work) as work:
            told = _run(problems, options, work, console)
    except (Fatal, NotReady, journal.BadRun) as error:
        console.print(f"self_evaluation: {error}", markup=False, highlight=False)
        return 1
    facts = [
        f"`{command_line('python -m benchmarks.self_evaluation', argv)}`: "
        f"{time.monotonic() - started:.0f} seconds",
        f"{len(problems)} unseen problems of the demo's kind, languages "
        f"{', '.join(options.languages)}; seed {options.seed}; {RESAMPLES} resamples",
        f"its-gateway {version('its-gateway')}, Python {platform.python_version()}",
    ]
    options.out.mkdir(parents=True, exist_ok=True)
    page = options.out / "report.md"
    page.write_text(written(told, options.checkpoint, options.seed, facts))
    print(page)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.self_evaluation", description=__doc__, allow_abbrev=False
    )
    parser.add_argument("--problems", type=positive, default=500, help="how many (500)")
    parser.add_argument("--languages", type=words, default=words(LANGUAGES), help=LANGUAGES)
    parser.add_argument("--checkpoint", type=positive, default=16, help="tokens at pruning (16)")
    parser.add_argument("--seed", type=int, default=11, help="of problems and draws (11)")
    parser.add_argument("--concurrency", type=positive, default=4, help="problems at once (4)")
    parser.add_argument(
        "--confirm", type=positive, default=60, help="problems on which replays are checked (60)"
    )
    parser.add_argument("--quick", action="store_true", help="fewer policies")
    parser.add_argument("--work", type=Path, help="folder of the journal, to go on after an end")
    parser.add_argument("--out", type=Path, default=HERE, help="folder of the report (this one)")
    return parser


@contextmanager
def _work(folder: Path | None) -> Iterator[Path]:
    if folder is not None:
        yield folder
        return
    with tempfile.TemporaryDirectory() as fresh:
        yield Path(fresh)


def _run(
    problems: Sequence[Problem],
    options: argparse.Namespace,
    work: Path,
    console: Console,
) -> Told:
    """Draw, replay the rules on what was drawn, and ask some of them of the gateway as well."""
    work.mkdir(parents=True, exist_ok=True)
    before = work / "first"
    with gateway(["--port", "0"], work / "gateway.log") as base:
        url = f"{base}/v1"
        policies = drawn(options.checkpoint)
        asyncio.run(_ask(problems, policies, options, before, url, console))
        run = journal.read(before)
        bank = bank_of(run)
        how = families(bank, aims=AIMS[3::2] if options.quick else AIMS)
        again = {each.confirmed: policy(each.params[each.confirmed]) for each in how}
        few = sorted(problems, key=lambda problem: problem.id)[: options.confirm]
        one = argparse.Namespace(**{**vars(options), "concurrency": 1})  # utility learns in order
        # Both utilities would learn on one route, so each way to choose has a gateway of its own.
        for choose in CHOICES:
            own = {each.confirmed: again[each.confirmed] for each in how if each.choose == choose}
            with gateway(["--port", "0"], work / f"{choose}.log") as fresh:
                asyncio.run(_ask(few, own, one, work / choose, f"{fresh}/v1", console))
    checked = [
        each
        for choose in CHOICES
        for each in confirmed(
            journal.read(work / choose), bank, [family for family in how if family.choose == choose]
        )
    ]
    rules = {name: params for each in how for name, params in each.params.items()}
    rules |= {name: str((each.params or {}).get("rule", "")) for name, each in policies.items()}
    return Told(Found.of(run, how), how, rules, checked)


async def _ask(
    problems: Sequence[Problem],
    policies: Mapping[str, Policy],
    options: argparse.Namespace,
    folder: Path,
    base: str,
    console: Console,
) -> None:
    plan = Plan(policies, problems, options.concurrency, texts=False)
    asking = Asking(model=MODEL, seed=options.seed, fields={})
    manifest = {
        "seed": options.seed,
        "problems": digest(problems),
        "policies": {
            name: each.model_dump(mode="json", exclude_defaults=True)
            for name, each in policies.items()
        },
    }
    quiet = not sys.stderr.isatty()
    timeout = aiohttp.ClientTimeout(total=600)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        with (
            journal.Journal(folder, manifest, problems) as record,
            progress(plan, record, console, quiet=quiet) as tick,
        ):
            await carry_out(plan, session, base, asking, record, tick)
