"""The file system that sandboxed code sees: Python, its standard library, and nothing else.

It is a copy because what a sandbox shows must be readable to a user who owns nothing (the gateway's
own Python may lie in a home), because one mount is faster than twenty, and because what is not in
it cannot be read: no site-packages, no configuration, no key, no other program.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path

STDLIB = f"lib/python{sys.version_info.major}.{sys.version_info.minor}"
PYTHON = "/bin/python3"
PACKAGE = "inside"
ENVIRONMENT = {
    "HOME": "/tmp",
    "LANG": "C.UTF-8",
    "LD_LIBRARY_PATH": "/lib",
    "PYTHONHOME": "/",
    # Sets are in the same order each time, so that a verdict repeats.
    "PYTHONHASHSEED": "0",
}
FLAGS = ("-S", "-s", "-P", "-B")

LEFT_OUT = frozenset(
    ("__phello__", "config", "dist-packages", "distutils", "ensurepip", "idlelib", "lib2to3",
     "pydoc_data", "site-packages", "test", "tests", "tkinter", "turtledemo", "venv")
)  # fmt: skip
NO_EXTENSION = re.compile(
    r"_(?:curses|curses_panel|dbm|gdbm|hashlib|ssl|tkinter|test\w*|xx\w*|ctypes_test|posixshmem"
    r"|crypt)\.|(?:nis|ossaudiodev|readline|spwd|syslog|xx\w*)\."
)
"""Extensions for devices, terminals, networks and accounts, none of which are there."""
WARM = (
    "ast asyncio bisect collections contextlib copy dataclasses datetime decimal doctest enum "
    "fractions functools heapq io itertools json math operator random re statistics string typing "
    "unittest"
)
"""What candidates import most: compiled once, where the copied Python came without bytecode."""


def build(parent: Path | None = None) -> Path:
    """A fresh root directory under `parent` or the temporary one: 60 MB, or links to as much.

    OSError or CalledProcessError where it cannot be built; nothing is left of it then.
    """
    root = Path(tempfile.mkdtemp(prefix="its-sandbox-", dir=parent))
    try:
        root.chmod(0o755)
        _fill(root)
    except BaseException:
        shutil.rmtree(root, ignore_errors=True)
        raise
    return root


def _fill(root: Path) -> None:
    for name in ("bin", "dev", "lib", "lib64", "tmp"):
        (root / name).mkdir()
    for device in ("null", "urandom"):
        (root / "dev" / device).touch()  # where the device is bound
    python = Path(sys.executable).resolve()
    _place(python, root / PYTHON[1:])
    _copy_stdlib(root / STDLIB)
    shutil.copytree(
        Path(__file__).parent / PACKAGE,
        root / STDLIB / PACKAGE,
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    binaries = [python, *(root / STDLIB / "lib-dynload").glob("*.so")]
    for wanted, found in _libraries(binaries):
        # A loader is named by its path in the binary; a library is searched for by its name.
        place = root / (wanted[1:] if wanted.startswith("/") else f"lib/{wanted}")
        place.parent.mkdir(parents=True, exist_ok=True)
        _place(found.resolve(), place)
    _warm(root)


def _copy_stdlib(target: Path) -> None:
    source = Path(sysconfig.get_path("stdlib"))
    cached = f".{sys.implementation.cache_tag}.pyc"

    def unwanted(folder: str, names: list[str]) -> set[str]:
        if folder.endswith("lib-dynload"):
            return {name for name in names if NO_EXTENSION.match(name)}
        if folder.endswith("__pycache__"):
            return {name for name in names if not name.endswith(cached)}
        return {name for name in names if name in LEFT_OUT or name.startswith("config-")}

    # With times of modification, by which Python knows whether bytecode is up to date.
    shutil.copytree(source, target, ignore=unwanted, copy_function=_place)


def _place(source: str | Path, target: str | Path) -> None:
    """The file `source` at `target` too: by a link where that can be, else a copy."""
    try:
        os.link(source, target)
    except OSError:  # another file system, or a file of somebody else's
        shutil.copy2(source, target)


def _libraries(binaries: list[Path]) -> Iterator[tuple[str, Path]]:
    """Each shared library that `binaries` need: as they name it, and where it is."""
    command = ["ldd", *map(str, binaries)]
    listed = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    seen: set[str] = set()
    for line in listed.stdout.splitlines():
        named, arrow, rest = line.strip().partition(" => ")
        path = (rest if arrow else named).partition(" (")[0]
        named = named.partition(" (")[0]
        if path.startswith("/") and not path.endswith(":") and named not in seen:
            seen.add(named)
            yield named, Path(path)


def _warm(root: Path) -> None:
    """Run the copy once, outside any sandbox and on nothing but itself."""
    folder = os.fspath(root / "lib")
    subprocess.run(
        [root / PYTHON[1:], "-S", "-s", "-P", "-c", f"import {', '.join(WARM.split())}"
         f"; import {PACKAGE}.judge, {PACKAGE}.candidate"],
        env={**ENVIRONMENT, "LD_LIBRARY_PATH": folder, "PYTHONHOME": os.fspath(root)},
        check=True, capture_output=True, timeout=120,
    )  # fmt: skip
