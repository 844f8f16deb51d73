"""Real vLLM servers, and a gateway, as processes: each with the group of those that it starts."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from benchmarks.ports import free_port

STARTUP = 400.0
"""Seconds; a minute on two idle cores."""
ENVIRONMENT = {
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "HF_HUB_OFFLINE": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "OMP_NUM_THREADS": "1",
    # Else each server binds itself to the first core, where one that starts hardly gets a cycle.
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
}


@dataclass(kw_only=True)
class Process:
    """A command that serves on `port`; `stop` and `kill` end all that it started."""

    log: Path
    port: int = field(default_factory=free_port)
    environment: Mapping[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def command(self) -> list[str]:
        raise NotImplementedError

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command(),
                stdout=log,
                stderr=log,
                env={**os.environ, **ENVIRONMENT, **self.environment},
                start_new_session=True,
            )

    def answers(self) -> bool:
        """Whether it is up; an error where it has ended instead."""
        assert self.process is not None
        if self.process.poll() is not None:
            tail = self.log.read_text(errors="replace")[-2000:]
            raise RuntimeError(f"{self.command()[2]} ended while it started: {tail}")
        try:
            with urlopen(f"{self.base}/health", timeout=2) as response:
                return bool(response.status == 200)
        except (URLError, OSError):
            return False

    def wait(self) -> None:
        """Until it is up; `TimeoutError` after `STARTUP` seconds."""
        end = time.monotonic() + STARTUP
        while not self.answers():
            if time.monotonic() > end:
                raise TimeoutError(f"{self.command()[2]} is not up after {STARTUP:.0f} s")
            time.sleep(0.2)

    def kill(self) -> None:
        """As a machine that loses its power: no farewell from any of its processes."""
        self._signal(signal.SIGKILL)

    def stop(self) -> None:
        """Ask it to end, and see to it."""
        if self.process is not None:
            self._signal(signal.SIGTERM, seconds=20.0)
            self._signal(signal.SIGKILL)

    def _signal(self, number: int, seconds: float = 10.0) -> None:
        assert self.process is not None
        try:
            os.killpg(self.process.pid, number)
            self.process.wait(seconds)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            pass

    def metric(self, *names: str) -> float:
        """The sum of some of its own metrics over all labels."""
        with urlopen(f"{self.base}/metrics", timeout=10) as response:
            lines = response.read().decode().splitlines()
        starts = tuple(f"{name}{after}" for name in names for after in "{ ")
        named = [line.rsplit(" ", 1) for line in lines if line.startswith(starts)]
        return sum(float(value) for _, value in named)


@dataclass(kw_only=True)
class Server(Process):
    """A vLLM of one model."""

    python: Path
    model: str
    directory: Path
    flags: tuple[str, ...] = ()

    def command(self) -> list[str]:
        return [
            str(self.python), "-m", "vllm.entrypoints.openai.api_server",
            "--model", str(self.directory), "--served-model-name", self.model,
            "--host", "127.0.0.1", "--port", str(self.port),
            "--max-model-len", "1024", "--enforce-eager", *self.flags,
        ]  # fmt: skip


@dataclass(kw_only=True)
class Gateway(Process):
    """The gateway's own command, up once `start` returns."""

    flags: tuple[str, ...] = ()

    def command(self) -> list[str]:
        return [sys.executable, "-m", "gateway", "serve", f"--port={self.port}", *self.flags]

    def start(self) -> None:
        super().start()
        self.wait()
