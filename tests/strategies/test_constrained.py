"""Strategy `constrained`, by what a fake server says and over the demo model."""

from __future__ import annotations

import json
import math
import random
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest

from gateway.backends.embedded import EmbeddedBackend
from gateway.errors import InvalidRequest, UnsatisfiableGrammar, UpstreamUnavailable
from gateway.inquiries import Likelihood, Rows
from gateway.registry import load
from gateway.run import Answer
from gateway.testing import FakeBackend, Reply, answer_of, user
from gateway.types import Call, Capabilities, Request, Sample
from gateway.wishes import Wishes

STRATEGIES = load("strategy", "strategies", "its_gateway.strategies")
VERIFIERS = load("verifier", "verifiers", "its_gateway.verifiers")
SPEC = STRATEGIES["constrained"]
CHOICE: dict[str, Any] = {"structured_outputs": {"choice": ["a", "b"]}}
ALIGNED = Capabilities(aligned=True)


async def _answer(backend: Any, wishes: Wishes | None = None, **fields: Any) -> Answer:
    request = Request("fake", user("a or b?"), fields={**CHOICE, **fields})
    return await answer_of(SPEC, backend, verifiers=VERIFIERS, wishes=wishes, request=request)


def _mode(mode: str, **params: Any) -> Wishes:
    return Wishes(params={"mode": mode, **params})


def _evenly(sample: Sample, number: int) -> Reply:
    """Masked, both words are as likely."""
    return Reply.of(random.Random(number).choice("ab"), logprobs=(math.log(0.5),))


def _own(call: Call) -> Rows:
    """Of itself the model says b nine times as often."""
    assert isinstance(call, Likelihood)
    return Rows(((math.log({"a": 0.01, "b": 0.09}[call.text]),),))


@pytest.mark.parametrize("mode", ["snis", "mcmc"])
async def test_masked_samples_are_reweighted_to_the_models_own(mode: str) -> None:
    counts: Counter[str] = Counter()
    for seed in range(300):
        backend = FakeBackend(
            lambda sample, number, seed=seed: _evenly(sample, 31 * seed + number),  # type: ignore[misc]
            measure=_own,
        )
        answer = await _answer(backend, _mode(mode), seed=seed)
        counts[answer.outcome.candidates[0].text] += 1
    assert counts["b"] / 300 == pytest.approx(0.9, abs=0.06)


async def test_proposals_are_drawn_plainly_and_each_answer_is_asked_for() -> None:
    backend = FakeBackend(_evenly, measure=_own)
    answer = await _answer(backend, _mode("snis", steps=7))
    assert backend.begun == 8
    [call] = backend.calls
    told = {name: call.fields[name] for name in ("temperature", "top_p", "top_k", "min_p")}
    assert told == {"temperature": 1.0, "top_p": 1.0, "top_k": 0, "min_p": 0.0}
    assert call.fields["structured_outputs"] == CHOICE["structured_outputs"]
    assert answer.outcome.evidence is not None
    assert answer.outcome.evidence["proposals"] == 8
    assert 1 <= answer.outcome.evidence["ess"] <= 8
    assert answer.usage.completion_tokens == 8 + len(backend.inquiries)


async def test_a_low_effective_size_is_told() -> None:
    backend = FakeBackend(
        lambda sample, number: Reply.of("b" if number == 3 else "a", logprobs=(-0.7,)),
        measure=lambda call: Rows(((-0.1 if call.text == "b" else -30.0,),)),  # type: ignore[union-attr]
    )
    answer = await _answer(backend, _mode("snis"))
    assert answer.outcome.candidates[0].text == "b"
    assert "low_ess" in answer.outcome.degraded


async def test_cut_proposals_are_left_out() -> None:
    def handler(sample: Sample, number: int) -> Reply:
        reason = "length" if number % 2 else "stop"
        return Reply.of("a" if number % 2 else "b", logprobs=(-0.7,), finish_reason=reason)

    answer = await _answer(FakeBackend(handler, measure=_own), _mode("mcmc"))
    assert answer.outcome.candidates[0].text == "b"


async def test_no_likelihood_leaves_masked_samples_and_says_so() -> None:
    answer = await _answer(FakeBackend(_evenly, measure=lambda call: Rows(((-1.0, -1.0),))))
    assert answer.outcome.candidates[0].text in ("a", "b")
    assert "unaligned" in answer.outcome.degraded
    failing = FakeBackend(_evenly, measure=_down)
    assert "unaligned" in (await _answer(failing)).outcome.degraded


