"""A place for a call: at the right replica, now or after a wait in a fair queue."""

from __future__ import annotations

import asyncio
import math
from collections import defaultdict
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field

from gateway.backends.pool.choice import choose
from gateway.backends.pool.knobs import Knobs
from gateway.backends.pool.outliers import is_outlier
from gateway.backends.pool.queue import FairQueue, Owner
from gateway.backends.pool.replica import Replica
from gateway.errors import ModelNotFound, Overloaded, UpstreamError, UpstreamRejected
from gateway.metrics import Metrics


@dataclass(frozen=True, slots=True)
class Wanted:
    """A place for `units` candidates of `model`; `tried` are the replicas that failed the call.

    Whoever leads the call adds to `tried`. With `now` it does not wait in line.
    """

    model: str
    units: int
    key: bytes | None
    owner: Owner
    tried: set[str] = field(default_factory=set)
    now: bool = False


@dataclass(slots=True, eq=False)
class Place:
    """A replica that a call has; it is taken when the place is made."""

    replica: Replica
    units: int
    trial: bool


@dataclass(slots=True, eq=False)
class _Waiter:
    wanted: Wanted
    place: asyncio.Future[Place]


class _Held:
    """A place while a call has it. A class, as a generator would cost a call more than its work."""

    __slots__ = ("_dispatcher", "_place", "_wanted")

    def __init__(self, dispatcher: Dispatcher, wanted: Wanted):
        self._dispatcher = dispatcher
        self._wanted = wanted

    async def __aenter__(self) -> Replica:
        self._place = await self._dispatcher.take(self._wanted)
        replica = self._place.replica
        self._wanted.tried.add(replica.name)
        return replica

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: object
    ) -> None:
        self._dispatcher.ended(self._place, error)


