"""Which problem a message is about, and files that are not recordings."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.backends.replay import load
from gateway.backends.replay.records import LONGEST_MESSAGE, Recording


@pytest.fixture
def sums(recorded: Path) -> Recording:
    [recording] = load(recorded)
    return recording


def test_one_model_a_file_named_like_it(recorded: Path) -> None:
    (recorded.parent / "other_model.v2.jsonl").write_text(recorded.read_text())
    assert [each.model for each in load(recorded.parent)] == ["other_model.v2", "sums_small"]


@pytest.mark.parametrize(
    ("message", "label"),
    [
        ("What is $2 + 2$? Give the number.", "sums/1"),
        ("Solve.\n\nWhat is $2 + 2$?\n Give the   number.\n\nEnd with \\boxed{}.", "sums/1"),
        ("sums/2", "sums/2"),
        ("Problem sums/0: end with \\boxed{}.", "sums/0"),
        # An example first: the question comes last.
        ("Q: What is $1 + 1$? A: 2. Q: Name a prime.", "sums/2"),
        ("sums/0 was easy, now sums/1, not sums/9", "sums/1"),
        ("What is $1 + 1$? (not sums/2)", "sums/0"),
    ],
)
def test_a_problem_is_found_by_its_text_or_its_label(
    sums: Recording, message: str, label: str
) -> None:
    found = sums.find(message)
    assert found is not None
    assert found.label == label


@pytest.mark.parametrize(
    "message",
    [
        "",
        "What is 2 + 2?",
        "sums/3",
        "mysums/1",
        "sums/1/2",
        "sums/11",
        "x" * LONGEST_MESSAGE + " sums/1",
    ],
)
def test_all_else_is_no_problem(sums: Recording, message: str) -> None:
    assert sums.find(message) is None


def test_without_texts_there_are_labels(recorded: Path) -> None:
    (recorded.parent.parent / "SUMS.json").unlink()
    [sums] = load(recorded)
    assert sums.find("What is $1 + 1$?") is None
    assert sums.find("sums/1") is sums.problems["sums/1"]
    assert sums.allowed == "the label of a problem, sums/0 to sums/2"


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("{", "sums_small.jsonl:4"),
        ('{"problem_num": 3}', "all_answers"),
        ('{"problem_num": 3, "all_answers": []}', "no answers"),
        ('{"problem_num": 0, "all_answers": [["1", 1]]}', "second time"),
        ('{"problem_num": 3, "all_answers": [["1", -1]]}', "all_answers.0.1"),
        ('{"problem_num": 3, "all_answers": [["1", 1]]}', "no text"),
    ],
)
def test_a_file_that_is_no_recording_is_refused_by_line(
    recorded: Path, line: str, complaint: str
) -> None:
    recorded.write_text(recorded.read_text() + line + "\n")
    with pytest.raises(ValueError, match=complaint):
        load(recorded)


def test_a_folder_without_recordings_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no \*\.jsonl"):
        load(tmp_path)


def test_every_real_problem_is_found_by_its_text(real: Path) -> None:
    recordings = {each.model: each for each in load(real)}
    assert len(recordings) == 8
    sums = recordings["math500_gpt-oss-20b"]
    texts = {label: each.text or "" for label, each in sums.problems.items()}
    assert len(texts) == 500
    for label, text in texts.items():
        found = sums.find(f"Solve this.\n{text}\nPut your answer in \\boxed{{}}.")
        assert found is not None
        assert found.label == label
    assert recordings["aime2024_gpt-oss-20b"].find("aime2024/29") is not None
