"""Rules that go by agreement, without a model."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from gateway import Score
from strategies.planning.fitting import fitted
from strategies.planning.shapes import shapes
from strategies.rules import Draw, Next, Rule, Seen, Setting, Stop, Work
from strategies.rules.certified import certified
from strategies.rules.dirichlet import dirichlet, leads
from strategies.rules.esc import esc
from strategies.rules.learning import Route
from strategies.rules.value import value

TRUE = "a"


def votes(answers: str, tokens: int = 100) -> list[Seen]:
    return [Seen(Score(1.0, key=each), tokens) for each in answers]


def asked(rule: Rule) -> Next:
    """What the rule asks for once its work was done."""
    while isinstance(wanted := rule.ask(), Work):
        rule.solved(wanted.function(*wanted.args))
    return wanted


def run(rule: Rule, shares: Sequence[float], seed: int, most: int) -> tuple[list[Seen], Stop]:
    rng = random.Random(seed)
    seen: list[Seen] = []
    while not isinstance(wanted := asked(rule), Stop):
        assert isinstance(wanted, Draw)
        drawn = rng.choices("abcdefgh"[: len(shares)], shares, k=min(wanted.n, most - len(seen)))
        seen += votes("".join(drawn))
        rule.tell(seen)
        if len(seen) >= most and (last := rule.spent()):
            return seen, last
    return seen, wanted


@pytest.mark.parametrize(
    ("answers", "stops"),
    [("aaaaa", True), ("aaaab", False), ("aaaabccccc", True), ("baaaaa", False)],
)
def test_a_window_counts_only_where_it_is_whole_and_unanimous(answers: str, stops: bool) -> None:
    rule = esc(Setting(40))
    assert rule.ask() == Draw(5)
    rule.tell(votes(answers))
    assert isinstance(rule.ask(), Stop) == stops


def test_a_window_in_which_some_failed_is_filled_up() -> None:
    rule = esc(Setting(40))
    rule.tell(votes("aaa"))
    assert rule.ask() == Draw(2)


def test_best_of_infinity_needs_more_votes_the_closer_they_are() -> None:
    assert leads((6,), 0.3) > leads((6, 3), 0.3) > leads((6, 5), 0.3)
    assert leads((6, 5), 0.3) == pytest.approx(0.61, abs=0.06)  # two shares: P(Beta(6, 5) > 1/2)
    rule = dirichlet(Setting(40))
    rule.tell(votes("aaab"))
    assert isinstance(rule.ask(), Draw)
    rule.tell(votes("a" * 8))
    assert isinstance(rule.ask(), Stop)


SHARES = ([0.36, 0.34, 0.3], [0.51, 0.49], [0.4, 0.35, 0.15, 0.1], [0.6, 0.4])


def test_a_certificate_is_wrong_at_most_as_often_as_it_says() -> None:
    """Over 10,000 runs on shapes that are hard to tell apart, looked at after every round."""
    delta, wrong, certified_at_all = 0.2, 0, 0
    for seed in range(10_000):
        rule = certified(Setting(32), delta=delta, batch=8)
        seen, stop = run(rule, SHARES[seed % len(SHARES)], seed, 32)
        if stop.reason == "certified":
            certified_at_all += 1
            keys = [each.key for each in seen]
            wrong += max(dict.fromkeys(keys), key=keys.count) != TRUE
    assert certified_at_all > 100, "nothing was put to the test"
    assert wrong <= delta * 10_000
    assert wrong <= delta * certified_at_all, "even of those that were certified"


def test_a_certificate_tells_both_of_its_processes_and_the_cap_abstains() -> None:
    rule = certified(Setting(12))
    _, stop = run(rule, [1.0], 1, 12)
    assert (stop.reason, stop.evidence["certified"], stop.abstain) == ("certified", True, False)
    assert stop.evidence["log_e_rest"] >= stop.evidence["log_e_needed"]
    rule = certified(Setting(12))
    rule.tell(votes("abababababab"))
    last = rule.ask()
    assert isinstance(last, Stop)
    assert last.abstain
    assert not last.evidence["certified"]


def taught(*questions: str) -> dict[str, float]:
    """What a route knows after questions that stood so."""
    learned: dict[str, float] = {}
    for answers in questions:
        rule = value(Setting(64))
        rule.recall(learned)
        rule.tell(votes(answers))
        for name, more in rule.lesson().items():
            learned[name] = learned.get(name, 0.0) + more
    return learned


def decided(answers: str, learned: dict[str, float], tokens: int = 100) -> Next:
    rule = value(Setting(64))
    rule.recall(learned)
    rule.tell(votes(answers, tokens))
    return asked(rule)


def test_what_a_route_learned_decides_how_far_two_equal_votes_are_trusted() -> None:
    easy, hard = taught(*["aa"] * 64), taught(*["aabbcdae"] * 64)
    assert isinstance(decided("aa", easy), Stop)
    assert isinstance(decided("aa", hard), Draw)
    assert isinstance(decided("ab", easy), Draw)


def test_long_candidates_must_bring_more() -> None:
    learned = taught(*["aaab"] * 16)
    dear = [decided("aaab", learned, tokens) for tokens in (100, 2_000)]
    assert isinstance(dear[0], Draw)
    assert isinstance(decided("aaaab", learned, 2_000), Stop)


def test_it_gives_up_where_nothing_will_settle_it() -> None:
    """No two of many answers are the same: a candidate that is dear will not change that."""
    learned = taught(*["abcdefgh"] * 32)
    assert isinstance(decided("".join(map(chr, range(100, 140))), learned, 1_000), Stop)


def test_without_a_plan_in_time_it_stops() -> None:
    rule = value(Setting(64))
    rule.tell(votes("ab"))
    assert isinstance(rule.ask(), Work)
    rule.solved(None)
    assert isinstance(rule.ask(), Stop)


def test_a_route_is_copied_when_its_questions_doubled_and_forgets_half_in_the_end() -> None:
    learned = taught(*["aa"] * 7)
    assert Route(learned).questions == 4
    assert Route(taught(*["aa"] * 8)).questions == 8
    learned = {"questions": 1023.0, "tokens": 102_300.0, "2.2.0.13": 1023.0}
    for name, more in Route(learned).lesson((2, 1, 1), 100).items():
        learned[name] = learned.get(name, 0.0) + more
    assert learned["questions"] == learned["=questions"] == 512
    assert learned["2.2.0.13"] == 511.5
    assert Route(learned).tokens == 100


def test_order_of_arrival_changes_nothing() -> None:
    """A round is told whole: which of its candidates ended first, being short, does not count."""
    learned = taught(*["aab"] * 16)
    short_first = [*votes("aa", 50), *votes("bbb", 500)]
    decisions = []
    for seen in (short_first, short_first[::-1]):
        rule = value(Setting(64))
        rule.recall(learned)
        rule.tell(seen)
        decisions.append(asked(rule))
    assert decisions[0] == decisions[1]


def test_long_questions_are_learned_apart_from_short_ones() -> None:
    """Each class of length has weights of its own, drawn towards those of its neighbours."""
    seen = [((3, 3, 0), 0.6, 32.0), ((8, 2, 2), 2.9, 32.0)]
    first = [float(weights @ shapes().shares[:, 0]) for weights in fitted(seen, 1.5)]
    assert first[1] > first[0] > first[5] > first[4]
    assert (first[1] > 0.8, first[4] < 0.5) == (True, True)
    together = fitted([(standing, 1.0, times) for standing, _, times in seen], 1.5)
    assert first[1] > float(together[2] @ shapes().shares[:, 0]) > first[4]


def test_candidates_without_an_answer_make_votes_dearer_and_rounds_larger() -> None:
    none = [Seen(Score(float("nan")), 100, cut=True)]
    rule = value(Setting(64))
    rule.tell(none * 4)
    assert rule.ask() == Draw(4)
    rule.tell(none * 30)
    assert rule.ask() == Draw(8)
    learned = taught(*["aaab"] * 16)
    assert isinstance(decided("aaab", learned), Draw)
    rule = value(Setting(64))
    rule.recall(learned)
    rule.tell(votes("aaab") + none * 60)
    assert isinstance(asked(rule), Stop)
