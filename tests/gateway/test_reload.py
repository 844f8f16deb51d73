"""Reload: backends of the file change while the gateway runs."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from gateway import serve
from gateway.host import Host
from gateway.reload import Reload
from gateway.settings import ConfigError, Settings, load
from tests.conftest import settles
from tests.gateway.test_serve import Gateway, Slow, upstream

__all__ = ["upstream"]


def _write(path: Path, *ports: int) -> None:
    fresh = path.with_suffix(".new")
    fresh.write_text("".join(f'[[backends]]\nurl = "http://127.0.0.1:{port}"\n' for port in ports))
    fresh.replace(path)


@pytest.fixture
async def watched(tmp_path: Path) -> AsyncIterator[tuple[Path, Host, Reload[Settings]]]:
    path = tmp_path / "its.toml"
    _write(path, 1, 2)
    argv = [f"--config={path}"]
    host = serve.build_host(load(argv))
    reload = Reload(path, lambda: load(argv), lambda fresh: serve.apply(host, fresh))
    watching = asyncio.create_task(reload.watch(0.01))
    yield path, host, reload
    watching.cancel()
    await asyncio.wait([watching])
    await host.close()


def _places(host: Host) -> list[str]:
    return [each.place[-1] for each in host.pool.members.replicas if not each.draining]


async def test_a_changed_file_is_read_again(watched: tuple[Path, Host, Reload[Settings]]) -> None:
    path, host, _ = watched
    assert _places(host) == ["1", "2"]
    await asyncio.sleep(0)
    _write(path, 2, 3)
    assert await settles(lambda: _places(host) == ["2", "3"], 2.0)


@pytest.mark.parametrize("text", ["backends = 3", "[[backends", "", '[[backends]]\nurl = "x"'])
async def test_a_file_that_cannot_be_used_changes_nothing(
    watched: tuple[Path, Host, Reload[Settings]], caplog: pytest.LogCaptureFixture, text: str
) -> None:
    path, host, _ = watched
    await asyncio.sleep(0)
    path.write_text(text)
    assert await settles(lambda: "configuration not reloaded" in caplog.text, 2.0)
    assert _places(host) == ["1", "2"]


async def test_being_told_reads_again_even_if_nothing_changed() -> None:
    read: list[int] = []

    async def apply(settings: object) -> None:
        read.append(1)
        raise ConfigError("no")

    reload = Reload(None, lambda: load([]), apply)
    watching = asyncio.create_task(reload.watch(60.0))
    for count in (1, 2):
        reload.now()
        assert await settles(lambda count=count: len(read) == count, 2.0)  # type: ignore[misc]
    watching.cancel()
    await asyncio.wait([watching])


async def test_sighup_brings_another_backend(upstream: Slow, tmp_path: Path) -> None:
    path = tmp_path / "its.toml"
    path.write_text('[pool]\nresolve_seconds = 600\n[[backends]]\nurl = "http://127.0.0.1:9"\n')
    gateway = await Gateway.start(f"--config={path}")
    try:
        async with aiohttp.ClientSession() as client:
            async with client.get(f"{gateway.base}/ready") as response:
                assert response.status == 503
            path.write_text(
                f'[pool]\nresolve_seconds = 600\n[[backends]]\nurl = "{upstream.base}"\n'
            )
            gateway.process.send_signal(signal.SIGHUP)
            await gateway.until("configuration reloaded")
            async with client.get(f"{gateway.base}/ready") as response:
                assert response.status == 200
                assert (await response.json())["states"]["backend-0-2"] == "up"
    finally:
        os.kill(gateway.process.pid, signal.SIGKILL)
        await gateway.process.wait()
