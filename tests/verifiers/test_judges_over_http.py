"""Judges, reward models and self-evaluation in best_of_n, by HTTP, on the demo's own models."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.backends.embedded import EmbeddedBackend
from tests.conftest import Serve

QUESTION = (
    "A shop has 37 boxes of 14 pens. It sells 211 pens, then buys 3 boxes more and gives half of "
    "all pens away. How many pens are left?"
)
MESSAGES: Any = [{"role": "user", "content": QUESTION}]
ASKED = ("reward_model", "process_reward;aggregate=mean", "self_evaluation")


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


@pytest.mark.parametrize("verifier", ASKED)
async def test_trained_models_score_every_candidate(serve: Serve, verifier: str) -> None:
    backend = EmbeddedBackend()
    served = await serve(backend, roles=backend.roles)
    its = await _asked(served, verifier)
    scores = [candidate["score"] for candidate in its["candidates"]]
    assert len(scores) == 3
    assert all(0 < score < 1 for score in scores)
    assert scores == sorted(scores, reverse=True)
    assert len(set(scores)) == len({candidate["text"] for candidate in its["candidates"]}) > 1
    assert its["degraded"] == []
    judging = its["usage"]["judging"]
    assert judging["prompt_tokens"] > 0
    assert judging["completion_tokens"] == 0  # this backend reads the next token's numbers
    again = await _asked(served, verifier)
    assert [candidate["score"] for candidate in again["candidates"]] == scores


@pytest.mark.parametrize("mode", ["pointwise", "pairwise"])
async def test_a_prompted_judge_fits_the_context_and_is_booked(serve: Serve, mode: str) -> None:
    """The demo's model was never taught to judge: what it does not say is no score."""
    served = await serve(EmbeddedBackend(rewards={}))
    its = await _asked(served, f"judge;mode={mode};max_chars=400")
    assert its["degraded"] == []
    assert its["usage"]["judging"]["prompt_tokens"] > 500
    for candidate in its["candidates"]:
        assert candidate["reason"]
        assert candidate["score"] is None or 0 <= candidate["score"] <= 1


async def test_a_pick_that_cannot_be_read_is_told(serve: Serve) -> None:
    """The demo's model knows nothing of verdicts; what it wrote is counted all the same."""
    served = await serve(EmbeddedBackend(rewards={}), roles={"judge": "its-demo"})
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
