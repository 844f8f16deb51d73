"""What is sent, what is made of the answer, and what is tried again, against real servers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from benchmarks.evaluation.client import Answered, Asking, Client, Failed, Fatal, model_of
from benchmarks.evaluation.policies import DIRECT, Policy, parse
from benchmarks.evaluation.problem import Problem
from benchmarks.evaluation.reply import BadReply, read

PROBLEM = Problem(id="p", question="40 + 2?", answer="forty-two", tests="assert secret")
Answer = tuple[int, dict[str, Any], dict[str, str]]


def _completion(*texts: str, **more: Any) -> dict[str, Any]:
    choices = [{"message": {"role": "assistant", "content": text}} for text in texts]
    return {
        "choices": choices,
        "usage": {"prompt_tokens": 7, "completion_tokens": 5},
        **more,
    }


class Server:
    """Answers with what it was told to, in order, the last again and again."""

    def __init__(self) -> None:
        self.answers: list[Answer] = [(200, _completion("Answer: 42"), {})]
        self.seen: list[tuple[dict[str, Any], dict[str, str]]] = []
        self.base = ""

    async def complete(self, request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.seen.append((await request.json(), headers))
        status, body, more = self.answers[min(len(self.seen), len(self.answers)) - 1]
        return web.json_response(body, status=status, headers=more)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    server = Server()
    app = web.Application()
    app.router.add_post("/v1/chat/completions", server.complete)
    async with TestServer(app) as running:
        server.base = str(running.make_url("/v1"))
        yield server


Ask = Callable[..., Any]


@pytest.fixture
async def ask(server: Server) -> AsyncIterator[Ask]:
    async with aiohttp.ClientSession() as session:

        async def one(policy: Policy = DIRECT, **asking: Any) -> Answered | Failed:
            asking = {"model": "m", "seed": 1, "fields": {}, "attempts": 2, **asking}
            return await Client(session, server.base, Asking(**asking)).ask(policy, PROBLEM)

        yield one


async def test_neither_reference_nor_tests_are_sent_unasked(server: Server, ask: Ask) -> None:
    await ask(Policy(preset="agreement-4", budget=2))
    [(body, headers)] = server.seen[:1]
    assert body["model"] == "m@agreement-4"
    assert body["its"] == {"budget": 2}
    assert headers["x-its-detail"] == "candidates"
    assert "forty" not in str(server.seen)
    assert "secret" not in str(server.seen)


@pytest.fixture(autouse=True)
def _is_a_gateway(server: Server) -> None:
    server.answers = [(200, _completion("Answer: 42"), {"x-its-strategy": "direct"})]


async def test_both_are_sent_when_asked_for(server: Server, ask: Ask) -> None:
    await ask(send_reference=True, send_tests=True)
    assert server.seen[0][0]["its"] == {"reference": "forty-two", "tests": "assert secret"}


async def test_seeds_are_the_problems_and_the_same_under_every_policy(
    server: Server, ask: Ask
) -> None:
    await ask()
    await ask(Policy(budget=4))
    await ask(seed=2)
    await ask(seeded=False)
    one, same, other, none = (body.get("seed") for body, _ in server.seen)
    assert one == same != other
    assert none is None
    assert isinstance(one, int)
    assert 0 <= one < 2**53


async def test_policies_reach_other_servers_in_their_own_words(server: Server, ask: Ask) -> None:
    server.answers = [(200, _completion("a", "Answer: 42"), {})]
    _, policy = parse("bon=model=bon-m,body.n=2,headers.X-ITS-Budget=4")
    done = await ask(policy, fields={"temperature": 0.7})
    body, headers = server.seen[0]
    assert (body["model"], body["n"], body["temperature"]) == ("bon-m", 2, 0.7)
    assert "its" not in body
    assert headers["x-its-budget"] == "4"
    assert [each.text for each in done.reply.drawn] == ["a", "Answer: 42"]
    assert (done.reply.samples, done.reply.completion_tokens, done.reply.stop) == (2, 5, None)


async def test_a_long_answer_is_read_to_its_end(server: Server, ask: Ask) -> None:
    server.answers = [(200, _completion(*["x" * 50_000] * 40), {})]
    done = await ask()
    assert (done.attempts, len(done.reply.drawn)) == (1, 40)


async def test_a_server_that_ignores_wishes_ends_the_run(server: Server, ask: Ask) -> None:
    server.answers = [(200, _completion("x"), {})]
    with pytest.raises(Fatal, match="no ITS gateway"):
        await ask(Policy(budget=4))


async def test_retry_after_is_waited_out_and_costs_no_attempt(server: Server, ask: Ask) -> None:
    wait: Answer = (429, {"error": {"message": "slow down"}}, {"retry-after": "0.05"})
    server.answers = [wait, wait, wait, wait, *server.answers]
    done = await ask()
    assert isinstance(done, Answered)
    assert done.attempts == 5
    assert done.seconds < 0.2  # the four waits together are longer


async def test_patience_ends(server: Server, ask: Ask) -> None:
    server.answers = [(503, {"error": {"message": "busy"}}, {"retry-after": "0.05"})]
    done = await ask(patience=0.12)
    assert done == Failed("503: busy", attempts=4)  # two waited out, two attempts


async def test_what_may_pass_is_tried_again(server: Server, ask: Ask) -> None:
    server.answers = [(502, {}, {}), *server.answers]
    assert (await ask()).attempts == 2


async def test_what_stays_is_recorded_as_failed(server: Server, ask: Ask) -> None:
    server.answers = [(200, {"choices": []}, {})]
    done = await ask()
    assert done.attempts == 2
    assert "no choices" in done.error


async def test_a_problems_own_fault_is_its_own(server: Server, ask: Ask) -> None:
    error = {"message": "too long", "param": "messages"}
    server.answers = [(400, {"error": error}, {})]
    assert await ask() == Failed("400: too long", attempts=1)


@pytest.mark.parametrize(
    ("status", "param"),
    [(400, "its.budget"), (400, "model"), (400, "X-ITS-Strategy"), (401, None), (404, None)],
)
async def test_a_policys_fault_ends_the_run(
    server: Server, ask: Ask, status: int, param: str | None
) -> None:
    server.answers = [(status, {"error": {"message": "not so", "param": param}}, {})]
    with pytest.raises(Fatal, match=f"{status}: not so"):
        await ask()


async def test_nobody_there_ends_the_run() -> None:
    async with aiohttp.ClientSession() as session:
        client = Client(session, "http://127.0.0.1:9/v1", Asking("m", 1, {}, attempts=1))
        with pytest.raises(Fatal, match="does not answer"):
            await client.ask(DIRECT, PROBLEM)
        with pytest.raises(Fatal, match="does not answer"):
            await model_of(session, "http://127.0.0.1:9/v1", "m")


def _listed(*texts: str, index: bool) -> dict[str, Any]:
    told = [
        {"text": text, "tokens": 3, "score": 1.0, **({"index": 9 - n} if index else {})}
        for n, text in enumerate(texts)
    ]
    return _completion(texts[0], its={"candidates": told, "confidence": 0.5})


def test_candidates_come_in_the_order_of_drawing() -> None:
    headers = {"x-its-strategy": "best_of_n", "x-its-samples": "3", "x-its-degraded": "a,b"}
    reply = read(_listed("best", "middle", "worst", index=True), headers, 1)
    assert [each.text for each in reply.drawn] == ["worst", "middle", "best"]
    assert reply.degraded == ("a", "b")
    assert (reply.text, reply.samples, reply.confidence) == ("best", 3, 0.5)


def test_an_order_that_is_not_told_is_not_the_ranking() -> None:
    texts = [str(n) for n in range(40)]
    firsts = [read(_listed(*texts, index=False), {}, seed).drawn[0].text for seed in range(20)]
    assert len(set(firsts)) > 5
    assert read(_listed(*texts, index=False), {}, 1) == read(_listed(*texts, index=False), {}, 1)


def test_log_probabilities_of_choices_are_summed() -> None:
    body = _completion("x")
    body["choices"][0]["logprobs"] = {"content": [{"logprob": -1.0}, {"logprob": -0.5}]}
    [drawn] = read(body, {}, 1).drawn
    assert (drawn.logprob, drawn.tokens) == (-1.5, 2)


@pytest.mark.parametrize("body", [{}, {"choices": None}, {"choices": ["x"]}])
def test_what_is_no_completion_is_told(body: dict[str, Any]) -> None:
    with pytest.raises(BadReply):
        read(body, {}, 1)
