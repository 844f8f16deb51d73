"""Grammars on the embedded model: kept to, refused in bounded time, and sampled from exactly."""

from __future__ import annotations

import asyncio
import itertools
import json
import math
import re
from collections import Counter
from typing import Any

import numpy as np
import pytest

from benchmarks.constrained.exact import Masks, Rows, enumerated
from benchmarks.constrained.fuzz import hammered, kept
from benchmarks.constrained.hostile import HOSTILE, fuzzed
from gateway.backends.embedded import EmbeddedBackend, runtime
from gateway.errors import UpstreamRejected
from gateway.grammar import REJECTED, Constraint, checking
from gateway.grammar.engine import Grammar, Vocabulary
from gateway.testing import user
from gateway.types import Candidate, Delta, Event, Finished, Sample, Spent
from tests.gateway.grammar.toys import g_test

QUESTION = user("What is 12 + 30? Answer in JSON.")
SCHEMA = {
    "type": "object",
    "properties": {
        "steps": {"type": "array", "items": {"type": "string", "maxLength": 12}, "maxItems": 2},
        # Bounded: masked where it would close the object, this model writes digits for ever.
        "answer": {"type": "integer", "minimum": 0, "maximum": 999},
        "unit": {"enum": ["apples", "none"]},
    },
    "required": ["answer", "unit"],
    "additionalProperties": False,
}
ADD = {
    "type": "function",
    "function": {
        "name": "add",
        "parameters": {
            "type": "object",
            "properties": {"a": {"enum": [1, 2]}, "b": {"enum": ["x", "y"]}},
            "required": ["a", "b"],
            "additionalProperties": False,
        },
    },
}


async def _events(backend: EmbeddedBackend, n: int = 1, **fields: Any) -> list[Event]:
    stream = fields.pop("stream", False)
    call = Sample("its-demo", QUESTION, n=n, stream=stream, fields={"max_tokens": 300, **fields})
    return [event async for event in backend.call(call)]


async def _drawn(backend: EmbeddedBackend, n: int = 1, **fields: Any) -> list[Candidate]:
    events = await _events(backend, n, **fields)
    return [event.candidate for event in events if isinstance(event, Finished)]


async def _whole(backend: EmbeddedBackend, n: int = 1, **fields: Any) -> list[str]:
    drawn = await _drawn(backend, n, **fields)
    assert [each.finish_reason for each in drawn] == ["stop"] * n
    return [each.text for each in drawn]


async def test_every_kind_of_grammar_is_kept_to(backend: EmbeddedBackend) -> None:
    regex = r"\d{2} (apples|pears)"
    for text in await _whole(backend, 4, seed=1, structured_outputs={"regex": regex}):
        assert re.fullmatch(regex, text)
    choices = ["yes", "no", "ünsicher"]
    found = await _whole(backend, 12, seed=1, structured_outputs={"choice": choices})
    assert len(found) == 12
    assert set(found) <= set(choices)
    gbnf = 'root ::= "00000" | "1" [01]{4}'
    for text in await _whole(backend, 4, seed=2, structured_outputs={"grammar": gbnf}):
        assert re.fullmatch("00000|1[01]{4}", text)
    wrapped = {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}}
    for text in await _whole(backend, 6, seed=3, response_format=wrapped):
        answer = json.loads(text)
        assert isinstance(answer["answer"], int)
        assert answer["unit"] in ("apples", "none")


async def test_greedy_and_shaped_sampling_keep_to_it(backend: EmbeddedBackend) -> None:
    fields: dict[str, Any] = {"structured_outputs": {"regex": "[xyz]{3}"}}
    for more in ({"temperature": 0.0}, {"top_p": 0.1}, {"top_k": 1}, {"min_p": 0.5}):
        [text] = await _whole(backend, **fields, **more)
        assert re.fullmatch("[xyz]{3}", text)
    [text] = await _whole(backend, temperature=0.0, its_aligned={"method": "asap"}, **fields)
    assert re.fullmatch("[xyz]{3}", text)


async def test_logprobs_under_a_grammar_are_those_of_what_is_left(backend: EmbeddedBackend) -> None:
    fields: dict[str, Any] = {"structured_outputs": {"choice": ["7", "8"]}, "logprobs": True}
    [candidate] = await _drawn(backend, **fields, top_logprobs=3)
    assert candidate.logprobs is not None
    first, end = candidate.logprobs["content"]
    allowed = [each["logprob"] for each in first["top_logprobs"] if each["logprob"] > -1e9]
    assert sum(map(math.exp, allowed)) == pytest.approx(1, abs=1e-4)
    assert end["logprob"] == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("stream", [False, True])
async def test_a_forced_tool_call_keeps_to_its_schema(
    backend: EmbeddedBackend, stream: bool
) -> None:
    named = {"type": "function", "function": {"name": "add"}}
    events = await _events(backend, seed=4, stream=stream, tools=[ADD], tool_choice=named)
    [candidate] = [event.candidate for event in events if isinstance(event, Finished)]
    [call] = candidate.tool_calls
    assert call["function"]["name"] == "add"
    assert set(json.loads(call["function"]["arguments"])) == {"a", "b"}
    assert candidate.text == ""
    told = [event.choice["delta"] for event in events if isinstance(event, Delta)]
    assert any("tool_calls" in delta for delta in told) is stream
    [anyone] = await _drawn(backend, seed=5, tools=[ADD], tool_choice="required")
    assert anyone.finish_reason == "tool_calls"
    assert anyone.tool_calls[0]["function"]["name"] == "add"


