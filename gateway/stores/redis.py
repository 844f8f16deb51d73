"""A store in Redis, shared by all gateways that are on it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from hashlib import sha1
from importlib.resources import files
from typing import Any, TypeVar

from redis.asyncio import Redis, RedisCluster
from redis.exceptions import (
    NoScriptError,
    OutOfMemoryError,
    RedisError,
    ResponseError,
)

from gateway.stores.connecting import client_at
from gateway.stores.guard import Guard
from gateway.stores.seam import State

T = TypeVar("T")

REASONS: Mapping[type[Exception], str] = {
    OutOfMemoryError: "full",
    ResponseError: "refusing",
    RedisError: "gone",
    OSError: "gone",
}
"""What an error says of the Redis that it came from."""

BOUND_SECONDS = 0.05

PREFIX = "its:"


class Script:
    """A Lua script, sent once and then called by its digest."""

    def __init__(self, *names: str):
        folder = files("gateway.stores") / "lua"
        self.text = "".join((folder / f"{name}.lua").read_text() for name in names)
        self.digest = sha1(self.text.encode(), usedforsecurity=False).hexdigest()


class RedisStore:
    """See `Store`. `bound` is the longest that one command may take, in seconds."""

    def __init__(
        self,
        url: str,
        *,
        bound: float = BOUND_SECONDS,
        count: Callable[[str], None] = lambda reason: None,
    ):
        self._client: Redis | RedisCluster = client_at(url, bound)
        self.guard = Guard(bound, REASONS, count)

    @property
    def state(self) -> str:
        return self.guard.state

    async def read(self, key: str) -> State:
        return _state(await self._do("HGETALL", f"{PREFIX}state:{key}"))

    async def add(self, key: str, delta: Mapping[str, float], decay: float = 1.0) -> State:
        pairs = [part for name, more in delta.items() for part in (name, repr(float(more)))]
        return _state(await self._run(ADD, [f"{PREFIX}state:{key}"], [repr(float(decay)), *pairs]))

    async def swap(self, key: str, version: int, values: Mapping[str, float]) -> bool:
        pairs = [part for name, value in values.items() for part in (name, repr(float(value)))]
        return bool(await self._run(SWAP, [f"{PREFIX}state:{key}"], [version, *pairs]))

    async def states(self) -> AsyncIterator[str]:
        async for name in self._scan(f"{PREFIX}state:"):
            yield name

    async def get(self, kind: str, name: str) -> bytes | None:
        found: bytes | None = await self._do("GET", f"{PREFIX}{kind}:{name}")
        return found

    async def put(self, kind: str, name: str, record: bytes, seconds: float) -> None:
        await self._do("SET", f"{PREFIX}{kind}:{name}", record, "PX", max(1, round(seconds * 1000)))

    async def names(self, kind: str, prefix: str = "") -> AsyncIterator[str]:
        async for name in self._scan(f"{PREFIX}{kind}:", prefix):
            yield name

    async def flush(self) -> None:
        """Forget all that is in this Redis: for tests."""
        await self._client.flushall()

    async def keep(self) -> None:
        await self.guard.heal(lambda: self._sent("PING"))

    async def close(self) -> None:
        await self._client.aclose()

    async def _do(self, *command: Any) -> Any:
        return await self.guard(lambda: self._sent(*command))

    async def _sent(self, *command: Any) -> Any:
        return await self._client.execute_command(*command)

    async def _run(self, script: Script, keys: Sequence[str], args: Sequence[Any]) -> Any:
        """What `script` returns; all `keys` are in one slot."""

        async def call() -> Any:
            try:
                return await self._sent("EVALSHA", script.digest, len(keys), *keys, *args)
            except NoScriptError:  # a Redis that was restarted has forgotten it
                return await self._sent("EVAL", script.text, len(keys), *keys, *args)

        return await self.guard(call)

    async def _scan(self, head: str, prefix: str = "") -> AsyncIterator[str]:
        """Names behind `head` that begin with `prefix`; as long as it takes, for no request."""
        pattern = _literal(head + prefix) + "*"
        async for key in self._client.scan_iter(match=pattern, count=500):
            yield key.decode()[len(head) :]


ADD, SWAP = Script("add"), Script("swap")


def _literal(text: str) -> str:
    """A pattern for SCAN that matches `text` alone."""
    return "".join(f"\\{mark}" if mark in "*?[]\\^-" else mark for mark in text)


def _state(found: Any) -> State:
    pairs = (
        found.items() if isinstance(found, Mapping) else zip(found[::2], found[1::2], strict=True)
    )
    values = {name.decode(): float(value) for name, value in pairs}
    version = int(values.pop("", 0.0))
    return State(values, version)
