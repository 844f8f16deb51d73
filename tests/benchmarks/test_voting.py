"""The voting benchmark's own parts, without recordings."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from benchmarks.voting.held_out import chosen
from benchmarks.voting.measured import Compared
from benchmarks.voting.offline import passed
from benchmarks.voting.perturbed import BEDS, FEW
from benchmarks.voting.recorded import Question, answered, vote
from benchmarks.voting.through_gateway import POLICIES, measured


def question(spellings: str, gold: str) -> Question:
    return Question(tuple(vote(each, 100 + place) for place, each in enumerate(spellings)), gold)


ASKED = [question("1" * 60 + "2" * 20, "1"), question("34" * 40, "3"), question("5" * 80, "6")]


@pytest.mark.parametrize("bed", BEDS)
def test_a_bed_keeps_the_questions_and_repeats(bed: str) -> None:
    made = BEDS[bed](ASKED)
    assert len(made) == len(ASKED)
    assert all(len(each.votes) == FEW.get(bed, 80) for each in made)
    assert [e.votes for e in BEDS[bed](ASKED)] == [e.votes for e in made]


def test_stretched_lengths_go_with_what_is_right() -> None:
    made = BEDS["right ones four times as long"](ASKED)[0]
    assert {each.spelling for each in made.votes if each.seen.tokens >= 400} == {"1"}


def test_four_letters_keep_the_right_answer_apart() -> None:
    right = [question.gold for question in BEDS["four letters"](ASKED)]
    votes = [[vote.spelling for vote in each.votes] for each in BEDS["four letters"](ASKED)]
    assert votes[0].count(right[0]) == 60
    assert right[2] not in votes[2]


def test_the_commonest_spelling_of_the_winning_class_answers() -> None:
    told = [vote(each, 1) for each in ("7", "0.5", "\\frac{1}{2}", "0.5")]
    assert answered(told) == "0.5"


def test_a_majority_of_all_votes_is_what_it_says() -> None:
    runs = passed(ASKED, "beta;level=0.999;batch=64", 64, 0)
    assert [(run.right, run.samples, run.rounds) for run in runs][::2] == [
        (True, 64, 1),
        (False, 64, 1),
    ]


def row(file: str, gain: float, tokens: float) -> Compared:
    return Compared(file, "value", 0.0, gain, 0.0, 0.0, 0.0, tokens, 0.0, 0.0)


def test_constants_are_chosen_without_the_model_that_is_left_out() -> None:
    """Each pair's points and tokens on two files of model A and one of B."""
    told = {
        (1.0, 0.1): ((-9, 0.1), (-1, 0.7), (0, 0.9)),
        (2.0, 0.1): ((0, 0.1), (-2, 0.7), (0, 0.1)),
        (3.0, 0.1): ((0, 0.1), (0, 9.0), (0, 0.1)),
    }
    files = "aime2024_A", "aime2024_B", "math500_A"
    found = {
        pair: [row(file, *each) for file, each in zip(files, rows, strict=True)]
        for pair, rows in told.items()
    }
    assert chosen(found, "aime2024_A") == (1.0, 0.1)  # B alone counts; the third is dear there
    assert chosen(found, "math500_C") == (2.0, 0.1)  # the first is dear on A


def recording(folder: Path) -> Path:
    """Twelve questions, from nearly sure to split in three, with answers that are whole numbers."""
    rng, lines = random.Random(7), []
    for number in range(12):
        shares = [0.97 - number / 20, 0.03 + number / 40, number / 40]
        votes = rng.choices(("7", "8", "9"), shares, k=80)
        told = [(each, rng.randrange(50, 500)) for each in votes]
        lines.append({"problem_num": number, "all_answers": told, "gold_answer": "7"})
    file = folder / "made_up.jsonl"
    file.write_text("".join(json.dumps(each) + "\n" for each in lines))
    return file


def test_the_gateway_decides_draw_for_draw_as_the_rule_alone_does(tmp_path: Path) -> None:
    streams = measured(recording(tmp_path), shuffles=2, limit=12)
    assert [each.policy for each in streams] == [*POLICIES] * 2
    for stream in streams:
        assert (stream.otherwise, stream.degraded) == ([], 0)
        assert stream.tokens == sum(run.tokens for run in stream.alone)
        assert stream.calls == sum(run.rounds for run in stream.alone)
        assert stream.samples == sum(run.samples for run in stream.alone)
    drawn = {each.policy: each.samples for each in streams}
    assert drawn["value"] < drawn["adaptive-consistency-95"] < drawn["majority-64"]
