"""`python -m benchmarks.voting.through_gateway`: rules as clients meet them, on recorded answers.

Two processes: a gateway that replays the recordings, and before it the gateway that is measured.
Tokens and rounds are those that the first one counts. The shuffles are those of
`benchmarks.voting`: so each policy must decide, draw for draw, as the rule alone does, and where it
does not is counted.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import urllib.request
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from benchmarks.demo.gateway_process import gateway
from benchmarks.voting.measured import Compared, Measured, compared
from benchmarks.voting.offline import Run, order, passed
from benchmarks.voting.recorded import Question, questions
from benchmarks.voting.report import summary, table, verdict
from benchmarks.voting.running import BASELINE, MAJORITY, RECORDED, Policy
from benchmarks.voting.streams import REPLAY_SEED, model_of, write
from gateway import answers

VALUE, AC, ALL = "value", "adaptive-consistency-95", "majority-64"
POLICIES: dict[str, tuple[dict[str, Any], Policy]] = {
    VALUE: ({"strategy": "adaptive", "params": {"rule": "value"}}, ("value", 64)),
    AC: ({"strategy": "adaptive", "params": {"rule": "beta;level=0.95", "n": 40}}, BASELINE),
    ALL: ({"strategy": "best_of_n", "params": {"n": 64}}, MAJORITY),
}
"""By name: as asked of the gateway, and the same as a rule alone."""
AT_ONCE = 3
"""Streams of questions side by side; within one, a question waits for the last, as rules learn."""
CHUNK = 10
"""Shuffles that one pair of gateways serves."""
BOXED = re.compile(r"\\boxed\{(.*)\}", re.DOTALL)
HEAD = """\
# Stopping rules through the gateway

<!-- Written by `python -m benchmarks.voting.through_gateway`; run that instead of editing. -->

{shuffles} shuffles of each recording, the first {limit} questions of each at most, every policy on
the same answers in the same order, every route beginning with nothing. Completion tokens and calls
as the upstream counts them; shares are of Adaptive-Consistency's at .95. Intervals are 95%, paired,
over shuffles.

{questions:,} questions were asked, {abreast} of a route at a time; {degraded} answers were
degraded. {otherwise} were decided otherwise than by the rule alone on the same answers. The gateway
compares formulas, too, and finds `xy=25` and `25` equal, which the rule alone keeps apart; {plain}
of them have nothing but numbers among their votes: there a rule has learned otherwise from others.
"""


@dataclass(frozen=True, slots=True)
class Stream:
    """One policy on one shuffle: a question is (right, samples); the rest as the upstream counts,
    tokens and calls, samples, in all. `alone` is what the rule alone came to; a question is `plain`
    where all its answers are numbers."""

    policy: str
    shuffle: int
    told: Sequence[tuple[bool, int]]
    tokens: int
    calls: int
    samples: int
    degraded: int
    alone: Sequence[Run]
    plain: Sequence[bool]

    @property
    def otherwise(self) -> list[bool]:
        """By question that was decided otherwise than by the rule alone: is it `plain`."""
        all_of = zip(self.told, self.alone, self.plain, strict=True)
        return [plain for told, run, plain in all_of if told != (run.right, run.samples)]

    @property
    def means(self) -> tuple[float, float, float, float]:
        """A question's (right, samples, tokens, calls)."""
        count = len(self.told)
        right = sum(right for right, _ in self.told)
        return right / count, self.samples / count, self.tokens / count, self.calls / count


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.voting.through_gateway", description=__doc__
    )
    parser.add_argument("--recorded", type=Path, default=RECORDED)
    parser.add_argument("--shuffles", type=int, default=3)
    parser.add_argument("--limit", type=int, default=500, help="questions of a recording")
    parser.add_argument("--abreast", type=int, default=1, help="questions of a route at once (1)")
    parser.add_argument("--files", default="*.jsonl")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/voting/through_gateway.md"))
    options = parser.parse_args(argv)
    rows: list[Compared] = []
    streams: list[Stream] = []
    for file in sorted(options.recorded.glob(options.files)):
        own = measured(file, options.shuffles, options.limit, options.abreast)
        streams += own
        rows += _compared(file, own)
        for row in rows[-len(POLICIES) :]:
            print(row.line(), flush=True)
    options.out.write_text(_page(rows, streams, options))
    print(f"report: {options.out}")
    return 0


def _compared(file: Path, streams: Sequence[Stream]) -> list[Compared]:
    """Each policy against the majority and Adaptive-Consistency on the same shuffles."""
    means = {
        name: Measured(np.array([[each.means] for each in streams if each.policy == name]))
        for name in POLICIES
    }
    return [compared(file.stem, name, told, means[ALL], means[AC]) for name, told in means.items()]


