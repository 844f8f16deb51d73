"""A throw-away virtual environment for each peer, kept between runs."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

CACHE = Path.home() / ".cache" / "its-gateway" / "peers"
STAMP = "installed.txt"
SECONDS = 900.0


class Unavailable(Exception):
    """A peer cannot be had or does not start; the message says why."""


def environment(name: str, installs: Sequence[Sequence[str]], cache: Path = CACHE) -> Path:
    """The folder of programs of an environment in which each of `installs` (pip's arguments) was
    installed, in order; `Unavailable` with pip's last words where that fails.
    """
    digest = hashlib.sha256(json.dumps([sys.version, *installs]).encode()).hexdigest()[:12]
    folder = cache / f"{name}-{digest}"
    programs = folder / "bin"
    if (folder / STAMP).is_file():
        return programs
    shutil.rmtree(folder, ignore_errors=True)
    _run([sys.executable, "-m", "venv", "--without-pip", str(folder)])
    pip = [sys.executable, "-m", "pip", "--python", str(programs / "python")]
    for arguments in installs:
        _run([*pip, "install", "--quiet", "--disable-pip-version-check", *arguments])
    (folder / STAMP).write_text("\n".join(" ".join(each) for each in installs))
    return programs


def _run(command: Sequence[str]) -> None:
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=SECONDS, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(str(error)) from None
    if done.returncode:
        last = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        raise Unavailable((last or done.stderr.splitlines() or ["pip failed"])[-1])
