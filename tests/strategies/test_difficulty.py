"""What is known of a prompt's difficulty: coverage, drift, cells, and what it is good for."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
from scipy.stats import beta

from gateway import Candidate, Outcome, Score
from gateway.errors import UpstreamUnavailable
from gateway.inquiries import Embed, Rows
from gateway.ledger import Ledger
from gateway.registry import load
from gateway.session import Means, Session
from gateway.testing import FakeBackend, InlineCompute, session_on, user
from gateway.trace import Trace
from gateway.types import Budget, Call, Request
from strategies import cells
from strategies.adaptive import adaptive
from strategies.difficulty import DECAY, Chance, beginning, first_batch, successes


def decayed(history: list[tuple[float, float]]) -> dict[str, float]:
    """The sums that a store has after these requests."""
    sums = {"right": 0.0, "tried": 0.0}
    for right, tried in history:
        sums = {"right": sums["right"] * DECAY + right, "tried": sums["tried"] * DECAY + tried}
    return sums


def test_ninety_percent_intervals_hold_nine_times_in_ten_though_drawing_stops_at_a_success() -> (
    None
):
    generator = np.random.default_rng(3)
    held = 0
    for chance in (runs := generator.random(4000)):
        tried, right = 0, 0
        while tried < 12 and not right:  # all trials count, those before the success too
            tried, right = tried + 1, int(generator.random() < chance)
        known = Chance.known({"right": right, "tried": tried}, {})
        low, high = beta.ppf([0.05, 0.95], known.alpha, known.beta)
        held += low <= chance <= high
    assert held / len(runs) == pytest.approx(0.9, abs=0.02)


def test_it_is_the_recursion_of_the_paper() -> None:
    """α ← λα + (1 - λ)α₀ + s, with α₀ = 1."""
    history = [(2.0, 4.0), (0.0, 3.0), (5.0, 5.0), (1.0, 16.0)]
    alpha = wrong = 1.0
    for right, tried in history:
        alpha = DECAY * alpha + (1 - DECAY) + right
        wrong = DECAY * wrong + (1 - DECAY) + tried - right
    known = Chance.known(decayed(history), {})
    assert (known.alpha, known.beta) == pytest.approx((alpha, wrong))


def test_a_prompt_that_became_hard_is_found_out() -> None:
    before = [(9.0, 10.0)] * 50
    chance = Chance.known(decayed(before + [(1.0, 10.0)] * 150), {})
    assert chance.alpha / (chance.alpha + chance.beta) < 0.2
    without = Chance(1 + 9 * 50 + 150, 1 + 1 * 50 + 9 * 150)
    assert without.alpha / (without.alpha + without.beta) > 0.29


def test_a_cell_says_little_once_the_prompt_itself_is_known() -> None:
    of_cell = {"right": 900.0, "tried": 1000.0}
    unknown = Chance.known({}, of_cell)
    assert unknown.alpha / (unknown.alpha + unknown.beta) == pytest.approx(4.6 / 6)
    known = Chance.known({"right": 0.0, "tried": 40.0}, of_cell)
    assert known.alpha / (known.alpha + known.beta) < 0.12


@pytest.mark.parametrize(
    ("chance", "target", "size"),
    [(0.5, 0.875, 3), (0.5, 0.876, 4), (0.95, 0.9, 1), (0.2, 0.9, 11), (0.001, 0.9, 16),
     (0, 0.5, 16), (1.0, 0.99, 1)],
)  # fmt: skip
def test_the_first_batch_holds_a_right_one_with_the_chance_asked_for(
    chance: float, target: float, size: int
) -> None:
    assert first_batch(chance, target, 16) == size
    if 1 < size < 16:
        assert 1 - (1 - chance) ** size >= target > 1 - (1 - chance) ** (size - 1)


def test_what_counts_as_right() -> None:
    verdicts = [Score(1, passed=True), Score(0, passed=False), Score(math.nan)]
    assert successes(verdicts, verdicts[0]) == (1.0, 2)
    votes = [Score(0.6, key="a"), Score(0.4, key="b"), Score(0.6, key="a"), Score(math.nan)]
    assert successes(votes, votes[0]) == (2.0, 4)
    assert successes([Score(0.25), Score(0.75), Score(math.nan), Score(-3)], Score(0.75)) == (
        1.0,
        2,
    )
    assert successes([], Score(math.nan)) == (0.0, 0)


PROMPTS = (
    "Mia has {} apples and buys {} boxes with {} apples each. How many apples does she have?",
    "Write a Python function that merges {} sorted lists in O({}) and returns element {}.",
    "Wer war der {}. Präsident der Republik, und wie lange regierte er seit {} bis {}?",
    "Translate into Japanese: the {} trains to Kyoto leave at {} from platform {}.",
)


def test_the_same_question_about_other_numbers_lies_in_the_same_cell() -> None:
    generator = random.Random(1)
    found = []
    for prompt in PROMPTS:
        filled = [
            prompt.format(*(generator.randrange(10, 99) for _ in range(3))) for _ in range(20)
        ]
        assert len({cells.sketched(each) for each in filled}) == 1
        assert len({cells.named(each) for each in filled}) == 20
        found.append(cells.sketched(filled[0]))
    assert len(set(found)) >= 3
    for hostile in ("", "a", "\ud800", "x" * 1_000_000):
        assert len(cells.sketched(hostile)) == 1 + cells.BITS
        cells.named(hostile)


def test_vectors_that_are_near_share_a_cell_and_opposite_ones_none() -> None:
    generator = np.random.default_rng(2)
    same = 0
    for _ in range(50):
        vector = generator.normal(size=64)
        near = vector + 0.05 * generator.normal(size=64)
        same += cells.embedded(list(vector)) == cells.embedded(list(near))
        assert cells.embedded(list(vector)) != cells.embedded(list(-vector))
    assert same >= 40


def test_a_prompt_is_its_texts() -> None:
    parts = [{"type": "text", "text": "2 + 2?"}, {"type": "image_url", "image_url": {}}]
    assert cells.prompt_of([{"role": "user", "content": parts}]) == "user: 2 + 2?\n"
    assert cells.prompt_of([{"role": "assistant"}]) == "assistant: "


def on(prompt: str, backend: FakeBackend, shared: Session | None = None) -> Session:
    session = session_on(backend, request=Request("fake", user(prompt), fields={"seed": 1}))
    if shared is not None:
        object.__setattr__(session._means, "learned", shared._means.learned)
    return session


def outcome(right: int, wrong: int) -> Outcome:
    scores = [Score(1, passed=True)] * right + [Score(0, passed=False)] * wrong
    return Outcome([Candidate("c", "")] * len(scores), scores=scores)


async def test_replicas_on_one_store_share_what_they_learn() -> None:
    backend = FakeBackend(lambda sample, number: "")
    one = on(PROMPTS[0].format(1, 2, 3), backend)
    unknown = await beginning(one, 0.5, 64)
    await unknown.learn(outcome(0, 8))

    async def size(prompt: str, target: float | None = 0.5) -> int:
        return (await beginning(on(prompt, backend, one), target, 64)).size

    assert await size(PROMPTS[1].format(4, 5, 6)) == unknown.size  # the same draw, nothing known
    assert await size(PROMPTS[0].format(4, 5, 6)) > unknown.size  # by its cell alone
    assert await size(PROMPTS[0].format(1, 2, 3)) > await size(PROMPTS[0].format(4, 5, 6))
    assert await size(PROMPTS[0].format(1, 2, 3), None) == 1


async def test_with_a_model_for_it_the_cell_is_that_of_an_embedding() -> None:
    def measure(call: Call) -> Rows:
        assert isinstance(call, Embed)
        assert call.model == "bge"
        return Rows(((1.0, -2.0, 0.5),))

    backend = FakeBackend(lambda sample, number: "", measure=measure)
    session = on("a", backend)
    object.__setattr__(session._means, "roles", {"embed": "bge"})
    await (await beginning(session, 0.9, 64)).learn(outcome(1, 1))
    assert len(backend.inquiries) == 1
    cell = f"difficulty/fake/cell/{cells.embedded([1.0, -2.0, 0.5])}"
    assert (await session.state.read(cell)).values == {"right": 1.0, "tried": 2.0}


async def test_an_embedding_that_fails_is_made_up_for_by_a_sketch() -> None:
    def measure(call: Call) -> Rows:
        raise UpstreamUnavailable("down")

    session = on("a", FakeBackend(lambda sample, number: "", measure=measure))
    object.__setattr__(session._means, "roles", {"embed": "bge"})
    begin = await beginning(session, 0.9, 64)
    assert begin.keys[1].endswith(cells.sketched("user: a"))
    assert session.notes == ["difficulty"]


async def test_adaptive_begins_with_what_the_prompt_will_need() -> None:
    verifiers = load("verifier", "verifiers", "its_gateway.verifiers")
    backend = FakeBackend(lambda sample, number: "2 + 2 = 5\nAnswer: 5")
    means = Means(backend, verifiers, InlineCompute(), {})
    begun = []
    for seed in range(6):
        request = Request("fake", user("2 + 2?"), reference="4")
        session = Session(request, means, Ledger(Budget()), Trace())
        # What is learned is not used with a client's seed; the draw is to be the same all the same.
        vars(session)["rng"] = random.Random(seed)
        calls = len(backend.calls)
        await adaptive(session, n=16, rule="reroll;threshold=1", verifier="math", first_target=0.9)
        begun.append(backend.calls[calls].n)
    assert begun[-1] == 16  # never right: all that it may, at once
