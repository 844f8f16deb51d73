"""The sandbox as the host sees it: verdicts, limits, cancelling, throughput, refusal."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.errors import InvalidRequest, SandboxUnavailable
from gateway.sandbox import bubblewrap
from gateway.sandbox.local import LocalSandbox
from gateway.sandbox.verdict import LONGEST_TEXT, Limits, Verdict
from tests.conftest import settles
from tests.gateway.sandbox.conftest import Booked
from tests.needed import open_folder

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(300)]

SHORT = Limits(seconds=0.5)
RIGHT = "def f(x): return x + 1"


def _alive(marker: str) -> list[int]:
    """Processes whose command line has `marker`."""
    found = []
    for folder in Path("/proc").iterdir():
        try:
            if marker.encode() in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
        except (OSError, ValueError):
            continue
    return found


async def test_partial_credit_and_the_first_failure(sandbox: LocalSandbox) -> None:
    tests = "assert f(1) == 2\nassert f(2) == 4, 'two'\nassert f(3) == 4\nassert f(4) == 9\n"
    verdict = await sandbox.execute(RIGHT, tests, SHORT)
    assert (verdict.how, verdict.passed, verdict.total) == ("fail", 2, 4)
    assert "two" in verdict.detail


async def test_what_passed_before_the_time_ran_out_counts(sandbox: LocalSandbox) -> None:
    program = "def f(x):\n    while x > 2: pass\n    return x + 1"
    tests = "assert f(1) == 2\nassert f(2) == 3\nassert f(3) == 4\nassert f(4) == 5\n"
    verdict = await sandbox.execute(program, tests, SHORT)
    assert (verdict.how, verdict.passed) == ("timeout", 2)
    assert verdict.total > 2


async def test_tests_that_are_not_python_are_the_clients_fault(sandbox: LocalSandbox) -> None:
    for tests in ("assert f(1) ==", "import numpy\nassert f(1) == 2"):
        with pytest.raises(InvalidRequest, match=r"its\.tests") as caught:
            await sandbox.execute(RIGHT, tests, SHORT)
        assert caught.value.param == "its.tests"


async def test_tests_are_contained_like_programs(sandbox: LocalSandbox) -> None:
    for tests in (
        "while True: pass",
        "import os\nos._exit(0)",
        "import os\nos.kill(1, 9)\nos.abort()",
    ):
        verdict = await sandbox.execute(RIGHT, tests, SHORT)
        assert verdict.how in ("timeout", "runtime"), tests


async def test_memory_is_limited(sandbox: LocalSandbox) -> None:
    program = "def f(x): return len(bytearray(300 << 20)) and x + 1"
    enough = await sandbox.execute(program, "assert f(1) == 2", Limits(memory=512 << 20))
    short = await sandbox.execute(program, "assert f(1) == 2", Limits(memory=128 << 20))
    assert (enough.how, short.how) == ("pass", "runtime")
    assert "MemoryError" in short.detail


async def test_time_asleep_is_limited_too(sandbox: LocalSandbox) -> None:
    program = "import time\ndef f(x): time.sleep(3600)"
    began = time.monotonic()
    verdict = await sandbox.execute(program, "assert f(1) == 2", Limits(seconds=5, wall=0.5))
    assert verdict.how == "timeout"
    assert time.monotonic() - began < 60


async def test_what_is_too_long_is_not_run(sandbox: LocalSandbox) -> None:
    verdict = await sandbox.execute("#" * LONGEST_TEXT + RIGHT, "assert f(1) == 2", SHORT)
    assert verdict == Verdict("compile", 0, 1, "too long to be run")


async def test_one_program_never_meets_another(sandbox: LocalSandbox) -> None:
    """Each leaves what it can for the next, and looks for what another has left."""
    program = (
        "import os, sys, builtins, tempfile\n"
        "def f(x):\n"
        "    met = os.listdir('/tmp') + [n for n in ('left',) if hasattr(builtins, n)]\n"
        "    met += [n for n in sys.modules if n.startswith('left')]\n"
        "    open('/tmp/left', 'w').write('x')\n"
        "    builtins.left = 1; sys.modules['left'] = sys\n"
        "    return met\n"
    )
    runs = [sandbox.execute(program, "assert f(0) == []", SHORT) for _ in range(8)]
    assert {verdict.how for verdict in await asyncio.gather(*runs)} == {"pass"}


async def test_no_more_at_once_than_there_are_places(sandbox: LocalSandbox, booked: Booked) -> None:
    most = 0

    async def watch() -> None:
        nonlocal most
        while True:
            most = max(most, booked.live)
            await asyncio.sleep(0.001)

    watching = asyncio.create_task(watch())
    await asyncio.gather(*(sandbox.execute(RIGHT, "assert f(1) == 2", SHORT) for _ in range(10)))
    watching.cancel()
    assert most == 2
    assert booked.live == 0


async def test_throughput(
    sandbox: LocalSandbox, record_property: Callable[[str, object], None]
) -> None:
    """The rate is told, not required: it hangs on what else the machine does."""
    await sandbox.execute(RIGHT, "assert f(1) == 2", SHORT)
    runs = 60
    before, began = os.times(), time.monotonic()
    verdicts = await asyncio.gather(
        *(sandbox.execute(RIGHT, "assert f(1) == 2", SHORT) for _ in range(runs))
    )
    rate = runs / (time.monotonic() - began)
    record_property("sandboxed_runs_a_second", round(rate, 1))
    assert {verdict.how for verdict in verdicts} == {"pass"}
    used = sum(os.times()[:4]) - sum(before[:4])
    assert used / runs < 0.2, "a run costs twice what it did"


async def test_cancelling_ends_the_processes(sandbox: LocalSandbox, booked: Booked) -> None:
    await sandbox.execute(RIGHT, "assert f(1) == 2", SHORT)
    for delay in (0.0, 0.01, 0.05, 0.2):
        running = asyncio.create_task(
            sandbox.execute("import time\ntime.sleep(99)", "assert f(1) == 2", Limits())
        )
        await asyncio.sleep(delay)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
    assert booked.live == 0
    assert booked.ended["cancelled"] >= 4
    again = await sandbox.execute(RIGHT, "assert f(1) == 2", SHORT)
    assert again.how == "pass"


async def test_closing_leaves_no_process_and_no_file(
    sandbox: LocalSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_folder() as folder:
        monkeypatch.setattr("tempfile.tempdir", str(folder))
        own = LocalSandbox(Booked(), concurrency=1)
        assert (await own.execute(RIGHT, "assert f(1) == 2", SHORT)).how == "pass"
        [root] = os.listdir(folder)
        running = asyncio.create_task(own.execute("while True: pass", "assert f(1) == 2", Limits()))
        assert await settles(lambda: bool(_alive(root)), 10)
        running.cancel()
        await asyncio.wait([running])
        await own.close()
        assert os.listdir(folder) == []
        assert _alive(root) == []
    with pytest.raises(SandboxUnavailable):
        await own.execute(RIGHT, "assert f(1) == 2", SHORT)


async def test_a_bubblewrap_that_is_killed_while_starting_holds_nobody_up(
    sandbox: LocalSandbox,
) -> None:
    """Its child may live on then, and hold open what tells of it."""
    with socket.socketpair()[0] as other, open_folder() as folder:
        stuck = folder / "bwrap"
        stuck.write_text("#!/bin/sh\nsleep 30 &\nkill -9 $$\n")
        stuck.chmod(0o755)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(bubblewrap, "_program", lambda: str(stuck))
            starting = bubblewrap.Starting(folder, b"", "judge", other.fileno(), 1 << 20)
            began = time.monotonic()
            with pytest.raises(SandboxUnavailable):
                await asyncio.to_thread(starting.ready)
    assert time.monotonic() - began < 25


async def test_without_bubblewrap_nothing_is_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    ran: list[object] = []
    monkeypatch.setattr("subprocess.Popen", lambda *a, **k: ran.append(a))
    own = LocalSandbox(Booked())
    with pytest.raises(SandboxUnavailable, match=r"bubblewrap .* is not installed") as caught:
        await own.execute(RIGHT, "assert f(1) == 2", SHORT)
    assert caught.value.status == 501
    assert await own.problem() == "bubblewrap (bwrap) is not installed"
    await own.close()
    assert ran == []


async def test_where_namespaces_are_forbidden_the_reason_is_bubblewraps(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with open_folder() as folder:
        fake = folder / "bwrap"
        fake.write_text(
            "#!/bin/sh\necho 'bwrap: No permissions to create a namespace' >&2\nexit 1\n"
        )
        fake.chmod(0o755)
        monkeypatch.setattr(bubblewrap, "_program", lambda: str(fake))
        own = LocalSandbox(Booked())
        with pytest.raises(SandboxUnavailable, match="No permissions to create a namespace"):
            await own.execute(RIGHT, "assert f(1) == 2", SHORT)
        await own.close()
