"""Where reuse comes in: around a request's backend, or around its run."""

from __future__ import annotations

import time
from collections.abc import Mapping

from gateway.backends import Backend
from gateway.backends.pool import Owner
from gateway.backends.samples import Keeping, Pooled
from gateway.policy import Policy
from gateway.reuse.answers import remembered
from gateway.reuse.flights import Flights
from gateway.run import Run
from gateway.trace import Trace


class Reuse:
    """What is kept in `flights`' store, by model revision as the operator names them, and, unless
    `shared`, by API key."""

    def __init__(self, flights: Flights, revisions: Mapping[str, str], *, shared: bool):
        self._flights = flights
        self._revisions = revisions
        self._shared = shared

    def of(
        self,
        policy: Policy,
        model: str,
        owner: Owner,
        trace: Trace,
        *,
        backend: Backend,
        runner: Run,
    ) -> tuple[Backend, Run]:
        """The backend and the run of a request that allows as much reuse as `policy` says."""
        scope = "" if self._shared else owner.client
        revision = self._revisions.get(model, "")
        if policy.cache == "answer":
            return backend, remembered(runner, self._flights, scope, revision)
        provenance = {"request": owner.request, "at": int(time.time())}
        keeping = Keeping(scope, revision, provenance)
        return Pooled(backend, self._flights, keeping, trace), runner
