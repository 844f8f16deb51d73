"""Starting one process in a sandbox of its own."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.errors import SandboxUnavailable
from gateway.sandbox.rootfs import ENVIRONMENT, FLAGS, PACKAGE, PYTHON

NOBODY = 65534
"""Who runs sandboxes where the gateway is root: root is not bound by limits on processes."""
START_SECONDS = 60.0
NAMESPACES = (
    "--unshare-user", "--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts",
    "--unshare-cgroup",
)  # fmt: skip
SCHEDULED_CPU = 2
"""The kernel's number for the CPU clock of a whole process."""


class Starting:
    """A sandboxed process on its way; `ready` waits for it."""

    def __init__(self, root: Path, rules: bytes, role: str, counterpart: int, disk: int):
        self._control, theirs = socket.socketpair()
        self._info, info_end = os.pipe()
        code = f"from {PACKAGE}.{role} import main; main({theirs.fileno()}, {counterpart})"
        with theirs, _readable(rules) as filter_:
            options = _bubblewrap(root, disk, filter_, info_end)
            try:
                self._process = subprocess.Popen(
                    [*options, "--", PYTHON, *FLAGS, "-c", code],
                    pass_fds=(theirs.fileno(), counterpart, filter_, info_end),
                    **_nobody(),
                )
            except BaseException:
                self._control.close()
                os.close(self._info)
                raise
            finally:
                os.close(info_end)

    def ready(self) -> Box:
        """The process, once it waits for its job; `SandboxUnavailable` with bubblewrap's words."""
        told = b""
        while part := os.read(self._info, 4096):
            told += part
        os.close(self._info)
        self._control.settimeout(START_SECONDS)
        try:
            disk = socket.recv_fds(self._control, 1, 1)[1]
        except OSError:
            disk = []
        if not told or not disk:
            self._process.kill()
            words = self._process.communicate()[1].decode(errors="replace").strip()
            self._control.close()
            raise SandboxUnavailable(f"bubblewrap failed: {words[-300:] or 'it gave no reason'}")
        self._control.setblocking(False)
        pid = json.loads(told)["child-pid"]
        box = Box(self._process, self._control, pid, os.pidfd_open(pid), disk[0])
        box.used_before = box.cpu
        return box

    def abandon(self) -> None:
        """End it, ready or not, and wait until it is gone."""
        self._process.kill()
        self._process.communicate()
        self._control.close()
        os.close(self._info)


@dataclass(slots=True)
class Box:
    """A process in a sandbox, which is gone when `process` (bubblewrap, outside) has ended.

    `control` is a socket to it, `pidfd` itself, `pid` its number outside, and `disk` its /tmp.
    """

    process: subprocess.Popen[bytes]
    control: socket.socket
    pid: int
    pidfd: int
    disk: int
    used_before: float = 0.0

    @property
    def cpu(self) -> float:
        """Seconds of CPU that it has used."""
        try:
            return time.clock_gettime((~self.pid << 3) | SCHEDULED_CPU)
        except OSError:  # it has ended
            return 0.0

    @property
    def seconds(self) -> float:
        """Seconds of CPU since it was started."""
        return max(0.0, self.cpu - self.used_before)

    @property
    def waited(self) -> float:
        """Seconds for which it was ready to run and others ran."""
        return waited(self.pid)

    @property
    def files(self) -> int:
        """Files and folders in its /tmp."""
        state = os.fstatvfs(self.disk)
        return state.f_files - state.f_ffree - 1

    def kill(self) -> None:
        """End it and all that it started; `reap` waits for that."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.pidfd, signal.SIGKILL)
        self.process.kill()

    def reap(self) -> None:
        """Wait until nothing of it is left; blocks for a few milliseconds once it was killed."""
        self.process.communicate()
        self.control.close()
        os.close(self.pidfd)
        os.close(self.disk)


def waited(pid: int | str) -> float:
    """Seconds for which process `pid` was ready to run and others ran; 0 where nobody counts."""
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9
    except (OSError, ValueError, IndexError):
        return 0.0


def _bubblewrap(root: Path, disk: int, seccomp: int, info: int) -> list[str]:
    settings = [part for name, value in ENVIRONMENT.items() for part in ("--setenv", name, value)]
    return [
        _program(), *NAMESPACES,
        # The process itself is the namespace's first, whose end is the end of all in it.
        "--die-with-parent", "--as-pid-1", "--new-session", "--hostname", "sandbox",
        "--ro-bind", str(root), "/",
        "--dev-bind", "/dev/null", "/dev/null", "--dev-bind", "/dev/urandom", "/dev/urandom",
        "--size", str(disk), "--tmpfs", "/tmp", "--chdir", "/tmp",
        "--clearenv", *settings,
        "--seccomp", str(seccomp), "--info-fd", str(info),
    ]  # fmt: skip


def problem() -> str:
    """Why no sandbox can be started here, or ""; tries, in some ten milliseconds."""
    try:
        command = [_program(), *NAMESPACES, "--die-with-parent", "--ro-bind", "/", "/", "true"]
        done = subprocess.run(command, timeout=START_SECONDS, check=False, **_nobody())
    except (SandboxUnavailable, OSError, subprocess.SubprocessError) as error:
        return str(error)
    if done.returncode:
        return f"bubblewrap failed: {done.stderr.decode(errors='replace').strip()[-300:]}"
    return ""


def _program() -> str:
    found = shutil.which("bwrap")
    if found is None:
        raise SandboxUnavailable("bubblewrap (bwrap) is not installed")
    return found


def _nobody() -> dict[str, Any]:
    options: dict[str, Any] = {
        "stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE,
        "cwd": "/", "env": {}, "close_fds": True,
    }  # fmt: skip
    if os.geteuid() == 0:
        options |= {"user": NOBODY, "group": NOBODY, "extra_groups": []}
    return options


@contextmanager
def _readable(data: bytes) -> Iterator[int]:
    """A descriptor from which `data`, at most a pipe's worth, can be read once."""
    out, into = os.pipe()
    os.write(into, data)
    os.close(into)
    try:
        yield out
    finally:
        os.close(out)
