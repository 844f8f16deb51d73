"""A supervisor whose workers fail in every way that it knows of."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

PROGRAM = """
import logging, os, signal, sys, time
from gateway.processes import seats, supervisor
from gateway.processes.census import Census
from gateway.processes.frames import Kind, framed
from gateway.processes.listeners import shared
from gateway.processes.supervisor import Supervisor

seats.FIRST_PAUSE = 0.01
supervisor.STOP_SECONDS = 0.3
supervisor.ASKED_SECONDS, supervisor.SILENT_SECONDS = 0.05, 0.4
handler = logging.StreamHandler(sys.stdout)
handler.setFormatter(logging.Formatter("%(message)s %(pid)s", defaults={"pid": "-"}))
logging.basicConfig(level="INFO", handlers=[handler])

def serve(place):
    place.line.sendall(framed(Kind.READY))

def ended_first(place):
    os._exit(7)

def killed_first(place):
    os.kill(os.getpid(), signal.SIGKILL)

def barren_later(place):
    if place.fresh:
        serve(place)
        time.sleep(0.2)
    os._exit(4)

def silent(place):
    if place.fresh:
        serve(place)
        time.sleep(60)
    os._exit(5)

def deaf(place):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    serve(place)
    time.sleep(60)

listeners = shared("127.0.0.1", 0, 2)
began = lambda: print("began", flush=True)
place = Supervisor(listeners, Census(lambda families: b""), 0.0, began).run()
if isinstance(place, int):
    sys.exit(place)
globals()[sys.argv[1]](place)
"""


def _run(how: str) -> tuple[int, list[str]]:
    """Its exit status, and what it said."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, how],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.stderr == ""
    return done.returncode, done.stdout.splitlines()


@pytest.mark.parametrize(("how", "status"), [("ended_first", 7), ("killed_first", 1)])
def test_what_the_first_worker_cannot_do_the_others_do_not_try(how: str, status: int) -> None:
    ended, said = _run(how)
    assert ended == status
    assert "began" not in said
    assert len(said) == (how == "killed_first")


def test_where_no_worker_can_be_replaced_it_ends() -> None:
    status, said = _run("barren_later")
    assert status == 1
    assert said[-1].startswith("no worker can be started")
    died = [line for line in said if line.startswith("a worker died")]
    assert len(died) >= 2 + 5  # two that served, then five in a row


def test_one_that_says_nothing_is_killed() -> None:
    status, said = _run("silent")
    assert status == 1
    assert len({line for line in said if line.startswith("a worker does not answer")}) >= 2


def test_one_that_does_not_stop_is_killed() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "deaf"], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    for _ in range(3):  # both are up, and it has begun
        process.stdout.readline()
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    began = time.monotonic()
    process.terminate()
    said = process.stdout.read()
    assert process.wait(10) == 1
    assert time.monotonic() - began >= 0.3
    assert said.count("a worker does not stop") == len(children) == 2
    assert [pid for pid in children if os.path.exists(f"/proc/{pid}")] == []
