"""Registry: what is found, what is left out, and that each guest can be taken away alone."""

from __future__ import annotations

import importlib
import json
import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Annotated

import pytest
from pydantic import Field, ValidationError

from gateway import Candidate, Outcome, Score, Session, strategy, verifier
from gateway import registry as module
from gateway.registry import Registry, load, spec_of
from gateway.testing import FakeBackend, answer_of

ROOT = Path(__file__).parents[2]
GROUP = "test.guests"
HEADER = "from gateway import strategy, verifier, Outcome, Score\n"

Write = Callable[..., str]


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Write]:
    """Writes a package `guests_here` of the given modules and gives its name."""
    monkeypatch.syspath_prepend(str(tmp_path))
    folder = tmp_path / "guests_here"

    def write(**modules: str) -> str:
        folder.mkdir()
        (folder / "__init__.py").touch()
        for name, text in modules.items():
            (folder / f"{name}.py").write_text(HEADER + text)
        importlib.invalidate_caches()
        return folder.name

    yield write
    for name in [name for name in sys.modules if name.split(".")[0] == folder.name]:
        del sys.modules[name]


def _strategy(name: str) -> str:
    return f"@strategy\nasync def {name}(session):\n    return Outcome(await session.sample(1))\n"


# What is found in a package.


def test_a_new_file_is_a_new_strategy(package: Write) -> None:
    helper = "async def helper(session): ...\n"
    name = package(one=_strategy("one"), two=_strategy("two"), plain=helper)
    found = load("strategy", name, GROUP)
    assert found.names() == ["one", "two"]
    assert [spec.kind for spec in found.specs()] == ["strategy"] * 2
    assert load("verifier", name, GROUP).names() == []


def test_a_guest_belongs_to_the_module_that_defines_it(package: Write) -> None:
    borrowed = "from guests_here.one import one\nfrom strategies.direct import direct\n"
    name = package(one=_strategy("one"), two=borrowed + _strategy("two"))
    assert load("strategy", name, GROUP).names() == ["one", "two"]


def test_two_of_one_name_are_refused(package: Write) -> None:
    name = package(one=_strategy("same"), two=_strategy("same"))
    with pytest.raises(ValueError, match="two strategy functions are named 'same'"):
        load("strategy", name, GROUP)


def test_a_module_that_cannot_be_imported_is_logged_and_left_out(
    package: Write, caplog: pytest.LogCaptureFixture
) -> None:
    name = package(good=_strategy("good"), broken="import not_installed_anywhere\n")
    with caplog.at_level(logging.ERROR):
        assert load("strategy", name, GROUP).names() == ["good"]
    [record] = caplog.records
    assert record.getMessage() == "guest not loaded"
    assert record.__dict__["guest"] == "broken"
    assert "not_installed_anywhere" in record.__dict__["reason"]


# What a guest must be.


def test_a_parameter_without_description_is_refused() -> None:
    @strategy
    async def silent(session: Session, *, n: Annotated[int, Field(ge=1)] = 1) -> Outcome:
        return Outcome(await session.sample(n))

    with pytest.raises(TypeError, match="parameter 'n' of 'silent' has no description"):
        spec_of(silent)


async def _length(
    session: Session,
    candidates: Sequence[Candidate],
    *,
    most: Annotated[int, Field(ge=1, description="Longest.")] = 10,
) -> list[Score]:
    """Shorter is better."""
    return [Score(float(most - len(candidate.text))) for candidate in candidates]


def test_parameters_and_flags_are_those_of_the_function() -> None:
    marked = verifier(needs=("logprobs",), binary=True)(_length)
    assert marked is _length  # untouched
    spec = spec_of(marked)
    assert (spec.name, spec.kind, spec.doc) == ("_length", "verifier", "Shorter is better.")
    assert (spec.needs, spec.binary, spec.order_sensitive) == (("logprobs",), True, False)
    assert dict(spec.params()) == {"most": 10}
    with pytest.raises(ValidationError):
        spec.params(most=0)
    with pytest.raises(ValidationError):
        spec.params(least=0)


def test_a_parameter_without_default_must_be_given() -> None:
    @strategy
    async def needy(session: Session, *, n: Annotated[int, Field(description="N.")]) -> Outcome:
        return Outcome(await session.sample(n))

    with pytest.raises(ValidationError):
        spec_of(needy).params()


def test_a_registry_is_a_mapping_in_order_of_names() -> None:
    specs = load("verifier", "verifiers", GROUP).specs()
    registry = Registry("verifier", reversed(specs))
    assert registry.names() == sorted(registry) == [spec.name for spec in registry.specs()]
    assert len(registry) == len(specs)
    assert registry["agreement"].name == "agreement"
    assert "nope" not in registry


# Guests by entry point.


def _entries(monkeypatch: pytest.MonkeyPatch, **named: str) -> None:
    found = [EntryPoint(name, value, GROUP) for name, value in named.items()]
    monkeypatch.setattr(module, "entry_points", lambda group: found if group == GROUP else [])


