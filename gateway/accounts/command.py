"""`its-gateway keys add|list|revoke|usage`: the API keys in the store."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from gateway.accounts import keys
from gateway.accounts.keyring import TABLE
from gateway.accounts.keys import EVERYTHING, Key, Limits
from gateway.settings import Settings
from gateway.stores import Store
from gateway.stores.opening import commanded

DAY = 86400
WHERE = ("redis", "config")
"""Settings that say where the keys are."""


class Unusable(Exception):
    """What was asked for cannot be done; the message says why."""


def main(argv: Sequence[str]) -> int:
    """Run a subcommand; 2 where it cannot be used, 1 where the store cannot."""
    options, rest = _parser().parse_known_args(argv)
    for name in WHERE:
        if (told := getattr(options, name)) is not None:
            rest += [f"--{name}", told]
    work: Callable[[Store, argparse.Namespace], Awaitable[None]] = options.work

    async def run(store: Store, settings: Settings) -> int:
        await work(store, options)
        return 0

    return commanded(rest, "keys are kept", run, Unusable)


async def add(store: Store, options: argparse.Namespace) -> None:
    """Make a key, and print it; it cannot be had again."""
    limits = {EVERYTHING: _limits({f: getattr(options, f) for f in Limits.model_fields})}
    for text in options.limit:
        scope, _, pairs = text.rpartition(":")
        if not scope:
            raise Unusable(f"--limit {text}: write MODEL:requests_per_minute=5,…")
        given = dict(pair.partition("=")[::2] for pair in pairs.split(","))
        limits[scope] = _limits(given)
    secret, key = keys.fresh(options.name, "closed" if options.fail_closed else "open", limits)
    await store.write(TABLE, keys.digest(secret), _packed(key))
    print(json.dumps({"key": secret, **_told(key)}) if options.json else secret)
    if not options.json:
        print(f"{key.id}: this key is not kept, and cannot be shown again", file=sys.stderr)


async def listed(store: Store, options: argparse.Namespace) -> None:
    """Print all keys, the oldest first."""
    known = sorted(await _known(store), key=lambda pair: pair[1].created)
    if options.json:
        print(json.dumps([_told(key) for _, key in known], indent=2))
        return
    for _, key in known:
        told = [
            f"{scope}: {_line(limits)}" for scope, limits in key.limits.items() if _line(limits)
        ]
        state = "active" if key.revoked is None else f"revoked {_date(key.revoked)}"
        print("\t".join([key.id, key.name or "-", state, _date(key.created), key.fail, *told]))


async def revoke(store: Store, options: argparse.Namespace) -> None:
    """End a key, for all gateways within seconds."""
    for of, key in await _known(store):
        if options.key in (key.id, key.name) or keys.digest(options.key) == of:
            ended = key.model_copy(update={"revoked": key.revoked or time.time()})
            await store.write(TABLE, of, _packed(ended))
            print(f"{key.id} is revoked")
            return
    raise Unusable(f"no such key: {options.key[:16]}")


async def usage(store: Store, options: argparse.Namespace) -> None:
    """Print what keys were used for, by day (UTC)."""
    today = int(time.time() // DAY)
    rows: list[dict[str, Any]] = []
    for _, key in sorted(await _known(store), key=lambda pair: pair[1].created):
        if options.key not in (None, key.id, key.name):
            continue
        await store.renew(key.account, [], 0)  # forgets what gateways that died had reserved
        for day in range(today - options.days + 1, today + 1):
            used = await store.usage(key.account, day)
            if used or day == today:
                rows.append(
                    {"key": key.id, "name": key.name, "day": _date(day * DAY), "usage": _by(used)}
                )
    if options.json:
        print(json.dumps(rows, indent=2))
        return
    for row in rows:
        total = row["usage"].get(EVERYTHING, {})
        amounts = [f"{what}={total.get(what, 0)}" for what in ("requests", "samples", "tokens")]
        print("\t".join([row["key"], row["name"] or "-", row["day"], *amounts]))


async def _known(store: Store) -> list[tuple[str, Key]]:
    rows = await store.rows(TABLE)
    return [(of, Key.model_validate_json(row)) for of, row in rows.items()]


def _by(used: Mapping[str, int]) -> dict[str, dict[str, int]]:
    by: dict[str, dict[str, int]] = {}
    for field, amount in used.items():
        scope, _, what = field.rpartition("|")
        by.setdefault(scope, {})[what] = amount
    return by


def _limits(given: Mapping[str, object]) -> Limits:
    try:
        return Limits.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise Unusable(f"{first['loc'][0]}: {first['msg']}") from None


def _packed(key: Key) -> bytes:
    return key.model_dump_json(exclude_none=True).encode()


def _told(key: Key) -> dict[str, object]:
    return key.model_dump(exclude_none=True, exclude={"version", "account"}, mode="json")


def _line(limits: Limits) -> str:
    return ",".join(f"{k}={v}" for k, v in limits.model_dump(exclude_none=True).items())


def _date(seconds: float) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(seconds))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="its-gateway keys",
        description="API keys in the store; --redis or ITS_REDIS says where that is.",
    )
    commands = parser.add_subparsers(required=True, metavar="add|list|revoke|usage")
    made = commands.add_parser("add", help="make a key and print it")
    made.add_argument("name", nargs="?", default="", help="whose it is")
    for name in Limits.model_fields:
        made.add_argument(f"--{name.replace('_', '-')}", type=int, help="over all models")
    made.add_argument(
        "--limit", action="append", default=[], metavar="MODEL:LIMIT=N,…",
        help="limits for one model, as in MODEL:requests_per_minute=5,tokens_per_day=1000",
    )  # fmt: skip
    made.add_argument(
        "--fail-closed", action="store_true", help="refuse it while quotas cannot be asked for"
    )
    made.set_defaults(work=add)
    shown = commands.add_parser("list", help="show all keys")
    shown.set_defaults(work=listed)
    ended = commands.add_parser("revoke", help="end a key")
    ended.add_argument("key", help="its id, its name, or the key itself")
    ended.set_defaults(work=revoke)
    used = commands.add_parser("usage", help="show what keys were used for")
    used.add_argument("key", nargs="?", help="id or name; all where unset")
    used.add_argument("--days", type=int, default=1, help="so many days, today included (UTC)")
    used.set_defaults(work=usage)
    for each in (made, shown, ended, used):
        for name in WHERE:  # told here too, lest their values be taken for a name
            each.add_argument(f"--{name}", help=argparse.SUPPRESS)
    for each in (made, shown, used):
        each.add_argument("--json", action="store_true", help="as JSON")
    return parser
