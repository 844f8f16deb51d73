"""What rules do about candidates while they grow, without a model."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import Any

import pytest

from gateway import Score
from strategies.rules import Draw, Growing, Seen, Setting, Stop
from strategies.rules.deepconf import Killing, Window, consensus, deepconf, lowest, percentile
from strategies.rules.mars import Probing, mars, settled
from strategies.rules.speculative_rejection import speculative_rejection
from strategies.rules.watching import Keeping


def growing(*values: float, ended: Sequence[int] = ()) -> list[Growing]:
    return [Growing(10 + i, Score(v), i in ended) for i, v in enumerate(values)]


@pytest.mark.parametrize(
    ("share", "stopped"), [(0.5, {10, 12}), (0.25, {10, 11, 12}), (0.01, {10, 11, 12}), (0.99, ())]
)
def test_the_best_share_is_kept(share: float, stopped: Any) -> None:
    assert set(Keeping((5,), share).look(growing(0.1, 0.8, 0.2, 0.9))) == set(stopped)


def test_what_ended_is_never_stopped_and_what_could_not_be_judged_goes_first() -> None:
    look = Keeping((5,), 0.5).look
    assert set(look(growing(0.1, 0.8, 0.2, 0.9, ended=[0, 2]))) == set()
    assert set(look(growing(math.nan, 0.8, 0.2, 0.9))) == {10, 12}
    assert set(look(growing(math.nan, 0.0))) == {10}


def test_speculative_rejection_halves_at_every_checkpoint() -> None:
    rule = speculative_rejection(Setting(64), begin=8, every=32, checkpoints=3)
    draw = rule.ask()
    assert isinstance(draw, Draw)
    assert draw.watch is not None
    assert (draw.n, draw.watch.at) == (8, [32, 64, 96])
    rule.tell([Seen(Score(0.5))])
    assert rule.ask() == Stop("halved", {"survived": 1})


def entries(*confidences: float, top: int = 2) -> list[dict[str, Any]]:
    """Tokens whose `top` likeliest alternatives have these mean log-probabilities, negated."""
    return [
        {"logprob": -0.1, "top_logprobs": [{"logprob": -c - 1}, {"logprob": -c + 1}]}
        for c in confidences
    ]


def test_confidence_is_that_of_the_least_confident_window() -> None:
    generator = random.Random(1)
    values = [generator.uniform(1, 9) for _ in range(60)]
    window = Window(7, 2)
    for at, value in enumerate(values, 1):
        window.push(entries(value))
        means = [sum(values[i : i + 7]) / 7 for i in range(at - 6)]
        assert window.lowest == pytest.approx(min(means, default=math.inf))
    assert lowest(entries(4.0, 6.0), window=7, top=2) == pytest.approx(5.0)
    assert math.isnan(lowest([], window=7, top=2))


def test_only_the_likeliest_count_and_what_a_grammar_forbids_is_no_confidence() -> None:
    told = [{"logprob": -1.0, "top_logprobs": [{"logprob": lp} for lp in (-9999.0, -1.0, -3.0)]}]
    assert lowest(told, window=1, top=2) == pytest.approx(2.0)
    assert lowest(told, window=1, top=3) == pytest.approx((1 + 3 + 50) / 3)
    assert lowest([{"logprob": -2.0}], window=1, top=20) == pytest.approx(2.0)


def test_one_that_falls_below_the_bar_is_killed_and_no_sooner() -> None:
    killing = Killing(bar=3.0, window=2, top=2)
    assert not killing.hear(1, entries(1.0))  # short texts are not killed for being short
    assert not killing.hear(1, entries(9.0))
    assert not killing.hear(2, entries(2.9))
    assert killing.hear(2, entries(2.9))
    assert not killing.hear(1, entries(3.0))


def test_the_bar_is_the_percentile_of_the_warm_up() -> None:
    rule = deepconf(Setting(64), warm_up=5, keep=0.25, window=1, top=2, consensus=1.0)
    first = rule.ask()
    assert isinstance(first, Draw)
    assert (first.n, first.watch) == (5, None)
    assert first.sampling == {"logprobs": True, "top_logprobs": 2}
    keys = "aabbc"
    rule.tell([Seen(Score(1, key=k), logprobs=entries(i)) for i, k in enumerate(keys, 1)])
    then = rule.ask()
    assert isinstance(then, Draw)
    assert isinstance(then.watch, Killing)
    assert then.watch.hear(9, entries(3.9))
    assert not then.watch.hear(8, entries(4.0))
    assert percentile([1, 2, 3, 4, 5], 0.75) == 4.0
    assert percentile([math.nan], 0.5) == -math.inf


def test_votes_weigh_as_much_as_their_confidence() -> None:
    rule = deepconf(Setting(64), warm_up=3, window=1, top=2, consensus=0.7)
    scores = [Score(2 / 3, key="a"), Score(2 / 3, key="a"), Score(1 / 3, key="b")]
    told = [entries(1.0), entries(2.0), entries(9.0)]
    rule.tell([Seen(s, logprobs=each) for s, each in zip(scores, told, strict=True)])
    assert [score.value for score in rule.scores(scores)] == pytest.approx([0.25, 0.25, 0.75])
    stop = rule.ask()
    assert isinstance(stop, Stop)
    assert stop.evidence["consensus"] == pytest.approx(0.75)
    assert consensus(["a", "b", None], [math.nan, math.nan, 5.0]) == 0.5
    assert consensus([None], [1.0]) == 0.0


@pytest.mark.parametrize(
    ("votes", "undecided", "over"),
    [("aaa", 2, True), ("aaa", 3, False), ("aaab", 1, True), ("aaab", 2, False), ("", 0, False)],
)
def test_it_is_settled_once_none_can_overtake(votes: str, undecided: int, over: bool) -> None:
    assert settled(list(votes), undecided=undecided) == over
    assert settled([*votes, None, None], undecided=undecided) == over


def test_settled_is_true_only_where_no_way_of_ending_changes_the_winner() -> None:
    generator = random.Random(7)
    for _ in range(300):
        votes = [generator.choice("abc") for _ in range(generator.randrange(9))]
        if settled(votes, undecided=3):
            [(winner, _)] = [max(((v, votes.count(v)) for v in set(votes)), key=lambda x: x[1])]
            for late in "abcd":
                for more in range(4):
                    end = [*votes, *late * more]
                    assert max(set(end), key=end.count) == winner


def probed(*answers: str | None, ended: Sequence[int] = ()) -> list[Growing]:
    return [Growing(i, Score(1.0, key=key), i in ended) for i, key in enumerate(answers)]


def test_a_probed_answer_stands_once_it_was_given_often_enough() -> None:
    watch = Probing([1, 2, 3], "Answer:", patience=2)
    assert set(watch.look(probed("a", "a", "a", "b"))) == set()
    assert not watch.decided
    assert set(watch.look(probed("a", "a", "a", "c"))) == {0, 1, 2, 3}
    assert watch.decided


def test_an_answer_that_changes_does_not_stand_and_one_that_ended_does() -> None:
    watch = Probing([1, 2, 3], "Answer:", patience=2)
    watch.look(probed("a", "b", "c", "d"))
    watch.look(probed("b", "c", "d", "a"))
    assert not watch.decided
    assert set(watch.look(probed("a", "a", "a", "b", ended=[0, 1, 2]))) == {3}
    none = Probing([1], "Answer:", patience=1)
    assert set(none.look(probed(None, None, None))) == set()


def test_mars_says_whether_it_ended_early() -> None:
    rule = mars(Setting(3), begin=8)
    draw = rule.ask()
    assert isinstance(draw, Draw)
    assert draw.n == 3
    assert isinstance(draw.watch, Probing)
    rule.tell([Seen(Score(1.0, key="a"))] * 3)
    assert rule.ask() == Stop("complete", {"candidates": 3})
    draw.watch.decided = True
    assert rule.ask() == Stop("decided", {"candidates": 3})