def _page(rows: Sequence[Compared], streams: Sequence[Stream], options: argparse.Namespace) -> str:
    head = HEAD.format(
        shuffles=options.shuffles,
        limit=options.limit,
        abreast=options.abreast,
        questions=sum(len(each.told) for each in streams),
        otherwise=sum(len(each.otherwise) for each in streams),
        plain=sum(sum(each.otherwise) for each in streams),
        degraded=sum(each.degraded for each in streams),
    )
    parts = [
        head.rstrip(),
        summary(rows, list(POLICIES)),
        *(table(name, [row for row in rows if row.rule == name]) for name in POLICIES),
        verdict([row for row in rows if row.rule == VALUE]),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def measured(file: Path, shuffles: int, limit: int, abreast: int = 1) -> list[Stream]:
    """All streams of one recording, by shuffle and policy."""
    asked = questions(file)
    plain = [_plain(question) for question in asked]
    told: list[Stream] = []
    for begin in range(0, shuffles, CHUNK):
        wanted = list(product(range(begin, min(begin + CHUNK, shuffles)), POLICIES))
        with TemporaryDirectory() as folder:
            logs, recorded = Path(folder), Path(folder) / "recorded"
            recorded.mkdir()
            for shuffle, policy in wanted:
                write(recorded, model_of(file, policy, shuffle), asked, shuffle, limit)
            replay = ("--replay", str(recorded), "--replay-seed", str(REPLAY_SEED), "--port", "0")
            with (
                gateway(replay, logs / "upstream") as upstream,
                gateway(("--backend", f"{upstream}/v1", "--port", "0"), logs / "own") as own,
                ThreadPoolExecutor(AT_ONCE) as pool,
            ):
                replies = list(pool.map(partial(_stream, own, file, asked, limit, abreast), wanted))
                spent = _counted(upstream)
        for (shuffle, policy), (pairs, degraded) in zip(wanted, replies, strict=True):
            model = model_of(file, policy, shuffle)
            alone = passed(asked, *POLICIES[policy][1], shuffle=shuffle, limit=limit)
            numbers = sorted(order(len(asked), shuffle)[:limit])
            known = [plain[number] for number in numbers]
            told.append(Stream(policy, shuffle, pairs, *spent[model], degraded, alone, known))
    return told


def _plain(question: Question) -> bool:
    keys = {each.seen.key for each in question.votes} - {None}
    return all(key is not None and answers.is_numeric_key(key) for key in keys)


def _stream(
    base: str,
    file: Path,
    asked: Sequence[Question],
    limit: int,
    abreast: int,
    wanted: tuple[int, str],
) -> tuple[list[tuple[bool, int]], int]:
    """(right, samples) of each question of a shuffle, in the recording's order, and how many
    answers were degraded."""
    shuffle, policy = wanted
    model = model_of(file, policy, shuffle)
    numbers = order(len(asked), shuffle)[:limit]
    with ThreadPoolExecutor(abreast) as pool:
        replies = list(pool.map(partial(_asked, base, model, policy), numbers))
    told: dict[int, tuple[bool, int]] = {}
    for number, (text, samples, notes) in zip(numbers, replies, strict=True):
        told[number] = text == asked[number].gold, samples
        if notes:
            print(f"{model} {number}: degraded by {notes}", file=sys.stderr)
    degraded = sum(bool(notes) for _, _, notes in replies)
    return [told[number] for number in sorted(told)], degraded


def _asked(base: str, model: str, policy: str, number: int) -> tuple[str | None, int, str]:
    """The answer's spelling, how many samples it took, and by what it is degraded."""
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
        notes = reply.headers.get("x-its-degraded") or ""
        samples = int(reply.headers["x-its-samples"])
        text = json.load(reply)["choices"][0]["message"]["content"] or ""
    found = BOXED.search(text)
    return found[1] if found else None, samples, notes


def _counted(base: str) -> dict[str, tuple[int, int, int]]:
    """By model: completion tokens, calls answered and candidates begun, by the upstream's
    metrics."""
    with urllib.request.urlopen(f"{base}/metrics", timeout=30) as reply:
        page = reply.read().decode()
    tokens, calls, samples = (
        _sums(page, series)
        for series in (
            r'its_tokens_total\{(?=[^}]*kind="completion")[^}]*\}',
            r"its_requests_total\{[^}]*\}",
            r"its_samples_total\{[^}]*\}",
        )
    )
    return {model: (tokens[model], calls[model], samples[model]) for model in calls}


def _sums(page: str, series: str) -> Counter[str]:
    told: Counter[str] = Counter()
    for line in re.finditer(rf"^{series} (\S+)$", page, re.MULTILINE):
        model = re.search(r'model="([^"]*)"', line[0])
        told[model[1] if model else ""] += round(float(line[1]))
    return told


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
