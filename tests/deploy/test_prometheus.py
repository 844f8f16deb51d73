"""A real Prometheus scrapes a real gateway, loads the rules and answers the dashboard's queries."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml
from aiohttp import web

from benchmarks.ports import free_port
from gateway.testing import FakeBackend, user
from gateway.types import Sample
from tests.conftest import Serve, Served
from tests.deploy.queries import (
    PROMETHEUS,
    alerts,
    dashboard_queries,
    metrics_in,
    vllm_metrics,
)

BINARY = shutil.which("prometheus")
pytestmark = pytest.mark.skipif(
    BINARY is None, reason="prometheus is missing (Debian package prometheus): NOT SCRAPED"
)
SECONDS = 60.0
FAULTS = {
    "its_ejections_total",
    "its_retries_total",
    "its_hedges_total",
    "its_backend_waiting",
    "its_backend_cache_usage",
}
"""These have series only after a fault, or of a backend that tells of itself."""


@dataclass
class Prometheus:
    """A Prometheus that listens at `base`, and a client for it."""

    base: str
    client: aiohttp.ClientSession

    async def get(self, path: str, **query: str) -> Any:
        async with self.client.get(f"{self.base}/api/v1/{path}", params=query) as response:
            body = await response.json()
            assert body["status"] == "success", (query, body)
            return body["data"]

    async def ready(self) -> bool:
        try:
            async with self.client.get(f"{self.base}/-/ready") as response:
                return response.status == 200
        except aiohttp.ClientConnectionError:
            return False

    async def all_up(self) -> bool:
        targets = (await self.get("targets"))["activeTargets"]
        return bool(targets) and all(target["health"] == "up" for target in targets)

    async def unanswered(self) -> list[str]:
        """Those of the dashboard's queries that have no data, and should have."""
        asked = [(q, await self.get("query", query=q)) for q in dashboard_queries()]
        silent = [query for query, data in asked if not data["result"]]
        return [query for query in silent if not metrics_in(query) & FAULTS]


async def _until(condition: Callable[[], Awaitable[bool]]) -> None:
    for _ in range(round(SECONDS / 0.2)):
        if await condition():
            return
        await asyncio.sleep(0.2)
    raise TimeoutError


@pytest.fixture
async def vllm() -> AsyncIterator[str]:
    """A page with vLLM's metrics, which grow with each look at them."""
    looks = count(1)

    async def page(request: web.Request) -> web.Response:
        look = next(looks)
        lines = []
        for kind, name in vllm_metrics():
            series = {
                "gauge": [(name, "")],
                "counter": [(f"{name}_total", "")],
                "histogram": [(f"{name}_bucket", ',le="1"'), (f"{name}_bucket", ',le="+Inf"')],
            }[kind]
            lines += [f"# TYPE {name} {kind}"]
            lines += [f'{each}{{model_name="m",engine="0"{more}}} {look}' for each, more in series]
        return web.Response(text="\n".join([*lines, ""]), content_type="text/plain")

    app = web.Application()
    app.router.add_get("/metrics", page)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


def _configuration(targets: dict[str, str]) -> dict[str, Any]:
    """The one that is shipped, with real addresses for its names, and less patience."""
    read: dict[str, Any] = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())
    read["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    read["rule_files"] = [str(PROMETHEUS / name) for name in read["rule_files"]]
    for job in read["scrape_configs"]:
        del job["dns_sd_configs"]
        job["static_configs"] = [{"targets": [targets.pop(job["job_name"])]}]
    assert not targets
    return read


@pytest.fixture
async def gateway(serve: Serve) -> Served:
    def answer(sample: Sample, number: int) -> str:
        return "2 + 2 = 4\nAnswer: 4" if number % 2 else "nothing to judge"

    return await serve(FakeBackend(answer))


@pytest.fixture
async def prometheus(gateway: Served, vllm: str, tmp_path: Path) -> AsyncIterator[Prometheus]:
    assert BINARY is not None
    config = tmp_path / "prometheus.yml"
    targets = {"its-gateway": gateway.url.removeprefix("http://"), "vllm": vllm}
    config.write_text(yaml.safe_dump(_configuration(targets)))
    address = f"127.0.0.1:{free_port()}"
    process = await asyncio.create_subprocess_exec(
        BINARY,
        f"--config.file={config}",
        f"--storage.tsdb.path={tmp_path / 'data'}",
        f"--web.listen-address={address}",
        "--log.level=warn",
    )
    try:
        async with aiohttp.ClientSession() as client:
            prometheus = Prometheus(f"http://{address}", client)
            await _until(prometheus.ready)
            yield prometheus
    finally:
        process.terminate()
        await process.wait()


async def _traffic(gateway: Served) -> None:
    """One request of every sort that the dashboard tells of."""
    ask = gateway.client().chat.completions.create
    messages: Any = user("2 + 2?")
    await ask(model="fake@verified-16", messages=messages)
    await ask(model="fake@agreement-4", messages=messages, temperature=0)  # degraded: greedy
    asking = {"its": {"strategy": "best_of_n", "budget": 2, "verifier": "self_evaluation"}}
    await ask(model="fake", messages=messages, extra_body=asking)
    for strategy in ("adaptive", "multilingual"):
        asking = {"its": {"strategy": strategy, "budget": 8}}
        await ask(model="fake", messages=messages, extra_body=asking)
    async for _ in await ask(model="fake", messages=messages, stream=True):
        pass


async def test_prometheus_scrapes_loads_the_rules_and_answers_the_dashboard(
    gateway: Served, prometheus: Prometheus
) -> None:
    await _traffic(gateway)
    await _until(prometheus.all_up)
    groups = (await prometheus.get("rules"))["groups"]
    loaded = [rule for group in groups for rule in group["rules"]]
    assert [rule["name"] for rule in loaded] == [alert["alert"] for alert in alerts()]

    async def answered() -> bool:
        await _traffic(gateway)
        return not await prometheus.unanswered()

    try:
        await _until(answered)
    except TimeoutError:
        assert await prometheus.unanswered() == []  # tells which

    async def evaluated() -> bool:
        groups = (await prometheus.get("rules"))["groups"]
        return {rule["health"] for group in groups for rule in group["rules"]} == {"ok"}

    await _until(evaluated)
    firing = (await prometheus.get("alerts"))["alerts"]
    assert {alert["labels"]["alertname"] for alert in firing if alert["state"] == "firing"} == set()
