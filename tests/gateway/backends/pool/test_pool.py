"""The pool: where calls go, what happens to those that fail, and what it says at the end."""

from __future__ import annotations

import asyncio

import pytest

from gateway.backends.pool import Owner, ReplicaPool
from gateway.errors import ModelNotFound, Overloaded, UpstreamRejected, UpstreamUnavailable
from gateway.metrics import Metrics
from gateway.testing import FakeBackend, user
from gateway.types import (
    Capabilities,
    Delta,
    Finished,
    Passthrough,
    Restarted,
    Sample,
    Spent,
    Usage,
)
from tests.conftest import settles
from tests.gateway.backends.pool.parts import (
    Clock,
    Listed,
    events_of,
    pool_of,
    prompts,
    text_of,
)

EMBED = Passthrough("/v1/embeddings", b"{}", "m")


def _value(metrics: Metrics, name: str, **labels: str) -> float:
    return metrics.registry.get_sample_value(name, labels) or 0.0


def _home(pool: ReplicaPool, first: Listed, second: Listed) -> str:
    """A prompt whose own replica is `first`."""
    from gateway.backends.pool.affinity import key_of, preference

    for prompt in prompts(100):
        key = key_of(Sample("m", user(prompt)))
        assert key is not None
        if preference(key, [first.name, second.name])[0] == first.name:
            return prompt
    raise AssertionError("no such prompt")


# Who serves what.


async def test_a_call_goes_to_a_backend_that_serves_its_model() -> None:
    pool = pool_of(Listed("a", "small"), Listed("b", "large", "larger"))
    assert await pool.models() == ["small", "large", "larger"]
    for model, name in (("larger", "b"), ("small", "a"), ("large", "b")):
        assert await text_of(pool, model) == f"by {name}"
    assert pool.members.knows("large")
    assert not pool.members.knows("huge")
    assert pool.members.answering == {"a", "b"}


async def test_a_model_is_found_without_asking_for_the_list_first() -> None:
    assert await text_of(pool_of(Listed("a", "small"), Listed("b", "large")), "large") == "by b"


async def test_an_unknown_model_is_named_with_those_allowed() -> None:
    pool = pool_of(Listed("a", "small", "tiny"), Listed("b", "large"))
    with pytest.raises(ModelNotFound, match=r"'huge'.*allowed: large, small, tiny") as caught:
        await text_of(pool, "huge")
    assert caught.value.status == 404
    assert caught.value.param == "model"


async def test_no_backend_answers() -> None:
    backends = [Listed("a", "small"), Listed("b", "large")]
    for backend in backends:
        backend.dead = True
    pool = pool_of(*backends, retries=1)
    with pytest.raises(UpstreamUnavailable, match="no backend answers") as caught:
        await text_of(pool, "small")
    assert caught.value.status == 503
    assert await pool.models() == []
    assert pool.members.answering == frozenset()


