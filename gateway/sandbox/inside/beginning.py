"""How each process begins: it drops what it was born with, and limits itself."""

from __future__ import annotations

import _socket
import os
import resource
import sys

from .frames import Frames

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

OPEN_FILES = 64
THREADS = 32


def begin(control: int, counterpart: int) -> dict[str, Any]:
    """The job that comes on the socket `control`, by whose limits this process is bound then.

    Of the descriptors that it was born with only these two stay; standard output leads nowhere.
    """
    _close_all_but(control, counterpart)
    _show_disk(control)
    job: dict[str, Any] = Frames(control).receive()
    _confine(job["seconds"], job["memory"], job["disk"])
    return job


def _close_all_but(*kept: int) -> None:
    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nowhere, standard)
    last = 2
    for fd in sorted(kept):
        os.closerange(last + 1, fd)
        last = fd
    os.closerange(last + 1, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: SIM115 - until the process ends


def _show_disk(control: int) -> None:
    """Hand over a descriptor of /tmp, so that whoever holds it can count what is in there."""
    folder = os.open("/tmp", os.O_RDONLY | os.O_DIRECTORY)
    socket = _socket.socket(fileno=control)  # the module around it takes long to load
    rights = folder.to_bytes(4, sys.byteorder)
    socket.sendmsg([b"!"], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, rights)])
    socket.detach()
    os.close(folder)


def _confine(seconds: float, memory: int, disk: int) -> None:
    """From here on at most so many seconds of CPU, and bytes of memory and of any one file.

    Seconds are whole, and late: who started the sandbox measures them exactly. Processes
    are forbidden elsewhere, so that their number bounds threads.
    """
    used = resource.getrusage(resource.RUSAGE_SELF)
    most = {
        resource.RLIMIT_CPU: int(used.ru_utime + used.ru_stime + seconds) + 2,
        resource.RLIMIT_AS: memory,
        resource.RLIMIT_FSIZE: disk,
        resource.RLIMIT_NOFILE: OPEN_FILES,
        resource.RLIMIT_NPROC: THREADS,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_MEMLOCK: 0,
        resource.RLIMIT_MSGQUEUE: 0,
    }
    for limit, value in most.items():
        resource.setrlimit(limit, (value, value))
