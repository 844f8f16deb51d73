"""`python -m benchmarks.constrained`: the issue's figures, on the demo model.

Exact enumeration on small grammars; masking, CARS, ASAp, MCMC-Restart and SNIS against it; then
answers in a nested schema, and the bed's JSON form against free text. Counts and accuracies only:
it says nothing of time.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.constrained import outputs
from benchmarks.constrained.exact import Masks, Rows, enumerated
from benchmarks.constrained.grammars import CASES, Case
from benchmarks.constrained.sampling import Bed, Measured, measured
from gateway.backends.embedded import EmbeddedBackend
from gateway.backends.embedded.backend import MODEL
from gateway.backends.embedded.runtime import Runtime
from gateway.grammar.engine import Grammar, Vocabulary
from gateway.testing import user

NEARER = 0.05
"""Masking's divergence (nats) from which on others have to be nearer."""


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.constrained", description=__doc__)
    parser.add_argument("--samples", type=int, default=10_000, help="of CARS, a grammar")
    parser.add_argument("--steps", type=int, default=10, help="of MCMC-Restart")
    parser.add_argument("--outputs", type=int, default=1000, help="in the nested schema")
    parser.add_argument("--problems", type=int, default=300, help="for accuracy")
    parser.add_argument("--each", type=int, default=4, help="answers a problem and form")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, help="where to write the figures, as JSON")
    options = parser.parse_args(argv)
    runtime = Runtime(MODEL)
    found: dict[str, Measured] = {}
    print(f"{'grammar':<18}{'answers':>8}{'mask':>9}{'cars p':>9}{'accepted':>9}{'asap':>10}"
          f"{'mcmc':>10}{'snis':>10}")  # fmt: skip
    for case in CASES:
        bed = bed_of(runtime, case)
        row = measured(bed, samples=options.samples, steps=options.steps, seed=options.seed)
        found[case.name] = row
        print(f"{case.name:<18}{row['answers']:>8.0f}{row['mask']:>9.4f}{row['cars_p']:>9.4f}"
              f"{row['cars_accepted']:>9.3f}{row['asap_100']:>10.5f}{row['mcmc']:>10.5f}"
              f"{row['snis']:>10.5f}", flush=True)  # fmt: skip
    runtime.engine.close()
    runtime.guides.close()
    told = {"grammars": found, "summary": summary(found)}
    print(json.dumps(told["summary"], indent=1), flush=True)
    told |= asyncio.run(_answers(options.outputs, options.problems, options.each))
    if options.out is not None:
        options.out.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    return 0


def bed_of(runtime: Runtime, case: Case) -> Bed:
    """A case's enumeration; the engine is not used."""
    text = (MODEL / "tokenizer.json").read_text(encoding="utf-8")
    vocabulary = Vocabulary.of_json(text, runtime.model.config.vocab, runtime.ends)
    prompt = runtime.chat.prompt(user(case.question), generate=True, proceed=False)
    rows, masks = Rows(runtime.model, prompt), Masks(Grammar(case.constraint, vocabulary))
    truth = enumerated(rows, masks, sorted(runtime.ends))
    return Bed(rows, masks, runtime.ends, truth)


def summary(found: dict[str, Measured]) -> dict[str, object]:
    """What the issue asks for: which grammars pass, and how much nearer the others come."""
    far = {name: row for name, row in found.items() if row["mask"] > NEARER}
    ratio = {how: {name: row["mask"] / max(row[how], 1e-12) for name, row in far.items()}
             for how in ("asap_100", "mcmc", "snis")}  # fmt: skip
    mean = {how: sum(row["mask"] for row in found.values())
            / max(sum(row[how] for row in found.values()), 1e-12)
            for how in ("asap_100", "mcmc", "snis")}  # fmt: skip
    return {
        "grammars": len(found),
        "cars below p = .05": [name for name, row in found.items() if row["cars_p"] < 0.05],
        "cars below p = .001": [name for name, row in found.items() if row["cars_p"] < 0.001],
        "masking over .05 on": len(far),
        "asap less than 3 times nearer on": [n for n, r in ratio["asap_100"].items() if r < 3],
        "mean mask over mean other": {how: round(value, 2) for how, value in mean.items()},
        "mean of mask over other, of those": {
            how: round(sum(rows.values()) / max(1, len(rows)), 2)
            for how, rows in ratio.items()
            if how != "asap_100"  # which is often 0
        },
        "most missed by enumeration": max(row["missed"] for row in found.values()),
    }


async def _answers(count: int, problems: int, each: int) -> dict[str, object]:
    backend = EmbeddedBackend()
    try:
        validity = await outputs.validity(backend, count)
        print(f"nested schema: {validity}", flush=True)
        accuracy = await outputs.accuracy(backend, problems, each)
        for form, row in accuracy.items():
            print(f"{form:<12}" + "; ".join(_told(*each) for each in row.items()), flush=True)
    finally:
        await backend.close()
    return {"nested": validity, "accuracy": accuracy}


def _told(name: str, figure: Any) -> str:
    if not isinstance(figure, dict):
        return f"{name} {figure}"
    return f"{name} {figure['value']:+.3f} [{figure['low']:+.3f}, {figure['high']:+.3f}]"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
