"""Processes pinned to a core, and the CPU and memory that they and their children use."""

from __future__ import annotations

import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

SERVED, LOADING = "0", "1"
"""Cores: what is measured has the first to itself, load and upstream share the second."""
TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
STARTUP = 60.0


class NotUp(Exception):
    """A server did not start; the message says why."""


@contextmanager
def running(
    command: Sequence[str], core: str, log: Path, environment: Mapping[str, str] | None = None
) -> Iterator[int]:
    """The process group of a command on one core, ended with all its processes on leaving."""
    with log.open("wb") as out:
        process = subprocess.Popen(
            ["taskset", "-c", core, *command],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={**os.environ, **(environment or {})},
        )
    try:
        yield process.pid
    finally:
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(process.pid, number)
                process.wait(10)
            except ProcessLookupError:
                break
            except subprocess.TimeoutExpired:
                continue


def wait_for(url: str, log: Path) -> float:
    """Seconds until `url` answers at all; `NotUp` with the log's end otherwise."""
    started = time.monotonic()
    while time.monotonic() - started < STARTUP:
        try:
            with urllib.request.urlopen(url, timeout=2):
                return time.monotonic() - started
        except urllib.error.HTTPError as error:
            if error.code < 500:
                return time.monotonic() - started
        except (urllib.error.URLError, OSError):
            pass
        time.sleep(0.01)
    raise NotUp(log.read_text(errors="replace")[-500:])


def cpu_seconds(group: int) -> float:
    """User and system time so far of a group's living processes and their ended children."""
    return sum(sum(map(int, fields[11:15])) for fields in _members(group)) / TICKS


def memory(group: int) -> float:
    """Resident memory of a group's processes, in MB."""
    return sum(int(fields[21]) for fields in _members(group)) * PAGE / 1e6


def _members(group: int) -> Iterator[list[str]]:
    """What /proc says of each process of a group, from its state on."""
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[2]) == group:
            yield fields
