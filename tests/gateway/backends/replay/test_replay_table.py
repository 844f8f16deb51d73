"""The table that came with the recorded answers, from the gateway over HTTP."""

from __future__ import annotations

import asyncio
import json
import statistics
from pathlib import Path
from typing import Any

import pytest
from openai import AsyncOpenAI

from gateway.backends.replay import ReplayBackend, load
from gateway.testing import user
from tests.conftest import Serve

THEIRS = 10
"""Shuffles behind the table. It does not say; its tokens are off as means of about ten are."""
DEVIATIONS = 3.5


async def answered(client: AsyncOpenAI, model: str, label: str, n: int) -> tuple[str, int]:
    """What the majority of `n` recorded answers says, and what they cost."""
    its = {"strategy": "best_of_n", "verifier": "agreement", "budget": n}
    asked: Any = {"model": model, "messages": user(label), "extra_body": {"its": its}}
    answer: Any = await client.chat.completions.create(**asked)
    text = answer.choices[0].message.content
    return text.removeprefix("\\boxed{").removesuffix("}"), answer.usage.completion_tokens


@pytest.mark.parametrize(
    # With the table's figures, how far one shuffle's are from their mean: the standard deviation
    # over 300 simulated shuffles, compared as strings.
    ("name", "n", "accuracy", "tokens", "accuracy_spread", "tokens_spread", "shuffles"),
    [
        ("aime2024", 1, 0.769, 9_089, 0.053, 1_360, 10),
        ("aime2024", 5, 0.859, 46_508, 0.037, 3_000, 5),
        ("aime2024", 16, 0.908, 148_909, 0.0192, 5_070, 3),
        ("math500", 1, 0.927, 1_687, 0.0079, 91, 1),
        ("math500", 5, 0.949, 8_581, 0.0042, 200, 1),
        ("math500", 16, 0.954, 27_990, 0.0030, 342, 1),
    ],
)
async def test_the_table_is_reproduced(
    serve: Serve,
    real: Path,
    name: str,
    n: int,
    accuracy: float,
    tokens: int,
    accuracy_spread: float,
    tokens_spread: float,
    shuffles: int,
) -> None:
    model = f"{name}_gpt-oss-20b"
    [recording] = load(real / f"{model}.jsonl")
    client = (await serve(ReplayBackend([recording], seed=1))).client(timeout=60)
    gold = golds(real / f"{model}.jsonl")
    places = asyncio.Semaphore(4)

    async def one(label: str) -> tuple[bool, int]:
        async with places:
            said, cost = await answered(client, model, label, n)
        return said == gold[label], cost

    solved = await asyncio.gather(*(one(label) for label in gold for _ in range(shuffles)))
    slack = DEVIATIONS * (1 / shuffles + 1 / THEIRS) ** 0.5
    right = statistics.fmean(right for right, _ in solved)
    assert right == pytest.approx(accuracy, abs=slack * accuracy_spread)
    cost = statistics.fmean(cost for _, cost in solved)
    assert cost == pytest.approx(tokens, abs=slack * tokens_spread)


def golds(file: Path) -> dict[str, str]:
    """Label -> the reference answer."""
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    name = file.stem.partition("_")[0]
    return {f"{name}/{line['problem_num']}": line["gold_answer"] for line in lines}
