"""Rules that look at growing candidates, on the demo's model: real scores, real streams."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.backends.embedded import EmbeddedBackend
from tests.conftest import Serve, settles

QUESTION = "Ana has 12 apples. She buys 30 more. How many apples does Ana have now?"
ASK: Any = {"model": "its-demo", "messages": [{"role": "user", "content": QUESTION}], "seed": 3}
RULES = (
    "self_evaluation;tau=1.0;first=8;keep=0.5;checkpoint=4",
    "self_evaluation;mode=utility;token_price=0.5",
    "speculative_rejection;begin=8;every=4;checkpoints=2",
    "deepconf;warm_up=4;window=4;batch=4",
    'mars;begin=4;every=6;suffix=" The answer is"',
    "pandora",
    "beacon",
)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.partition(";")[0])
async def test_a_rule_on_the_demos_model(serve: Serve, rule: str) -> None:
    backend = EmbeddedBackend()
    served = await serve(backend, roles=backend.roles)
    its = {"strategy": "adaptive", "budget": 8, "params": {"rule": rule}, "detail": "candidates"}
    raw = await served.client().chat.completions.with_raw_response.create(
        **ASK, extra_body={"its": its}
    )
    answer = raw.parse()
    told = (answer.model_extra or {})["its"]
    assert answer.choices[0].message.content
    assert raw.headers["x-its-stop"] in (
        "sure", "not_worth_more", "halved", "agreed", "decided", "complete"
    )  # fmt: skip
    assert "x-its-degraded" not in raw.headers
    assert 1 <= len(told["candidates"]) <= told["samples"] <= 8
    assert answer.usage is not None
    assert answer.usage.completion_tokens == told["tokens"]
    # What is stopped is dropped before the engine's next step, which may end behind the answer.
    assert await settles(lambda: backend.engine.live == 0, 0.2)
