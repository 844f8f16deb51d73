"""The only way a guest reaches models and verifiers."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Protocol, TypeVar, Unpack

from gateway.backends import Backend
from gateway.calibration import Calibration, Reliability
from gateway.calls import fields_for, is_greedy, max_tokens_of, split, with_max_tokens
from gateway.composition import appointed
from gateway.drafts import Drafts
from gateway.errors import DeadlineExceeded, SandboxUnavailable, StrategyFailed
from gateway.grammar import REJECTED
from gateway.learned import Learned
from gateway.ledger import Ledger, Reservation
from gateway.measures import Measures
from gateway.reading import Reading, Sink, read_all
from gateway.registry import Registry
from gateway.sandbox.verdict import Executor, Limits, NoSandbox, Verdict
from gateway.stores.memory import MemoryStore
from gateway.trace import Tallied, Trace
from gateway.types import (
    NO_USAGE,
    Budget,
    Candidate,
    Capabilities,
    Message,
    Prefix,
    Request,
    Sample,
    Sampling,
    Score,
    Usage,
)

T = TypeVar("T")


class Compute(Protocol):
    """Runs a picklable function in a worker process; TimeoutError when `seconds` ran out."""

    async def run(self, function: Callable[..., T], *args: Any, seconds: float) -> T: ...


@dataclass(frozen=True, slots=True)
class Means:
    """What the host lends to a session."""

    backend: Backend
    verifiers: Registry
    compute: Compute
    roles: Mapping[str, str]
    sandbox: Executor = field(default_factory=NoSandbox)
    learned: Learned = field(default_factory=lambda: Learned(MemoryStore()))
    calibration: Calibration = field(default_factory=Calibration)

    def through(self, backend: Backend) -> Means:
        """These, with another way to the models."""
        return Means(
            backend,
            self.verifiers,
            self.compute,
            self.roles,
            self.sandbox,
            self.learned,
            self.calibration,
        )


class Session(Measures):
    """One request's access to models, verifiers and budget.

    `sample`, `drafts`, `stream` and `score` reserve on one ledger; nothing that they started is
    alive once they returned, raised, or were cancelled. `relayed` says that the client has read
    words already, `shortened` that the budget left candidates less room than the client did.
    """

    def __init__(
        self,
        request: Request,
        means: Means,
        ledger: Ledger,
        trace: Trace,
        *,
        needs: Sequence[str] = (),
        sink: Sink | None = None,
        margin: float = 0.0,
    ):
        self.request = request
        self.candidates: list[Candidate] = []
        self.scores: dict[str, Score] = {}
        self.judgements: dict[str, dict[str, Score]] = {}
        self.relayed = False
        self.shortened = False
        self._means = means
        self._ledger = ledger
        self._trace = trace
        self._needs = tuple(needs)
        self._sink = sink
        self._margin = margin
        self._computed: dict[tuple[Callable[..., Any], tuple[Any, ...]], tuple[Any, ...]] = {}

    @cached_property
    def rng(self) -> random.Random:
        """The one source of randomness; repeats under the client's seed."""
        seed = self.request.fields.get("seed")
        return random.Random(seed if isinstance(seed, int) else None)

    @property
    def state(self) -> Learned:
        """What was learned from earlier requests, shared by all gateways on one store."""
        return self._means.learned

    @property
    def budget(self) -> Budget:
        """What is left; None is without limit."""
        return self._ledger.left()

    def affordable(self, n: int) -> int:
        """How many of `n` samples can still be begun."""
        left = self.budget
        limits = [limit for limit in (left.samples, left.tokens) if limit is not None]
        return 0 if left.seconds == 0.0 else min([n, *limits])

    def saved(self, samples: int) -> None:
        """Note that a rule stopped before `samples` that the policy would have paid for."""
        self._trace.samples_saved += samples

    def degrade(self, name: str) -> None:
        """Note that something was not done as asked; shown in `x-its-degraded`."""
        self._trace.degrade(name)

    def tally(self, measure: Tallied, *labels: str, by: float = 1) -> None:
        """Count in a metric of that name; labels must come from few values."""
        self._trace.tallies[measure, labels] += by

    @property
    def capabilities(self) -> Capabilities:
        """What the server of the request's model can do, as far as is known now."""
        return self._means.backend.capabilities(self.request.model)

    @property
    def spent(self) -> Usage:
        """What sampling has cost so far, judges left out."""
        return self._trace.sampling

    @property
    def begun(self) -> int:
        """Samples begun so far."""
        return self._trace.samples

    @property
    def notes(self) -> list[str]:
        """What was not done as asked, so far."""
        return list(self._trace.degraded)

    async def sample(
        self,
        n: int = 1,
        *,
        messages: Sequence[Message] | None = None,
        prefix: Prefix = "",
        model: str | None = None,
        hedged: bool = False,
        **sampling: Unpack[Sampling],
    ) -> list[Candidate]:
        """Draw up to `n` candidates, at least one, in the order in which they were begun.

        Shrinks to the budget, and to one where the sampling is greedy; with `hedged` the first is
        greedy, and only that. A call that fails is survived while another succeeds. With a
        `prefix`, candidates are what follows it; if that is a candidate, it is their `parent`.
        Raises `BudgetExhausted`, `DeadlineExceeded`, or the upstream's error where there is no
        candidate at all.
        """
        calls, reservation = self._plan(n, messages, prefix, model, sampling, hedged=hedged)
        done = await self._gather(calls, reservation, judging=messages is not None)
        if isinstance(prefix, Candidate):
            done = [replace(candidate, parent=prefix.id) for candidate in done]
        if messages is None and not prefix:
            self.candidates.extend(c for c in done if c.extra.get("stop_reason") != REJECTED)
        return done

    def drafts(
        self, n: int, *, apart: bool = False, prefix: Prefix = "", **sampling: Unpack[Sampling]
    ) -> Drafts:
        """Candidates that grow side by side: `async with … as drafts: async for draft in drafts`.

        Leaving the block aborts those still growing. With `apart` each can be stopped alone.
        """
        first = self._trace.samples
        calls, reservation = self._plan(n, None, prefix, None, sampling, stream=True, apart=apart)
        until = self._soft_deadline()
        readings = [
            Reading(self._means.backend, call, self._trace, first + offset, timed=until is not None)
            for call, offset in _offsets(calls)
        ]

        def left(done: Sequence[Candidate], errors: int) -> None:
            self._settle(readings, reservation)
            self.candidates.extend(done)
            if errors:
                self.degrade("partial")

        return Drafts(readings, until, left)

    async def stream(self, n: int = 1, **sampling: Unpack[Sampling]) -> list[Candidate]:
        """Like `sample`, while the client reads each candidate as it grows.

        What was relayed is committed: the strategy must answer with these candidates.
        """
        if self._sink is None:
            return await self.sample(n, **sampling)
        calls, reservation = self._plan(n, None, "", None, sampling, stream=True)
        self.relayed = True
        done = await self._gather(calls, reservation, judging=False, relay=self._sink)
        self.candidates.extend(done)
        return done

    async def score(self, candidates: Sequence[Candidate], by: str) -> list[Score]:
        """Scores by the verifier that `by` names, or the verifiers that it combines, one each.

        What members of a combination cost is booked by the member's name.
        """
        if not candidates:
            return []
        spec, params = appointed(by, self._means.verifiers)
        started = self._trace.clock()
        with self._trace.waiting(), self._trace.judging_by(spec.name) as outermost:
            scores = await spec.run(self, candidates, **params)
        if len(scores) != len(candidates):
            raise StrategyFailed(
                f"verifier {spec.name} gave {len(scores)} scores for {len(candidates)}"
            )
        if not spec.members:
            self._trace.judged(spec.name, self._trace.clock() - started, scores)
        if outermost:
            told = {c.id: score for c, score in zip(candidates, scores, strict=True)}
            self.scores.update(told)
            self.judgements.setdefault(by, {}).update(told)
        return list(scores)

    def gives_verdicts(self, by: str) -> bool:
        """Whether the verifier that `by` names gives verdicts (`Score.passed`)."""
        return appointed(by, self._means.verifiers)[0].binary

    def judges_alone(self, by: str) -> bool:
        """Whether the verifier that `by` names scores a candidate whatever the others are."""
        return appointed(by, self._means.verifiers)[0].pointwise

    def reliability(self, by: str) -> Reliability | None:
        """How far the verifier's verdicts on this model's answers can be trusted, if known."""
        return self._means.calibration.reliability(self.request.model, by)

    async def compute(self, function: Callable[..., T], *args: Any, seconds: float) -> T:
        """Run a picklable pure function in a worker process; TimeoutError after `seconds`.

        Of the same texts it is asked once a request, also where it ran out of time: a rule that
        looks at all candidates round by round compares the same answers each time.
        """
        if not all(isinstance(each, str) for each in args):
            return await self._means.compute.run(function, *args, seconds=seconds)
        if (known := self._computed.get((function, args))) is None:
            try:
                known = (await self._means.compute.run(function, *args, seconds=seconds),)
            except TimeoutError:
                known = ()
            self._computed[function, args] = known
        if not known:
            raise TimeoutError("it ran out of time")
        told: T = known[0]
        return told

    async def execute(
        self, program: str, tests: str, limits: Limits, *, prompt: str = ""
    ) -> Verdict:
        """Run the program that the text `program` holds against `tests`, in a sandbox.

        Where `tests` is empty, against what `prompt` shows of them. `SandboxUnavailable` where this
        gateway can contain no code, `InvalidRequest` where `tests` is not Python.
        """
        return await self._means.sandbox.execute(program, tests, limits, prompt=prompt)

    async def contained(self) -> None:
        """`SandboxUnavailable` where this gateway can contain no code."""
        if problem := await self._means.sandbox.problem():
            raise SandboxUnavailable(problem)

    async def progress(self, text: str) -> None:
        """Show a line in the client's reasoning channel, if it asked for that."""
        if self._sink is not None:
            await self._sink.progress(text)

    def _plan(
        self,
        n: int,
        messages: Sequence[Message] | None,
        prefix: Prefix,
        model: str | None,
        sampling: Mapping[str, Any],
        *,
        stream: bool = False,
        apart: bool = False,
        hedged: bool = False,
    ) -> tuple[list[Sample], Reservation]:
        own, named = messages is not None, self._named(model)
        fields = fields_for(self.request, sampling, self._needs, own_prompt=own)
        if is_greedy(fields) and n > max(1, self.request.choices):
            n = max(1, self.request.choices)
            self.degrade("greedy")
        is_sample = not own and not prefix
        wanted = max_tokens_of(fields)
        reservation = self._ledger.reserve(n, samples=is_sample, max_tokens=wanted)
        self.shortened |= reservation.max_tokens != wanted
        first = self._trace.samples
        self._trace.samples += reservation.samples
        calls = split(
            named,
            self.request.messages if messages is None else messages,
            with_max_tokens(fields, reservation.max_tokens),
            n=reservation.calls,
            first=first,
            prefix=prefix,
            # Only a stream shows what a call cut at the deadline had written, and what it cost.
            stream=stream or self._ledger.deadline is not None,
            apart=apart or not self._means.backend.capabilities(named).n,
            numbered=is_sample,
            hedged=hedged,
        )
        return calls, reservation

    async def _gather(
        self,
        calls: list[Sample],
        reservation: Reservation,
        *,
        judging: bool,
        relay: Sink | None = None,
    ) -> list[Candidate]:
        until = self._soft_deadline()
        readings = [
            Reading(self._means.backend, call, self._trace, offset, relay, timed=until is not None)
            for call, offset in _offsets(calls)
        ]
        try:
            errors = await read_all(readings, until)
        finally:
            self._settle(readings, reservation, judging=judging)
        candidates = [candidate for reading in readings for candidate in reading.candidates()]
        if not candidates:
            raise errors[0] if errors else DeadlineExceeded("no text before the deadline")
        if errors:
            self.degrade("partial")
        return candidates

    def _settle(
        self, readings: Sequence[Reading], reservation: Reservation, *, judging: bool = False
    ) -> None:
        usage = sum((reading.usage for reading in readings), NO_USAGE)
        self._ledger.settle(reservation, usage)
        self._trace.spend(usage, judging=judging)

    def _soft_deadline(self) -> float | None:
        """When upstream calls stop, in the loop's time: early enough to score what there is."""
        seconds = self._ledger.seconds
        if seconds is None:
            return None
        return asyncio.get_running_loop().time() + max(0.0, seconds - self._margin)


def _offsets(calls: Sequence[Sample]) -> list[tuple[Sample, int]]:
    offset, placed = 0, []
    for call in calls:
        placed.append((call, offset))
        offset += call.n
    return placed
