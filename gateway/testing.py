"""Parts for testing guests and hosts: a backend that answers as told, and a session on it.

Public: a package with its own strategies or verifiers tests them with these and with
`gateway.laws`.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from gateway.assembly import candidate_from_choice, join_chunks
from gateway.backends import Backend
from gateway.errors import UpstreamError, UpstreamRejected
from gateway.inquiries import Embed, Likelihood, Pool, Probabilities, Rows
from gateway.ledger import Ledger
from gateway.policy import Policy, Rules
from gateway.registry import Registry, Spec
from gateway.run import Answer, run
from gateway.sandbox.verdict import Executor, NoSandbox
from gateway.session import Means, Session
from gateway.trace import Trace
from gateway.types import (
    Budget,
    Call,
    Capabilities,
    Delta,
    Event,
    Finished,
    Json,
    Passthrough,
    Relayed,
    Request,
    Sample,
    Spent,
    Usage,
)
from gateway.wishes import Wishes

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Reply:
    """What a `FakeBackend` writes: a token a piece, `delay` seconds before each.

    With `error`, that is raised after the pieces. `prompt_tokens` is what the prompt counts as.
    """

    pieces: Sequence[str]
    delay: float = 0.0
    error: UpstreamError | None = None
    finish_reason: str = "stop"
    tool_calls: Sequence[Mapping[str, Any]] = ()
    logprobs: Sequence[float] = ()
    prompt_tokens: int = 5

    @classmethod
    def of(cls, text: str, **more: Any) -> Reply:
        """`text` cut into pieces at its spaces, which stay."""
        words = text.split(" ")
        pieces = [
            word + (" " if place < len(words) - 1 else "") for place, word in enumerate(words)
        ]
        return cls(pieces, **more)


Handler = Callable[[Sample, int], Reply | str]
Measure = Callable[[Call], Rows]


def told(call: Call) -> Rows:
    """Numbers that depend on the call alone: what a `FakeBackend` tells unless told otherwise.

    Probabilities and rewards lie in (0, 1), log-probabilities below 0; a token is a word.
    """
    match call:
        case Probabilities():
            weights = [_number(call.messages, call.prefix, choice) for choice in call.choices]
            return Rows((tuple(weight / sum(weights) for weight in weights),))
        case Likelihood():
            return Rows((tuple(-_number(call.messages, w) for w in call.text.split(" ")),))
        case Pool():
            return Rows(tuple((_number(call.messages, end),) for end in call.ends or (0,)))
        case Embed():
            return Rows(tuple((_number(text), _number(text, 1)) for text in call.texts))
    raise UpstreamRejected(400, {"error": {"message": "not a question about numbers"}})


def _number(*of: Any) -> float:
    """In (0, 1), and the same for the same."""
    return random.Random(repr(of)).uniform(0.01, 0.99)


class FakeBackend:
    """Answers each candidate with what `handler(sample, number)` says, all else by `measure`.

    `number` counts the candidates begun over the backend's life. `live` is how many calls are under
    way, `aborted` how many were dropped before their end, `begun` how many candidates were begun,
    `written` how many tokens were written; `calls` are the samples
    asked for, `inquiries` the other requests, in order.
    """

    def __init__(
        self,
        handler: Handler,
        *,
        name: str = "fake",
        models: Sequence[str] = ("fake",),
        capabilities: Capabilities | None = None,
        measure: Measure = told,
    ):
        self.name = name
        self.calls: list[Sample] = []
        self.inquiries: list[Call] = []
        self._capabilities = capabilities or Capabilities()
        self._measure = measure
        self.live = self.aborted = self.begun = self.written = 0
        self._handler = handler
        self._models = list(models)

    def capabilities(self, model: str) -> Capabilities:
        return self._capabilities

    async def models(self) -> list[str]:
        return self._models

    async def call(self, request: Call) -> AsyncGenerator[Event]:
        self.live += 1
        ended = False
        try:
            events = self._written(request) if isinstance(request, Sample) else self._told(request)
            async for event in events:
                yield event
            ended = True
        except UpstreamError:
            ended = True
            raise
        finally:
            self.live -= 1
            self.aborted += not ended

    async def _told(self, request: Call) -> AsyncGenerator[Event]:
        self.inquiries.append(request)
        await asyncio.sleep(0)
        yield self._measure(request)
        tokens = int(isinstance(request, Probabilities | Likelihood))
        self.written += tokens
        yield Spent(Usage(5, tokens))

    def _written(self, request: Sample) -> AsyncGenerator[Event]:
        self.calls.append(request)
        return self._events(request, [self._reply(request) for _ in range(request.n)])

    def _reply(self, request: Sample) -> Reply:
        reply = self._handler(request, self.begun)
        self.begun += 1
        return Reply.of(reply) if isinstance(reply, str) else reply

    async def _events(self, request: Sample, replies: list[Reply]) -> AsyncGenerator[Event]:
        limit = request.fields.get("max_completion_tokens") or request.fields.get("max_tokens")
        written = [_Written(index, reply, limit) for index, reply in enumerate(replies)]
        total = 0
        while growing := [each for each in written if not each.ended]:
            await asyncio.sleep(max(each.reply.delay for each in growing))
            for each in growing:
                choice = each.step()
                self.written += each.grew
                total += each.grew
                if each.ended and each.reply.error is not None:
                    raise each.reply.error
                if request.stream:
                    yield Delta(each.index, choice, each.tokens, each.reply.prompt_tokens)
                if each.ended:
                    yield Finished(each.index, each.candidate(request.model))
        yield Spent(Usage(replies[0].prompt_tokens, total))

    @asynccontextmanager
    async def relay(self, request: Passthrough) -> AsyncIterator[Relayed]:
        raise UpstreamRejected(404, {"error": {"message": f"no {request.path} here"}})
        yield  # pragma: no cover

    async def close(self) -> None:
        return None


@dataclass(slots=True)
class _Written:
    """A candidate on its way."""

    index: int
    reply: Reply
    limit: int | None
    tokens: int = 0
    grew: int = 0
    ended: bool = False
    chunks: list[Json] = field(default_factory=list)

    def step(self) -> Json:
        """Its next chunk's choice."""
        pieces = self.reply.pieces
        delta: Json = {} if self.chunks else {"role": "assistant"}
        self.grew = 0
        logprobs = None
        if self.tokens < len(pieces):
            delta["content"] = pieces[self.tokens]
            if self.reply.logprobs:
                entry = {"token": pieces[self.tokens], "logprob": self.reply.logprobs[self.tokens]}
                logprobs = {"content": [{**entry, "top_logprobs": [entry]}]}
            self.tokens += 1
            self.grew = 1
        cut = self.limit is not None and self.tokens >= self.limit < len(pieces)
        self.ended = cut or self.tokens >= len(pieces)
        if self.ended and self.reply.tool_calls:
            delta["tool_calls"] = [
                {"index": i, **call} for i, call in enumerate(self.reply.tool_calls)
            ]
        reason = ("length" if cut else self.reply.finish_reason) if self.ended else None
        choice: Json = {"index": self.index, "delta": delta, "finish_reason": reason}
        choice["logprobs"] = logprobs
        self.chunks.append(choice)
        return choice

    def candidate(self, model: str) -> Any:
        usage = Usage(self.reply.prompt_tokens, self.tokens)
        return candidate_from_choice(join_chunks(self.chunks), model=model, usage=usage)


