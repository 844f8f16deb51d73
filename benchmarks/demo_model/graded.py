"""A model's own answers to training problems, each graded against the reference working."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import torch
from tokenizers import Tokenizer

from benchmarks.demo_model.conversations import END, LANGUAGE_SHARES, render, token_id
from benchmarks.demo_model.model import LanguageModel
from benchmarks.demo_model.sampling import sample
from benchmarks.problems import Problem, Split, generate
from gateway import answers

JSON_SHARE = 0.1
PROBLEMS_AT_ONCE = 32


@dataclass(frozen=True, slots=True)
class Graded:
    """One sampled answer in token ids, without its end.

    `good` is how many of its first tokens follow the reference working; `correct` says whether its
    final answer is right; `group` numbers its problem.
    """

    prompt: tuple[int, ...]
    ids: tuple[int, ...]
    good: int
    correct: bool
    group: int


@dataclass(frozen=True, slots=True)
class Asked:
    """A problem, and whether it is asked for and solved in JSON."""

    problem: Problem
    as_json: bool

    @property
    def question(self) -> str:
        return self.problem.json_question if self.as_json else self.problem.question

    @property
    def solution(self) -> str:
        return self.problem.json_solution if self.as_json else self.problem.solution


def asked(count: int, seed: int, *, split: Split, json_share: float = JSON_SHARE) -> list[Asked]:
    """Return about `count` problems in the languages' shares, the same for the same arguments."""
    random = Random(seed)
    drawn = [
        Asked(problem, random.random() < json_share)
        for code, share in LANGUAGE_SHARES.items()
        for problem in generate(round(count * share), seed, split=split, language=code)
    ]
    random.shuffle(drawn)
    return drawn


def grade(
    model: LanguageModel, tokenizer: Tokenizer, problems: Sequence[Asked], each: int, seed: int
) -> list[Graded]:
    """Return `each` answers to every problem, sampled at temperature 1, in the problems' order."""
    generator = torch.Generator().manual_seed(seed)
    end = token_id(tokenizer, END)
    prompts = [tokenizer.encode(render([("user", p.question)], prompt=True)).ids for p in problems]
    references = [tokenizer.encode(p.solution).ids for p in problems]
    order = sorted(range(len(problems)), key=lambda i: len(prompts[i]))
    found: list[Graded] = []
    for first in range(0, len(order), PROBLEMS_AT_ONCE):
        group = order[first : first + PROBLEMS_AT_ONCE]
        drawn = sample(model, [prompts[i] for i in group], each, end, generator, 1.0)
        texts = tokenizer.decode_batch(drawn)
        for row, (ids, text) in enumerate(zip(drawn, texts, strict=True)):
            at = group[row // each]
            found.append(
                Graded(
                    prompt=tuple(prompts[at]),
                    ids=tuple(ids),
                    good=shared_prefix(ids, references[at]),
                    correct=is_correct(text, problems[at].problem.answer),
                    group=at,
                )
            )
    return sorted(found, key=lambda graded: graded.group)


def is_correct(text: str, answer: str) -> bool:
    """Return whether the answer that a text marks is the number `answer`."""
    found = answers.extract(text)
    return found is not None and answers.canonical(found) == answer


def shared_prefix(ids: Sequence[int], reference: Sequence[int]) -> int:
    """Return how many of the first ids equal the reference's."""
    for index, (mine, theirs) in enumerate(zip(ids, reference, strict=False)):
        if mine != theirs:
            return index
    return min(len(ids), len(reference))
