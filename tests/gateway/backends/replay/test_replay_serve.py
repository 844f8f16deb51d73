"""`its-gateway serve --replay`."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway import serve
from gateway.settings import ConfigError, load


async def test_a_folder_is_one_backend_beside_the_others(recorded: Path) -> None:
    flags = ["--backend", "http://127.0.0.1:1", "--replay", str(recorded.parent)]
    members = serve.build_host(load(flags)).pool.members
    replay, other = members.replicas
    assert (replay.name, other.name) == ("replay", "backend-0")
    assert await replay.backend.models() == ["sums_small"]


@pytest.mark.parametrize("flags", [["--replay-tokens-per-second", "-1"], ["--replay-seed", "x"]])
def test_settings_out_of_range_are_refused(flags: list[str]) -> None:
    with pytest.raises(ConfigError, match="replay_"):
        load(flags)


def test_what_is_no_recording_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"replay: .*no \*"):
        serve.recorded(load(["--replay", str(tmp_path)]))
    with pytest.raises(ConfigError, match=r"replay: .*missing\.jsonl"):
        serve.recorded(load(["--replay", str(tmp_path / "missing.jsonl")]))
