"""Dockerfile and compose file: checked without Docker, and run as far as that goes."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
from importlib.resources import files
from typing import Any

import jsonschema
import pytest
import yaml

from gateway.host import Host
from gateway.registry import Registry
from gateway.settings import EXAMPLE_KEY, ConfigError, Settings, load
from gateway.testing import FakeBackend
from tests.conftest import Serve
from tests.deploy.queries import ROOT

SECRETS = re.compile(r"key|token|password|secret", re.I)
Instruction = tuple[str, str]


def _instructions() -> list[Instruction]:
    """The Dockerfile's instructions, with continued lines joined."""
    lines = [
        line
        for line in (ROOT / "Dockerfile").read_text().splitlines()
        if line and not line.startswith("#")
    ]
    joined = "\n".join(lines).replace("\\\n", " ")
    return [
        (word, rest.strip()) for word, _, rest in (x.partition(" ") for x in joined.split("\n"))
    ]


def _stages() -> list[list[Instruction]]:
    stages: list[list[Instruction]] = []
    for word, rest in _instructions():
        if word == "FROM":
            stages.append([])
        stages[-1].append((word, rest))
    return stages


def _all(stage: list[Instruction], word: str) -> list[str]:
    return [rest for each, rest in stage if each == word]


def _environment() -> dict[str, str]:
    return dict(pair.split("=", 1) for rest in _all(_stages()[-1], "ENV") for pair in rest.split())


def test_bases_are_small_and_pinned() -> None:
    bases = [_all(stage, "FROM")[0].split()[0] for stage in _stages()]
    assert len(bases) == 2
    for base in bases:
        name, _, tag = base.partition(":")
        assert name == "python"
        assert re.fullmatch(r"3\.\d+-slim-\w+", tag)


def test_the_image_runs_as_a_number_that_is_not_root() -> None:
    [user] = _all(_stages()[-1], "USER")
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user)


def test_the_last_stage_builds_nothing() -> None:
    """It installs what the sandbox is made of, keeps no lists of packages, and that is all."""
    [run] = _all(_stages()[-1], "RUN")
    update, install, clean = (step.split() for step in run.split("&&"))
    assert update == ["apt-get", "update"]
    assert install[:4] == ["apt-get", "install", "--no-install-recommends", "--yes"]
    assert install[4:] == ["bubblewrap", "libseccomp2"]
    assert clean == ["rm", "-rf", "/var/lib/apt/lists/*"]
    assert all("--from=build" in each for each in _all(_stages()[-1], "COPY"))


def test_no_secret_is_built_in() -> None:
    for word, rest in _instructions():
        if word in ("ENV", "ARG"):
            assert not SECRETS.search(rest)


def test_only_what_is_copied_is_sent_to_the_builder() -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert "*" in ignored
    let_in = {line[1:] for line in ignored if line.startswith("!")}
    copied = {source for rest in _all(_stages()[0], "COPY") for source in rest.split()[:-1]}
    assert copied == let_in
    assert all((ROOT / source).exists() for source in copied)


def test_commands_are_lists_so_that_signals_reach_the_gateway() -> None:
    last = _stages()[-1]
    assert json.loads(_all(last, "ENTRYPOINT")[0]) == ["its-gateway"]
    assert json.loads(_all(last, "CMD")[0]) == ["serve"]


def _healthcheck() -> list[str]:
    [rest] = _all(_stages()[-1], "HEALTHCHECK")
    command: list[str] = json.loads(rest.split("CMD", 1)[1])
    assert command[0] == "python"  # there is no curl in the image
    return [sys.executable, *command[1:]]


def _checked(port: str) -> int:
    environment = {**os.environ, "ITS_PORT": port}
    done = subprocess.run(
        _healthcheck(), env=environment, capture_output=True, timeout=30, check=False
    )
    return done.returncode


async def test_the_health_check_tells_a_gateway_that_lives_from_none(serve: Serve) -> None:
    served = await serve(FakeBackend(lambda *_: "a"))
    port = served.url.rpartition(":")[2]
    assert await asyncio.to_thread(_checked, port) == 0
    assert await asyncio.to_thread(_checked, "9") != 0


def test_the_image_without_a_key_refuses_to_be_reachable(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in _environment().items():
        if name.startswith("ITS_"):
            monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match="reachable from outside"):
        load([])


