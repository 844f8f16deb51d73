"""What becomes of workers that cannot start, or could not do what the settings say."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest

from gateway.processes.portion import portion
from gateway.settings import ConfigError, load
from tests.gateway.processes.conftest import Fleet, Start
from tests.gateway.test_serve import Slow, _run
from tests.redis_servers import RedisServer


async def test_a_port_in_use_is_one_clear_line(upstream: Slow) -> None:
    with socket.socket() as taken:
        # As another gateway of workers has it.
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        flags = ["--workers=2", f"--port={port}", f"--backend={upstream.base}"]
        done = await asyncio.to_thread(_run, "serve", *flags)
    assert done.returncode == 1
    assert done.stderr == f"its-gateway: 127.0.0.1:{port}: Address already in use\n"


def test_what_only_workers_find_wrong_is_told_once_as_by_one(tmp_path: Path) -> None:
    path = tmp_path / "its.toml"
    path.write_text('[presets.mine]\nstrategy = "no-such"\n')
    told = []
    for workers in (1, 2):
        done = _run("serve", "--port=0", f"--config={path}", f"--workers={workers}")
        assert done.returncode == 2
        told.append([line for line in done.stderr.splitlines() if not line.startswith("{")])
    assert told[0] == told[1]
    assert told[0][0].startswith("its-gateway: presets.mine: ")
    assert len(told[0]) == 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ('[limits."*"]\nrequests_per_day = 5', "limits: 2 workers count together only with"),
        ("receipt_hours = 1", "receipt_hours: 2 workers keep receipts only with --redis"),
        ("replay_seed = 1", "replay_seed: the order is of one process, not of 2 workers"),
        ("[pool]\nlimit = 1", "pool.limit: 1 cannot be divided among 2 workers"),
        ("sandbox_concurrency = 1", "sandbox_concurrency: 1 cannot be divided among 2 workers"),
        ("workers = 0", "workers: "),
    ],
)
def test_what_workers_cannot_keep_to_is_refused(
    tmp_path: Path, settings: str, message: str
) -> None:
    path = tmp_path / "its.toml"
    path.write_text(settings)
    many = [] if settings.startswith("workers") else ["--workers=2"]
    with pytest.raises(ConfigError) as refused:
        load([f"--config={path}", *many])
    assert str(refused.value).startswith(message)
    if many:
        load([f"--config={path}"])


@pytest.mark.parametrize(
    "settings", ['[limits."*"]\nrequests_per_day = 5', "receipt_hours = 1", "receipt_hours = 0"]
)
def test_redis_makes_it_possible(tmp_path: Path, settings: str) -> None:
    path = tmp_path / "its.toml"
    path.write_text(settings)
    assert load([f"--config={path}", "--workers=2", "--redis=redis://x"]).workers == 2


def test_limits_are_divided(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = tmp_path / "keys"
    keys.write_text("one\n")
    monkeypatch.setenv("ITS_WORKERS", "3")
    flags = ["--sandbox-concurrency=7", f"--api-keys-file={keys}", "--pool.limit=100"]
    own = portion(load(flags))
    assert (own.pool.limit, own.pool.retry_reserve, own.sandbox_concurrency) == (33, 34, 2)
    # Whoever is started later has the keys that the others have.
    keys.write_text("two\n")
    assert own.client_keys() == {"one"}


async def test_without_redis_no_worker_takes_feedback(fleet: Fleet) -> None:
    for _ in range(4):
        status, body = await fleet.get("/v1/its/feedback")
        assert (status, "--redis" in body) == (404, True)


async def test_with_redis_a_quota_is_one_for_all_workers(
    start: Start, upstream: Slow, server: RedisServer, tmp_path: Path
) -> None:
    upstream.go.set()
    path = tmp_path / "its.toml"
    path.write_text('api_key = ["of-workers"]\n[limits."*"]\nrequests_per_day = 20\n')
    fleet = await start(
        f"--config={path}",
        f"--backend={upstream.base}",
        f"--redis={server.url}",
        "--redis-bound-ms=5000",
    )
    asked = [await fleet.ask(authorization="Bearer of-workers") for _ in range(32)]
    assert (asked.count(200), asked.count(429)) == (20, 12)
    assert upstream.begun == 20


async def test_the_embedded_model_serves_from_every_worker(start: Start) -> None:
    fleet = await start(ITS_LOG_LEVEL="info")
    for _ in range(8):
        assert (await fleet.get("/ready"))[0] == 200
    page = await fleet.page()
    assert "its_embedded_live_sequences 0.0" in page
