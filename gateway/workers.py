"""Worker processes for pure functions that are heavy or may never end."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import multiprocessing
import resource
import signal
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

from pebble import ProcessExpired, ProcessPool

T = TypeVar("T")

MEMORY = 2 << 30
"""Address space of one worker, in bytes."""
PATIENCE = 4.0
"""How many times a call's limit of processor time it may take by the clock, on a busy machine."""


class Workers:
    """A pool of `size` processes that run pure functions under a hard time limit.

    The processes are spawned at the first call (a fork of a threaded server may deadlock), and each
    may use `memory` bytes of address space. Each loads `preload` (modules, or `module:function`
    without arguments) before it takes work, so that no call's limit pays for that. `function` and
    its arguments are pickled, so it must stand at the top of an importable module. Safe to share
    between tasks of one event loop.
    """

    def __init__(self, size: int = 2, *, memory: int = MEMORY, preload: Sequence[str] = ()):
        self._size = size
        self._initargs = (memory, tuple(preload))
        self._pool: ProcessPool | None = None
        self._lock = threading.Lock()
        self._futures: set[Future[Any]] = set()
        self._closed = False

    async def run(self, function: Callable[..., T], *args: object, seconds: float) -> T:
        """`function(*args)`, computed in a worker.

        TimeoutError when it used `seconds` of processor time (or took `PATIENCE` times as long), or
        its worker died (of the memory limit) or was closed: the worker is killed and replaced. The
        time spent waiting for a free worker does not count, nor for a processor. Cancelling the
        caller kills the worker too. What the function raises is raised here.
        """
        if self._pool is not None and self._pool.active:
            future = self._schedule(function, args, seconds)
        else:  # starting processes takes tens of milliseconds
            future = await asyncio.to_thread(self._schedule, function, args, seconds)
        try:
            return await asyncio.wrap_future(future)
        except (ProcessExpired, BrokenProcessPool, MemoryError) as error:
            raise TimeoutError(f"the worker was lost: {error}") from error
        except asyncio.CancelledError:
            if self._closed and not _cancelling():
                raise TimeoutError("the workers were closed") from None
            raise
        finally:
            self._futures.discard(future)

    def close(self) -> None:
        """Kill all workers and wait until they are gone; calls under way fail."""
        with self._lock:
            self._closed = True
            pool, self._pool = self._pool, None
        for future in list(self._futures):
            future.cancel()
        if pool is not None:
            _stop(pool)

    def _schedule(
        self, function: Callable[..., T], args: tuple[object, ...], seconds: float
    ) -> Future[T]:
        with self._lock:
            if self._closed:
                raise RuntimeError("the workers are closed")
            if self._pool is not None and not self._pool.active:
                # A broken pool stays broken: replace it rather than fail every later call.
                _stop(self._pool)
                self._pool = None
            if self._pool is None:
                self._pool = ProcessPool(
                    max_workers=self._size,
                    initializer=_prepare,
                    initargs=self._initargs,
                    context=multiprocessing.get_context("spawn"),
                )
            future = self._pool.schedule(
                _limited, args=(seconds, function, *args), timeout=PATIENCE * seconds
            )
            self._futures.add(future)
            return future


def _cancelling() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _stop(pool: ProcessPool) -> None:
    pool.stop()  # type: ignore[no-untyped-call]
    pool.join()


def _limited(seconds: float, function: Callable[..., T], *args: object) -> T:
    """Runs each call in a worker; out of processor time, it dies, in the middle of C code too."""
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        return function(*args)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0.0)


def _prepare(memory: int, preload: Sequence[str]) -> None:
    """Runs first in each worker."""
    # The pool stops a worker by SIGTERM and waits: a handler in Python, which pebble sets, would
    # not run before a long computation in C is over.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    for name in preload:
        # What is not installed is not needed either; a call that needs it says so itself.
        with contextlib.suppress(ImportError):
            module, _, function = name.partition(":")
            loaded = importlib.import_module(module)
            if function:
                getattr(loaded, function)()
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
