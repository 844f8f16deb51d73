"""Metrics: what requests leave on the page that Prometheus scrapes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Sequence
from typing import Annotated, Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from pydantic import Field

from gateway import Candidate, Outcome, Score, Session, strategy, verifier
from gateway.app import create_app
from gateway.backends.pool import Knobs
from gateway.errors import GatewayError, UpstreamRejected, UpstreamUnavailable
from gateway.host import Host
from gateway.metrics import Metrics
from gateway.openai import parse_chat
from gateway.registry import Registry, load, spec_of
from gateway.serving import Exchange
from gateway.settings import Settings
from gateway.testing import FakeBackend, Reply, user

BUILT_IN = load("strategy", "strategies", "test.none")


@verifier(binary=True)
async def is_four(session: Session, candidates: Sequence[Candidate]) -> list[Score]:
    """Passes an answer that is a four; cannot judge an empty one."""
    return [
        Score(float("nan")) if not c.text else Score(float("4" in c.text), passed="4" in c.text)
        for c in candidates
    ]


@verifier()
async def asked(
    session: Session,
    candidates: Sequence[Candidate],
    *,
    calls: Annotated[int, Field(description="Calls of a judge.")] = 2,
) -> list[Score]:
    """Asks a model for its view, and gives everyone the same."""
    for _ in range(calls):
        await session.sample(1, messages=user("Is it right?"))
    return [Score(0.5) for _ in candidates]


@strategy
async def shrugs(session: Session) -> Outcome:
    """Says that it could not do as asked."""
    session.degrade("shrugged")
    return Outcome(await session.sample(1))


STRATEGIES = Registry("strategy", [*BUILT_IN.values(), spec_of(shrugs)])
VERIFIERS = Registry("verifier", [spec_of(is_four), spec_of(asked)])


def _host(backend: FakeBackend) -> Host:
    return Host.build(Settings(pool=Knobs(retries=0)), [backend], STRATEGIES, VERIFIERS)


def _words(*texts: str) -> FakeBackend:
    """Writes these in turn, a token a word, for prompts of 5 tokens."""
    return FakeBackend(lambda sample, number: Reply.of(texts[number % len(texts)]))


def _exchange(host: Host, model: str = "fake", **body: Any) -> Exchange:
    whole = {"model": model, "messages": user("2 + 2?"), **body}
    chat = parse_chat(json.dumps(whole).encode())
    policy = host.rules.resolve({}, chat.wishes, chat.alias, chat.request.choices)
    return Exchange("r", chat, policy, host.means, host.metrics, host.receipts, model, 5.0)


async def _answered(host: Host, **its: Any) -> None:
    exchange = _exchange(host, its=its)
    await exchange.whole()
    exchange.sent()


Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def _page(metrics: Metrics) -> Samples:
    families = text_string_to_metric_families(metrics.page().decode())
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }


def _value(host: Host, name: str, **labels: str) -> float:
    return _page(host.metrics)[name, frozenset(labels.items())]


def _labels(host: Host, name: str, label: str) -> set[str]:
    return {dict(labels)[label] for found, labels in _page(host.metrics) if found == name}


async def test_requests_samples_and_tokens_are_counted() -> None:
    host = _host(_words("it is 4", "it is really 5"))
    await _answered(host)
    await _answered(host)
    await _answered(host, strategy="best_of_n", params={"n": 3}, verifier="is_four")
    direct = {"strategy": "direct", "model": "fake"}
    best = {"strategy": "best_of_n", "model": "fake"}
    ended = {"outcome": "ok", "stop": "complete"}
    assert _value(host, "its_requests_total", **direct, **ended) == 2
    assert _value(host, "its_requests_total", **best, **ended) == 1
    assert _value(host, "its_samples_total", **direct) == 2
    assert _value(host, "its_samples_total", **best) == 3
    for labels, prompt, completion in ((direct, 10, 7), (best, 5, 10)):
        spent = {**labels, "purpose": "sample"}
        assert _value(host, "its_tokens_total", **spent, kind="prompt") == prompt
        assert _value(host, "its_tokens_total", **spent, kind="completion") == completion
    assert _value(host, "its_request_seconds_count", **direct) == 2
    assert _value(host, "its_first_byte_seconds_count", strategy="best_of_n") == 1
    assert _value(host, "its_overhead_seconds_count", strategy="direct") == 2
    assert _value(host, "its_requests_in_flight") == 0


async def test_tokens_of_judges_are_counted_apart() -> None:
    host = _host(_words("it is 4"))
    await _answered(host, strategy="best_of_n", params={"n": 2}, verifier="asked;calls=4")
    labels = {"strategy": "best_of_n", "model": "fake", "kind": "completion"}
    assert _value(host, "its_tokens_total", **labels, purpose="sample") == 6
    assert _value(host, "its_tokens_total", **labels, purpose="judge") == 12
    assert _value(host, "its_samples_total", strategy="best_of_n", model="fake") == 2


async def test_an_early_exit_counts_what_it_saved() -> None:
    host = _host(_words("not it", "it is 4"))
    params = {"n": 8, "early_exit": True}
    await _answered(host, strategy="best_of_n", params=params, verifier="is_four")
    labels = {"strategy": "best_of_n", "model": "fake"}
    assert _value(host, "its_samples_total", **labels) == 2
    assert _value(host, "its_samples_saved_total", **labels) == 6
    assert _value(host, "its_tokens_saved_total", **labels) == pytest.approx(6 * 5 / 2)
    assert _value(host, "its_requests_total", **labels, outcome="ok", stop="passed") == 1


async def test_nothing_is_saved_where_nothing_stopped_early() -> None:
    host = _host(_words("not it"))
    params = {"n": 4, "early_exit": True}
    await _answered(host, strategy="best_of_n", params=params, verifier="is_four")
    assert _labels(host, "its_samples_saved_total", "strategy") == set()


async def test_verdicts_are_counted() -> None:
    host = _host(_words("4", "4", "5", ""))
    await _answered(host, strategy="best_of_n", params={"n": 4}, verifier="is_four")
    for verdict, count in (("passed", 2), ("failed", 1), ("unjudged", 1)):
        assert _value(host, "its_verdicts_total", verifier="is_four", verdict=verdict) == count
    await _answered(host, strategy="best_of_n", params={"n": 3}, verifier="asked")
    assert _value(host, "its_verdicts_total", verifier="asked", verdict="scored") == 3
    assert _value(host, "its_verifier_seconds_count", verifier="asked") == 1


async def test_what_was_not_done_as_asked_is_counted() -> None:
    host = _host(_words("it is 4"))
    await _answered(host, strategy="shrugs")
    await _answered(host)
    assert _value(host, "its_degraded_total", strategy="shrugs", reason="shrugged") == 1
    assert _labels(host, "its_degraded_total", "strategy") == {"shrugs"}


async def test_a_stream_is_counted_as_well() -> None:
    host = _host(_words("it is 4"))
    events = [event async for event in _exchange(host, stream=True).events()]
    assert events
    labels = {"strategy": "direct", "model": "fake"}
    assert _value(host, "its_requests_total", **labels, outcome="ok", stop="complete") == 1
    assert _value(host, "its_samples_total", **labels) == 1


async def test_a_client_that_hangs_up_is_counted_with_what_it_cost() -> None:
    backend = FakeBackend(lambda s, n: Reply.of("word " * 1000, delay=0.002))
    host = _host(backend)
    events = _exchange(host, stream=True).events()
    for _ in range(3):
        await anext(events)
    assert _value(host, "its_requests_in_flight") == 1
    assert _value(host, "its_upstream_in_flight", backend="fake") == 1
    await events.aclose()
    labels = {"strategy": "direct", "model": "fake"}
    gone = {"outcome": "client_gone", "stop": "none"}
    assert _value(host, "its_requests_total", **labels, **gone) == 1
    assert _value(host, "its_samples_total", **labels) == 1
    spent = {"kind": "completion", "purpose": "sample"}
    assert 0 < _value(host, "its_tokens_total", **labels, **spent) == backend.written < 1000
    assert _value(host, "its_requests_in_flight") == 0
    assert _value(host, "its_upstream_in_flight", backend="fake") == 0
    assert _value(host, "its_upstream_calls_total", backend="fake", result="aborted") == 1


def _fails(error: Any) -> FakeBackend:
    return FakeBackend(lambda sample, number: Reply.of("half", error=error))


@pytest.mark.parametrize(
    ("error", "outcome", "result"),
    [
        (UpstreamUnavailable("gone"), "upstream_unavailable", "unavailable"),
        (
            UpstreamRejected(400, {"error": {"message": "no", "code": "code-of-its-own"}}),
            "upstream_rejected",
            "rejected",
        ),
    ],
)
async def test_a_failure_is_counted_under_a_name_of_ours(
    error: GatewayError, outcome: str, result: str
) -> None:
    host = _host(_fails(error))
    with pytest.raises(type(error)):
        await _answered(host)
    labels = {"strategy": "direct", "model": "fake"}
    assert _value(host, "its_requests_total", **labels, outcome=outcome, stop="none") == 1
    assert _value(host, "its_samples_total", **labels) == 1
    assert _value(host, "its_upstream_calls_total", backend="fake", result=result) == 1


async def test_upstream_calls_are_counted_and_timed() -> None:
    host = _host(_words("it is 4"))
    await _answered(host)
    await _answered(host, strategy="best_of_n", params={"n": 4}, verifier="is_four")
    assert _value(host, "its_upstream_calls_total", backend="fake", result="ok") == 2
    assert _value(host, "its_upstream_seconds_count", backend="fake") == 2


async def test_all_names_are_ours_and_documented() -> None:
    host = _host(_words("it is 4"))
    await _answered(host)
    host.metrics.live(lambda: 3)
    families = list(text_string_to_metric_families(host.metrics.page().decode()))
    assert len(families) > 10
    assert [family.name for family in families if not family.name.startswith("its_")] == []
    assert [family.name for family in families if not family.documentation] == []
    assert _value(host, "its_embedded_live_sequences") == 3
    told = {family.name for family, _ in host.metrics.families()}
    assert {family.name.removesuffix("_created") for family in families} - {
        name + end for name in told for end in ("", "_total")
    } == {"its_embedded_live_sequences"}


async def _post(host: Host, body: dict[str, Any]) -> tuple[int, bytes]:
    """Send a chat request to the application itself."""
    sent: list[Any] = []
    raw = json.dumps(body).encode()
    received: Iterable[dict[str, Any]] = iter([{"type": "http.request", "body": raw}])

    async def receive() -> Any:
        for message in received:
            return message
        return await asyncio.Event().wait()

    async def send(message: Any) -> None:
        sent.append(message)

    path = "/v1/chat/completions"
    scope = {
        "type": "http",
        "method": "POST",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [],
    }
    await create_app(host)(scope, receive, send)
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent[1:])


async def test_a_name_that_no_backend_serves_is_no_label() -> None:
    host = _host(_words("it is 4"))
    asked = {"messages": user("2 + 2?")}
    status, body = await _post(host, {**asked, "model": "fake"})
    assert status == 200, body
    for number in range(3):
        status, _ = await _post(host, {**asked, "model": f"made-up-{number}"})
        assert status == 404
    assert "made-up" not in host.metrics.page().decode()
    missing = {"outcome": "model_not_found", "stop": "none"}
    labels = {"strategy": "direct", "model": "other"}
    assert _value(host, "its_requests_total", **labels, **missing) == 3
    # The first request of all has its own name too.
    assert _labels(host, "its_samples_total", "model") >= {"fake"}
