"""`serve` for a process that must not outlive the one that started it, however that one ends.

Standard input is a pipe from the parent: when the parent is gone, even by SIGKILL, it reads as
ended, and the gateway stops as it does at SIGTERM.
"""

from __future__ import annotations

import os
import signal
import sys
import threading

from gateway.__main__ import main


def _stop_with_parent() -> None:
    os.read(0, 1)
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    threading.Thread(target=_stop_with_parent, daemon=True).start()
    sys.exit(main(["serve", *sys.argv[1:]]))
