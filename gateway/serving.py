"""One chat request being answered: as JSON or as an event stream, and booked."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field

from gateway import openai
from gateway.accounts.desk import Booking, Costs
from gateway.channel import Channel, Choice, Told
from gateway.errors import GatewayError
from gateway.logs import log_request
from gateway.metrics import Metrics
from gateway.openai import Chat, Head
from gateway.policy import Policy
from gateway.receipt import Receipts, cache_word
from gateway.run import Answer, Run, run
from gateway.session import Means
from gateway.trace import Trace
from gateway.types import Candidate, Json, Request, Usage

logger = logging.getLogger("its_gateway.requests")

GRACE_SECONDS = 0.05
"""How long a stream waits before its first event, so that an early refusal has a true status."""

REFUSAL = "I am not confident enough in any answer that I found."


@dataclass(slots=True)
class Exchange:
    """A chat request and all that it needs to be answered; `model` is its metrics label.

    Whoever has sent what `whole` gave, or tried to, calls `sent`.
    `remember` is awaited with the answer before the client has all of it.
    `told` are headers of a stream's answer, where that is known before the first event.
    """

    id: str
    chat: Chat
    policy: Policy
    means: Means
    metrics: Metrics
    receipts: Receipts
    model: str
    keep_alive: float
    runner: Run = run
    remember: Callable[[Answer], Awaitable[None]] | None = None
    booking: Booking | None = None
    trace: Trace = field(default_factory=Trace)
    keep: Callable[[Request, Policy, Answer, Trace], None] | None = None
    started: float = 0.0
    first: float | None = None
    told: dict[str, str] = field(default_factory=dict)
    _unbooked: Answer | None = None

    def __post_init__(self) -> None:
        self.started = self.trace.clock()

    async def whole(self) -> tuple[bytes, dict[str, str]]:
        """The answer as one JSON body, and its headers; raises `GatewayError`."""
        answer = self._unbooked = await self._kept(self._run(None))
        body = openai.completion(
            Head.fresh(answer.outcome.candidates[0].model),
            self._choices(answer),
            answer.usage,
            logprobs=self.chat.logprobs,
            token_ids=self.chat.token_ids,
            its=self.receipts.block(answer, self.policy, self.trace),
        )
        return body, self.receipts.headers(answer, self.policy, self.trace)

    def sent(self) -> None:
        """Book the answer of `whole`, if there is one: the client need not wait for that."""
        answer, self._unbooked = self._unbooked, None
        if answer is not None:
            self._answered(answer)

    async def events(self) -> AsyncGenerator[bytes]:
        """The answer as server-sent events.

        A failure before the first event is raised as `GatewayError`; one after it is an event.
        """
        channel = Channel(progress=self.policy.progress)
        running = asyncio.create_task(self._booked(self._run(channel)))
        running.add_done_callback(lambda _: channel.close())
        writer = _Writer(self.chat, Head.fresh(self.chat.request.model))
        try:
            async for batch in channel.batches(GRACE_SECONDS, self.keep_alive):
                if self.first is None:
                    self.first = self.trace.clock()
                    yield writer.choices(batch) if batch else writer.roles()
                else:
                    yield writer.choices(batch) if batch else openai.KEEP_ALIVE
            answer = await running
            its = self.receipts.block(answer, self.policy, self.trace)
            if self.first is None:  # and so nothing was sent yet
                self.told.update(self.receipts.headers(answer, self.policy, self.trace))
            yield writer.end(answer, self._choices(answer), its)
        except GatewayError as error:
            if self.first is None:
                raise
            yield openai.error_event(error) + openai.DONE
        finally:
            running.cancel()
            await asyncio.wait([running])

    def _run(self, channel: Channel | None) -> Coroutine[None, None, Answer]:
        return self.runner(self.chat.request, self.policy, self.means, self.trace, channel)

    async def _booked(self, work: Coroutine[None, None, Answer]) -> Answer:
        """The answer of `work`; whatever becomes of it is in the metrics and in the log."""
        answer = await self._kept(work)
        self._answered(answer)
        return answer

    async def _kept(self, work: Coroutine[None, None, Answer]) -> Answer:
        """The answer of `work`, paid and remembered; what fails is in metrics and log."""
        outcome = "client_gone"
        self.metrics.in_flight.value += 1
        try:
            answer = await work
            if self.booking is not None:
                await self.booking.settle(self._spent())
            outcome = "ok"
        except GatewayError as error:
            outcome = error.label
            raise
        finally:
            self.metrics.in_flight.value -= 1
            if outcome != "ok":
                if self.booking is not None:
                    self.booking.settle_later(self._spent())
                self.metrics.failed(self.policy.strategy.name, self.model, outcome, self.trace)
                self._log(outcome)
        if self.remember is not None:
            await self.remember(answer)
        if self.keep is not None:
            self.keep(self.chat.request, self.policy, answer, self.trace)
        return answer

    def _answered(self, answer: Answer) -> None:
        now = self.trace.clock()
        self.metrics.record(
            self.policy.strategy.name,
            self.model,
            answer,
            self.trace,
            seconds=now - self.started,
            first=(self.first or now) - self.started,
        )
        if self.policy.cache != "off":
            self.metrics.reuse_ended(cache_word(self.policy, self.trace).partition(":")[0])
        self._log("ok", stop=answer.outcome.stop, tokens=answer.usage.completion_tokens)

    def _spent(self) -> Costs:
        drawn = self.trace.samples - self.trace.samples_reused
        return Costs(1, drawn, self.trace.paid.completion_tokens)

    def _log(self, outcome: str, **more: object) -> None:
        fields: dict[str, object] = {
            "request_id": self.id,
            "strategy": self.policy.strategy.name,
            "model": self.model,
            "outcome": outcome,
            "samples": self.trace.samples,
            "seconds": round(self.trace.clock() - self.started, 4),
            **more,
        }
        log_request(logger, fields)

    def _choices(self, answer: Answer) -> list[Candidate]:
        """What the client gets, best first: as many as it asked for, or a refusal."""
        outcome = answer.outcome
        if outcome.stop == "abstained":
            first = outcome.candidates[0]
            refusal = {"message": {"refusal": REFUSAL}}
            return [Candidate(first.id, REFUSAL, model=first.model, extra=refusal)]
        return list(outcome.candidates[: self.chat.request.choices])


class _Writer:
    """Choices as events; sends each index its role exactly once, first."""

    def __init__(self, chat: Chat, head: Head):
        self._chat = chat
        self._head = head
        self._begun: set[int] = set()

    def roles(self) -> bytes:
        """The first chunk of every choice."""
        return b"".join(self._role(index) for index in range(self._chat.request.choices))

    def _role(self, index: int) -> bytes:
        if index in self._begun:
            return b""
        self._begun.add(index)
        choice = openai.delta(index, role="assistant", content="")
        return openai.event(openai.chunk(self._head, [choice]))

    def choices(self, batch: Sequence[Told]) -> bytes:
        """Relayed choices, less what only a verifier had asked for."""
        return b"".join([self._choice(*told) for told in batch])

    def _choice(self, choice: Choice, prompt_tokens: int, tokens: int) -> bytes:
        own = openai.strip_choice(
            choice, logprobs=self._chat.logprobs, token_ids=self._chat.token_ids
        )
        delta, index = own.get("delta") or {}, own["index"]
        opening = b""
        if index not in self._begun:
            opening = b"" if "role" in delta else self._role(index)
            self._begun.add(index)
        elif "role" in delta:
            own = {**own, "delta": {key: value for key, value in delta.items() if key != "role"}}
        usage = Usage(prompt_tokens, tokens) if self._chat.continuous_usage else None
        return opening + openai.choice_event(self._head, own, usage)

    def end(self, answer: Answer, choices: Sequence[Candidate], its: Json | None) -> bytes:
        """All that is left to say once the answer is known."""
        parts: list[bytes] = []
        if not answer.relayed:
            for index, candidate in enumerate(choices):
                parts.append(self._role(index))
                told = openai.candidate_chunks(
                    candidate,
                    index,
                    logprobs=self._chat.logprobs,
                    token_ids=self._chat.token_ids,
                )
                parts += [openai.event(openai.chunk(self._head, [each])) for each in told]
        more: Json = {} if its is None else {"its": its}
        if self._chat.include_usage:
            more["usage"] = openai.usage_json(answer.usage)
        if more:
            parts.append(openai.event(openai.chunk(self._head, [], **more)))
        return b"".join([*parts, openai.DONE])
