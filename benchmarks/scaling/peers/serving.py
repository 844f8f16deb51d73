"""A peer as a process on loopback, and the upstream's own count of tokens."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.ports import free_port
from benchmarks.scaling.peers.environments import Unavailable
from benchmarks.scaling.peers.known import Peer

STARTUP = 180.0
STOP = 15.0


@contextmanager
def serving(
    peer: Peer, programs: Path, upstream: str, model: str, n: int, folder: Path
) -> Iterator[str]:
    """Base URL of a running peer, without `/v1`, ended on leaving; `Unavailable` otherwise."""
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    command = peer.command(programs, upstream, port, n)
    # Nothing of this shell's environment is a peer's business, keys least of all.
    environment = {
        "PATH": f"{programs}:{os.defpath}",
        "HOME": str(folder),
        "NO_PROXY": "127.0.0.1",
        **peer.environment,
    }
    log = folder / f"{peer.name}.log"
    with _leashed(command, environment, log) as process:
        _wait(process, f"{base}{peer.ready}", log)
        peer.prepare(base, upstream, model)
        yield base


@contextmanager
def _leashed(
    command: Sequence[str], environment: dict[str, str], log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    leash = [sys.executable, str(Path(__file__).with_name("leash.py")), *command]
    with (
        log.open("wb") as out,
        subprocess.Popen(
            leash, stdin=subprocess.PIPE, stdout=out, stderr=subprocess.STDOUT, env=environment
        ) as process,
    ):
        try:
            yield process
        finally:
            assert process.stdin is not None
            process.stdin.close()
            try:
                process.wait(STOP)
            except subprocess.TimeoutExpired:
                process.kill()


def _wait(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    until = time.monotonic() + STARTUP
    while time.monotonic() < until and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except urllib.error.HTTPError:
            return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    lines = log.read_text(errors="replace").strip().splitlines()
    raise Unavailable(lines[-1] if lines else "it did not start")


@dataclass(frozen=True)
class Count:
    """What an upstream gateway has served so far, by its own metrics."""

    completion_tokens: int
    samples: int
    requests: int

    def since(self, before: Count) -> Count:
        return Count(
            self.completion_tokens - before.completion_tokens,
            self.samples - before.samples,
            self.requests - before.requests,
        )


def count_of(page: str) -> Count:
    """The counters on a gateway's page of metrics."""
    return Count(
        _sum(page, r'its_tokens_total\{[^}]*kind="completion"'),
        _sum(page, r"its_samples_total\{"),
        _sum(page, r"its_requests_total\{"),
    )


def _sum(page: str, start: str) -> int:
    return sum(round(float(n)) for n in re.findall(rf"(?m)^{start}.*\}} (\S+)$", page))
