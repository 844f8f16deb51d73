"""Router: which backend a call goes to, and what it says where there is none."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager

import pytest

from gateway.backends import router as module
from gateway.backends.router import Router
from gateway.errors import ModelNotFound, UpstreamUnavailable
from gateway.testing import FakeBackend, Reply, user
from gateway.types import Call, Capabilities, Event, Finished, Passthrough, Relayed, Sample


class Listed(FakeBackend):
    """Counts how often it is asked for its models; answers nothing at all while it is `dead`."""

    def __init__(self, name: str, *models: str, delay: float = 0.0):
        super().__init__(lambda s, n: Reply.of(f"by {name}", delay=delay), name=name, models=models)
        self.asked = 0
        self.dead = False
        self.closed = False

    async def models(self) -> list[str]:
        self.asked += 1
        self._check()
        return await super().models()

    async def call(self, request: Call) -> AsyncGenerator[Event]:
        self._check()
        async with aclosing(super().call(request)) as events:
            async for event in events:
                yield event

    @asynccontextmanager
    async def relay(self, request: Passthrough) -> AsyncIterator[Relayed]:
        self._check()

        async def chunks() -> AsyncIterator[bytes]:
            yield self.name.encode()

        yield Relayed(200, "text/plain", chunks())

    async def close(self) -> None:
        self.closed = True

    def _check(self) -> None:
        if self.dead:
            raise UpstreamUnavailable(f"backend {self.name} is unavailable")


class Clock:
    """Stands in for the router's `time`."""

    now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


async def _text(router: Router, model: str) -> str:
    async with aclosing(router.call(Sample(model, user("hi")))) as events:
        return "".join([e.candidate.text async for e in events if isinstance(e, Finished)])


async def test_a_call_goes_to_a_backend_that_serves_its_model() -> None:
    router = Router([Listed("a", "small"), Listed("b", "large", "larger")])
    assert await router.models() == ["small", "large", "larger"]
    for model, name in (("larger", "b"), ("small", "a"), ("large", "b")):
        assert await _text(router, model) == f"by {name}"
    assert router.knows("large")
    assert not router.knows("huge")
    assert router.answering == {"a", "b"}


async def test_a_model_is_found_without_asking_for_the_list_first() -> None:
    assert await _text(Router([Listed("a", "small"), Listed("b", "large")]), "large") == "by b"


async def test_a_relay_goes_to_a_backend_that_serves_its_model() -> None:
    router = Router([Listed("a", "small"), Listed("b", "large")])
    async with router.relay(Passthrough("/v1/embeddings", b"{}", "large")) as relayed:
        assert [chunk async for chunk in relayed.chunks] == [b"b"]
    with pytest.raises(ModelNotFound):
        async with router.relay(Passthrough("/v1/embeddings", b"{}", "huge")):
            pytest.fail("nobody serves this model")


async def test_an_unknown_model_is_named_with_those_allowed() -> None:
    router = Router([Listed("a", "small", "tiny"), Listed("b", "large")])
    with pytest.raises(ModelNotFound, match=r"'huge'.*allowed: large, small, tiny") as caught:
        await _text(router, "huge")
    assert caught.value.status == 404
    assert caught.value.param == "model"


async def test_no_backend_answers() -> None:
    backends = [Listed("a", "small"), Listed("b", "large")]
    for backend in backends:
        backend.dead = True
    router = Router(backends)
    with pytest.raises(UpstreamUnavailable, match="no backend answers") as caught:
        await _text(router, "small")
    assert caught.value.status == 503
    assert await router.models() == []
    assert router.answering == frozenset()


