"""A store in Redis, shared by all gateways that are on it."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from hashlib import sha1
from importlib.resources import files
from typing import Any, TypeVar

from redis.asyncio import Redis, RedisCluster
from redis.exceptions import (
    NoScriptError,
    OutOfMemoryError,
    RedisError,
    ResponseError,
    TimeoutError,
)

from gateway.stores.connecting import CONNECTIONS, client_at
from gateway.stores.guard import Guard
from gateway.stores.seam import Allotted, Ask, Claim, Granted, Left, State, Statement, Window

T = TypeVar("T")

REASONS: Mapping[type[Exception], str] = {
    OutOfMemoryError: "full",
    ResponseError: "refusing",
    TimeoutError: "slow",
    RedisError: "gone",
    OSError: "gone",
}
"""What an error says of the Redis that it came from."""

BOUND_SECONDS = 0.05
WARM = 8
"""So many connections are made before they are needed."""

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
        # A cluster's client does not wait for a connection, but fails without one.
        self._places = asyncio.Semaphore(CONNECTIONS)
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

    async def rows(self, table: str) -> Mapping[str, bytes]:
        found = await self._do("HGETALL", f"{PREFIX}table:{table}")
        return {name.decode(): content for name, content in _pairs(found)}

    async def write(self, table: str, row: str, content: bytes, *, fresh: bool = False) -> bool:
        command = "HSETNX" if fresh else "HSET"
        done = await self._do(command, f"{PREFIX}table:{table}", row, content)
        return bool(done) or not fresh

    async def erase(self, table: str, row: str) -> None:
        await self._do("HDEL", f"{PREFIX}table:{table}", row)

    async def reserve(self, account: str, ask: Ask, lease: float) -> Granted:
        told = json.loads(await self._run(RESERVE, _account(account), [_packed(ask, lease)]))
        left = {
            what: Left(limit, int(remaining), reset / 1000, int(free))
            for what, (limit, remaining, reset, free) in dict(told["left"]).items()
        }
        if (short := told.get("short")) is None:
            return Granted(True, left=left)
        retry = math.inf if short["retry"] < 0 else short["retry"] / 1000
        return Granted(False, short["what"], short["window"], retry, left)

    async def settle(self, account: str, ask: Ask) -> None:
        await self._run(SETTLE, _account(account), [_packed(ask)])

    async def allot(
        self, account: str, statement: Statement, lease: float
    ) -> Mapping[str, Allotted] | None:
        told = await self._run(ALLOT, _account(account), [_stated(statement, lease)])
        if told is None:
            return None
        return {name: Allotted(*map(int, each)) for name, each in dict(json.loads(told)).items()}

    async def renew(self, account: str, ids: Sequence[str], lease: float) -> None:
        await self._run(RENEW, _account(account), [lease, *ids])

    async def usage(self, account: str, day: int) -> Mapping[str, int]:
        found = await self._do("HGETALL", f"{_account(account)[3]}day:{day}")
        return {name.decode(): int(count) for name, count in _pairs(found)}

    async def take(
        self, shelf: str, places: Sequence[int], owner: str, lease: float
    ) -> list[bytes | Claim]:
        # A script would copy all that lies there twice over; only what is missing needs one.
        lying: list[bytes | None] = await self._do("HMGET", _shelf(shelf)[0], *places)
        missing = [place for place, each in zip(places, lying, strict=True) if each is None]
        told = []
        if missing:
            told = await self._run(TAKE, _shelf(shelf), [owner, round(lease * 1000), *missing])
        fresh = iter(Claim(each) if isinstance(each, int) else each for each in told)
        return [next(fresh) if each is None else each for each in lying]

    async def fill(self, shelf: str, items: Mapping[int, bytes], seconds: float) -> None:
        pairs = [part for item in items.items() for part in item]
        await self._run(FILL, _shelf(shelf), [round(seconds * 1000), *pairs])

    async def leave(self, shelf: str, places: Sequence[int], owner: str) -> None:
        await self._run(LEAVE, _shelf(shelf), [owner, *places])

    async def flush(self) -> None:
        """Forget all that is in this Redis: for tests."""
        await self._client.flushall()

    async def keep(self) -> None:
        # The first requests should not have to wait for connections, nor for scripts to be sent.
        warm = [self._sent("PING") for _ in range(WARM)]
        warm += [self._sent("SCRIPT LOAD", script.text) for script in SCRIPTS]
        await asyncio.gather(*warm, return_exceptions=True)
        await self.guard.heal(lambda: self._sent("PING"))

    async def close(self) -> None:
        await self._client.aclose()

    async def _do(self, *command: Any) -> Any:
        return await self.guard(lambda: self._sent(*command))

    async def _sent(self, *command: Any) -> Any:
        async with self._places:
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
RESERVE = Script("accounts", "reserve")
SETTLE = Script("accounts", "settle")
RENEW = Script("accounts", "renew")
ALLOT = Script("accounts", "allot")
TAKE, FILL, LEAVE = Script("take"), Script("fill"), Script("leave")
SCRIPTS = (ADD, SWAP, RESERVE, SETTLE, RENEW, ALLOT, TAKE, FILL, LEAVE)


def _shelf(shelf: str) -> list[str]:
    return [f"{PREFIX}shelf:{{{shelf}}}", f"{PREFIX}claims:{{{shelf}}}"]


def _account(account: str) -> list[str]:
    """The keys of an account, which are in one slot."""
    head = f"{PREFIX}account:{{{account}}}:"
    return [f"{head}rates", f"{head}held", f"{head}leases", head]


def _packed(ask: Ask, lease: float = 0.0) -> str:
    return json.dumps({"lease": lease, **_asked(ask)})


def _asked(ask: Ask) -> dict[str, Any]:
    scopes = [
        {"s": scope} if limit is None else {"s": scope, "l": limit}
        for scope, limit in ask.open.items()
    ]
    return {"id": ask.id, "windows": _windows(ask.windows), "open": scopes}


def _stated(statement: Statement, lease: float) -> str:
    told = {
        "holder": statement.holder, "number": statement.number, "part": statement.part,
        "holds": _windows(statement.holds), "spent": list(map(_asked, statement.spent)),
        "lease": lease,
    }  # fmt: skip
    return json.dumps(told)


def _windows(windows: Sequence[Window]) -> list[dict[str, Any]]:
    packed = []
    for each in windows:
        window = {"s": each.scope, "w": each.what, "c": each.cost, "m": each.minute, "d": each.day}
        packed.append({name: value for name, value in window.items() if value is not None})
    return packed


def _literal(text: str) -> str:
    """A pattern for SCAN that matches `text` alone."""
    return "".join(f"\\{mark}" if mark in "*?[]\\^-" else mark for mark in text)


def _pairs(found: Any) -> Iterable[tuple[bytes, bytes]]:
    """A hash, which comes as a mapping or as names and values by turns."""
    if isinstance(found, Mapping):
        return found.items()
    return zip(found[::2], found[1::2], strict=True)


def _state(found: Any) -> State:
    values = {name.decode(): float(value) for name, value in _pairs(found)}
    version = int(values.pop("", 0.0))
    return State(values, version)