async def test_an_entry_point_names_a_function_or_a_module(
    package: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    package(one=_strategy("one"), two=_strategy("two") + _strategy("three"))
    _entries(monkeypatch, a="guests_here.one:one", b="guests_here.two")
    found = load("strategy", "strategies", GROUP)
    assert {"one", "two", "three"} < set(found.names())
    backend = FakeBackend(lambda s, n: "four")
    answer = await answer_of(found["one"], backend, verifiers=Registry("verifier"))
    assert answer.outcome.candidates[0].text == "four"


def test_an_entry_point_may_name_a_guest_of_the_package_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _entries(monkeypatch, a="strategies.direct:direct")
    assert load("strategy", "strategies", GROUP).names().count("direct") == 1


def test_an_entry_point_may_not_take_a_name_that_is_taken(
    package: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    package(one=_strategy("direct"))
    _entries(monkeypatch, a="guests_here.one:direct")
    with pytest.raises(ValueError, match="'direct'"):
        load("strategy", "strategies", GROUP)


@pytest.mark.parametrize(
    "value", ["guests_here.broken", "guests_here.one:nope", "not_there:x", "guests_here.one:plain"]
)
def test_a_broken_entry_point_is_logged_and_left_out(
    package: Write, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, value: str
) -> None:
    plain = "async def plain(session): ...\n"
    package(one=_strategy("one") + plain, broken="import not_installed_anywhere\n")
    _entries(monkeypatch, bad=value, good="guests_here.one:one")
    with caplog.at_level(logging.ERROR):
        found = load("strategy", "strategies", GROUP)
    assert "one" in found
    assert [record.__dict__["guest"] for record in caplog.records] == [value]


SCRIPT = """
import asyncio, json, sys
from gateway.errors import GatewayError
from gateway.host import Host
from gateway.openai import parse_chat
from gateway.registry import load
from gateway.serving import Exchange
from gateway.settings import Settings
from gateway.testing import FakeBackend

async def answered(host, name):
    asked = {"model": "fake", "messages": [{"role": "user", "content": "2 + 2?"}],
             "its": {"strategy": name}}
    chat = parse_chat(json.dumps(asked).encode())
    try:
        policy = host.rules.resolve({}, chat.wishes, None)
        exchange = Exchange("r", chat, policy, host.means, host.metrics, host.receipts, "fake", 5.0)
        body, _ = await exchange.whole()
        return [200, json.loads(body)["choices"][0]["message"]["content"]]
    except GatewayError as error:
        return [error.status, error.message]

async def main():
    strategies = load("strategy", "strategies", "its_gateway.strategies")
    verifiers = load("verifier", "verifiers", "its_gateway.verifiers")
    backend = FakeBackend(lambda sample, number: "Answer: 4")
    host = Host.build(Settings(), [backend], strategies, verifiers)
    answers = {name: await answered(host, name) for name in strategies}
    await host.close()
    print(json.dumps({
        "answers": answers, "verifiers": verifiers.names(), "presets": list(host.rules.presets),
        "at": sys.modules["gateway"].__file__,
    }))

asyncio.run(main())
"""


def _script(folder: Path) -> dict[str, object]:
    """What the script above says, run with `folder` before all else on the path."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ITS_")}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        cwd=folder,
        env={**kept, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    said: dict[str, object] = json.loads(done.stdout)
    return said


def test_an_installed_package_adds_a_guest(tmp_path: Path) -> None:
    (tmp_path / "my_guest.py").write_text(HEADER + _strategy("mine"))
    metadata = tmp_path / "my_guest-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: my-guest\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[its_gateway.strategies]\nmine = my_guest:mine\n")
    answers = _script(tmp_path)["answers"]
    assert isinstance(answers, dict)
    assert answers["mine"] == [200, "Answer: 4"]
    assert answers["direct"] == [200, "Answer: 4"]


# Each guest can be taken away alone.


def _guest_files() -> dict[str, list[str]]:
    """Names of the guests of each file that holds one, by its path from the root."""
    files: dict[str, list[str]] = {}
    for kind, folder in (("strategy", "strategies"), ("verifier", "verifiers")):
        for spec in load(kind, folder, GROUP).specs():
            files.setdefault(spec.run.__module__.replace(".", "/") + ".py", []).append(spec.name)
    return files


GUESTS = _guest_files()


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("gateway")
    ignored = shutil.ignore_patterns("__pycache__", "model")
    for name in ("gateway", "strategies", "verifiers"):
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    return folder


@pytest.mark.parametrize("file", GUESTS)
def test_without_one_file_all_else_works(copied: Path, file: str) -> None:
    path = copied / file
    text = path.read_text()
    path.unlink()
    try:
        said = _script(copied)
    finally:
        path.write_text(text)
    assert said["at"] == str(copied / "gateway" / "__init__.py")
    answers, verifiers, presets = said["answers"], said["verifiers"], said["presets"]
    assert isinstance(answers, dict)
    assert isinstance(verifiers, list)
    assert isinstance(presets, list)
    assert {*answers, *verifiers} == {n for names in GUESTS.values() for n in names} - set(
        GUESTS[file]
    )
    _all_answer(answers, gone=GUESTS[file])
    assert ("verified-16" in presets) == (file not in _behind("verified-16"))
    assert ("agreement-4" in presets) == (file not in _behind("agreement-4"))


def _behind(preset: str) -> tuple[str, str]:
    verifier = {"verified-16": "math", "agreement-4": "agreement"}[preset]
    return "strategies/best_of_n.py", f"verifiers/{verifier}.py"


def _all_answer(answers: dict[str, list[object]], *, gone: Sequence[str]) -> None:
    """Each strategy answers, but one whose default verifier is gone says so."""
    specs = load("strategy", "strategies", GROUP)
    for name, (status, text) in answers.items():
        defaults = [field.default for field in specs[name].params.model_fields.values()]
        if set(gone) & {default for default in defaults if isinstance(default, str)}:
            assert status == 400
            assert f"unknown verifier '{gone[0]}'" in str(text)
        else:
            assert [status, text] == [200, "Answer: 4"]
