"""`python -m benchmarks.multilingual`: the demo's model in seven languages, and the report."""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import sys
from collections.abc import Sequence
from pathlib import Path

from pydantic import TypeAdapter

from benchmarks.evaluation.options import positive, words
from benchmarks.multilingual.measuring import Language, measure
from benchmarks.multilingual.policies import policies
from benchmarks.multilingual.report import written
from benchmarks.problems import LANGUAGES
from benchmarks.problems.parallel import parallel
from gateway.backends.embedded.backend import MODEL

HERE = Path(__file__).parent
KEPT = TypeAdapter(Language)


def main(argv: Sequence[str]) -> int:
    """Measure what is not kept yet, language by language, and write the report."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.multilingual", description=__doc__)
    parser.add_argument("--problems", type=positive, default=100, help="a language (100)")
    parser.add_argument("--languages", type=words, default=list(LANGUAGES), help="(all seven)")
    parser.add_argument("--seed", type=int, default=7, help="of problems, draws, bootstrap (7)")
    parser.add_argument("--work", type=Path, help="folder that keeps each language's results")
    parser.add_argument("--out", type=Path, default=HERE / "report.md", help="(report.md here)")
    options = parser.parse_args(argv)
    found = {code: _found(options, code) for code in options.languages}
    # Without the folders, which are this machine's.
    asked = f"--problems {options.problems} --languages {','.join(found)} --seed {options.seed}"
    command = f"python -m benchmarks.multilingual {asked}"
    report = written(found, command, options.problems, options.seed, _weights())
    options.out.write_text(report)
    print(options.out)
    return 0


def _found(options: argparse.Namespace, code: str) -> Language:
    """A language's results, taken from the folder where they are there for these weights."""
    kept = None
    if options.work is not None:
        options.work.mkdir(parents=True, exist_ok=True)
        kept = options.work / f"{code}-{options.problems}-{options.seed}-{_weights()}.json"
        if kept.exists():
            return KEPT.validate_json(kept.read_bytes())
    into = "en" if code != "en" else "zh"
    problems = list(parallel(options.problems, options.seed, code, into))
    found = asyncio.run(measure(problems, policies(), options.seed, into))
    if kept is not None:
        kept.write_bytes(KEPT.dump_json(found))
    return found


def _weights() -> str:
    return hashlib.sha256((MODEL / "model.safetensors").read_bytes()).hexdigest()[:8]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
