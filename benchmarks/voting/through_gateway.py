"""`python -m benchmarks.voting.through_gateway`: rules as clients meet them, on recorded answers.

Two processes: a gateway that replays the recordings, without replacement, and before it the gateway
that is measured. Tokens and rounds are those that the first one counts. Beside each figure stands
what the rule alone comes to on the same questions, over many shuffles of their answers.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import sys
import urllib.request
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.demo.gateway_process import gateway
from benchmarks.voting.offline import passed
from benchmarks.voting.recorded import questions
from benchmarks.voting.running import BASELINE, MAJORITY, RECORDED, Policy

POLICIES: dict[str, tuple[dict[str, Any], Policy]] = {
    "value": ({"strategy": "adaptive", "params": {"rule": "value"}}, ("value", 64)),
    "adaptive-consistency-95": (
        {"strategy": "adaptive", "params": {"rule": "beta;level=0.95", "n": 40}},
        BASELINE,
    ),
    "majority-64": ({"strategy": "best_of_n", "params": {"n": 64}}, MAJORITY),
}
"""By name: as asked of the gateway, and the same as a rule alone."""
AT_ONCE = 4
ALONE = 30
"""Shuffles of the rule alone."""
BOXED = re.compile(r"\\boxed\{(.*)\}", re.DOTALL)
HEAD = """\
# Stopping rules through the gateway

<!-- Written by `python -m benchmarks.voting.through_gateway`; run that instead of editing. -->

{shuffles} shuffles, at most {limit} questions of each recording. Tokens and calls a question as the
upstream counts them. In brackets what the rule alone comes to on the same questions, and how many
of its standard deviations lie between; of some fifty such numbers a few beyond 2 are chance.

| recording | policy | accuracy | tokens | of AC's tokens | calls | samples a call |
|---|---|---|---|---|---|---|
"""


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.voting.through_gateway", description=__doc__
    )
    parser.add_argument("--recorded", type=Path, default=RECORDED)
    parser.add_argument("--policies", nargs="*", default=list(POLICIES), choices=list(POLICIES))
    parser.add_argument("--shuffles", type=int, default=2)
    parser.add_argument("--limit", type=int, default=100, help="questions of a recording")
    parser.add_argument("--files", default="*.jsonl")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/voting/through_gateway.md"))
    options = parser.parse_args(argv)
    lines = []
    for file in sorted(options.recorded.glob(options.files)):
        rows = [
            _measured(file, options.policies, number, options.limit)
            for number in range(options.shuffles)
        ]
        found = {name: np.array([row[name] for row in rows]) for name in options.policies}
        for name, told in found.items():
            alone = _alone(file, name, options.shuffles, options.limit)
            lines.append(_line(file.stem, name, told, alone, found.get("adaptive-consistency-95")))
            print(lines[-1], flush=True)
    head = HEAD.format(shuffles=options.shuffles, limit=options.limit)
    options.out.write_text(head + "\n".join(lines) + "\n")
    return 0


def _line(
    recording: str,
    name: str,
    told: NDArray[Any],
    alone: NDArray[Any],
    baseline: NDArray[Any] | None,
) -> str:
    """Columns of `told` [shuffles] and `alone` [many]: right, tokens, calls, samples."""
    right, tokens, calls, samples = told.mean(axis=0)
    means, deviations = alone.mean(axis=0), alone.std(axis=0, ddof=1) / np.sqrt(len(told))
    off = (told.mean(axis=0) - means) / np.where(deviations > 0, deviations, np.inf)
    share = f"{tokens / baseline[:, 1].mean():.3f}" if baseline is not None else "–"
    return (
        f"| {recording} | `{name}` | {right:.1%} ({means[0]:.1%}, {off[0]:+.1f}) "
        f"| {tokens:,.0f} ({means[1]:,.0f}, {off[1]:+.1f}) | {share} | {calls:.2f} "
        f"| {samples / calls:.2f} |"
    )


def _order(count: int, seed: int, limit: int) -> list[int]:
    """The questions of a shuffle, in the order in which they are asked."""
    return random.Random(f"order {seed}").sample(range(count), count)[:limit]


def _alone(file: Path, policy: str, shuffles: int, limit: int) -> NDArray[Any]:
    """[shuffles of answers]: the rule's own figures on the questions of the gateway's shuffles."""
    every = questions(file)
    orders = [_order(len(every), seed, limit) for seed in range(shuffles)]
    rows = []
    for number in range(ALONE):
        asked = [every[each] for each in orders[number % shuffles]]
        runs = passed(asked, *POLICIES[policy][1], shuffle=number, ordered=True)
        told = [(run.right, run.tokens, run.rounds, run.samples) for run in runs]
        rows.append(np.array(told).mean(axis=0))
    return np.array(rows)


def _measured(
    file: Path, policies: Sequence[str], seed: int, limit: int
) -> dict[str, tuple[float, ...]]:
    """By policy: share of right answers; tokens, calls and samples a question, as the upstream
    counts. A policy's candidates are those that follow on the last one's, none twice."""
    golds = [question.gold for question in questions(file)]
    order = _order(len(golds), seed, limit)
    told = {}
    with TemporaryDirectory() as folder:
        logs = Path(folder)
        replay = ("--replay", str(file), "--replay-seed", str(seed), "--port", "0")
        with (
            gateway(replay, logs / "upstream") as upstream,
            gateway(("--backend", f"{upstream}/v1", "--port", "0"), logs / "own") as own,
            ThreadPoolExecutor(AT_ONCE) as pool,
        ):
            for policy in policies:
                before = _counted(upstream)
                texts = list(pool.map(partial(_asked, own, file.stem, policy), order))
                right = sum(text == golds[n] for text, n in zip(texts, order, strict=True))
                spent = [now - was for now, was in zip(_counted(upstream), before, strict=True)]
                told[policy] = (right / len(order), *(each / len(order) for each in spent))
    return told


def _asked(base: str, model: str, policy: str, number: int) -> str | None:
    """The answer's spelling. A rule that ran out of time, on a busy machine, is told on stderr: it
    stops early, and the figures are not the rule's."""
    label = f"{model.partition('_')[0]}/{number}"
    body = {
        "model": model,
        "messages": [{"role": "user", "content": label}],
        "its": POLICIES[policy][0],
    }
    request = urllib.request.Request(
        f"{base}/v1/chat/completions",
        json.dumps(body).encode(),
        {"content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=120) as reply:
        if degraded := reply.headers.get("x-its-degraded"):
            print(f"{label} {policy}: degraded by {degraded}", file=sys.stderr)
        text = json.load(reply)["choices"][0]["message"]["content"] or ""
    found = BOXED.search(text)
    return found[1] if found else None


def _counted(base: str) -> tuple[float, float, float]:
    """Completion tokens, calls answered and candidates begun, by the upstream's metrics."""
    with urllib.request.urlopen(f"{base}/metrics", timeout=30) as reply:
        page = reply.read().decode()
    return (
        _sum(page, r'its_tokens_total\{[^}]*kind="completion"[^}]*\}'),
        _sum(page, r"its_requests_total\{[^}]*\}"),
        _sum(page, r"its_samples_total\{[^}]*\}"),
    )


def _sum(page: str, series: str) -> float:
    return sum(float(value) for value in re.findall(rf"^{series} (\S+)$", page, re.MULTILINE))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
