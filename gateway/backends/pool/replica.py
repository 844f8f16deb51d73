"""One backend of the pool, and all that is known of its health."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from gateway.backends import Backend
from gateway.backends.pool.addresses import Address
from gateway.backends.pool.breaker import Breaker
from gateway.backends.pool.load import Load

STATES = ("up", "trial", "open", "down", "draining")
"""What a replica can be, best first; docs/pool.md says what each means."""


@dataclass(slots=True, eq=False)
class Replica:
    """`outstanding` are our candidates under way there, `calls` our calls.

    `answering` is None until it was asked; `load` is None where its server does not tell.
    """

    backend: Backend
    breaker: Breaker
    clock: Callable[[], float]
    address: Address | None = None
    models: list[str] = field(default_factory=list)
    answering: bool | None = None
    draining: bool = False
    outstanding: int = 0
    calls: int = 0
    load: Load | None = None

    @property
    def name(self) -> str:
        return self.backend.name

    @property
    def place(self) -> str:
        """Where it is: the same for every gateway, whatever each calls it."""
        return self.name if self.address is None else self.address.url

    @property
    def work(self) -> float:
        """Work in line, by our own count and, where it tells, its server's."""
        return float(self.outstanding) if self.load is None else self.load.work(self.outstanding)

    @property
    def state(self) -> str:
        if self.draining:
            return "draining"
        if self.answering is False:
            return "down"
        return {"closed": "up", "half_open": "trial"}.get(self.breaker.state(self.clock()), "open")

    @property
    def is_healthy(self) -> bool:
        """Whether a call may go there at all."""
        return (
            not self.draining and self.answering is not False and self.breaker.admits(self.clock())
        )

    @property
    def is_usable(self) -> bool:
        """Whether it answered when last asked, and its breaker does not keep it away."""
        return bool(self.answering) and self.state in ("up", "trial")

    def serves(self, model: str) -> bool:
        return not self.draining and model in self.models

    def begin(self, units: int) -> bool:
        """A call of `units` candidates begins; whether it is a breaker's trial."""
        self.outstanding += units
        self.calls += 1
        return self.breaker.begin()

    def end(self, units: int) -> None:
        self.outstanding -= units
        self.calls -= 1
