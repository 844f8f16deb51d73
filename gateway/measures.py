"""The part of a session that asks models for numbers instead of text."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING

from gateway.calls import scoring_fields
from gateway.errors import BudgetExhausted, DeadlineExceeded, InvalidRequest, UpstreamError
from gateway.inquiries import Embed, Likelihood, Pool, Probabilities, Rows
from gateway.ledger import Ledger
from gateway.trace import Trace
from gateway.types import (
    Call,
    Candidate,
    Json,
    Message,
    Request,
    Spent,
    Usage,
)

if TYPE_CHECKING:
    from gateway.session import Means

Vector = tuple[float, ...]


class Measures:
    """Base of `Session`: each call is booked as a judge's on the request's ledger.

    All raise `BudgetExhausted` and `DeadlineExceeded` as sampling does, `Unsupported` where the
    model's server cannot do it, and the upstream's errors. `model` is a role or a model's name.
    """

    request: Request
    _means: Means
    _ledger: Ledger
    _trace: Trace

    async def probabilities(
        self,
        messages: Sequence[Message],
        choices: Sequence[str],
        *,
        prefix: str = "",
        model: str | None = None,
    ) -> dict[str, float]:
        """How probable each of `choices` is as the next token, in [0, 1]; not renormalised.

        `prefix` is the beginning of the answer. Exact, but where the server can tell its likeliest
        tokens only: others are then 0, and the request is degraded by `top_logprobs`. Costs one
        completion token. `InvalidRequest` for a choice that is not one token.
        """
        if not choices or len(set(choices)) != len(choices) or "" in choices:
            raise InvalidRequest("choices: one or more, distinct and not empty", param="choices")
        call = Probabilities(
            self._named(model), messages, tuple(choices), prefix, self._fields(model)
        )
        rows = await self._ask(call, tokens=1)
        return dict(zip(choices, rows[0], strict=True))

    async def loglik(
        self, candidate: Candidate, *, model: str | None = None, temperature: float = 1.0
    ) -> Vector:
        """Log-probability (nats) of each token of `candidate` as an answer to the request.

        Of its own token ids where it has them and `model` wrote it; else its text is tokenised
        again, without the token that ended it. A `temperature` other than 1 needs a server that
        tells the whole vocabulary's (vLLM: `--max-logprobs -1`). Costs one completion token.
        """
        named = self._named(model)
        ids: tuple[tuple[int, ...], tuple[int, ...]] = ((), ())
        if candidate.model == named and candidate.prompt_token_ids and candidate.token_ids:
            ids = candidate.prompt_token_ids, candidate.token_ids
        elif not candidate.text:
            return ()
        call = Likelihood(
            named, self.request.messages, candidate.text, *ids, temperature, self._fields(model)
        )
        return (await self._ask(call, tokens=1))[0]

    async def reward(
        self, messages: Sequence[Message], *, model: str, ends: Sequence[int] = ()
    ) -> tuple[Vector, ...]:
        """What a reward model says of a conversation that ends with the answer to be judged.

        An outcome model gives one row: a single probability, or one a class. A process model gives
        a row of class probabilities a token; with `ends`, numbers of characters of the last
        message, only the rows of the tokens that complete so much of it.
        """
        return await self._ask(
            Pool(self._named(model), messages, tuple(ends), self._fields(model)), tokens=0
        )

    async def embed(self, texts: Sequence[str], *, model: str = "embed") -> tuple[Vector, ...]:
        """A vector a text."""
        if not texts:
            return ()
        return await self._ask(Embed(self._named(model), tuple(texts)), tokens=0)

    def assigned(self, role: str) -> str | None:
        """The model that the operator gave `role`; None where none was given."""
        return self._means.roles.get(role)

    async def serves(self, role: str) -> bool:
        """Whether the operator gave `role` a model, and somebody serves it."""
        model = self.assigned(role)
        return model is not None and model in await self._means.backend.models()

    def _named(self, model: str | None) -> str:
        """The model of a role, a model's own name, or the request's model."""
        return self.request.model if model is None else self._means.roles.get(model, model)

    def _fields(self, model: str | None) -> Json:
        return scoring_fields(self.request, same=self._named(model) == self.request.model)

    def _soft_deadline(self) -> float | None:
        raise NotImplementedError

    async def _ask(self, call: Call, *, tokens: int) -> tuple[Vector, ...]:
        """The rows of a call that may write at most `tokens` tokens, 0 or 1."""
        if not tokens and self._ledger.left().seconds == 0.0:
            raise BudgetExhausted("the request's budget is spent")
        reservation = self._ledger.reserve(1, samples=False, max_tokens=1) if tokens else None
        told = _Told()
        try:
            with self._trace.waiting():
                async with asyncio.timeout_at(self._soft_deadline()):
                    await told.read(self._means, call)
        except TimeoutError:
            raise DeadlineExceeded("no score before the deadline") from None
        finally:
            if reservation is not None:
                self._ledger.settle(reservation, told.usage)
            self._trace.spend(told.usage, judging=True)
        for name in told.rows.degraded:
            self._trace.degrade(name)
        return told.rows.values


class _Told:
    """What a call that samples nothing has told so far."""

    def __init__(self) -> None:
        self.rows = Rows(())
        self.usage = Usage()

    async def read(self, means: Means, call: Call) -> None:
        """Read to the end; cancelling aborts the call upstream."""
        async with aclosing(means.backend.call(call)) as events:
            async for event in events:
                match event:
                    case Rows():
                        self.rows = event
                    case Spent():
                        self.usage = event.usage
        if not self.rows.values:
            raise UpstreamError("the upstream told no numbers")
