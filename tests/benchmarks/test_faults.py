"""The short form of benchmarks/faults: replicas die under load, and nobody notices."""

from __future__ import annotations

import json

import pytest

from benchmarks.faults.kill import main


@pytest.mark.timeout(400)
async def test_replicas_killed_under_load_fail_no_request_and_miscount_no_token(
    capsys: pytest.CaptureFixture[str],
) -> None:
    flags = "--requests 60 --concurrency 12 --tokens 16 --every 3 --after 0.5 --down 0.5"
    status = await main(flags.split())
    report = json.loads(capsys.readouterr().out)
    assert report["faults"] == []
    assert status == 0
    assert report["requests"] == 60
    assert report["kills"] >= 1
    assert report["completion_tokens"] == 60 * 8 * 16
    gateway = report["gateway"]
    again = sum(value for name, value in gateway.items() if name.startswith("its_retries_total"))
    assert again > 0, "the kill was not noticed by any call: it proves nothing"
