"""The vLLM plugin's sequences, as vLLM treats them: late news, dropped rows, preemption, seeds."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from its_gateway_vllm.sequence import Sequence
from its_gateway_vllm.wishes import MAX_SOURCE, checked, wish_of

from benchmarks.constrained.exact import Masks, enumerated
from gateway.grammar.constraint import Constraint
from gateway.grammar.engine import Grammar, Vocabulary
from gateway.grammar.trie import Floats, Trie
from gateway.grammar.walk import Method, Walk
from tests.gateway.grammar.toys import g_test

BYTES = Vocabulary.of_bytes()
GRAMMAR = Grammar(Constraint("grammar", 'root ::= "000" | "1" [01]{2}', "x"), BYTES)
END = 256
Word = tuple[int, ...]


class Model:
    """Random logits by prefix, in favour of what the grammar cuts off."""

    def logits(self, prefix: Word) -> Floats:
        rng = np.random.default_rng(hash(prefix) % 2**32)
        logits = rng.normal(0, 1, 257)
        logits[[ord("0"), ord("1"), END]] += (7.0, 5.0, 4.0)
        return logits

    def logp(self, prefix: Word) -> Floats:
        logits = self.logits(prefix)
        logits -= np.log(np.exp(logits).sum())
        return logits


def _run(
    trie: Trie,
    method: Method,
    rng: np.random.Generator,
    *,
    temperature: float = 1.0,
    late: bool = False,
    dropped: int = 0,
    preempted: int = -1,
) -> Word:
    """One request's tokens, with the end."""
    output: list[int] = []
    kept: list[int] = []

    def opened() -> Sequence:
        walk = Walk(trie, method, rng)
        return Sequence(GRAMMAR.start(), walk, output, BYTES, temperature)

    sequence = opened()
    for _ in range(dropped):
        sequence.choose(np.random.default_rng(3).normal(0, 9, 257))
    while not kept or kept[-1] != END:
        if len(kept) == preempted:
            sequence.close()
            output[:] = kept
            sequence, preempted = opened(), -1
        token = sequence.choose(Model().logits(tuple(kept)))
        kept.append(token)
        output.append(-1 if late else token)
    sequence.close()
    return tuple(kept)


@pytest.mark.parametrize("case", [{}, {"late": True}, {"dropped": 2}, {"preempted": 1}])
def test_cars_is_exact_however_vllm_runs_it(case: dict[str, Any]) -> None:
    truth = enumerated(Model(), Masks(GRAMMAR), [END]).given()  # type: ignore[arg-type]
    rng, counts, rejected = np.random.default_rng(1), Counter[Word](), 0
    trie = Trie(1000)
    for round_ in range(1600):
        trie = Trie(1000) if round_ % 40 == 0 else trie
        word = _run(trie, "cars", rng, **case)
        if word in truth:
            counts[word] += 1
        else:
            rejected += 1
            assert not GRAMMAR.start().take(word[-2]) or len(word) > 1
    assert g_test(truth, counts) > 1e-4
    assert rejected > 0


def test_what_is_given_up_is_not_in_the_grammar() -> None:
    truth = enumerated(Model(), Masks(GRAMMAR), [END]).given()  # type: ignore[arg-type]
    for seed in range(200):
        word = _run(Trie(1000), "cars", np.random.default_rng(seed))
        text = bytes(word[:-1]).decode("latin-1")
        assert (word in truth) == (text in {bytes(w[:-1]).decode() for w in truth})


def test_greedy_takes_the_likeliest_that_is_allowed() -> None:
    first = _run(Trie(10), "cars", np.random.default_rng(0), temperature=0.0)
    assert first == _run(Trie(10), "asap", np.random.default_rng(1), temperature=0.0)
    assert first[0] == ord("0")


def test_a_seed_repeats() -> None:
    runs = [_run(Trie(1000), "asap", np.random.default_rng(5)) for _ in range(2)]
    assert runs[0] == runs[1]


def _params(**changed: Any) -> Any:
    extra = {"its_grammar": "root ::= [01]", **changed.pop("extra", {})}
    plain: dict[str, Any] = {
        "extra_args": extra,
        "structured_outputs": None,
        "temperature": 1.0,
        "seed": None,
        "top_p": 1.0,
        "top_k": 0,
        "min_p": 0.0,
        "presence_penalty": 0.0,
        "frequency_penalty": 0.0,
        "repetition_penalty": 1.0,
    }
    return SimpleNamespace(**{**plain, **changed})


def test_wishes() -> None:
    wish = wish_of(_params(extra={"its_method": "asap", "its_session": "s"}))
    assert wish is not None
    assert (wish.constraint.kind, wish.method, wish.session) == ("grammar", "asap", "s")
    assert wish_of(_params(extra_args=None)) is None
    assert wish_of(_params(extra_args={"other": 1})) is None
    checked(_params())


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"extra": {"its_grammar": 3}}, "its_grammar"),
        ({"extra": {"its_grammar": "x" * (MAX_SOURCE + 1)}}, "characters"),
        ({"extra": {"its_grammar": "root ::= ("}}, "its_grammar"),
        ({"extra": {"its_grammar_kind": "xml"}}, "one of"),
        ({"extra": {"its_method": "best"}}, "one of"),
        ({"extra": {"its_session": "x" * 300}}, "its_session"),
        ({"top_p": 0.5}, "top_p"),
        ({"top_k": 5}, "top_k"),
        ({"presence_penalty": 1.0}, "presence_penalty"),
        ({"structured_outputs": object()}, "exclude"),
    ],
)
def test_malformed_wishes(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        checked(_params(**changed))
