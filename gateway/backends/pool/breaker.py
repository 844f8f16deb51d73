"""When a replica is left alone, and when it is tried again (pure; times are the caller's)."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Window:
    """Outcomes of the last `seconds` to twice that: two buckets, of which the older is dropped."""

    seconds: float
    _since: float = 0.0
    _now: list[int] = field(default_factory=lambda: [0, 0])
    _before: list[int] = field(default_factory=lambda: [0, 0])

    def add(self, now: float, *, marked: bool) -> None:
        """Count one outcome, and whether it is `marked` (failed, retried)."""
        self._turn(now)
        self._now[0] += 1
        self._now[1] += marked

    def counts(self, now: float) -> tuple[int, int]:
        """All outcomes, and those marked."""
        self._turn(now)
        return self._now[0] + self._before[0], self._now[1] + self._before[1]

    def clear(self) -> None:
        self._now, self._before = [0, 0], [0, 0]

    def _turn(self, now: float) -> None:
        passed = now - self._since
        if passed >= self.seconds:
            self._before = self._now if passed < 2 * self.seconds else [0, 0]
            self._now = [0, 0]
            self._since = now


@dataclass(slots=True)
class Breaker:
    """Opens after `failures` in a row or when told to; after a pause, one trial at a time.

    The pause is `pause` seconds, doubled at each failed trial up to `longest`. A trial that
    succeeds closes it. Calls that began before it opened say nothing any more.
    """

    failures: int
    pause: float
    longest: float
    window: Window = field(default_factory=lambda: Window(15.0))
    _in_a_row: int = 0
    _until: float | None = None
    _next_pause: float = 0.0
    _trials: int = 0

    def state(self, now: float) -> str:
        """`closed`, `open`, or `half_open` once the pause is over."""
        if self._until is None:
            return "closed"
        return "open" if now < self._until else "half_open"

    def admits(self, now: float) -> bool:
        """Whether a call may go there; of a half-open one, only the trial."""
        state = self.state(now)
        return state == "closed" or (state == "half_open" and not self._trials)

    def begin(self) -> bool:
        """A call begins; whether it is a trial, which its end has to say again."""
        trial = self._until is not None
        self._trials += trial
        return trial

    def dropped(self, *, trial: bool) -> None:
        """The call was aborted: it says nothing."""
        self._trials -= trial

    def succeeded(self, now: float, *, trial: bool) -> None:
        self._trials -= trial
        self.window.add(now, marked=False)
        if trial:
            self._close()
        elif self._until is None:
            self._in_a_row = 0

    def failed(self, now: float, *, trial: bool) -> bool:
        """Whether this failure opened it."""
        self._trials -= trial
        self.window.add(now, marked=True)
        if trial:
            if self._until is not None:
                self.open(now)
            return False
        self._in_a_row += 1
        if self._until is not None or self._in_a_row < self.failures:
            return False
        self.open(now)
        return True

    def open(self, now: float) -> None:
        """Stay away for the pause, which is doubled for the next time."""
        wait = self._next_pause or self.pause
        self._until = now + wait
        self._next_pause = min(2 * wait, self.longest)

    def revived(self, now: float) -> None:
        """It came back after having been away: a trial at once, and pauses begin anew."""
        self._next_pause = 0.0
        if self._until is not None:
            self._until = now

    def _close(self) -> None:
        self._until = None
        self._in_a_row = 0
        self._next_pause = 0.0
        self.window.clear()
