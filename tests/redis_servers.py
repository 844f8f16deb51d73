"""Real Redis servers on free ports, each in a process of its own."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.ports import free_port
from tests.needed import needed


@dataclass
class RedisServer:
    """A server that can be killed and started again, on the same port."""

    folder: Path
    options: tuple[str, ...] = ()
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        command = [needed("redis-server", "redis-server"), "--port", str(self.port), "--bind",
                   "127.0.0.1", "--save", "", "--dir", str(self.folder)]  # fmt: skip
        self.process = subprocess.Popen([*command, *self.options], stdout=subprocess.DEVNULL)
        for _ in range(3000):
            if self.answers():
                return
            time.sleep(0.01)
        raise TimeoutError("redis-server does not answer")

    def answers(self) -> bool:
        """Whether it answers PING."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1) as client:
                client.sendall(b"PING\r\n")
                return client.recv(7).startswith(b"+PONG")
        except OSError:
            return False

    def kill(self) -> None:
        """Kill it, so that it can say nothing more."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


@contextmanager
def redis_server(folder: Path, *options: str) -> Iterator[RedisServer]:
    """A server that keeps nothing on disk and ends with the block."""
    server = RedisServer(folder, options)
    server.start()
    try:
        yield server
    finally:
        server.kill()
