"""One measurement: a scenario's load on one target for some seconds."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.overhead.processes import LOADING, cpu_seconds, memory

LUA = Path(__file__).with_name("post.lua")
FIRST_BYTES = 100  # streams timed to their first byte at concurrency 1


class Failed(Exception):
    """Requests failed, so that their cost says nothing."""


@dataclass(frozen=True)
class Sample:
    """What a request cost: CPU and its median time in ms, memory in MB, requests a second."""

    cpu_ms: float
    p50_ms: float
    p99_ms: float
    rss_mb: float
    rate: float


@dataclass(frozen=True)
class Load:
    """Clients that post the body in a file, all to one port of loopback."""

    port: int
    body: Path
    key: str
    concurrency: int

    def run(self, seconds: float, group: int) -> Sample:
        """Post for some seconds; `Failed` if a request did."""
        before = cpu_seconds(group)
        told = self._wrk(seconds)
        spent = cpu_seconds(group) - before
        requests = told["requests"]
        if told["failed"] or not requests:
            raise Failed(f"{told['failed']} of {requests} requests failed")
        return Sample(
            1000 * spent / requests,
            told["p50_us"] / 1000,
            told["p99_us"] / 1000,
            memory(group),
            requests / seconds,
        )

    def _wrk(self, seconds: float) -> dict[str, int]:
        command = ["taskset", "-c", LOADING, "wrk", "-t1", f"-c{self.concurrency}"]
        length = [f"-d{max(1, round(seconds))}s", "--timeout", "20s", "-s", str(LUA)]
        done = subprocess.run(
            [*command, *length, f"http://127.0.0.1:{self.port}"],
            env={**os.environ, "BODY": str(self.body), "KEY": self.key},
            capture_output=True,
            text=True,
            timeout=seconds + 60,
        )
        lines = [line for line in done.stdout.splitlines() if line.startswith("TOLD")]
        if not lines:
            raise Failed(done.stderr[-300:] or done.stdout[-300:])
        told: dict[str, int] = json.loads(lines[0].removeprefix("TOLD"))
        return told

    def message(self) -> bytes:
        """One request, as it is sent."""
        body = self.body.read_bytes()
        head = (
            f"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\n"
            f"content-type: application/json\r\nauthorization: Bearer {self.key}\r\n"
            f"content-length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body

    def first_byte_ms(self) -> float:
        """Median time to the first event of a stream, one after another on one connection."""
        times: list[float] = []
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as connection:
            for _ in range(FIRST_BYTES):
                started = time.perf_counter()
                connection.sendall(self.message())
                received = bytearray()
                while b"\r\n\r\n" not in received or b"data:" not in received:
                    received += connection.recv(65536)
                times.append(time.perf_counter() - started)
                while b"\r\n0\r\n\r\n" not in received:
                    received += connection.recv(65536)
        return 1000 * sorted(times)[len(times) // 2]

    @contextmanager
    def idle(self, clients: int) -> Iterator[None]:
        """That many clients, each of which has asked once and stays connected."""
        with ExitStack() as stack:
            for _ in range(clients):
                address = ("127.0.0.1", self.port)
                connection = stack.enter_context(socket.create_connection(address, timeout=20))
                connection.sendall(self.message())
                while b"\r\n\r\n" not in connection.recv(65536):
                    pass
            yield
