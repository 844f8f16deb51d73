"""The fLaws rule against brute force."""

from __future__ import annotations

import random
from fractions import Fraction

import pytest

from gateway import Score
from strategies.rules import Draw, Seen, Setting, Stop
from strategies.rules.hazard import Abstain, hazard
from strategies.rules.hazards import Stakes, after, fitted, worth


def brute_force(mix: dict[float, float], stakes: Stakes, most: int) -> int:
    """argmax over K of EV(K), by its definition in the paper, in exact arithmetic."""
    c, s = Fraction(stakes.completeness), Fraction(stakes.soundness)
    v_tp, v_fp, cost = Fraction(stakes.v_tp), Fraction(stakes.v_fp), Fraction(stakes.cost)
    values = [Fraction(0)] * (most + 1)
    for r, weight in ((Fraction(r), Fraction(weight)) for r, weight in mix.items()):
        reject = (1 - c) * r + s * (1 - r)
        gain = v_tp * c * r + v_fp * (1 - s) * (1 - r) - cost
        for number in range(1, most + 1):
            values[number] += weight * gain * sum(reject ** (k - 1) for k in range(1, number + 1))
    return values.index(max(values))


@pytest.mark.parametrize(("v_fp", "best"), [(-0.7, 3), (-1.0, 2), (-2.0, 1)])
def test_the_papers_check_values(v_fp: float, best: int) -> None:
    stakes = Stakes(1.0, v_fp, 0.0, completeness=1.0, soundness=0.75)
    assert worth({0.87: 0.58, 0.13: 0.42}, stakes, 50) == best


def online(mix: dict[float, float], stakes: Stakes, most: int) -> int:
    """How many the rule draws where all are rejected, deciding anew before each."""
    drawn = 0
    while drawn < most and worth(after(mix, stakes, drawn), stakes, most - drawn):
        drawn += 1
    return drawn


def test_deciding_anew_before_each_sample_is_the_optimum_of_brute_force() -> None:
    rng = random.Random(1)
    told = []
    for _ in range(1000):
        kinds = [rng.random() for _ in range(rng.randint(1, 4))]
        shares = [rng.random() for _ in kinds]
        mix = {r: share / sum(shares) for r, share in zip(kinds, shares, strict=True)}
        stakes = Stakes(
            rng.uniform(0.2, 2), -rng.uniform(0, 3), rng.choice([0, 0.02, 0.1]),
            rng.uniform(0.3, 1), rng.uniform(0.3, 0.999),
        )  # fmt: skip
        best = brute_force(mix, stakes, 12)
        assert online(mix, stakes, 12) == worth(mix, stakes, 12) == best, (mix, stakes)
        told.append(best)
    assert {0, 1, 2, 12} <= set(told), "the mixes were too much alike"


def test_a_route_that_rejects_much_is_learned_to_be_hard() -> None:
    stakes = Stakes()
    grid = [0.1, 0.5, 0.9]
    hard = fitted(grid, {(6, False): 20.0}, stakes, 4.0)
    easy = fitted(grid, {(0, True): 20.0}, stakes, 4.0)
    assert max(hard, key=lambda r: hard[r]) == 0.1
    assert max(easy, key=lambda r: easy[r]) == 0.9


def judged(*passed: bool) -> list[Seen]:
    return [Seen(Score(float(each), passed=each)) for each in passed]


def test_it_stops_at_the_first_that_passes() -> None:
    rule = hazard(Setting(8))
    assert rule.ask() == Draw(1)
    rule.tell(judged(False, True))
    last = rule.ask()
    assert isinstance(last, Stop)
    assert (last.reason, last.abstain) == ("passed", False)
    assert rule.lesson() == {"1.1": 1.0}


def test_it_abstains_before_any_sample_where_no_number_is_worth_it() -> None:
    stop = hazard(Setting(8), v_fp=-50.0).ask()
    assert isinstance(stop, Stop)
    assert stop.abstain


def test_a_verifier_that_often_rejects_what_is_right_has_its_rejects_given() -> None:
    rule = hazard(Setting(2), completeness=0.2, soundness=0.9, v_fp=-0.1)
    rule.recall({"0.1": 50.0})
    rule.tell(judged(False, False))
    last = rule.ask()
    assert isinstance(last, Stop)
    assert not last.abstain


def utility(rng: random.Random, learned: dict[str, float], abstain: Abstain) -> float:
    """What one question comes to, against a verifier of completeness 1 and soundness 3/4."""
    right = 0.87 if rng.random() < 0.4 else 0.13
    rule = hazard(Setting(8), v_fp=-1.0, abstain=abstain)
    rule.recall(learned)
    drawn: list[bool] = []
    passed: list[bool] = []
    while not isinstance(asked := rule.ask(), Stop) or not (drawn or asked.abstain):
        drawn.append(rng.random() < right)
        passed.append(drawn[-1] or rng.random() < 0.25)
        rule.tell(judged(*passed))
    for name, more in rule.lesson().items():
        learned[name] = learned.get(name, 0.0) + more
    if asked.abstain:
        return 0.0
    given = drawn[passed.index(True)] if True in passed else drawn[0]
    return 1.0 if given else -1.0


def test_abstaining_raises_the_utility_on_a_planted_verifier() -> None:
    totals = {}
    choices: tuple[Abstain, ...] = ("refuse", "never")
    for abstain in choices:
        rng, learned = random.Random(5), dict[str, float]()
        totals[abstain] = sum(utility(rng, learned, abstain) for _ in range(400))
    assert totals["refuse"] > totals["never"] + 20, totals
