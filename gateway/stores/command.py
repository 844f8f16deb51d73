"""`its-gateway state export|import`: all learned state as JSON."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import Any

from gateway.settings import Settings
from gateway.stores.opening import commanded
from gateway.stores.seam import Store

VERSION = 1


def main(argv: Sequence[str]) -> int:
    """Export or import; 2 where that cannot be, 1 where the store cannot be used."""
    parser = argparse.ArgumentParser(
        prog="its-gateway state",
        description="Learned state as JSON; --redis or ITS_REDIS says where the store is.",
    )
    parser.add_argument("what", choices=("export", "import"), help="to stdout, or from stdin")
    options, rest = parser.parse_known_args(argv)
    work = {"export": _export, "import": _import}[options.what]
    return commanded(rest, "learned state is kept", work, ValueError)


async def _export(store: Store, settings: Settings) -> int:
    print(json.dumps(await exported(store), indent=1, sort_keys=True))
    return 0


async def _import(store: Store, settings: Settings) -> int:
    taken = await imported(store, json.load(sys.stdin))
    print(f"{taken} states imported", file=sys.stderr)
    return 0


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
