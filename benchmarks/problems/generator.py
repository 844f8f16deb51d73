"""Word problems with their working, drawn from a language's stories."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from random import Random
from typing import Literal

from benchmarks.problems.languages import LANGUAGES
from benchmarks.problems.story import Language

Split = Literal["train", "test"]

LARGEST = 300  # no value in a problem's working exceeds this
SMALLEST_START, LARGEST_START = 20, 120
SMALLEST_CHANGE, LARGEST_CHANGE = 5, 80
MOST_GROUPS, LARGEST_GROUP = 6, 25
TEST_SHARE = 16  # one question in this many is a test question
FEWEST_STEPS, MOST_STEPS = 3, 6
TWO_STEP_KINDS = frozenset({"gain_groups", "lose_groups"})

Step = tuple[str, str]  # the kind that a language has a word for, and the equation


@dataclass(frozen=True, slots=True)
class Problem:
    """One word problem: `solution` has `steps` equations, one a line, then the answer's line."""

    question: str
    solution: str
    answer: str
    steps: int
    language: str
    equations: tuple[str, ...]

    @property
    def json_question(self) -> str:
        """The question, asking for JSON."""
        language = LANGUAGES[self.language]
        return f"{self.question}{language.space}{language.json}"

    @property
    def json_solution(self) -> str:
        """The solution as JSON: `steps`, a list of equations, and `answer`, an integer."""
        return json.dumps({"steps": self.equations, "answer": int(self.answer)})


def split_of(question: str) -> Split:
    """Return the split a question belongs to, fixed by a hash of its text alone."""
    digest = blake2b(question.encode(), digest_size=8).digest()
    return "test" if int.from_bytes(digest, "big") % TEST_SHARE == 0 else "train"


def generate(
    count: int,
    seed: int,
    *,
    split: Split,
    language: str = "en",
    fewest: int = FEWEST_STEPS,
    most: int = MOST_STEPS,
) -> Iterator[Problem]:
    """Yield `count` problems of `fewest` to `most` steps, the same for the same arguments.

    A question's split depends on its text alone, so no seed or count brings a test question into
    training.
    """
    random = Random(seed)
    yielded = 0
    while yielded < count:
        problem = _draw(random, LANGUAGES[language], random.randint(fewest, most))
        if split_of(problem.question) == split:
            yielded += 1
            yield problem


def _draw(random: Random, language: Language, steps: int) -> Problem:
    """Draw one problem of either split with `steps` equations."""
    story = random.choice(language.stories)
    forms = random.choice(story.things).split("|")
    words = {"name": random.choice(language.names), "thing": forms[-1]}
    total = random.randint(SMALLEST_START, LARGEST_START)
    sentences = [story.opening.format(n=total, counted=forms[language.form(total)], **words)]
    worked: list[Step] = []
    kinds = sorted(story.events)
    while len(worked) < steps:
        kind = random.choice(kinds)
        if kind in TWO_STEP_KINDS and len(worked) + 2 > steps:
            continue
        drawn = event(random, kind, total)
        if drawn is not None:
            numbers, fresh, total = drawn
            told = random.choice(story.events[kind])
            sentences.append(
                told.format(counted=forms[language.form(numbers["n"])], **numbers, **words)
            )
            worked += fresh
    sentences.append(story.closing.format(**words))
    lines = [f"{language.working[kind]}{language.colon}{equation}" for kind, equation in worked]
    return Problem(
        question=language.space.join(sentences),
        solution="\n".join([*lines, f"{language.answer}{total}"]),
        answer=str(total),
        steps=steps,
        language=language.code,
        equations=tuple(equation for _, equation in worked),
    )


def event(random: Random, kind: str, total: int) -> tuple[dict[str, int], list[Step], int] | None:
    """Draw an event's numbers, equations and new total, or None where the total allows none."""
    if kind == "share":
        divisors = [
            n for n in range(2, MOST_GROUPS + 1) if total % n == 0 and total // n >= SMALLEST_CHANGE
        ]
        n = random.choice(divisors) if divisors else 0
        return ({"n": n}, [(kind, f"{total} / {n} = {total // n}")], total // n) if n else None
    if kind == "times":
        most = min(MOST_GROUPS, LARGEST // max(total, 1))
        n = random.randint(2, most) if most >= 2 else 0
        return ({"n": n}, [(kind, f"{total} * {n} = {total * n}")], total * n) if n else None
    gains = kind.startswith("gain")
    room = LARGEST - total if gains else total
    groups = random.randint(2, MOST_GROUPS) if kind in TWO_STEP_KINDS else 1
    if room < groups * SMALLEST_CHANGE:
        return None
    most = LARGEST_CHANGE if groups == 1 else LARGEST_GROUP
    n = random.randint(SMALLEST_CHANGE, min(room // groups, most))
    after = total + groups * n if gains else total - groups * n
    last = f"{total} {'+' if gains else '-'} {groups * n} = {after}"
    change = ("gain" if gains else "lose", last)
    if groups == 1:
        return {"n": n}, [change], after
    return {"m": groups, "n": n}, [("groups", f"{groups} * {n} = {groups * n}"), change], after
