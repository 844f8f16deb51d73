"""The pool's pure parts: breaker, outliers, choice, affinity, queue, load, retry budget."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.backends.pool.affinity import key_of, preference
from gateway.backends.pool.breaker import Breaker, Window
from gateway.backends.pool.budget import RetryBudget
from gateway.backends.pool.choice import choose, work_of
from gateway.backends.pool.load import Load, read_load
from gateway.backends.pool.outliers import is_outlier
from gateway.backends.pool.queue import FairQueue, Owner
from gateway.testing import user
from gateway.types import Passthrough, Sample

# Breaker.


def _opened(failures: int = 2) -> Breaker:
    breaker = Breaker(failures, pause=1.0, longest=4.0)
    assert [breaker.failed(0.0, trial=breaker.begin()) for _ in range(failures)] == [
        *[False] * (failures - 1),
        True,
    ]
    return breaker


def test_failures_in_a_row_open_it_and_a_success_between_does_not() -> None:
    breaker = Breaker(2, pause=1.0, longest=4.0)
    for _ in range(5):
        assert not breaker.failed(0.0, trial=breaker.begin())
        breaker.succeeded(0.0, trial=breaker.begin())
    assert breaker.state(0.0) == "closed"
    assert _opened().state(0.5) == "open"


def test_after_the_pause_one_trial_at_a_time() -> None:
    breaker = _opened()
    assert not breaker.admits(0.9)
    assert breaker.admits(1.0)
    trial = breaker.begin()
    assert trial
    assert not breaker.admits(1.0)
    breaker.dropped(trial=trial)  # aborted: it said nothing, and the next is a trial again
    assert breaker.admits(1.0)
    breaker.succeeded(1.0, trial=breaker.begin())
    assert breaker.state(1.0) == "closed"


def test_the_pause_doubles_up_to_the_longest_and_begins_anew_once_it_is_well() -> None:
    breaker, now, pauses = _opened(), 0.0, []
    for _ in range(5):
        pause = next(p for p in range(1, 100) if breaker.state(now + p) == "half_open")
        pauses.append(pause)
        now += pause
        breaker.failed(now, trial=breaker.begin())
    assert pauses == [1, 2, 4, 4, 4]
    breaker.revived(now)
    assert breaker.admits(now)
    breaker.failed(now, trial=breaker.begin())
    assert breaker.state(now + 1.0) == "half_open"


def test_calls_that_began_before_it_opened_say_nothing() -> None:
    breaker = Breaker(1, pause=1.0, longest=4.0)
    early = [breaker.begin() for _ in range(3)]
    breaker.failed(0.0, trial=early[0])
    breaker.succeeded(0.1, trial=early[1])
    assert breaker.state(0.5) == "open"
    breaker.failed(0.9, trial=early[2])
    assert breaker.state(1.0) == "half_open"


def test_a_window_forgets() -> None:
    window = Window(10.0)
    window.add(0.0, marked=True)
    window.add(9.0, marked=False)
    assert window.counts(11.0) == (2, 1)
    assert window.counts(22.0) == (0, 0)
    window.add(22.0, marked=False)
    assert window.counts(100.0) == (0, 0)


# Outliers.


@pytest.mark.parametrize(
    ("own", "peers", "away", "expected"),
    [
        ((20, 12), [(20, 0), (20, 1)], 0, True),
        ((20, 9), [(20, 0), (20, 1)], 0, False),  # not so often
        ((9, 9), [(20, 0), (20, 1)], 0, False),  # too few to say
        ((20, 12), [(20, 8), (20, 9)], 0, False),  # all fail
        ((20, 12), [(20, 0), (20, 1)], 1, False),  # two of three would be away
        ((20, 20), [(20, 0)], 0, True),
        ((20, 20), [], 0, False),  # the only one
    ],
)
def test_an_outlier_fails_more_than_its_peers_and_not_all_are_ejected(
    own: tuple[int, int], peers: list[tuple[int, int]], away: int, expected: bool
) -> None:
    assert is_outlier(own, peers, away=away) is expected


# Choice.


@dataclass
class Place:
    place: str
    work: float = 0.0


def test_work_weighs_what_waits_and_how_full_the_cache_is() -> None:
    assert work_of(4) == 4
    assert work_of(4, waiting=2) == 6
    assert work_of(4, cache_usage=0.5) == 8
    assert work_of(4, cache_usage=1.0) == pytest.approx(80)


def test_without_a_key_the_least_busy_is_taken() -> None:
    places = [Place("a", 3), Place("b", 1), Place("c", 2)]
    assert choose(places, None, slack=16, spread=1.25) == (places[1], "least")
    assert choose(places[:1], b"key", slack=0, spread=1.25) == (places[0], "only")


@given(st.lists(st.floats(0, 1000), min_size=2, max_size=9), st.binary(min_size=1, max_size=16))
def test_with_a_key_none_is_chosen_that_has_more_than_its_share(
    works: list[float], key: bytes
) -> None:
    places = [Place(f"p{number}", work) for number, work in enumerate(works)]
    chosen, how = choose(places, key, slack=1, spread=1.25)
    mean = sum(works) / len(works)
    assert chosen.work <= 1 + 1.25 * mean + 1e-6
    first = preference(key, [each.place for each in places])[0]
    assert (how == "home") == (chosen.place == first)


def test_one_hot_prompt_does_not_pile_onto_one_replica() -> None:
    places = [Place("a"), Place("b"), Place("c")]
    for _ in range(100):
        chosen, _ = choose(places, b"hot", slack=16, spread=1.25)
        chosen.work += 8
    assert max(each.work for each in places) <= 16 + 1.25 * 800 / 3 + 8
    assert min(each.work for each in places) > 0


# Affinity.


def _key(*messages: dict[str, str], model: str = "m") -> bytes:
    key = key_of(Sample(model, messages))
    assert key is not None
    return key


def test_turns_share_a_key_and_other_conversations_do_not() -> None:
    system = {"role": "system", "content": "Be brief."}
    first, later = user("2 + 2?")[0], {"role": "assistant", "content": "4"}
    key = _key(system, first)
    assert _key(system, first, later, user("sure?")[0]) == key
    assert _key(system, user("2 + 3?")[0]) != key
    assert _key(first) != key
    assert _key(system, first, model="other") != key
    assert key_of(Sample("m", [system, first], n=8, stream=True, fields={"seed": 3})) == key


def test_a_relayed_prompt_that_grows_keeps_its_key() -> None:
    begin = b'{"model":"m","prompt":"' + b"x" * 600
    keys = [key_of(Passthrough("/v1/completions", begin + more, "m")) for more in (b"", b"yz")]
    assert keys[0] == keys[1] is not None
    assert key_of(Passthrough("/v1/completions", b"{}", "m")) != keys[0]
    assert key_of(object()) is None


def test_a_replica_that_leaves_moves_only_its_own_keys() -> None:
    places = [f"http://10.0.0.{number}:8000" for number in range(5)]
    rng = random.Random(5)
    keys = [rng.randbytes(16) for _ in range(2000)]
    before = [preference(key, places)[0] for key in keys]
    after = [preference(key, places[1:])[0] for key in keys]
    moved = [b for b, a in zip(before, after, strict=True) if a != b]
    assert set(moved) == {places[0]}
    assert min(Counter(before).values()) > 320


# Queue.


def _drain(queue: FairQueue[str]) -> list[str]:
    order = []
    while queue:
        owner, _ = next(queue.heads())
        order.append(queue.take(owner))
    return order


def test_turns_between_clients_then_requests_then_first_come() -> None:
    queue: FairQueue[str] = FairQueue()
    for client, request, item in [
        ("a", "1", "a1"), ("a", "1", "a1'"), ("a", "1", "a1''"), ("a", "2", "a2"), ("b", "3", "b3"),
    ]:  # fmt: skip
        queue.push(Owner(client, request), item)
    assert len(queue) == 5
    assert _drain(queue) == ["a1", "b3", "a2", "a1'", "a1''"]


def test_what_is_discarded_leaves_no_trace() -> None:
    queue: FairQueue[str] = FairQueue()
    queue.push(Owner("a", "1"), "x")
    queue.push(Owner("a", "1"), "y")
    queue.discard(Owner("a", "1"), "x")
    queue.discard(Owner("b", "1"), "x")
    assert _drain(queue) == ["y"]
    assert not list(queue.heads())


# Load.

PAGE = b"""\
# HELP vllm:num_requests_waiting Number of requests waiting to be processed.
# TYPE vllm:num_requests_waiting gauge
vllm:num_requests_waiting{engine="0",model_name="m"} 3.0
vllm:num_requests_waiting{engine="1",model_name="m"} 1.0
vllm:num_requests_waiting_by_reason{engine="0",reason="capacity"} 99.0
# TYPE vllm:kv_cache_usage_perc gauge
vllm:kv_cache_usage_perc{engine="0",model_name="m"} 0.25
vllm:kv_cache_usage_perc{engine="1",model_name="m"} 5.0e-01
"""


def test_a_page_of_vllm_is_read_and_any_other_says_nothing() -> None:
    assert read_load(PAGE, 7.0) == Load(4.0, 0.5, 7.0)
    assert read_load(b"its_requests_in_flight 3.0\n", 7.0) is None
    assert read_load(b"", 7.0) is None
    assert read_load(b"vllm:kv_cache_usage_perc 7.0\n", 7.0) == Load(0.0, 1.0, 7.0)


# Retry budget.


def test_a_lost_replica_is_within_the_budget_and_an_outage_is_not() -> None:
    budget = RetryBudget(0.2, 10)
    for _ in range(1000):
        budget.called(0.0)
    assert sum(budget.take(0.0, under_way=700) for _ in range(1000)) == 910
    budget = RetryBudget(0.2, 10)
    granted = 0
    for second in range(100):
        for _ in range(100):
            budget.called(float(second))
            granted += budget.take(float(second), under_way=0)
    assert granted <= 0.2 * 10_000 + 10 * 10
    assert granted > 0.15 * 10_000