def _down(call: Call) -> Rows:
    raise UpstreamUnavailable("down")


async def test_temperature_needs_the_whole_vocabulary() -> None:
    backend = FakeBackend(_evenly, measure=_own, capabilities=Capabilities(all_logprobs=False))
    assert "temperature" in (await _answer(backend, temperature=0.5)).outcome.degraded
    able = FakeBackend(_evenly, measure=_own)
    assert (await _answer(able, temperature=0.5)).outcome.degraded in ((), ("low_ess",))
    asked = able.inquiries[0]
    assert isinstance(asked, Likelihood)
    assert asked.temperature == 0.5


@pytest.mark.parametrize(
    ("can", "fields", "mode", "degraded"),
    [
        (ALIGNED, {}, "cars", ()),
        (Capabilities(), {}, "snis", None),
        (Capabilities(prompt_logprobs=False), {}, "mask", ("unaligned",)),
        (Capabilities(masked_logprobs=False), {}, "mask", ("unaligned",)),
        (ALIGNED, {"top_p": 0.9}, "mask", ("unaligned",)),
        (ALIGNED, {"temperature": 0}, "mask", ()),
    ],
)
async def test_auto_is_the_best_that_the_server_can_do(
    can: Capabilities, fields: dict[str, Any], mode: str, degraded: tuple[str, ...] | None
) -> None:
    backend = FakeBackend(_evenly, measure=_own, capabilities=can)
    answer = await _answer(backend, **fields)
    assert answer.outcome.evidence is not None
    assert answer.outcome.evidence["mode"] == mode
    assert degraded is None or answer.outcome.degraded == degraded


@pytest.mark.parametrize(
    ("mode", "can", "fields", "said"),
    [
        ("cars", Capabilities(), {}, "no such sampler"),
        ("asap", Capabilities(), {}, "no such sampler"),
        ("snis", Capabilities(logprobs=False), {}, "lacks logprobs"),
        ("mcmc", Capabilities(), {"presence_penalty": 0.5}, "presence_penalty"),
        ("cars", ALIGNED, {"temperature": 0}, "temperature 0"),
    ],
)
async def test_a_mode_that_cannot_be_had_is_refused(
    mode: str, can: Capabilities, fields: dict[str, Any], said: str
) -> None:
    with pytest.raises(InvalidRequest, match=said) as caught:
        await _answer(FakeBackend(_evenly, capabilities=can), _mode(mode), **fields)
    assert caught.value.code == "unsupported_mode"


async def test_rejected_samples_are_drawn_again() -> None:
    """Those that are given up end in what the grammar forbids."""
    backend = FakeBackend(
        lambda sample, number: "a" if number % 3 == 2 else "a?", capabilities=ALIGNED
    )
    answer = await _answer(backend, Wishes(params={"mode": "cars", "n": 4}))
    assert [candidate.text for candidate in answer.outcome.candidates] == ["a"] * 4
    assert backend.begun >= 12
    assert {call.fields["its_aligned"]["method"] for call in backend.calls} == {"cars"}


async def test_the_last_sample_of_a_budget_is_no_gamble() -> None:
    def handler(sample: Sample, number: int) -> str:
        return "a?" if sample.fields["its_aligned"]["method"] == "cars" else "b"

    backend = FakeBackend(handler, capabilities=ALIGNED)
    answer = await _answer(backend, Wishes(budget=5, params={"mode": "cars"}))
    assert backend.begun <= 5
    assert answer.outcome.candidates[0].text == "b"
    assert "approximate" in answer.outcome.degraded


async def test_nothing_in_the_grammar_is_a_typed_error() -> None:
    with pytest.raises(UnsatisfiableGrammar) as caught:
        await _answer(FakeBackend(lambda s, n: "c", capabilities=ALIGNED))
    assert caught.value.status == 400


async def test_answers_cut_by_a_limit_are_told_as_that() -> None:
    backend = FakeBackend(lambda s, n: Reply.of("a b c d", logprobs=(-1.0,) * 4))
    answer = await _answer(backend, max_tokens=2)
    assert answer.outcome.candidates[0].finish_reason == "length"
    assert "incomplete" in answer.outcome.degraded