async def test_a_call_cut_short_stays_text(backend: EmbeddedBackend) -> None:
    named = {"type": "function", "function": {"name": "add"}}
    fields: dict[str, Any] = {"tools": [ADD], "tool_choice": named, "max_tokens": 2}
    [candidate] = await _drawn(backend, **fields)
    assert candidate.finish_reason == "length"
    assert candidate.tool_calls == ()
    assert candidate.text


@pytest.mark.parametrize(
    ("fields", "param", "said"),
    [
        ({"structured_outputs": {"regex": "(a"}}, "structured_outputs.regex", "unclosed group"),
        ({"structured_outputs": {"regex": "a", "choice": ["b"]}}, "structured_outputs", "one of"),
        ({"structured_outputs": {"grammar": "start: start"}}, "structured_outputs.grammar", "noth"),
        ({"response_format": {"type": "json_schema"}}, "response_format", "json_schema"),
        ({"tools": [ADD], "tool_choice": {"function": {"name": "x"}}}, "tool_choice", "allowed"),
        ({"its_aligned": {"method": "best"}, "response_format": {"type": "json_object"}},
         "its_aligned", "mask"),
    ],
)  # fmt: skip
async def test_grammars_that_cannot_be_used(
    backend: EmbeddedBackend, fields: dict[str, Any], param: str, said: str
) -> None:
    with pytest.raises(UpstreamRejected) as caught:
        await _events(backend, **fields)
    assert caught.value.status == 400
    assert caught.value.param == param
    assert said in caught.value.message


async def test_a_grammar_that_takes_too_long_is_refused(
    backend: EmbeddedBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    # About a second's work: how much is too long must not hang on how fast a machine is.
    large = "start: " + " | ".join(f'"{i}"' for i in range(45_000))
    with monkeypatch.context() as patch:
        patch.setattr(checking, "SECONDS", 0.05)
        with pytest.raises(UpstreamRejected) as caught:
            await asyncio.wait_for(_events(backend, structured_outputs={"grammar": large}), 30)
    assert caught.value.code == "invalid_grammar"
    assert await _whole(backend, structured_outputs={"choice": ["ok"]}) == ["ok"]


async def test_hostile_grammars_leave_the_model_well() -> None:
    """`python -m benchmarks.constrained.fuzz` takes them all; these are judged at once."""
    names = ("left recursion", "nested stars", "exponential automaton", "tree", "anything",
             "contradiction", "circle", "deep schema", "a megabyte")  # fmt: skip
    told = await hammered([*(HOSTILE[name] for name in names), *fuzzed(20, 5)], 40)
    assert told["answered"] >= 5
    assert told["refused"] >= 5
    assert kept(told), told


async def test_seeded_drafts_repeat_whatever_was_learned(backend: EmbeddedBackend) -> None:
    fields: dict[str, Any] = {
        "structured_outputs": {"grammar": 'root ::= "00000" | "1" [01]{4}'},
        "its_aligned": {"method": "asap"},
    }
    before = await _whole(backend, 3, seed=9, **fields)
    await _drawn(backend, 20, **fields)
    assert await _whole(backend, 3, seed=9, **fields) == before


async def test_a_hang_up_leaves_nothing_and_what_was_learned_stays(
    backend: EmbeddedBackend,
) -> None:
    fields: dict[str, Any] = {
        "structured_outputs": {"regex": "[a-z]{400,}"},
        "its_aligned": {"method": "asap"},
        "max_tokens": 600,
    }
    call = Sample("its-demo", QUESTION, n=2, stream=True, fields=fields)
    events = backend.call(call)
    for _ in range(8):
        await anext(events)
    await events.aclose()
    for _ in range(200):
        if backend.engine.live == 0:
            break
        await asyncio.sleep(0.01)
    assert backend.engine.live == 0
    [spent] = [
        e for e in await _events(backend, **{**fields, "max_tokens": 2}) if isinstance(e, Spent)
    ]
    assert spent.usage.completion_tokens == 2


async def test_cars_on_the_engine_is_exact(
    backend: EmbeddedBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Drafts side by side, in one trie: a G-test against enumeration of the model itself."""
    # Seeded drafts share no trie; these are unseeded ones, whose chance is the same each time.
    seeds = itertools.count(1)
    monkeypatch.setattr(runtime, "generator", lambda seed: np.random.default_rng(next(seeds)))
    gbnf = 'root ::= "000" | "1" [01]{2}'
    fields: dict[str, Any] = {
        "structured_outputs": {"grammar": gbnf},
        "its_aligned": {"method": "cars"},
    }
    counts: Counter[tuple[int, ...]] = Counter()
    rejected = 0
    prompt: tuple[int, ...] = ()
    while counts.total() < 600:
        for candidate in await _drawn(backend, 64, **fields):
            prompt = candidate.prompt_token_ids
            if candidate.extra["stop_reason"] == REJECTED:
                rejected += 1
            else:
                counts[candidate.token_ids] += 1
    used = backend._runtime
    text = (used.guides._directory / "tokenizer.json").read_text()
    vocabulary = Vocabulary.of_json(text, used.model.config.vocab, used.ends)
    grammar = Grammar(Constraint("grammar", gbnf, "x"), vocabulary)
    truth = enumerated(Rows(used.model, prompt), Masks(grammar), list(used.ends))
    assert truth.missed < 1e-6
    assert rejected > 0
    assert g_test(truth.given(), counts) > 1e-4
