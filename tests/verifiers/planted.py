"""Planted judges: they read a prompt by its structure, and are as good as they are told."""

from __future__ import annotations

import math
import random
import re
from collections.abc import Callable

from gateway.inquiries import Probabilities, Rows
from gateway.ledger import Ledger
from gateway.registry import Registry
from gateway.session import Means, Session
from gateway.testing import FakeBackend, InlineCompute, Reply, user
from gateway.trace import Trace
from gateway.types import Budget, Call, Candidate, Request, Sample

RIGHT, WRONG = "The answer is right", "The answer is wrong"


def blocks_in(prompt: str) -> list[str]:
    """The answers that a prompt shows, as one who trusts its code alone reads them."""
    task = re.search(r"^BEGIN TASK ([0-9a-f]{12})$", prompt, re.MULTILINE)
    assert task is not None
    code = task[1]
    begun = re.findall(rf"^BEGIN ANSWER(?: \w+)? {code}$", prompt, re.MULTILINE)
    found = re.findall(
        rf"^BEGIN ANSWER((?: \w+)?) {code}\n(.*?)\nEND ANSWER\1 {code}$",
        prompt,
        re.MULTILINE | re.DOTALL,
    )
    assert len(found) == len(begun)
    return [text for _, text in found]


def prompt_of(call: Call) -> str:
    assert isinstance(call, Probabilities | Sample)
    [message] = call.messages
    text = message["content"]
    assert isinstance(text, str)
    return text


Quality = Callable[[str], float]


def right(text: str) -> float:
    return float(RIGHT in text)


def grader(quality: Quality, *, accuracy: float = 1.0, seed: int = 0) -> FakeBackend:
    """Grades a text by its quality in [0, 1], the other way round where it errs."""

    def measure(call: Call) -> Rows:
        assert isinstance(call, Probabilities)
        [text] = blocks_in(prompt_of(call))
        errs = random.Random(f"{seed}:{text}").random() >= accuracy
        value = 1 - quality(text) if errs else quality(text)
        last = len(call.choices) - 1
        best = [0.9 if place == round(value * last) else 0.0 for place in range(last + 1)]
        return Rows((tuple(best),))

    return FakeBackend(_silent, measure=measure)


def comparer(
    quality: Quality, *, bias: float = 0.0, noise: float = 0.0, seed: int = 0
) -> FakeBackend:
    """Prefers by the gap in quality, in nats, plus `bias` for the first, plus normal noise."""

    def measure(call: Call) -> Rows:
        assert isinstance(call, Probabilities)
        first, second = blocks_in(prompt_of(call))
        drawn = random.Random(f"{seed}:{first}:{second}").gauss(0, noise) if noise else 0.0
        odds = quality(first) - quality(second) + bias + drawn
        share = 1 / (1 + math.exp(-odds))
        return Rows(((share, 1 - share),))

    return FakeBackend(_silent, measure=measure)


def picker(
    quality: Quality, *, accuracy: float = 1.0, bias: float = 0.0, seed: int = 0, echo: bool = False
) -> FakeBackend:
    """Picks one of the list: the first shown with probability `bias`, else by its accuracy.

    It errs by picking any other. With `echo` its checklist quotes all that it was shown.
    """
    rng = random.Random(seed)

    def handler(sample: Sample, number: int) -> Reply:
        prompt = prompt_of(sample)
        texts = blocks_in(prompt)
        best = max(range(len(texts)), key=lambda place: quality(texts[place]))
        if rng.random() < bias:
            best = 0
        elif rng.random() >= accuracy:
            best = rng.choice([place for place in range(len(texts)) if place != best])
        code = prompt.splitlines()[-1].split()[1]
        quoted = "\n".join(texts) if echo else "- is right"
        return Reply([f"Checklist:\n{quoted}\n", f"BEST {code} {best + 1}"])

    return FakeBackend(handler)


def _silent(sample: Sample, number: int) -> str:
    raise AssertionError("this judge writes nothing")


def judged_by(
    backend: FakeBackend, *, seed: int | None = None, tokens: int | None = None
) -> Session:
    """A session whose judge is `backend`, under the name `the-judge`."""
    roles = {"judge": "the-judge", "outcome_reward": "orm", "process_reward": "prm"}
    means = Means(backend, Registry("verifier"), InlineCompute(), roles)
    request = Request(
        "fake", user("Which is right?"), fields={} if seed is None else {"seed": seed}
    )
    return Session(request, means, Ledger(Budget(tokens=tokens)), Trace())


def written(*texts: str) -> list[Candidate]:
    return [Candidate(str(place), text) for place, text in enumerate(texts)]