class Dispatcher:
    """Places calls at `replicas`, a list that its owner changes, and learns from their ends.

    A place is held by one upstream call and by nothing that waits for another place, so no limit
    can make calls wait for each other in a circle.
    """

    def __init__(self, replicas: list[Replica], knobs: Knobs, metrics: Metrics):
        self._replicas = replicas
        self._knobs = knobs
        self._metrics = metrics
        self._queues: defaultdict[str, FairQueue[_Waiter]] = defaultdict(FairQueue)

    def place(self, wanted: Wanted) -> AbstractAsyncContextManager[Replica]:
        """A replica for one call, whose end tells how the replica is.

        `Overloaded` where the wait in line was too long, or would be any with `wanted.now`;
        `ModelNotFound` where nobody serves the model.
        """
        return _Held(self, wanted)

    async def take(self, wanted: Wanted) -> Place:
        """A place, now or after a wait in line."""
        if not self._queues or not self._queues.get(wanted.model):
            place = self._take(wanted)
            if place is not None:
                return place
        if wanted.now:
            raise Overloaded(f"no replica for {wanted.model!r} is free")
        return await self._in_line(wanted)

    def ended(self, place: Place, error: BaseException | None) -> None:
        """The call at `place` is over; an abort says nothing of the replica."""
        replica, trial = place.replica, place.trial
        if error is None or isinstance(error, UpstreamRejected):
            replica.breaker.succeeded(replica.clock(), trial=trial)
        elif isinstance(error, UpstreamError):
            self._failed(replica, trial=trial)
        else:
            replica.breaker.dropped(trial=trial)
        self._free(place)

    def offer(self) -> None:
        """Give those in line what is free; to be called when a replica joined or came back."""
        for model in [model for model, queue in self._queues.items() if queue]:
            while self._serve_one(self._queues[model]):
                pass
            if not self._queues[model]:
                del self._queues[model]

    async def _in_line(self, wanted: Wanted) -> Place:
        loop = asyncio.get_running_loop()
        waiter = _Waiter(wanted, loop.create_future())
        queue = self._queues[wanted.model]
        queue.push(wanted.owner, waiter)
        self._metrics.queue_waiting.inc()
        began = loop.time()
        self.offer()  # those before it may want what is free less than it does
        try:
            async with asyncio.timeout(self._knobs.queue_seconds):
                return await waiter.place
        except TimeoutError:
            self._give_up(queue, waiter)
            self._metrics.queue_refused.inc()
            raise self._refusal(wanted.model) from None
        except BaseException:
            self._give_up(queue, waiter)
            raise
        finally:
            self._metrics.queue_waiting.dec()
            self._metrics.queue_seconds.observe(loop.time() - began)

    def _give_up(self, queue: FairQueue[_Waiter], waiter: _Waiter) -> None:
        """Leave the line; a place that was given in the last moment goes to the next."""
        given = waiter.place
        if given.done() and not given.cancelled() and given.exception() is None:
            place = given.result()
            place.replica.breaker.dropped(trial=place.trial)
            self._free(place)
        else:
            queue.discard(waiter.wanted.owner, waiter)

    def _refusal(self, model: str) -> Overloaded:
        error = Overloaded(f"every replica for {model!r} is at its limit; try again later")
        error.headers["retry-after"] = str(max(1, math.ceil(self._knobs.queue_seconds)))
        return error

    def _serve_one(self, queue: FairQueue[_Waiter]) -> bool:
        """Place the first in turn for whom there is a replica; False where there is nobody."""
        for owner, waiter in queue.heads():
            try:
                place = self._take(waiter.wanted)
            except ModelNotFound as error:  # the last replica that served it was taken away
                queue.take(owner).place.set_exception(error)
                return True
            if place is not None:
                queue.take(owner).place.set_result(place)
                return True
        return False

    def _take(self, wanted: Wanted) -> Place | None:
        """Choose and take a place; None where there is none now."""
        if len(self._replicas) == 1 and self._can_only(self._replicas[0], wanted.model):
            return self._only(self._replicas[0], wanted.units)
        serving = [each for each in self._replicas if each.serves(wanted.model)]
        if not serving:
            raise self._unknown(wanted.model)
        free = [each for each in serving if each.outstanding < self._knobs.limit]
        replica = self._among(wanted, serving, free)
        if replica is None:
            return None
        return Place(replica, wanted.units, replica.begin(wanted.units))

    def _can_only(self, replica: Replica, model: str) -> bool:
        """Whether there is nothing to choose: it serves the model, is well, and has room."""
        return (
            replica.serves(model)
            and replica.outstanding < self._knobs.limit
            and replica.state == "up"
        )

    def _only(self, replica: Replica, units: int) -> Place:
        self._metrics.placed("only")
        return Place(replica, units, replica.begin(units))

    def _among(
        self, wanted: Wanted, serving: Sequence[Replica], free: Sequence[Replica]
    ) -> Replica | None:
        healthy = [each for each in serving if each.is_healthy]
        if not healthy:
            # Better one that seems ill than none: never are all left alone.
            return min(free, key=lambda r: (r.name in wanted.tried, r.work), default=None)
        fresh = [each for each in healthy if each.name not in wanted.tried] or healthy
        able = [each for each in fresh if each.outstanding < self._knobs.limit]
        if not able:
            return None
        # A half-open breaker's trial goes first: nothing else would ever bring that replica back.
        trials = [each for each in able if each.state == "trial"]
        if trials:
            return trials[0]
        replica, how = choose(
            able,
            wanted.key,
            slack=self._knobs.affinity_slack,
            spread=self._knobs.affinity_spread,
        )
        self._metrics.placed(how)
        return replica

    def _unknown(self, model: str) -> ModelNotFound:
        names = sorted({name for r in self._replicas if not r.draining for name in r.models})
        message = f"the model {model!r} does not exist; allowed: {', '.join(names)}"
        return ModelNotFound(message, param="model")

    def _failed(self, replica: Replica, *, trial: bool) -> None:
        now = replica.clock()
        if replica.breaker.failed(now, trial=trial):
            self._metrics.ejections.labels(replica.name, "consecutive").inc()
        elif replica.breaker.state(now) == "closed":
            models = set(replica.models)
            peers = [r for r in self._replicas if r is not replica and models & set(r.models)]
            counts = [peer.breaker.window.counts(now) for peer in peers]
            away = sum(not peer.is_healthy for peer in peers)
            if is_outlier(replica.breaker.window.counts(now), counts, away=away):
                replica.breaker.open(now)
                self._metrics.ejections.labels(replica.name, "outlier").inc()

    def _free(self, place: Place) -> None:
        place.replica.end(place.units)
        if self._queues:
            self.offer()
