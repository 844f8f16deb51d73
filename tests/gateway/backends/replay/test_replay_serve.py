"""`its-gateway serve --replay`."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.serve import backends_of
from gateway.settings import ConfigError, load


async def test_a_folder_is_one_backend_beside_the_others(recorded: Path) -> None:
    flags = ["--backend", "http://127.0.0.1:1", "--replay", str(recorded.parent)]
    first, replay = backends_of(load(flags))
    assert (first.name, replay.name) == ("backend-0", "replay")
    assert await replay.models() == ["sums_small"]


@pytest.mark.parametrize("flags", [["--replay-tokens-per-second", "-1"], ["--replay-seed", "x"]])
def test_settings_out_of_range_are_refused(flags: list[str]) -> None:
    with pytest.raises(ConfigError, match="replay_"):
        load(flags)


def test_what_is_no_recording_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"replay: .*no \*"):
        backends_of(load(["--replay", str(tmp_path)]))
    with pytest.raises(ConfigError, match=r"replay: .*missing\.jsonl"):
        backends_of(load(["--replay", str(tmp_path / "missing.jsonl")]))
