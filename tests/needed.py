"""Programs that some tests need: installed from Debian where that can be, or the tests skipped."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

APT = ("apt-get", "install", "-y", "-q", "--no-install-recommends")


@contextmanager
def open_folder() -> Iterator[Path]:
    """A temporary folder that every user may enter, as pytest's own may not."""
    folder = Path(tempfile.mkdtemp(dir="/tmp", prefix="its-test-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def needed(program: str, *packages: str) -> str:
    """The path of `program`; the calling test is skipped, aloud, where it cannot be had."""
    found = shutil.which(program)
    if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
        subprocess.run(["apt-get", "update", "-q"], check=False, capture_output=True, timeout=300)
        subprocess.run([*APT, *packages], check=False, capture_output=True, timeout=300)
        found = shutil.which(program)
    if found is None:
        pytest.skip(f"needs {program} (Debian: {' '.join(packages)})")
    return found
