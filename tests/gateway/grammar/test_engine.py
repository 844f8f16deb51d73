"""Grammars as the engine reads them, and hostile ones in bounded time."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator

import numpy as np
import pytest

from benchmarks.constrained.hostile import HOSTILE, fuzzed
from gateway.grammar import Constraint, GrammarError, checking
from gateway.grammar.engine import Grammar, Vocabulary
from gateway.workers import Workers

BYTES = Vocabulary.of_bytes()
END = 256
LONGEST = 2.0
"""Seconds in which the gateway must have said what it makes of a grammar."""


def _grammar(kind: str, source: str) -> Grammar:
    return Grammar(Constraint(kind, source, "structured_outputs"), BYTES)


def _satisfied(kind: str, source: str, *texts: str) -> list[bool]:
    return checking.satisfied(Constraint(kind, source, "x"), texts)


def test_languages() -> None:
    assert _satisfied("regex", "a+b?", "aab", "aa", "b", "aabb", "") == [True, True] + [False] * 3
    gbnf = 'root ::= "00000" | "1" [01]{4}'
    assert (
        _satisfied("grammar", gbnf, "00000", "10110", "0000", "00001") == [True] * 2 + [False] * 2
    )
    lark = 'start: expr\nexpr: expr "+" NUM | NUM\nNUM: /[0-9]/'
    assert _satisfied("grammar", lark, "1+2+3", "1+", "1") == [True, False, True]
    choice = json.dumps(['say "no"', "é", "a\nb"])
    assert _satisfied("choice", choice, 'say "no"', "é", "a\nb", "a") == [True] * 3 + [False]


def test_json() -> None:
    schema = {
        "type": "object",
        "properties": {"colour": {"enum": ["red", "blue"]}, "n": {"type": "integer"}},
        "required": ["colour", "n"],
        "additionalProperties": False,
    }
    texts = (
        '{"colour": "red", "n": 3}',
        '{"colour":"blue","n":-1}',
        json.dumps({"colour": "red", "n": 3}, indent=2),
        '{"colour": "green", "n": 3}',
        '{"colour": "red"}',
        '{"colour": "red", "n": 3',
    )
    assert _satisfied("json", json.dumps(schema), *texts) == [True] * 3 + [False] * 3


def test_json_as_models_write_it_is_in_the_grammar_and_endless_white_space_is_not() -> None:
    deep = {"a": [{"b": {"c": 1, "d": []}}], "e": "x  y\t"}
    for indent in (None, 0, 1, 2):
        assert _satisfied("json", "{}", json.dumps(deep, indent=indent)) == [True]
    assert _satisfied("json", "{}", json.dumps(deep, separators=(",", ":"))) == [True]
    gaps = ("  ", "\n\n", "\t", "\n" + 9 * " ", " \n")
    spaced = [f'{{"a":{gap}1}}' for gap in gaps] + [f'{{"a": 1{gap}}}' for gap in gaps]
    spaced += [f"{gap}[1]" for gap in gaps] + [f"[1]{gap}" for gap in gaps]
    assert not any(_satisfied("json", "{}", *spaced))


def test_a_model_that_likes_white_space_best_still_ends() -> None:
    schema = {
        "type": "object",
        "properties": {"answer": {"enum": [42]}, "unit": {"enum": ["apples"]}},
        "required": ["answer", "unit"],
        "additionalProperties": False,
    }
    state = _grammar("json", json.dumps(schema)).start()
    said = bytearray()
    while not (allowed := state.allowed())[END]:
        [*best] = [byte for byte in b" \n" if allowed[byte]] or np.flatnonzero(allowed)[:1]
        said.append(int(best[0]))
        assert state.take(said[-1])
        assert len(said) < 200
    assert json.loads(said) == {"answer": 42, "unit": "apples"}
    # Nine at most in each of the eight gaps there are.
    assert len(said) <= len('{"answer":42,"unit":"apples"}') + 8 * 9


def test_the_end_is_allowed_only_where_the_answer_may_end() -> None:
    state = _grammar("regex", "ab|a").start()
    assert not state.allowed()[END]
    assert state.take(ord("a"))
    assert state.allowed()[[ord("b"), END]].tolist() == [True, True]
    assert state.copy().take(ord("b"))
    assert state.complete
    assert not state.take(ord("c"))
    assert not state.allowed().any()


BAD = {
    "regex": ("regex", "(a", "1(8)"),
    "lookahead": ("regex", "(?=a)b", "look-around"),
    "unknown rule": ("grammar", 'start: foo\nbar: "a"', "1(8)"),
    "unclosed": ("grammar", 'start: "a"\n  | (((', "2("),
    "gbnf": ("grammar", 'root ::= "a" | undefined', "undefined"),
    "schema": ("json", '{"type": "foo"}', "foo"),
    "not json": ("json", "{", "line 1"),
    "contradiction": ("json", '{"type": "integer", "minimum": 5, "maximum": 3}', "minimum"),
    "incompatible": ("json", '{"allOf": [{"type": "string"}, {"type": "number"}]}', "nsatisfiable"),
    "empty language": ("grammar", "start: start", "nothing satisfies"),
    "empty meeting": ("grammar", "start: A\nA: /a+/ & /b+/", "nothing satisfies"),
    "remote reference": ("json", '{"$ref": "http://localhost/x"}', "http://localhost/x"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_wrong_is_told_with_its_place(name: str) -> None:
    kind, source, said = BAD[name]
    message = checking.problem(Constraint(kind, source, "structured_outputs"))
    assert message is not None
    assert said in message
    assert message.startswith("structured_outputs: ")
    assert "<state>" not in message
    assert len(message) < 700


def test_a_grammar_error_names_its_field() -> None:
    with pytest.raises(GrammarError) as caught:
        _grammar("regex", "(a")
    assert caught.value.param == "structured_outputs"


@pytest.fixture
async def workers() -> AsyncIterator[Workers]:
    workers = Workers(1, preload=("gateway.grammar.checking",))
    await workers.run(checking.problem, Constraint("regex", "a", "x"), seconds=60)
    yield workers
    await asyncio.to_thread(workers.close)


async def _bounded(workers: Workers, kind: str, source: str) -> tuple[str | None, float]:
    started = time.perf_counter()
    constraint = Constraint(kind, source, "x")
    try:
        said = await workers.run(checking.problem, constraint, seconds=checking.SECONDS)
    except TimeoutError:
        said = checking.TOO_LONG
    took = time.perf_counter() - started
    if said == checking.TOO_LONG:  # the next one shall not wait for the worker that replaces it
        await workers.run(checking.problem, Constraint("regex", "a", "x"), seconds=60)
    return said, took


async def test_hostile_grammars_are_judged_in_bounded_time(workers: Workers) -> None:
    judged = {name: await _bounded(workers, *HOSTILE[name]) for name in HOSTILE}
    slow = {name: took for name, (_, took) in judged.items() if took > LONGEST}
    for _ in range(2):  # a machine busy with other work is slow now and then, a grammar always
        again = {name: (await _bounded(workers, *HOSTILE[name]))[1] for name in slow}
        slow = {name: took for name, took in again.items() if took > LONGEST}
    assert not slow
    sound = {name for name, (said, _) in judged.items() if said is None}
    assert {"left recursion", "nested stars"} <= sound
    assert not {"deep schema", "circle", "binary", "large line", "brackets"} & sound
    assert (await _bounded(workers, "regex", "a"))[0] is None


async def test_fuzzed_grammars_are_judged_in_bounded_time(workers: Workers) -> None:
    """Sound grammars with characters changed, cut and repeated, by a seed."""
    for kind, source in fuzzed(150, 11):
        said, took = await _bounded(workers, kind, source)
        assert took < LONGEST, (kind, source)
        assert said is None or len(said) < 700


def test_walking_a_hostile_grammar_is_bounded() -> None:
    """What compiles soon may still be heavy to follow: each step is bounded, and so is the text."""
    for name in ("exponential automaton", "many of them", "counted", "left recursion"):
        state = _grammar(*HOSTILE[name]).start()
        rng = random.Random(1)
        for _ in range(60):
            started = time.perf_counter()
            choices = [token for token in state.allowed().nonzero()[0].tolist() if token != END]
            if not choices:
                break
            assert state.take(rng.choice(choices))
            assert time.perf_counter() - started < LONGEST