async def test_a_backend_that_never_says_what_it_serves_counts_as_not_answering(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Mute(Listed):
        async def models(self) -> list[str]:
            await asyncio.sleep(60)
            return []

    real = asyncio.timeout
    monkeypatch.setattr(asyncio, "timeout", lambda seconds: real(seconds / 100))
    router = Router([Mute("mute", "large"), Listed("b", "large")])
    assert await _text(router, "large") == "by b"
    assert router.answering == {"b"}


async def test_a_backend_that_came_to_life_is_found_at_once(clock: Clock) -> None:
    backend = Listed("a", "small")
    backend.dead = True
    router = Router([backend])
    with pytest.raises(UpstreamUnavailable):
        await _text(router, "small")
    backend.dead = False
    assert await _text(router, "small") == "by a"


async def test_the_least_busy_of_two_is_taken() -> None:
    backends = [Listed("a", "m", delay=0.005), Listed("b", "m", delay=0.005)]
    router = Router(backends)
    await router.refresh()
    await asyncio.gather(*(_text(router, "m") for _ in range(6)))
    assert [len(backend.calls) for backend in backends] == [3, 3]


async def test_an_aborted_call_no_longer_counts_as_busy() -> None:
    backends = [Listed("a", "m"), Listed("b", "m")]
    router = Router(backends)
    for _ in range(3):
        events = router.call(Sample("m", user("hi"), stream=True))
        await anext(events)
        await events.aclose()
    assert [len(backend.calls) for backend in backends] == [3, 0]
    assert [backend.aborted for backend in backends] == [3, 0]


async def test_a_relay_under_way_counts_as_busy() -> None:
    router = Router([Listed("a", "m"), Listed("b", "m")])
    async with router.relay(Passthrough("/v1/embeddings", b"{}", "m")):
        assert await _text(router, "m") == "by b"
    assert await _text(router, "m") == "by a"


async def test_a_dead_backend_beside_a_live_one_takes_no_calls() -> None:
    dead, live = Listed("dead", "m", "only-here"), Listed("live", "m")
    dead.dead = True
    router = Router([dead, live])
    assert await router.models() == ["m"]
    assert router.answering == {"live"}
    for _ in range(3):
        assert await _text(router, "m") == "by live"


async def test_a_backend_that_dies_later_loses_one_call_and_not_all(clock: Clock) -> None:
    dying, live = Listed("dying", "m"), Listed("live", "m")
    router = Router([dying, live])
    assert await _text(router, "m") == "by dying"
    dying.dead = True
    with pytest.raises(UpstreamUnavailable):
        await _text(router, "m")
    for _ in range(3):
        assert await _text(router, "m") == "by live"
    dying.dead = False
    clock.now += module.REFRESH_SECONDS
    assert await _text(router, "m") == "by dying"


async def test_a_backend_that_dies_during_a_relay_is_avoided_too(clock: Clock) -> None:
    dying, live = Listed("dying", "m"), Listed("live", "m")
    router = Router([dying, live])
    await router.refresh()
    dying.dead = True
    with pytest.raises(UpstreamUnavailable):
        async with router.relay(Passthrough("/v1/embeddings", b"{}", "m")):
            pytest.fail("it is dead")
    assert await _text(router, "m") == "by live"


async def test_the_last_one_left_is_asked_even_if_it_failed(clock: Clock) -> None:
    backend = Listed("a", "m")
    router = Router([backend])
    await router.refresh()
    backend.dead = True
    with pytest.raises(UpstreamUnavailable):
        await _text(router, "m")
    backend.dead = False
    assert await _text(router, "m") == "by a"


async def test_what_a_backend_said_last_stands_while_it_does_not_answer(clock: Clock) -> None:
    backend = Listed("a", "m")
    router = Router([backend])
    await router.refresh()
    backend.dead = True
    clock.now += module.REFRESH_SECONDS
    assert await router.models() == ["m"]
    assert router.knows("m")
    assert router.answering == frozenset()


async def test_backends_are_asked_once_in_a_while(clock: Clock) -> None:
    backend = Listed("a", "m")
    router = Router([backend])
    await asyncio.gather(*(router.refresh() for _ in range(5)))
    await router.models()
    await _text(router, "m")
    assert backend.asked == 1
    clock.now += module.REFRESH_SECONDS - 0.1
    with pytest.raises(ModelNotFound):
        await _text(router, "huge")  # an unknown name is no way to make the gateway ask
    assert backend.asked == 1
    clock.now += 0.2
    await router.refresh()
    assert backend.asked == 2
    await router.refresh(now=True)
    assert backend.asked == 3


async def test_what_is_served_is_learned_once(clock: Clock) -> None:
    backend = Listed("a", "m")
    router = Router([backend])
    assert not router.knows("m")
    await router.learned()
    assert router.knows("m")
    clock.now += 2 * module.REFRESH_SECONDS
    await router.learned()
    assert backend.asked == 1


async def test_it_can_do_what_all_of_its_backends_can() -> None:
    few = Capabilities(n=False, continuation=False)
    able = FakeBackend(lambda s, n: "", name="a", models=["m"])
    unable = FakeBackend(lambda s, n: "", name="b", models=["m", "other"], capabilities=few)
    router = Router([able, unable])
    assert router.capabilities("m") == Capabilities()  # nothing is known yet
    await router.refresh()
    assert router.capabilities("m") == few
    assert router.capabilities("other") == few
    assert router.capabilities("none") == Capabilities()


async def test_closing_it_closes_its_backends() -> None:
    backends = [Listed("a", "m"), Listed("b", "m")]
    await Router(backends).close()
    assert all(backend.closed for backend in backends)