async def test_a_backend_that_never_says_what_it_serves_counts_as_not_answering(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Mute(Listed):
        async def models(self) -> list[str]:
            await asyncio.sleep(60)
            return []

    monkeypatch.setattr("gateway.backends.pool.probe.PATIENCE", 0.05)
    pool = pool_of(Mute("mute", "large"), Listed("b", "large"))
    assert await text_of(pool, "large") == "by b"
    assert pool.members.answering == {"b"}


async def test_backends_are_asked_once_in_a_while() -> None:
    clock, backend = Clock(), Listed("a")
    pool = pool_of(backend, clock=clock, probe_seconds=5)
    await asyncio.gather(*(pool.members.refresh() for _ in range(5)))
    await pool.models()
    await text_of(pool)
    assert backend.asked == 1
    clock.now += 4.9
    with pytest.raises(ModelNotFound):
        await text_of(pool, "huge")  # an unknown name is no way to make the gateway ask
    assert backend.asked == 1
    clock.now += 0.2
    await pool.members.refresh()
    assert backend.asked == 2
    await pool.members.refresh(now=True)
    assert backend.asked == 3


async def test_what_is_served_is_learned_once() -> None:
    clock, backend = Clock(), Listed("a")
    pool = pool_of(backend, clock=clock)
    assert not pool.members.knows("m")
    await pool.members.learned()
    assert pool.members.knows("m")
    clock.now += 100
    await pool.members.learned()
    assert backend.asked == 1


async def test_what_a_backend_said_last_stands_while_it_does_not_answer() -> None:
    clock, backend = Clock(), Listed("a")
    pool = pool_of(backend, clock=clock)
    await pool.members.refresh()
    backend.dead = True
    clock.now += 100
    assert await pool.models() == ["m"]
    assert pool.members.knows("m")
    assert pool.members.answering == frozenset()


async def test_it_can_do_what_all_of_its_backends_can() -> None:
    less = Capabilities(n=False, continuation=False)
    able = FakeBackend(lambda s, n: "", name="able", models=["x", "y"])
    unable = FakeBackend(lambda s, n: "", name="unable", models=["y"], capabilities=less)
    pool = pool_of(able, unable)
    await pool.members.refresh()
    assert pool.capabilities("x") == Capabilities()
    assert pool.capabilities("y") == less


async def test_closing_it_closes_its_backends() -> None:
    backends = [Listed("a"), Listed("b")]
    await pool_of(*backends).close()
    assert all(backend.closed for backend in backends)


# Spreading.


async def test_calls_at_once_are_spread_and_those_of_one_prompt_stay_together() -> None:
    backends = [Listed("a", delay=0.01), Listed("b", delay=0.01)]
    pool = pool_of(*backends, affinity_slack=4.0)
    await pool.members.refresh()
    await asyncio.gather(*(text_of(pool) for _ in range(4)))
    assert sorted(len(backend.calls) for backend in backends) == [0, 4]
    await asyncio.gather(*(text_of(pool) for _ in range(40)))
    assert min(len(backend.calls) for backend in backends) > 10


async def test_the_turns_of_a_conversation_go_to_one_replica() -> None:
    metrics = Metrics()
    pool = pool_of(Listed("a"), Listed("b"), Listed("c"), metrics=metrics)
    went = set()
    for prompt in prompts(12):
        messages = [{"role": "system", "content": "Be brief."}, *user(prompt)]
        told = set()
        for turn in range(3):
            events = await events_of(pool, Sample("m", messages, n=2))
            told |= {e.candidate.text for e in events if isinstance(e, Finished)}
            said = {"role": "assistant", "content": f"turn {turn}"}
            messages = [*messages, said, *user(f"and {turn}?")]
        assert len(told) == 1
        went |= told
    assert len(went) == 3
    assert _value(metrics, "its_affinity_total", choice="home") == 36


async def test_a_relay_goes_to_a_backend_that_serves_its_model_and_counts_as_busy() -> None:
    pool = pool_of(Listed("a", "x"), Listed("b"))
    async with pool.relay(EMBED) as relayed:
        assert [part async for part in relayed.chunks] == [b"b", b"!"]
        [busy] = [each for each in pool.members.replicas if each.name == "b"]
        assert busy.outstanding == 1
    assert busy.outstanding == 0


async def test_an_aborted_call_no_longer_counts() -> None:
    backend = Listed("a")
    pool = pool_of(backend)
    for _ in range(3):
        events = pool.call(Sample("m", user("hi"), n=4, stream=True))
        await anext(events)
        assert pool.members.replicas[0].outstanding == 4
        await events.aclose()
    assert pool.members.replicas[0].outstanding == 0
    assert backend.aborted == 3
    assert pool.members.replicas[0].state == "up"


# Failures.


async def test_a_call_that_fails_is_made_elsewhere_and_nobody_notices() -> None:
    metrics = Metrics()
    dying, live = Listed("dying"), Listed("live")
    pool = pool_of(dying, live, metrics=metrics)
    prompt = _home(pool, dying, live)
    assert await text_of(pool, prompt=prompt) == "by dying"
    dying.dead = True
    assert await text_of(pool, prompt=prompt) == "by live"
    assert _value(metrics, "its_retries_total", kind="retry") == 1


async def test_a_dead_replica_is_left_alone_and_comes_back() -> None:
    clock, metrics = Clock(), Metrics()
    dying, live = Listed("dying"), Listed("live")
    pool = pool_of(dying, live, clock=clock, metrics=metrics, breaker_failures=3, breaker_pause=1)
    prompt = _home(pool, dying, live)
    await pool.members.refresh()
    dying.dead = True
    for _ in range(10):
        assert await text_of(pool, prompt=prompt) == "by live"
    assert len(dying.calls) == 3
    assert pool.members.replicas[0].state == "open"
    assert _value(metrics, "its_ejections_total", backend="dying", reason="consecutive") == 1
    clock.now += 1.1
    assert pool.members.replicas[0].state == "trial"
    assert await text_of(pool, prompt=prompt) == "by live"
    assert len(dying.calls) == 4  # one trial, and the pause is twice as long
    clock.now += 1.1
    assert pool.members.replicas[0].state == "open"
    clock.now += 1.0
    dying.dead = False
    assert await text_of(pool, prompt=prompt) == "by dying"
    assert pool.members.replicas[0].state == "up"


async def test_one_that_was_away_is_tried_as_soon_as_it_answers_again() -> None:
    clock, dying, live = Clock(), Listed("dying"), Listed("live")
    pool = pool_of(dying, live, clock=clock, breaker_failures=1, breaker_pause=30)
    prompt = _home(pool, dying, live)
    await pool.members.refresh()
    dying.dead = True
    await text_of(pool, prompt=prompt)
    await pool.members.refresh(now=True)
    assert pool.members.replicas[0].state == "down"
    dying.dead = False
    await pool.members.refresh(now=True)
    assert await text_of(pool, prompt=prompt) == "by dying"


async def test_the_last_one_left_is_asked_even_if_it_failed() -> None:
    backend = Listed("a")
    pool = pool_of(backend, retries=0, breaker_failures=1)
    await pool.members.refresh()
    backend.dead = True
    for _ in range(3):
        with pytest.raises(UpstreamUnavailable):
            await text_of(pool)
    backend.dead = False
    assert await text_of(pool) == "by a"
    assert pool.members.replicas[0].state == "up"


async def test_a_rejection_is_not_retried_and_does_not_count_against_the_replica() -> None:
    backend = Listed("a")
    backend.dead, backend.fault = True, UpstreamRejected(400, {"error": {"message": "no"}})
    pool = pool_of(backend, Listed("b", "other"), breaker_failures=1)
    pool.members.replicas[0].models = ["m"]
    with pytest.raises(UpstreamRejected):
        await text_of(pool)
    assert len(backend.calls) == 1
    assert pool.members.replicas[0].breaker.state(0.0) == "closed"


async def test_a_busy_replica_is_no_failure_and_another_takes_the_call() -> None:
    busy, live = Listed("busy"), Listed("live")
    pool = pool_of(busy, live, breaker_failures=1)
    prompt = _home(pool, busy, live)
    await pool.members.refresh()
    busy.dead, busy.fault = True, UpstreamRejected(429, {"error": {"message": "later"}})
    assert await text_of(pool, prompt=prompt) == "by live"
    assert pool.members.replicas[0].state == "up"


async def test_retries_end_and_the_error_is_the_upstreams() -> None:
    backend = Listed("a")
    pool = pool_of(backend, retries=2)
    await pool.members.refresh()
    backend.dead = True
    with pytest.raises(UpstreamUnavailable, match="backend a"):
        await text_of(pool)
    assert len(backend.calls) == 3


async def test_an_outage_does_not_multiply_its_load() -> None:
    metrics, backend = Metrics(), Listed("a")
    pool = pool_of(backend, metrics=metrics, retries=3, retry_reserve=5, retry_ratio=0.1)
    await pool.members.refresh()
    backend.dead = True
    for _ in range(100):
        with pytest.raises(UpstreamUnavailable):
            await text_of(pool)
    assert len(backend.calls) <= 100 + 5 + 0.1 * 110
    assert _value(metrics, "its_retries_total", kind="refused") > 80


# Streams that break.


@pytest.mark.parametrize("after", range(7))
async def test_a_broken_stream_is_drawn_again_and_counted_once(after: int) -> None:
    """Three candidates of two tokens: the events are 6 deltas, 3 ends among them, and the cost."""
    breaking, live = Listed("breaking"), Listed("live")
    pool = pool_of(breaking, live)
    prompt = _home(pool, breaking, live)
    breaking.breaks_after = after
    events = await events_of(pool, Sample("m", user(prompt), n=3, stream=True))
    texts = {e.index: e.candidate.text for e in events if isinstance(e, Finished)}
    assert sorted(texts) == [0, 1, 2]
    [spent] = [e for e in events if isinstance(e, Spent)]
    assert events[-1] is spent
    kept = sum(text == "by breaking" for text in texts.values())
    assert spent.usage == Usage(5 if kept == 0 else 10, 6)
    restarted = [e for e in events if isinstance(e, Restarted)]
    begun = {e.index for e in events[:after] if isinstance(e, Delta)}
    lost = begun - {e.index for e in events[:after] if isinstance(e, Finished)}
    assert [set(e.indices) for e in restarted] == ([lost] if lost else [])
    for index, text in texts.items():  # what stands after the last restart is the text
        parts: list[str] = []
        for event in events:
            if isinstance(event, Restarted) and index in event.indices:
                parts.clear()
            if isinstance(event, Delta) and event.index == index:
                assert event.choice["index"] == index
                parts.append(event.choice["delta"].get("content") or "")
        assert "".join(parts) == text


async def test_a_call_whose_candidates_had_all_ended_is_not_made_again() -> None:
    breaking, live = Listed("breaking"), Listed("live")
    pool = pool_of(breaking, live)
    prompt = _home(pool, breaking, live)
    breaking.breaks_after = 9  # all deltas and ends have come, only the cost has not
    events = await events_of(pool, Sample("m", user(prompt), n=3, stream=True))
    assert events[-1] == Spent(Usage(5, 6))
    assert live.calls == []


async def test_a_relay_is_made_again_only_before_its_first_byte() -> None:
    breaking, live = Listed("breaking"), Listed("live")
    pool = pool_of(breaking, live, breaker_failures=1)
    await pool.members.refresh()
    bodies = [Passthrough("/v1/completions", f"{n}".encode(), "m") for n in range(20)]
    request, *_ = [each for each in bodies if await _relayed(pool, each) == b"breaking!"]
    asked = live.relays
    breaking.breaks_after = 1
    with pytest.raises(UpstreamUnavailable):
        await _relayed(pool, request)
    assert live.relays == asked
    assert pool.members.replicas[0].state == "open"
    pool.members.replicas[0].breaker.revived(0.0)
    breaking.breaks_after = 0
    assert await _relayed(pool, request) == b"live!"


async def _relayed(pool: ReplicaPool, request: Passthrough) -> bytes:
    async with pool.relay(request) as relayed:
        return b"".join([part async for part in relayed.chunks])


# Limits and lines.


async def test_a_call_waits_for_a_place_and_gets_it() -> None:
    backend = Listed("a", delay=0.005)
    pool = pool_of(backend, limit=1)
    assert await asyncio.gather(*(text_of(pool) for _ in range(5))) == ["by a"] * 5
    assert pool.members.replicas[0].outstanding == 0


async def test_a_call_for_more_than_the_limit_goes_alone_and_does_not_wait_for_ever() -> None:
    pool = pool_of(Listed("a"), limit=2)
    events = await events_of(pool, Sample("m", user("hi"), n=16))
    assert sum(isinstance(event, Finished) for event in events) == 16


async def test_the_wait_is_bounded_and_the_refusal_says_when_to_come_again() -> None:
    metrics = Metrics()
    pool = pool_of(Listed("a"), metrics=metrics, limit=1, queue_seconds=0.05)
    holding = pool.call(Sample("m", user("hi"), stream=True))
    await anext(holding)
    with pytest.raises(Overloaded) as caught:
        await text_of(pool)
    assert caught.value.status == 429
    assert caught.value.headers["retry-after"] == "1"
    assert _value(metrics, "its_queue_refused_total") == 1
    assert _value(metrics, "its_queue_waiting") == 0
    await holding.aclose()
    assert await text_of(pool) == "by a"


async def test_clients_have_their_turns_however_much_one_of_them_asks() -> None:
    backend = Listed("a", delay=0.002)
    pool = pool_of(backend, limit=1)
    await pool.members.refresh()
    order: list[str] = []

    async def ask(client: str, request: str) -> None:
        behalf = pool.on_behalf(Owner(client, request))
        async for event in behalf.call(Sample("m", user("hi"))):
            if isinstance(event, Finished):
                order.append(client)

    greedy = [asyncio.create_task(ask("greedy", f"{n}")) for n in range(20)]
    await asyncio.sleep(0)
    modest = [asyncio.create_task(ask("modest", "1"))]
    await asyncio.gather(*greedy, *modest)
    assert order.index("modest") <= 3


async def test_one_who_gives_up_in_line_leaves_nothing_behind() -> None:
    metrics = Metrics()
    pool = pool_of(Listed("a"), metrics=metrics, limit=1)
    await pool.members.refresh()
    holding = pool.call(Sample("m", user("hi"), stream=True))
    await anext(holding)
    waiting = [asyncio.create_task(text_of(pool)) for _ in range(3)]
    assert await settles(lambda: _value(metrics, "its_queue_waiting") == 3)
    waiting[0].cancel()
    await asyncio.wait([waiting[0]])
    await holding.aclose()  # the next in line has its place by now
    waiting[1].cancel()
    await asyncio.wait([waiting[1]])
    assert await waiting[2] == "by a"
    assert pool.members.replicas[0].outstanding == 0


# Hedging.


async def test_a_silent_call_is_hedged_and_the_loser_aborted() -> None:
    metrics = Metrics()
    slow, quick = Listed("slow", delay=30.0), Listed("quick")
    pool = pool_of(slow, quick, metrics=metrics, hedge_seconds=0.05)
    assert await text_of(pool, prompt=_home(pool, slow, quick)) == "by quick"
    assert (slow.live, slow.aborted) == (0, 1)
    assert _value(metrics, "its_hedges_total", result="won") == 1
    assert all(each.outstanding == 0 for each in pool.members.replicas)


async def test_a_hedge_takes_no_place_in_line() -> None:
    slow = Listed("slow", delay=0.2)
    pool = pool_of(slow, hedge_seconds=0.02, limit=1)
    assert await text_of(pool) == "by slow"
    assert len(slow.calls) == 1


async def test_a_hedged_call_that_is_dropped_leaves_nothing() -> None:
    backends = [Listed("a", delay=30.0), Listed("b", delay=30.0)]
    pool = pool_of(*backends, hedge_seconds=0.02)
    asking = asyncio.create_task(text_of(pool))
    assert await settles(lambda: all(each.live for each in backends), 2.0)
    asking.cancel()
    await asyncio.wait([asking])
    assert [each.live for each in backends] == [0, 0]
    assert len(asyncio.all_tasks()) == 1
