"""Files that are read again while the gateway runs: its configuration, its calibration."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Generic, TypeVar

from gateway.settings import ConfigError

logger = logging.getLogger("its_gateway")

T = TypeVar("T")


class Reload(Generic[T]):
    """Applies what is read anew when told (SIGHUP), and whenever the file's content changed.

    What cannot be used is logged and changes nothing.
    """

    def __init__(
        self,
        file: Path | None,
        read: Callable[[], T],
        apply: Callable[[T], Awaitable[None]],
    ):
        self._file = file
        self._name = "" if file is None else file.name
        self._read = read
        self._apply = apply
        self._told = asyncio.Event()

    def now(self) -> None:
        """Read again, whatever the file's content."""
        self._told.set()

    async def watch(self, seconds: float) -> None:
        """Look at the file every so often, for ever."""
        known = self._content()
        while True:
            told = await self._wait(seconds)
            content = self._content()
            if told or content != known:
                known = content
                await self._again()

    async def _wait(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self._told.wait()
        except TimeoutError:
            return False
        self._told.clear()
        return True

    async def _again(self) -> None:
        try:
            await self._apply(self._read())
        except ConfigError as error:
            logger.error(
                "configuration not reloaded", extra={"file": self._name, "reason": str(error)}
            )
        else:
            logger.info("configuration reloaded", extra={"file": self._name})

    def _content(self) -> bytes | None:
        """The file's content: a mounted one changes by its link, which no date tells of."""
        try:
            return None if self._file is None else self._file.read_bytes()
        except OSError:  # in the middle of being replaced
            return None
