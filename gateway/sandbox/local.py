"""Sandboxes on this machine: some kept warm, each used once, so many at a time and no more."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol

from gateway.errors import SandboxUnavailable
from gateway.sandbox import bubblewrap, rootfs, seccomp
from gateway.sandbox.cell import Cell, Material
from gateway.sandbox.verdict import LONGEST_TEXT, Limits, Verdict


class Books(Protocol):
    """Where runs are counted."""

    def sandbox_began(self) -> None: ...

    def sandbox_ended(self, how: str, seconds: float) -> None: ...


class LocalSandbox:
    """Runs up to `concurrency` programs at once, and keeps `warm` sandboxes ready after the first.

    Nothing is started or written before the first run. Safe to share between tasks of a loop.
    """

    def __init__(
        self,
        books: Books,
        *,
        concurrency: int = 0,
        warm: int | None = None,
        disk: int = Limits().disk,
    ):
        most = concurrency or os.cpu_count() or 1
        self._books = books
        self._warm = most if warm is None else warm
        self._disk = disk
        self._places = asyncio.Semaphore(most)
        # Threads of its own: a sandbox dies with the thread that started it.
        self._threads = ThreadPoolExecutor(most, thread_name_prefix="sandbox")
        self._material: Future[Material] | None = None
        self._ready: deque[Future[Cell]] = deque()
        self._closed = False
        self._fine = False

    async def problem(self) -> str:
        """Why nothing can be run here, or ""; once it could, it is not tried again."""
        if self._fine:
            return ""
        problem = await asyncio.get_running_loop().run_in_executor(self._threads, _problem)
        self._fine = not problem
        return problem

    async def execute(
        self, program: str, tests: str, limits: Limits, *, prompt: str = ""
    ) -> Verdict:
        """See `Executor`. The limits' `disk` is at most this sandbox's own."""
        if len(program) + len(tests) + len(prompt) > LONGEST_TEXT:
            return Verdict("compile", 0, 1, "too long to be run")
        async with self._places:
            loop = asyncio.get_running_loop()
            self._books.sandbox_began()
            began, how = loop.time(), "unavailable"
            try:
                verdict = await self._run(program, tests, limits, prompt)
                how = verdict.how
                return verdict
            except asyncio.CancelledError:
                how = "cancelled"
                raise
            finally:
                self._books.sandbox_ended(how, loop.time() - began)

    async def close(self) -> None:
        """End all sandboxes and remove their files; what is running fails."""
        self._closed = True
        await asyncio.to_thread(self._clear)

    async def _run(self, program: str, tests: str, limits: Limits, prompt: str) -> Verdict:
        coming = self._ready.popleft() if self._ready else self._start()
        try:
            cell = await asyncio.wrap_future(coming)
        except asyncio.CancelledError:
            coming.add_done_callback(_throw_away)
            raise
        self._refill()
        try:
            return await cell.run(program, tests, limits, prompt)
        finally:
            cell.kill()
            await _finished(self._threads.submit(cell.reap))

    def _start(self) -> Future[Cell]:
        if self._closed:
            raise SandboxUnavailable("it is shutting down")
        if self._material is None or _failed(self._material):
            self._material = self._threads.submit(_material, self._disk)
        material = self._material
        return self._threads.submit(lambda: Cell.start(material.result()))

    def _refill(self) -> None:
        while len(self._ready) < self._warm and not self._closed:
            self._ready.append(self._start())

    def _clear(self) -> None:
        for coming in self._ready:
            _throw_away(coming)
        self._ready.clear()
        self._threads.shutdown(wait=True)
        if self._material is not None and not _failed(self._material):
            shutil.rmtree(self._material.result().root, ignore_errors=True)


def _problem() -> str:
    try:
        seccomp.program()
    except SandboxUnavailable as error:
        return error.reason
    return bubblewrap.problem()


def _material(disk: int) -> Material:
    if problem := _problem():
        raise SandboxUnavailable(problem)
    try:
        return Material(rootfs.build(), seccomp.program(), disk)
    except (OSError, subprocess.SubprocessError, shutil.Error) as error:
        raise SandboxUnavailable(f"its file system cannot be built: {error}") from None


def _failed(future: Future[Material]) -> bool:
    return future.done() and future.exception() is not None


def _throw_away(coming: Future[Cell]) -> None:
    if coming.cancel() or coming.exception() is not None:
        return
    cell = coming.result()
    cell.kill()
    cell.reap()


async def _finished(future: Future[None]) -> None:
    """Wait for `future` even where the waiting task is cancelled, for that comes to an end soon."""
    waiting = asyncio.wrap_future(future)
    cancelled: asyncio.CancelledError | None = None
    while not waiting.done():
        try:
            await asyncio.shield(waiting)
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled
