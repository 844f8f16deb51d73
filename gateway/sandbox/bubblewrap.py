"""Starting one process in a sandbox of its own."""

from __future__ import annotations

import contextlib
import json
import os
import select
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
        pid = self._pid()
        disk: list[int] = []
        if pid:
            self._control.settimeout(START_SECONDS)
            with contextlib.suppress(OSError):
                disk = socket.recv_fds(self._control, 1, 1)[1]
        if not disk:
            self._process.kill()
            with contextlib.suppress(OSError):  # bubblewrap's end alone may not be its child's
                os.kill(pid or self._process.pid, signal.SIGKILL)
            words = _last_words(self._process)
            self._control.close()
            raise SandboxUnavailable(f"bubblewrap failed: {words[-300:] or 'it gave no reason'}")
        self._control.setblocking(False)
        box = Box(self._process, self._control, pid, os.pidfd_open(pid), disk[0])
        box.used_before = box.cpu
        return box

    def _pid(self) -> int:
        """The number of the process inside, as bubblewrap tells it; 0 where it ends before that."""
        told, ends = b"", time.monotonic() + START_SECONDS
        waiting = select.poll()
        waiting.register(self._info, select.POLLIN)
        while not told.rstrip().endswith(b"}") and time.monotonic() < ends:
            if not waiting.poll(100):
                if self._process.poll() is not None:
                    break  # and its child, if it has one, holds the pipe open
            elif part := os.read(self._info, 4096):
                told += part
            else:
                break
        os.close(self._info)
        try:
            return int(json.loads(told)["child-pid"])
        except (ValueError, KeyError):
            return 0

    def abandon(self) -> None:
        """End it and wait until it is gone. It has to start first: bubblewrap's child only dies
        with bubblewrap once both have begun.
        """
        with contextlib.suppress(SandboxUnavailable):
            box = self.ready()
            box.kill()
            box.reap()


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
        _last_words(self.process)
        self.control.close()
        os.close(self.pidfd)
        os.close(self.disk)


def _last_words(process: subprocess.Popen[bytes]) -> str:
    """Wait for the end of `process`; what it wrote to standard error, whoever else may yet."""
    process.wait()
    assert process.stderr is not None
    with process.stderr as stderr:
        os.set_blocking(stderr.fileno(), False)
        return (stderr.read() or b"").decode(errors="replace").strip()


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
    except SandboxUnavailable as error:
        return error.reason
    except (OSError, subprocess.SubprocessError) as error:
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
        # Who interrupts the gateway at a terminal means the gateway, which then drains; and an
        # ended bwrap whose child lives on, deaf to signals as the first of its namespace, hangs.
        "start_new_session": True,
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
