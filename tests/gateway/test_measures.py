"""What a session asks for besides text: one ledger, one deadline, nothing left behind."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator

import pytest

from gateway.errors import BudgetExhausted, DeadlineExceeded, InvalidRequest
from gateway.inquiries import Embed, Likelihood, Pool, Probabilities, Rows
from gateway.ledger import Ledger
from gateway.registry import Registry
from gateway.session import Means, Session
from gateway.testing import FakeBackend, InlineCompute, session_on, user
from gateway.trace import Trace
from gateway.types import Budget, Call, Candidate, Event, Request

PROMPT = user("Is 4 right?")


def _backend(rows: Rows | None = None) -> FakeBackend:
    if rows is None:
        return FakeBackend(lambda sample, number: "4")
    return FakeBackend(lambda sample, number: "4", measure=lambda call: rows)


async def test_probabilities_are_by_choice_and_cost_a_judges_token() -> None:
    backend = _backend(Rows(((0.25, 0.5),)))
    session = session_on(backend, budget=Budget(tokens=1))
    told = await session.probabilities(PROMPT, ["Yes", "No"], prefix="So: ")
    assert told == {"Yes": 0.25, "No": 0.5}
    assert backend.inquiries == [Probabilities("fake", PROMPT, ("Yes", "No"), "So: ")]
    assert session.budget.tokens == 0
    assert session._trace.judging.completion_tokens == 1
    with pytest.raises(BudgetExhausted):
        await session.probabilities(PROMPT, ["Yes", "No"])


@pytest.mark.parametrize("choices", [[], ["a", "a"], ["a", ""]])
async def test_choices_must_be_told_apart(choices: list[str]) -> None:
    with pytest.raises(InvalidRequest, match="choices"):
        await session_on(_backend()).probabilities(PROMPT, choices)


async def test_what_is_not_exact_is_said_to_be() -> None:
    session = session_on(_backend(Rows(((0.5,),), degraded=("top_logprobs",))))
    await session.probabilities(PROMPT, ["Yes"])
    assert session.notes == ["top_logprobs"]


async def test_a_candidate_of_the_model_is_judged_by_its_own_tokens() -> None:
    backend = _backend()
    session = session_on(backend)
    own = Candidate("c", "4", token_ids=(7, 8), prompt_token_ids=(1, 2), model="fake")
    values = await session.loglik(own, temperature=0.5)
    assert all(value < 0 and math.isfinite(value) for value in values)
    await session.loglik(own, model="another")
    first, second = backend.inquiries
    assert isinstance(first, Likelihood)
    assert isinstance(second, Likelihood)
    assert (first.prompt_token_ids, first.token_ids, first.temperature) == ((1, 2), (7, 8), 0.5)
    assert (second.model, second.token_ids, second.text) == ("another", (), "4")
    assert await session.loglik(Candidate("e", "")) == ()


async def test_roles_name_models_and_fields_stay_with_whom_they_are_for() -> None:
    backend = _backend()
    fields = {"cache_salt": "s", "chat_template_kwargs": {"a": 1}, "temperature": 0.3, "seed": 1}
    request = Request("fake", PROMPT, fields=fields)
    roles = {"outcome_reward": "orm", "embed": "vectors"}
    means = Means(backend, Registry("verifier"), InlineCompute(), roles)
    session = Session(request, means, Ledger(Budget()), Trace())
    assert len(await session.reward(PROMPT, model="outcome_reward", ends=(3, 5))) == 2
    assert len(await session.embed(["a", "b"])) == 2
    assert await session.embed([]) == ()
    await session.probabilities(PROMPT, ["a"])
    kept = {"cache_salt": "s"}
    assert backend.inquiries == [
        Pool("orm", PROMPT, (3, 5), kept),
        Embed("vectors", ("a", "b")),
        Probabilities("fake", PROMPT, ("a",), "", {**kept, "chat_template_kwargs": {"a": 1}}),
    ]


class Hanging(FakeBackend):
    """Never answers."""

    async def call(self, request: Call) -> AsyncGenerator[Event]:
        self.live += 1
        try:
            await asyncio.Event().wait()
            yield Rows(((1.0,),))
        finally:
            self.live -= 1


async def test_the_deadline_ends_it() -> None:
    backend = Hanging(lambda sample, number: "4")
    session = session_on(backend, budget=Budget(seconds=0.02, tokens=5))
    with pytest.raises(DeadlineExceeded):
        await session.probabilities(PROMPT, ["a"])
    assert backend.live == 0
    with pytest.raises(BudgetExhausted):  # the deadline has passed
        await session.reward(PROMPT, model="orm")


async def test_a_candidate_is_continued_by_its_tokens_and_is_the_parent() -> None:
    backend = _backend()
    session = session_on(backend)
    own = Candidate("c", "4", token_ids=(7, 8), prompt_token_ids=(1, 2), model="fake")
    [after] = await session.sample(prefix=own)
    await session.sample(prefix=Candidate("d", "five", model="another", token_ids=(3,)))
    first, second = backend.calls
    assert after.parent == "c"
    assert (first.prefix, first.prompt_token_ids) == ((7, 8), (1, 2))
    assert (second.prefix, second.prompt_token_ids) == ("five", ())
    assert session.begun == 0
    assert session.candidates == []
