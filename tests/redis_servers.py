"""Real Redis servers on free ports, each in a process of its own."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.ports import free_port
from tests.needed import needed


@dataclass
class RedisServer:
    """A server that can be killed and started again, on the same port."""

    folder: Path
    options: tuple[str, ...] = ()
    program: tuple[str, ...] = ()
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        command = [needed("redis-server", "redis-server"), *self.program,
                   "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder),
                   *(() if self.program else ("--save", "")), *self.options]  # fmt: skip
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
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
def redis_server(
    folder: Path, *options: str, program: tuple[str, ...] = ()
) -> Iterator[RedisServer]:
    """A server that keeps nothing on disk and ends with the block."""
    server = RedisServer(folder, options, program)
    server.start()
    try:
        yield server
    finally:
        server.kill()


@contextmanager
def redis_cluster(folder: Path) -> Iterator[list[RedisServer]]:
    """A cluster of three servers."""
    with ExitStack() as stack:
        servers = []
        for number in range(3):
            place = folder / str(number)
            place.mkdir()
            # The bus' port would be 10,000 above, where there may be no port.
            bus = ("--cluster-port", str(free_port()))
            # A machine that stalls for seconds must not make nodes think that others are gone.
            options = ("--cluster-enabled", "yes", "--cluster-node-timeout", "60000", *bus)
            servers.append(stack.enter_context(redis_server(place, *options)))
        places = [f"127.0.0.1:{server.port}" for server in servers]
        cli = needed("redis-cli", "redis-tools")
        command = [cli, "--cluster", "create", *places, "--cluster-yes"]
        subprocess.run(command, check=True, capture_output=True, timeout=60)
        for server in servers:  # each thinks that the cluster is down until it has heard of all
            _wait_for_cluster(cli, server.port)
        yield servers


def _wait_for_cluster(cli: str, port: int, seconds: float = 30.0) -> None:
    """Wait until the node on `port` says that its cluster is up and knows all three."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        asked = [cli, "-p", str(port), "cluster", "info"]
        told = subprocess.run(asked, capture_output=True, text=True, timeout=10).stdout
        if "cluster_state:ok" in told and "cluster_known_nodes:3" in told:
            return
        time.sleep(0.05)
    raise TimeoutError(f"the node on port {port} does not find its cluster up")


@contextmanager
def redis_sentinel(folder: Path, master: RedisServer, service: str) -> Iterator[RedisServer]:
    """A Sentinel that watches `master` under the name `service`."""
    config = folder / "sentinel.conf"
    config.write_text(f"sentinel monitor {service} 127.0.0.1 {master.port} 1\n")
    with redis_server(folder, program=(str(config), "--sentinel")) as server:
        yield server
