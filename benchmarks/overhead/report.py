"""`results.md`: what was measured, as tables."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.overhead.rounds import DIRECT, Result
from benchmarks.overhead.targets import NGINX_TARGET

HEAD = """# What a request costs

<!-- Written by `make overhead`; run that instead of editing. -->

One process, pinned to one core; wrk and an upstream that costs nothing share the other. CPU is user
and system time of a target's processes over the requests it answered; × nginx is the ratio to nginx
in the same interleaved rounds; *added* is the median time of a request at concurrency 1 less that
of the upstream asked directly. Every figure is the median over the rounds. wrk is closed-loop:
latency at higher concurrency is queueing and not shown. Our gateway checks a client's key, runs the
policy, keeps the ledger, writes its logs and counts its metrics, as shipped.
"""


def written(results: Sequence[Result], facts: Sequence[str]) -> str:
    """The page; `facts` are its lines on the machine, the commit and the command."""
    parts = [HEAD, "\n".join(f"- {fact}" for fact in facts), *map(_section, results)]
    return "\n".join(f"{part}\n" for part in parts)


def _section(result: Result) -> str:
    names = list(dict.fromkeys(name for name, _ in result.samples))
    streams = bool(result.first_bytes)
    first = [" first byte added |", " ---: |"] if streams else ["", ""]
    busy = [c for c in result.scenario.concurrency if c > 1]
    columns = "".join(f" CPU ms, c = {c} | × nginx |" for c in result.scenario.concurrency)
    rule = " ---: | ---: |" * len(result.scenario.concurrency)
    lines = [
        f"## {result.scenario.name}\n",
        f"| |{columns} added ms, c = 1 |{first[0]} requests a second | RSS MB |",
        f"| --- |{rule} ---: |{first[1]} ---: | ---: |",
        *(_row(result, name, max(busy), streams) for name in names),
        *(f"\n- {name}: not measured, {why}" for name, why in result.missing.items()),
    ]
    return "\n".join(lines)


def _row(result: Result, name: str, busiest: int, streams: bool) -> str:
    cells = [f"| {name} |"]
    for concurrency in result.scenario.concurrency:
        cpu = result.middle(name, concurrency, lambda s: s.cpu_ms) if name != DIRECT else None
        nginx = result.middle(NGINX_TARGET.name, concurrency, lambda s: s.cpu_ms)
        cells.append(f" {_told(cpu, 3)} | {_told(cpu / nginx if cpu and nginx else None, 1)} |")
    cells.append(f" {_told(_added(result, name), 2)} |")
    if streams:
        cells.append(f" {_told(_first_byte(result, name), 2)} |")
    rate = result.middle(name, busiest, lambda s: s.rate)
    memory = result.middle(name, busiest, lambda s: s.rss_mb) if name != DIRECT else None
    return "".join([*cells, f" {_told(rate, 0)} | {_told(memory, 0)} |"])


def _added(result: Result, name: str) -> float | None:
    own, direct = (result.middle(each, 1, lambda s: s.p50_ms) for each in (name, DIRECT))
    return None if own is None or direct is None or name == DIRECT else own - direct


def _first_byte(result: Result, name: str) -> float | None:
    own, direct = (sorted(result.first_bytes.get(each, [])) for each in (name, DIRECT))
    if not own or not direct or name == DIRECT:
        return None
    return own[len(own) // 2] - direct[len(direct) // 2]


def _told(figure: float | None, digits: int) -> str:
    return "" if figure is None else f"{figure:,.{digits}f}"
