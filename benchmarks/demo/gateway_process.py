"""A gateway in a process of its own, that ends with this one however this one ends."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path


class NotReady(Exception):
    """The gateway did not come up; the message holds its log's end."""


@contextmanager
def gateway(options: Sequence[str], log: Path, *, seconds: float = 60.0) -> Iterator[str]:
    """Base URL of a gateway started with `options`, ended on leaving; `NotReady` otherwise."""
    command = [sys.executable, "-m", "benchmarks.demo.leashed", *options]
    with (
        log.open("wb") as out,
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=out, stderr=subprocess.STDOUT
        ) as process,
    ):
        try:
            yield _base(process, log, time.monotonic() + seconds)
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def _base(process: subprocess.Popen[bytes], log: Path, until: float) -> str:
    base: str | None = None
    while time.monotonic() < until and process.poll() is None:
        base = base or _listening(log)
        if base is not None and _answers(f"{base}/ready"):
            return base
        time.sleep(0.05)
    raise NotReady(log.read_text()[-2000:] or "the gateway did not start")


def _listening(log: Path) -> str | None:
    """The address that the gateway says, in its log, that it listens on."""
    for line in log.read_text().splitlines():
        if '"listening"' in line:
            entry = json.loads(line)
            return f"http://{entry['host']}:{entry['port']}"
    return None


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False
