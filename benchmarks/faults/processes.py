"""Replicas as processes of their own, which can be killed and started again on the same port."""

from __future__ import annotations

import asyncio
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import aiohttp

from benchmarks.ports import free_port

EMBEDDED = f"{shlex.quote(sys.executable)} -m gateway serve --port {{port}}"


class Server:
    """`command` with `{port}` filled in, in a process group of its own; logs to `log`."""

    def __init__(self, command: str, log: Path):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.starts = 0
        self._command = shlex.split(command.format(port=self.port))
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; it must not be running, as `kill` would then miss the first of two."""
        if self._process is not None and self._process.poll() is None:
            raise RuntimeError(f"{self._command[0]} is running already")
        with self._log.open("ab") as out:
            self._process = subprocess.Popen(
                self._command, stdout=out, stderr=subprocess.STDOUT, start_new_session=True
            )
        self.starts += 1

    def kill(self) -> None:
        """SIGKILL to all of its processes, and wait until it is gone."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    async def ready(self, path: str, seconds: float) -> None:
        """Wait until `path` is answered with 200; `TimeoutError` with the log's end otherwise."""
        until = asyncio.get_running_loop().time() + seconds
        async with aiohttp.ClientSession() as client:
            while asyncio.get_running_loop().time() < until:
                try:
                    async with client.get(f"{self.url}{path}") as response:
                        if response.status == 200:
                            return
                except aiohttp.ClientError:
                    pass
                await asyncio.sleep(0.1)
        raise TimeoutError(self._log.read_text(errors="replace")[-2000:])

    async def metrics(self) -> dict[str, float]:
        """Its page, as `name{label="value",…}` -> value."""
        async with (
            aiohttp.ClientSession() as client,
            client.get(f"{self.url}/metrics") as response,
        ):
            lines = (await response.text()).splitlines()
        pairs = (line.rsplit(" ", 1) for line in lines if line and not line.startswith("#"))
        return {name: float(value) for name, value in pairs}