@pytest.mark.parametrize(
    ("fields", "param", "said"),
    [
        ({"structured_outputs": {"regex": "(a"}}, "structured_outputs.regex", "unclosed group"),
        (
            {"structured_outputs": {"grammar": "start: x"}},
            "structured_outputs.grammar",
            "unknown name",
        ),
        ({"structured_outputs": {"grammar": "start: start"}}, "structured_outputs.grammar", "noth"),
        ({"structured_outputs": {"regex": "a" * 1_000_000}}, "structured_outputs.regex", "at most"),
        ({"response_format": {"type": "json_object"}}, "structured_outputs", "one of"),
    ],
)
async def test_a_bad_grammar_is_refused_before_anything_is_sampled(
    fields: dict[str, Any], param: str, said: str
) -> None:
    backend = FakeBackend(_evenly)
    with pytest.raises(InvalidRequest, match=said) as caught:
        await _answer(backend, **fields)
    assert (caught.value.status, caught.value.param) == (400, param)
    assert caught.value.code == "invalid_grammar"
    assert backend.begun == 0


async def test_a_grammar_that_takes_too_long() -> None:
    class Slow:
        async def run(self, function: Any, *args: Any, seconds: float) -> Any:
            assert seconds <= 2
            raise TimeoutError

    request = Request("fake", user("?"), fields=CHOICE)
    with pytest.raises(InvalidRequest, match="to compile"):
        await answer_of(
            SPEC, FakeBackend(_evenly), verifiers=VERIFIERS, request=request, compute=Slow()
        )


async def test_without_a_grammar_nothing_is_constrained() -> None:
    request = Request("fake", user("?"))
    answer = await answer_of(
        SPEC, FakeBackend(lambda s, n: "anything"), verifiers=VERIFIERS, request=request
    )
    assert answer.outcome.degraded == ("no_grammar",)


async def test_a_rule_stops_and_a_verifier_ranks() -> None:
    backend = FakeBackend(lambda s, n: "a", capabilities=ALIGNED)
    wishes = Wishes(params={"n": 64, "rule": "beta"})
    answer = await _answer(backend, wishes)
    assert answer.outcome.stop == "beta" or answer.outcome.stop != "complete"
    assert backend.begun < 64
    digits = FakeBackend(lambda s, n: "ab"[n % 2], capabilities=ALIGNED)
    ranked = await _answer(digits, Wishes(verifier="schema", params={"n": 4}))
    assert len(ranked.outcome.candidates) == 4


@pytest.fixture
async def embedded() -> AsyncIterator[EmbeddedBackend]:
    backend = EmbeddedBackend()
    yield backend
    await backend.close()


@pytest.mark.parametrize("mode", ["mask", "asap", "cars", "snis", "mcmc", "auto"])
async def test_every_mode_on_the_demo_model(embedded: EmbeddedBackend, mode: str) -> None:
    schema = {
        "type": "object",
        "properties": {"answer": {"type": "integer", "minimum": 0, "maximum": 99}},
        "required": ["answer"],
        "additionalProperties": False,
    }
    wrapped = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    # No answer in this schema is longer than 60 tokens, whatever is drawn.
    fields = {"response_format": wrapped, "max_tokens": 60}
    request = Request("its-demo", user("What is 12 + 30? Answer in JSON."), fields=fields)
    wishes = Wishes(verifier="schema", params={"mode": mode, "n": 2, "steps": 4})
    answer = await answer_of(SPEC, embedded, verifiers=VERIFIERS, wishes=wishes, request=request)
    outcome = answer.outcome
    assert outcome.candidates
    for candidate, score in zip(outcome.candidates, outcome.scores, strict=True):
        assert 0 <= json.loads(candidate.text)["answer"] <= 99
        assert score.passed
    assert outcome.evidence is not None
    assert outcome.evidence["mode"] == ("cars" if mode == "auto" else mode)


@pytest.mark.parametrize("mode", ["mask", "snis", "auto"])
async def test_tool_calls_on_the_demo_model(embedded: EmbeddedBackend, mode: str) -> None:
    parameters = {
        "type": "object",
        "properties": {"unit": {"enum": ["apples", "pears"]}},
        "required": ["unit"],
        "additionalProperties": False,
    }
    tool = {"type": "function", "function": {"name": "count", "parameters": parameters}}
    fields = {"tools": [tool], "tool_choice": {"type": "function", "function": {"name": "count"}}}
    request = Request("its-demo", user("12 apples?"), fields={**fields, "max_tokens": 80})
    wishes = Wishes(params={"mode": mode, "steps": 3})
    answer = await answer_of(SPEC, embedded, verifiers=VERIFIERS, wishes=wishes, request=request)
    [call] = answer.outcome.candidates[0].tool_calls
    assert json.loads(call["function"]["arguments"])["unit"] in ("apples", "pears")
