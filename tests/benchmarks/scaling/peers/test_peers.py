"""Peers: what is counted, what they pass on, how they are ended, and what the page says."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from benchmarks.evaluation.policies import Policy
from benchmarks.scaling.equal import Measured
from benchmarks.scaling.peers import leash
from benchmarks.scaling.peers.environments import STAMP, Unavailable, environment
from benchmarks.scaling.peers.known import PEERS, Peer
from benchmarks.scaling.peers.measuring import Told
from benchmarks.scaling.peers.recorder import findings, recording
from benchmarks.scaling.peers.report import Page, written
from benchmarks.scaling.peers.serving import Count, count_of, serving
from gateway.backends.vllm import VLLMBackend
from gateway.metrics import Metrics
from tests.conftest import Serve


def test_an_upstream_counts_what_it_served() -> None:
    metrics = Metrics()
    assert count_of(metrics.page().decode()) == Count(0, 0, 0)
    for strategy, model in (("direct", "a"), ('b"}', "b")):
        by = strategy, model
        metrics.tokens.labels(*by, "completion", "sample").inc(30)
        metrics.tokens.labels(*by, "completion", "judge").inc(4)
        metrics.tokens.labels(*by, "prompt", "sample").inc(1000)
        metrics.samples.labels(*by).inc(3)
        metrics.requests.labels(*by, "ok", "complete").inc()
    assert count_of(metrics.page().decode()) == Count(68, 6, 2)
    assert Count(68, 6, 2).since(Count(60, 5, 2)) == Count(8, 1, 0)


async def test_our_own_gateway_passes_everything_on_and_survives_a_lost_sample(
    serve: Serve,
) -> None:
    async with recording() as recorder:
        base = recorder.base.removesuffix("/v1")
        served = await serve(VLLMBackend(base, name="recorder"))
        policy = Policy(strategy="best_of_n", budget=4, verifier="agreement")
        fields, refused, failed, limited = await findings(served.url, recorder, policy)
    assert fields == "fields that never reach the upstream: none (answered 200)"
    assert ": 400, `{'error'" in refused.replace('"', "'")
    assert ": 200, `1 + 1 = 2 Answer: 2`, after " in failed
    assert ": 200, `1 + 1 = 2 Answer: 2`, after " in limited


def test_a_child_ends_with_its_parents_pipe(tmp_path: Path) -> None:
    told = tmp_path / "pid"
    code = f"import os, time; open({str(told)!r}, 'w').write(str(os.getpid())); time.sleep(100)"
    command = [sys.executable, leash.__file__, sys.executable, "-c", code]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        until = time.monotonic() + 30
        while not (told.exists() and told.read_text()) and time.monotonic() < until:
            time.sleep(0.01)
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(30) != 0
    with pytest.raises(ProcessLookupError):
        os.kill(int(told.read_text()), 0)


def test_what_cannot_be_installed_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="ERROR"):
        environment("none", [["--no-index", "its-gateway-has-no-such-peer"]], tmp_path)
    assert not list(tmp_path.rglob(STAMP))


def test_a_peer_that_does_not_start_is_unavailable(tmp_path: Path) -> None:
    peer = Peer(
        name="broken",
        version="0",
        installs=(),
        command=lambda programs, upstream, port, n: [sys.executable, "-c", "1 / 0"],
        ready="/",
        policies=lambda model, n: {},
    )
    with (
        pytest.raises(Unavailable, match="ZeroDivisionError"),
        serving(peer, tmp_path, "http://127.0.0.1:1/v1", "m", 4, tmp_path),
    ):
        pytest.fail("it cannot have started")


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.name)
def test_a_peer_is_asked_for_n_samples_at_its_pinned_version(peer: Peer) -> None:
    assert any(f"=={peer.version}" in each for arguments in peer.installs for each in arguments)
    for n in (4, 16):
        flags = peer.command(Path("/p"), "http://u/v1", 5, n)
        assert "127.0.0.1" in flags
        asked = peer.policies("m", n)
        assert all(name.startswith(peer.name) for name in asked)
        assert sum(name.endswith(f"-{n}") for name in asked) >= 1


def test_the_page_compares_upstream_tokens_and_tells_failures() -> None:
    def told(name: str, right: float, tokens: float, **more: int) -> Told:
        def all_(value: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
            return np.full(50, value)

        share = (np.arange(50) < right * 50).astype(float)
        measured = Measured(
            name, share, all_(tokens), all_(1.0), all_(tokens / 50), sum(more.values())
        )
        return Told(measured, tokens_told=tokens / 2, calls=3.0, errors=more)

    page = Page(
        facts=["a fact"],
        ours={"direct": told("direct", 0.4, 50), "ours-8": told("ours-8", 0.6, 400)},
        peers={"peer 1.0": ({"peer-8": told("peer-8", 0.3, 400, gone=2)}, ["it is slow"])},
        missing={"other 2.0": "pip failed"},
        findings={"peer 1.0": {"peer-8": ["fields that never reach the upstream: `seed`"]}},
    )
    said = written(page, 7)
    assert "- **left out**: other 2.0: pip failed" in said
    assert "- `peer-8` does not beat repeated sampling at equal tokens; it is worse: -30.0" in said
    assert "| `peer-8` | 30.0% [" in said
    assert "| 200 | 8.0 in 3.0 | 1.00 | 2 | -30.0% [" in said
    assert "- `peer-8` failed 2 times: gone" in said
    assert "- `peer-8`: fields that never reach the upstream: `seed`" in said
