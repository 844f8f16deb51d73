"""Recordings that a replaying gateway hands out in the order of `benchmarks.voting`'s shuffles."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from benchmarks.voting.offline import order
from benchmarks.voting.recorded import Question, shuffled
from gateway.backends.replay.draws import shuffled as walked

REPLAY_SEED = 0
MOST = 64


def model_of(file: Path, policy: str, shuffle: int) -> str:
    """The name of a policy's own recording: each has a walk, and a route, of its own."""
    return f"{file.stem}.{policy}.{shuffle}"


def write(folder: Path, model: str, asked: Sequence[Question], shuffle: int, limit: int) -> None:
    """The first `limit` questions of a shuffle, each with the votes that a rule alone would see."""
    name = model.partition("_")[0]
    with (folder / f"{model}.jsonl").open("w", encoding="utf-8") as out:
        for number in order(len(asked), shuffle)[:limit]:
            votes = shuffled(asked[number], f"{shuffle} {number}", MOST)
            answers: list[tuple[str | None, int]] = [("", 0)] * MOST
            # The replay walks through a shuffle of its own: each vote is put where it will come by.
            places = walked(MOST, f"walk {REPLAY_SEED}:{name}/{number}")
            for place, vote in zip(places, votes, strict=True):
                answers[place] = vote.spelling, vote.seen.tokens
            out.write(json.dumps({"problem_num": number, "all_answers": answers}) + "\n")
