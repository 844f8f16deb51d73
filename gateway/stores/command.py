"""`its-gateway state export|import`: all learned state as JSON."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from typing import Any

from gateway.settings import ConfigError, load
from gateway.stores.opening import PATIENT_SECONDS, opened
from gateway.stores.seam import Store, StoreUnavailable

VERSION = 1


def main(argv: Sequence[str]) -> int:
    """Export or import; 2 where that cannot be, 1 where the store cannot be used."""
    parser = argparse.ArgumentParser(
        prog="its-gateway state",
        description="Learned state as JSON; --redis or ITS_REDIS says where the store is.",
    )
    parser.add_argument("what", choices=("export", "import"), help="to stdout, or from stdin")
    options, rest = parser.parse_known_args(argv)
    try:
        settings = load(rest)
        if settings.redis is None:
            raise ConfigError("redis: learned state is kept in Redis; give --redis")
        return asyncio.run(_run(settings.redis, options.what))
    except (ConfigError, ValueError) as error:
        print(f"its-gateway: {error}", file=sys.stderr)
        return 2
    except StoreUnavailable as error:
        print(f"its-gateway: redis: {error}", file=sys.stderr)
        return 1


async def _run(url: str, what: str) -> int:
    store = opened(url, PATIENT_SECONDS)
    try:
        if what == "export":
            print(json.dumps(await exported(store), indent=1, sort_keys=True))
            return 0
        taken = await imported(store, json.load(sys.stdin))
        print(f"{taken} states imported", file=sys.stderr)
        return 0
    finally:
        await store.close()


async def exported(store: Store) -> dict[str, Any]:
    """All states of `store`, by key."""
    states = {}
    async for key in store.states():
        state = await store.read(key)
        states[key] = {"version": state.version, "values": dict(state.values)}
    return {"version": VERSION, "states": states}


async def imported(store: Store, told: Any) -> int:
    """Put the states of an export in the place of those in `store`; how many. ValueError where it
    is none."""
    if not isinstance(told, dict) or told.get("version") != VERSION:
        raise ValueError(f"not an export of version {VERSION}")
    for key, state in told["states"].items():
        values = {str(name): float(value) for name, value in state["values"].items()}
        while not await store.swap(key, (await store.read(key)).version, values):
            pass  # somebody learned something meanwhile
    return len(told["states"])