class InlineCompute:
    """Runs workers' functions in place: no processes in unit tests, and no time limit."""

    async def run(self, function: Callable[..., T], *args: Any, seconds: float) -> T:
        return function(*args)


def user(text: str) -> list[dict[str, str]]:
    """A conversation of one user turn."""
    return [{"role": "user", "content": text}]


def session_on(
    backend: FakeBackend,
    *,
    verifiers: Registry | None = None,
    request: Request | None = None,
    budget: Budget | None = None,
    compute: Any = None,
    sandbox: Executor | None = None,
    **fields: Any,
) -> Session:
    """A session for testing a guest alone; `fields` are sampling fields of the client's request."""
    asked = request or Request("fake", user("2 + 2?"), fields=fields)
    registry = verifiers or Registry("verifier")
    means = Means(backend, registry, compute or InlineCompute(), {}, sandbox or NoSandbox())
    return Session(asked, means, Ledger(budget or Budget()), Trace())


async def answer_of(
    spec: Spec,
    backend: Backend,
    *,
    verifiers: Registry,
    wishes: Wishes | None = None,
    request: Request | None = None,
    sink: Any = None,
    compute: Any = None,
    sandbox: Executor | None = None,
    trace: Trace | None = None,
) -> Answer:
    """What a whole request with strategy `spec` comes to; `trace` keeps its account."""
    asked = request or Request("fake", user("2 + 2?"))
    policy = policy_of(spec, verifiers, wishes, asked.choices)
    means = Means(backend, verifiers, compute or InlineCompute(), {}, sandbox or NoSandbox())
    return await run(asked, policy, means, trace or Trace(), sink)


def policy_of(
    spec: Spec, verifiers: Registry, wishes: Wishes | None = None, choices: int = 1
) -> Policy:
    """The policy that `wishes` make for strategy `spec`."""
    rules = Rules(Registry("strategy", [spec]), verifiers)
    named = (wishes or Wishes()).model_copy(update={"strategy": spec.name})
    return rules.resolve({}, named, None, choices)
