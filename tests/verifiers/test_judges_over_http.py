"""Judges, reward models and self-evaluation in best_of_n, by HTTP, on real (random) weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gateway.backends.embedded import EmbeddedBackend
from tests import reward_models
from tests.conftest import Serve

QUESTION = (
    "A shop has 37 boxes of 14 pens. It sells 211 pens, then buys 3 boxes more and gives half of "
    "all pens away. How many pens are left?"
)
MESSAGES: Any = [{"role": "user", "content": QUESTION}]
SCORED = (
    "judge",
    "judge;mode=pairwise",
    "reward_model",
    "process_reward;aggregate=mean",
    "self_evaluation",
)


@pytest.fixture
async def backend(tmp_path: Path) -> EmbeddedBackend:
    return EmbeddedBackend(rewards=reward_models.write(tmp_path))


async def _asked(served: Any, verifier: str, **fields: Any) -> Any:
    its = {"strategy": "best_of_n", "budget": 3, "verifier": verifier, "detail": "candidates"}
    answer = await served.client().chat.completions.create(
        model="its-demo",
        messages=MESSAGES,
        seed=1,
        temperature=1.5,
        extra_body={"its": {**its, **fields}},
    )
    return answer.its


@pytest.mark.parametrize("verifier", SCORED)
async def test_each_scores_every_candidate(
    serve: Serve, backend: EmbeddedBackend, verifier: str
) -> None:
    served = await serve(backend, roles=backend.roles)
    its = await _asked(served, verifier)
    candidates = its["candidates"]
    assert len(candidates) == 3
    scores = [candidate["score"] for candidate in candidates]
    told = [score for score in scores if score is not None]
    assert all(0 <= score <= 1 for score in told)
    assert told == sorted(told, reverse=True)
    # The demo's model may say that it would rather write something else than a grade.
    reasons = [c["reason"] for c in candidates if c["score"] is None]
    assert all(reasons)
    if verifier.partition(";")[0] in ("reward_model", "process_reward"):
        assert len(told) == 3
    else:
        assert its["usage"]["judging"]["completion_tokens"] <= 6
    assert its["usage"]["judging"]["prompt_tokens"] > 0
    assert its["degraded"] == []
    again = await _asked(served, verifier)
    assert [candidate["score"] for candidate in again["candidates"]] == scores


async def test_a_pick_that_cannot_be_read_is_told(serve: Serve, backend: EmbeddedBackend) -> None:
    """The demo's model knows nothing of verdicts; what it wrote is counted all the same."""
    served = await serve(backend, roles={"judge": "its-demo"})
    its = await _asked(served, "chops;max_tokens=16")
    assert its["degraded"] == ["chops_unread"]
    assert 0 < its["usage"]["judging"]["completion_tokens"] <= 16
    assert its["samples"] == 3


@pytest.mark.parametrize("verifier", ["reward_model", "process_reward"])
async def test_without_a_reward_model_it_is_a_400(serve: Serve, verifier: str) -> None:
    served = await serve(EmbeddedBackend(rewards={}))
    with pytest.raises(Exception, match=r"roles\.(outcome|process)_reward") as refused:
        await _asked(served, verifier)
    assert getattr(refused.value, "status_code", None) == 400


async def test_a_model_that_writes_is_no_reward_model(serve: Serve) -> None:
    served = await serve(EmbeddedBackend(rewards={}), roles={"outcome_reward": "its-demo"})
    with pytest.raises(Exception, match=r"roles\.outcome_reward") as refused:
        await _asked(served, "reward_model")
    assert getattr(refused.value, "status_code", None) == 400
