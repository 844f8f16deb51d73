"""What is asked of a sandbox and what comes back: plain data, that a queue can carry as JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol, get_args

from gateway.errors import SandboxUnavailable

How = Literal["pass", "fail", "runtime", "compile", "timeout"]
HOW: tuple[How, ...] = get_args(How)

LONGEST_TEXT = 1 << 20
LONGEST_DETAIL = 400


@dataclass(frozen=True, slots=True)
class Limits:
    """What one run may use: `seconds` of CPU (for the program, and as much for the tests), of
    `wall` time (by default four times that, at least two), and of `memory` and `disk` in bytes, a
    process each; `files` bounds files and folders that it makes.
    """

    seconds: float = 5.0
    memory: int = 512 << 20
    disk: int = 16 << 20
    files: int = 1000
    wall: float | None = None

    @property
    def deadline(self) -> float:
        """Seconds of wall time after which the run is ended."""
        return self.wall if self.wall is not None else max(2.0, 4 * self.seconds)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of running tests: how many of `total` passed, and the first that did not.

    `how` is "pass" where all did; else what the first failure was: "compile" (no Python), "runtime"
    (it raised, or ended itself), "fail" (a wrong answer), "timeout". Without any test `total` is 0.
    """

    how: How
    passed: int
    total: int
    detail: str = ""

    @classmethod
    def read(cls, how: object, passed: object, total: object, detail: object) -> Verdict:
        """A verdict from data that is not trusted; ValueError where it is none."""
        known = next((name for name in HOW if name == how), None)
        if known is None or type(passed) is not int or type(total) is not int:
            raise ValueError("not a verdict")
        if not 0 <= passed <= total or (known == "pass" and passed < total):
            raise ValueError("not a verdict: the numbers do not go together")
        return cls(known, passed, total, str(detail)[:LONGEST_DETAIL])


class Executor(Protocol):
    """Runs programs against tests somewhere that they can do no harm."""

    async def execute(
        self, program: str, tests: str, limits: Limits, *, prompt: str = ""
    ) -> Verdict:
        """The verdict; `SandboxUnavailable` where nothing can be run, `InvalidRequest` where the
        tests are not Python. Cancelling the caller ends the run.
        """
        ...

    async def problem(self) -> str:
        """Why nothing can be run, or ""."""
        ...

    async def close(self) -> None:
        """End what is running and leave nothing behind."""
        ...


class NoSandbox:
    """Runs nothing, and says so."""

    async def execute(
        self, program: str, tests: str, limits: Limits, *, prompt: str = ""
    ) -> Verdict:
        raise SandboxUnavailable(await self.problem())

    async def problem(self) -> str:
        return "it has no sandbox"

    async def close(self) -> None:
        return None
