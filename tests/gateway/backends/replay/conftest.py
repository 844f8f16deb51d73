"""A small recording, and the folder of the real ones."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

TEXTS = ["What is $1 + 1$?", "What is $2 + 2$?  Give\nthe number.", "Name a prime."]


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    """Three problems with texts, 10 answers each: answer j to problem i is 10 i + j, 100 j tokens.

    Of problem 2, answers 3 and 4 are empty.
    """
    folder = tmp_path / "recorded"
    folder.mkdir()
    lines = [
        {
            "problem_num": number,
            "gold_answer": str(number),
            "all_answers": [[str(10 * number + j), 100 * (j + 1)] for j in range(10)],
        }
        for number in range(3)
    ]
    lines[2]["all_answers"][3:5] = [["", 7], [None, 0]]  # type: ignore[index]
    (folder / "sums_small.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (tmp_path / "SUMS.json").write_text(json.dumps([{"prompt": text} for text in TEXTS]))
    return folder / "sums_small.jsonl"


@pytest.fixture
def real(data: Callable[[str], Path]) -> Path:
    """The folder of real recordings."""
    return data("recorded")