@pytest.mark.skipif(shutil.which("hadolint") is None, reason="no hadolint: Dockerfile NOT LINTED")
def test_hadolint_finds_nothing() -> None:
    done = subprocess.run(
        ["hadolint", str(ROOT / "Dockerfile")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


COMPOSE = ROOT / "docker-compose.yml"
READ: dict[str, Any] = yaml.safe_load(COMPOSE.read_text())
SERVICES: dict[str, Any] = READ["services"]
VARIABLE = re.compile(r"\$\{(\w+)(?::?-([^}]*))?\}")


def _by_default(text: str) -> str:
    """`text` as compose has it where no variable is set."""
    return VARIABLE.sub(lambda found: found[2] or "", text)


def _schema() -> dict[str, Any]:
    """The compose specification's own, which the package carries."""
    vendored = files("check_jsonschema.builtin_schemas.vendor")
    read: dict[str, Any] = json.loads((vendored / "compose-spec.json").read_text())
    return read


def test_the_compose_file_fits_the_schema() -> None:
    jsonschema.validate(READ, _schema())


def test_a_compose_file_that_does_not_fit_is_found() -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"services": {"gateway": {"imgae": "x"}}}, _schema())


def test_everything_that_is_asked_for_is_there() -> None:
    assert {"gateway", "vllm-gpu", "vllm-cpu", "redis", "prometheus", "grafana"} == set(SERVICES)
    assert SERVICES["vllm-gpu"]["profiles"] == ["gpu"]
    assert SERVICES["vllm-cpu"]["profiles"] == ["cpu"]
    assert SERVICES["vllm-gpu"]["deploy"]["resources"]["reservations"]["devices"]


@pytest.mark.parametrize("name", SERVICES)
def test_nothing_is_published_beyond_this_machine(name: str) -> None:
    assert all(port.startswith("127.0.0.1:") for port in SERVICES[name].get("ports", ()))


@pytest.mark.parametrize("name", SERVICES)
def test_every_image_is_of_a_version(name: str) -> None:
    tag = SERVICES[name]["image"].partition(":")[2]
    assert re.search(r"\d+\.\d+", tag)


@pytest.mark.parametrize("name", ["gateway", "redis", "prometheus", "grafana"])
def test_a_container_can_do_and_write_as_little_as_can_be(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]


def test_what_is_mounted_is_there() -> None:
    for service in SERVICES.values():
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            assert (ROOT / source).exists() if source.startswith(".") else source in READ["volumes"]


def test_the_gateways_environment_is_one_that_it_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**_environment(), **SERVICES["gateway"]["environment"]}.items():
        if name.startswith("ITS_"):
            assert name.removeprefix("ITS_").lower() in Settings.model_fields
            monkeypatch.setenv(name, _by_default(value))
    settings = load([])
    assert settings.client_keys() == {EXAMPLE_KEY}
    assert [each.base for each in settings.upstreams()] == [_address("vllm")]
    assert not settings.tracing()


def _address(alias: str) -> str:
    for name in ("vllm-gpu", "vllm-cpu"):
        assert alias in SERVICES[name]["networks"]["upstream"]["aliases"]
    return f"dns+http://{alias}:8000"


def test_the_gateway_has_longer_to_stop_than_it_takes_to_drain() -> None:
    grace = SERVICES["gateway"]["stop_grace_period"]
    assert float(grace.removesuffix("s")) > Settings().drain_seconds


def test_prometheus_scrapes_names_that_there_are() -> None:
    config = yaml.safe_load((ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text())
    names = [
        name
        for job in config["scrape_configs"]
        for found in job["dns_sd_configs"]
        for name in found["names"]
    ]
    assert names == ["gateway", "vllm"]
    shared = set(SERVICES["prometheus"]["networks"])
    assert shared & set(SERVICES["gateway"]["networks"])
    assert "upstream" in shared


def test_an_example_key_is_told_by_the_metric() -> None:
    def accepted(key: str) -> bool:
        host = Host.build(Settings(api_key=(key,)), [], Registry("strategy"), Registry("verifier"))
        return b"its_example_key_accepted 1.0" in host.metrics.page()

    assert accepted(EXAMPLE_KEY)
    assert not accepted("sk-of-my-own")
