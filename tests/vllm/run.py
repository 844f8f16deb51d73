"""`make test-vllm`: an environment with vLLM, then the tests here on servers that it runs.

Exits with pytest's status; with 0 and a loud reason where vLLM cannot be had, and, with
`--seconds`, where time runs out before the tests have said anything.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tests.vllm import environment

HERE = Path(__file__).parent
SMOKE = ("test_conformance.py", "test_fields.py", "test_abort.py")
"""Files that need one writer and no restart."""


class Late(Exception):
    """The time that was given is over."""


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="make test-vllm", description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="the quick tests, on one writer")
    parser.add_argument("--seconds", type=int, default=0, help="skip what takes longer; 0: never")
    options, more = parser.parse_known_args(argv)
    started = time.monotonic()
    if options.seconds:
        signal.signal(signal.SIGALRM, _late)
        signal.alarm(options.seconds)
    try:
        python = environment.python()
        status = _pytest(python, options.smoke, more)
    except environment.Unavailable as error:
        return _skipped(f"vLLM cannot be had here: {error}")
    except Late:
        return _skipped(f"not done after {options.seconds} s")
    print(f"test-vllm: {time.monotonic() - started:.0f} s", flush=True)
    return status


def _pytest(python: Path, smoke: bool, more: Sequence[str]) -> int:
    files = [str(HERE / name) for name in SMOKE] if smoke else [str(HERE)]
    running = subprocess.Popen(
        [sys.executable, "-m", "pytest", "--timeout=900", *files, *more],
        env={
            **os.environ,
            "TEST_VLLM_PYTHON": str(python),
            "TEST_VLLM_REPLICAS": "1" if smoke else "2",
        },
    )
    try:
        return running.wait()
    except Late:
        running.send_signal(signal.SIGINT)  # pytest ends the servers on its way out
        try:
            running.wait(30)
        except subprocess.TimeoutExpired:
            running.kill()
        raise


def _late(number: int, frame: object) -> None:
    raise Late


def _skipped(reason: str) -> int:
    line = "!" * 100
    print(f"{line}\n! SKIPPED: tests against a real vLLM. {reason}\n{line}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
