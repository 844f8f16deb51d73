"""`python -m benchmarks.voting.through_gateway`: rules as clients meet them, on recorded answers.

Two processes: a gateway that replays the recordings, without replacement, and before it the gateway
that is measured. Tokens and rounds are those that the first one counts.
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
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.demo.gateway_process import gateway
from benchmarks.voting.command import RECORDED
from benchmarks.voting.recorded import questions

POLICIES = {
    "value": {"strategy": "adaptive", "params": {"rule": "value"}},
    "adaptive-consistency-95": {
        "strategy": "adaptive",
        "params": {"rule": "beta;level=0.95", "n": 40},
    },
    "majority-64": {"strategy": "best_of_n", "params": {"n": 64}},
}
AT_ONCE = 4
BOXED = re.compile(r"\\boxed\{(.*)\}", re.DOTALL)


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recorded", type=Path, default=RECORDED)
    parser.add_argument("--policies", nargs="*", default=list(POLICIES), choices=list(POLICIES))
    parser.add_argument("--shuffles", type=int, default=1)
    parser.add_argument("--limit", type=int, default=None, help="questions of a recording")
    parser.add_argument("--files", default="*.jsonl")
    options = parser.parse_args(argv)
    for file in sorted(options.recorded.glob(options.files)):
        for name in options.policies:
            told = [
                _measured(file, name, number, options.limit) for number in range(options.shuffles)
            ]
            right, tokens, rounds, samples = (
                sum(column) / len(told) for column in zip(*told, strict=True)
            )
            print(
                f"{file.stem:38} {name:26} accuracy {100 * right:6.2f} samples {samples:6.2f} "
                f"tokens {tokens:10,.0f} rounds {rounds:6.2f}",
                flush=True,
            )
    return 0


def _measured(
    file: Path, policy: str, seed: int, limit: int | None
) -> tuple[float, float, float, float]:
    """Share of right answers; tokens, calls and samples a question, as the upstream counts."""
    golds = [question.gold for question in questions(file)]
    order = random.Random(f"order {seed}").sample(range(len(golds)), len(golds))[:limit]
    with TemporaryDirectory() as folder:
        logs = Path(folder)
        replay = ("--replay", str(file), "--replay-seed", str(seed), "--port", "0")
        with (
            gateway(replay, logs / "upstream") as upstream,
            gateway(("--backend", f"{upstream}/v1", "--port", "0"), logs / "own") as own,
            ThreadPoolExecutor(AT_ONCE) as pool,
        ):
            before = _counted(upstream)
            told = pool.map(lambda number: _asked(own, file.stem, number, policy), order)
            right = sum(text == golds[number] for text, number in zip(told, order, strict=True))
            spent = [now - then for now, then in zip(_counted(upstream), before, strict=True)]
    return (right / len(order), *(amount / len(order) for amount in spent))  # type: ignore[return-value]


def _asked(base: str, model: str, number: int, policy: str) -> str | None:
    label = f"{model.partition('_')[0]}/{number}"
    body = {
        "model": model,
        "messages": [{"role": "user", "content": label}],
        "its": POLICIES[policy],
    }
    request = urllib.request.Request(
        f"{base}/v1/chat/completions",
        json.dumps(body).encode(),
        {"content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=120) as reply:
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
