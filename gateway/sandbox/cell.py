"""One run: a judge and a candidate in a sandbox each, used once and thrown away."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.errors import InvalidRequest
from gateway.sandbox.bubblewrap import Box, Starting, waited
from gateway.sandbox.verdict import Limits, Verdict

TICK = 0.05
"""Seconds between two looks at what a run has used, at most."""
MOST_SAID = 4 << 20
MOST_BUSY = 10
"""How many times its deadline a run may take on a machine that gives it no time to run."""


@dataclass(frozen=True, slots=True)
class Material:
    """Where every sandbox is made from: its root, its filter, and the size of its /tmp."""

    root: Path
    filter: bytes
    disk: int


class Cell:
    """A judge and a candidate, connected, waiting for their one job."""

    def __init__(self, judge: Box, candidate: Box):
        self._judge = judge
        self._candidate = candidate

    @classmethod
    def start(cls, material: Material) -> Cell:
        """Blocks for some tens of milliseconds; `SandboxUnavailable` where it cannot be."""
        root, rules, disk = material.root, material.filter, material.disk
        ours, theirs = socket.socketpair()
        with ours, theirs:
            starting = Starting(root, rules, "judge", ours.fileno(), disk)
            try:
                other = Starting(root, rules, "candidate", theirs.fileno(), disk)
            except BaseException:
                starting.abandon()
                raise
        try:
            judge = starting.ready()
        except BaseException:
            other.abandon()
            raise
        try:
            return cls(judge, other.ready())
        except BaseException:
            judge.kill()
            judge.reap()
            raise

    async def run(self, program: str, tests: str, limits: Limits, prompt: str) -> Verdict:
        """The verdict; `InvalidRequest` where the tests are unusable."""
        most = {"seconds": limits.seconds, "memory": limits.memory, "disk": limits.disk}
        loop = asyncio.get_running_loop()
        began, before = loop.time(), self._waited
        try:
            async with asyncio.timeout(MOST_BUSY * limits.deadline):
                await _send(self._candidate, {"program": program, "prompt": prompt, **most})
                await _send(self._judge, {"tests": tests, "prompt": prompt, **most})
        except TimeoutError:
            return _verdict({}, "timeout")
        standing: dict[str, Any] = {}
        over, spare = "", 0.0
        with _Lines(self._judge.control) as said:
            while not (over or said.ended or standing.get("done")):
                standing = await said.latest(TICK) or standing
                # What the machine kept from the run is not the program's fault, up to a point.
                spare = max(spare, min(self._waited - before, (MOST_BUSY - 1) * limits.deadline))
                late = loop.time() - began > limits.deadline + spare
                over = "timeout" if late else self._over(limits)
            standing = await said.latest(0.0) or standing  # what came while this one had to wait
        if "unusable" in standing:
            message = f"its.tests: {standing['unusable']}"
            raise InvalidRequest(message, param="its.tests", code="invalid_value")
        return _verdict(standing, "" if standing.get("done") else over)

    def _over(self, limits: Limits) -> str:
        """Which limit a process has passed, or ""."""
        for box in (self._candidate, self._judge):
            if box.seconds > limits.seconds:
                return "timeout"
            if box.files > limits.files:
                return "files"
        return ""

    @property
    def _waited(self) -> float:
        """Seconds that the machine has given to others, while one of the three was to go on."""
        return self._candidate.waited + self._judge.waited + waited("self")

    def kill(self) -> None:
        """End both at once; does not wait."""
        self._candidate.kill()
        self._judge.kill()

    def reap(self) -> None:
        """Wait until nothing is left of either; blocks for some milliseconds after `kill`."""
        self._candidate.reap()
        self._judge.reap()


class _Lines:
    """What the judge says, a JSON object a line, of which only the last matters."""

    def __init__(self, control: socket.socket):
        self.ended = False
        self._control = control
        self._said = 0
        self._rest = b""
        self._last = b""
        self._news = asyncio.Event()

    def __enter__(self) -> _Lines:
        asyncio.get_running_loop().add_reader(self._control.fileno(), self._read)
        return self

    def __exit__(self, *error: object) -> None:
        asyncio.get_running_loop().remove_reader(self._control.fileno())

    async def latest(self, seconds: float) -> dict[str, Any] | None:
        """The last whole line, once there is news or `seconds` have passed; None where it is none.

        Reading apart from waiting: a wait that is given up must not take with it what was read.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._news.wait()
        self._news.clear()
        try:
            line = json.loads(self._last)
        except (ValueError, RecursionError):
            return None
        return line if isinstance(line, dict) else None

    def _read(self) -> None:
        try:
            data = self._control.recv(1 << 16)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        self._said += len(data)
        *lines, self._rest = (self._rest + data).split(b"\n")
        self._last = lines[-1] if lines else self._last
        if not data or self._said > MOST_SAID:
            self.ended = True
            asyncio.get_running_loop().remove_reader(self._control.fileno())
        self._news.set()


async def _send(box: Box, job: dict[str, Any]) -> None:
    data = json.dumps(job).encode()
    try:
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(box.control, len(data).to_bytes(4, "big") + data)
    except ConnectionError:
        pass  # it has ended, which the judge's silence will tell


def _verdict(standing: dict[str, Any], over: str) -> Verdict:
    """The verdict that the judge's last words and a passed limit amount to."""
    detail = str(standing.get("why", ""))
    passed, total = standing.get("passed", 0), standing.get("total", 0)
    how = standing.get("how", "runtime")
    if over == "timeout":
        how, detail = "timeout", detail or "it took too long"
    elif over:
        how, detail = "runtime", "too many files"
    elif not standing.get("done"):
        how, detail = "runtime", detail or "its tests ended early"
    if how != "pass" and type(total) is int and type(passed) is int:
        total = max(total, passed + 1)
    try:
        return Verdict.read(how, passed, total, detail)
    except ValueError:
        return Verdict("runtime", 0, 1, "its tests said what cannot be")
