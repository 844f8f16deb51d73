"""Runs a command that must not outlive the process that started it, however that one ends.

Standard input is a pipe from the parent: when that ends, even by SIGKILL, the command is ended.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Sequence

PATIENCE = 5.0
"""Seconds between asking the command to end and ending it."""


def main(argv: Sequence[str]) -> int:
    """Run `argv`; its exit status."""
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL) as child:
        threading.Thread(target=_end_with_parent, args=(child,), daemon=True).start()
        return child.wait()


def _end_with_parent(child: subprocess.Popen[bytes]) -> None:
    os.read(0, 1)
    child.terminate()
    try:
        child.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        child.kill()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
