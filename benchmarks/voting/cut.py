"""`python -m benchmarks.voting.cut`: does a limit on tokens turn the vote towards short answers?

Every question has so many tokens; a round's candidates share what is left, and who needs more is
cut and has no answer, as in the gateway (`strategies/adaptive.py`). With `whole` rounds, a round is
no larger than the tokens allow for candidates as long as the longest so far, and one that was cut
all the same has no vote.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from random import Random

import numpy as np

from benchmarks.voting.offline import Learned
from benchmarks.voting.perturbed import BEDS
from benchmarks.voting.recorded import Question, Vote, answered, questions, shuffled, vote
from benchmarks.voting.running import RECORDED
from strategies.rules import Draw, Setting, Stop, Work
from strategies.rules.choosing import made

PLANTED = "right ones four times as long"
HEAD = """\
# Votes under a limit on tokens

<!-- Written by `python -m benchmarks.voting.cut`; run that instead of editing. -->

Rule `value`; {shuffles} shuffles, mean accuracy over {files} recordings, with 95% intervals over
shuffles. The limit is in candidates of the recording's mean length. "Cut rounds vote" is without
the two rules by which the gateway keeps rounds whole.

| lengths | limit | whole rounds | cut rounds vote | difference |
|---|---|---|---|---|
"""


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.voting.cut")
    parser.add_argument("--recorded", type=Path, default=RECORDED)
    parser.add_argument("--files", default="aime*.jsonl")
    parser.add_argument("--shuffles", type=int, default=10)
    parser.add_argument("--limits", type=int, nargs="*", default=[4, 8, 16])
    parser.add_argument("--out", type=Path, default=Path("benchmarks/voting/cut.md"))
    options = parser.parse_args(argv)
    files = sorted(options.recorded.glob(options.files))
    lines = []
    for bed in ("", PLANTED):
        for limit in options.limits:
            told = np.array([_accuracies(file, bed, limit, options.shuffles) for file in files])
            whole, cut = 100 * told.mean(axis=(0, 1))
            gains = 100 * (told[:, :, 0] - told[:, :, 1]).mean(axis=0)
            half = 1.96 * gains.std(ddof=1) / np.sqrt(len(gains)) if len(gains) > 1 else np.nan
            lines.append(
                f"| {bed or 'as recorded'} | {limit} | {whole:.1f}% | {cut:.1f}% "
                f"| {whole - cut:+.1f} ± {half:.1f} |"
            )
            print(lines[-1], flush=True)
    head = HEAD.format(shuffles=options.shuffles, files=len(files))
    options.out.write_text(head + "\n".join(lines) + "\n")
    return 0


def _accuracies(file: Path, bed: str, limit: int, shuffles: int) -> list[list[float]]:
    """[shuffles][whole, cut]"""
    asked = BEDS[bed](questions(file)) if bed else list(questions(file))
    mean = np.mean([each.seen.tokens for question in asked for each in question.votes])
    return [
        [_shuffle(asked, number, int(limit * mean), whole=whole) for whole in (True, False)]
        for number in range(shuffles)
    ]


def _shuffle(asked: Sequence[Question], shuffle: int, tokens: int, *, whole: bool) -> float:
    learned, right = Learned(), 0
    for number in Random(f"order {shuffle}").sample(range(len(asked)), len(asked)):
        votes = shuffled(asked[number], f"{shuffle} {number}", 64)
        told = _told(votes, tokens, learned, whole=whole)
        right += answered(told) == asked[number].gold
    return right / len(asked)


def _told(votes: list[Vote], left: int, learned: Learned, *, whole: bool) -> list[Vote]:
    """The votes that count under the rule, within the tokens `left`."""
    _, rule = made("value", Setting(64))
    rule.recall(dict(learned.sums))
    told: list[Vote] = []
    begun = 0
    while begun < len(votes) and left > 0:
        asked = rule.ask()
        if isinstance(asked, Work):
            rule.solved(asked.function(*asked.args))
            continue
        if isinstance(asked, Stop):
            break
        assert isinstance(asked, Draw)
        size = min(asked.n, len(votes) - begun, left)
        if whole and told:
            size = min(size, left // max(each.seen.tokens for each in told))
        if size < 1:
            break
        share = left // size
        fresh = [_limited(each, share) for each in votes[begun : begun + size]]
        begun, left = begun + size, left - sum(each.seen.tokens for each in fresh)
        if whole and told and any(each.seen.cut for each in fresh):
            continue
        told += fresh
        rule.tell([each.seen for each in told])
    learned.add(rule.lesson(), rule.decay or 1.0)
    return told


def _limited(each: Vote, share: int) -> Vote:
    return each if each.seen.tokens <= share else vote(None, share)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
