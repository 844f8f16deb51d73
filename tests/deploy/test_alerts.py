"""The alerts load, fire when they should and not otherwise, and each is in the runbook."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from gateway.errors import GatewayError
from tests.deploy.queries import (
    PROMETHEUS,
    ROOT,
    alerts,
    metrics_in,
    own_metrics,
    vllm_series,
)

NAMES = [alert["alert"] for alert in alerts()]
PROMTOOL = shutil.which("promtool")
needs_promtool = pytest.mark.skipif(
    PROMTOOL is None, reason="promtool is missing (Debian package prometheus): alerts NOT CHECKED"
)


def _promtool(*arguments: str | Path) -> None:
    assert PROMTOOL is not None
    done = subprocess.run(
        [PROMTOOL, *map(str, arguments)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
def test_the_configuration_and_the_rules_are_valid() -> None:
    _promtool("check", "config", PROMETHEUS / "prometheus.yml")
    _promtool("check", "rules", PROMETHEUS / "alerts.yml")


@needs_promtool
def test_the_alerts_fire_when_they_should() -> None:
    _promtool("test", "rules", PROMETHEUS / "alerts_test.yml")


@pytest.mark.parametrize("alert", NAMES)
def test_every_alert_is_tested_both_ways(alert: str) -> None:
    tests = yaml.safe_load((PROMETHEUS / "alerts_test.yml").read_text())["tests"]
    cases = [case for test in tests for case in test["alert_rule_test"]]
    fires = {bool(case.get("exp_alerts")) for case in cases if case["alertname"] == alert}
    assert fires == {True, False}


@pytest.mark.parametrize("alert", alerts(), ids=NAMES)
def test_every_alert_names_metrics_that_exist(alert: dict[str, str]) -> None:
    asked = metrics_in(alert["expr"])
    assert asked
    assert asked <= own_metrics().keys() | vllm_series() | {"up"}


def _outcomes(error: type[GatewayError]) -> set[str]:
    below = [_outcomes(each) for each in error.__subclasses__()]
    return {error.code or error.type}.union(*below)


@pytest.mark.parametrize("alert", alerts(), ids=NAMES)
def test_every_outcome_that_an_alert_names_is_one(alert: dict[str, str]) -> None:
    known = _outcomes(GatewayError) | {"ok", "client_gone", "upstream_rejected"}
    named = re.findall(r'outcome=~?"([^"]*)"', alert["expr"])
    assert {word for words in named for word in words.split("|")} <= known


@pytest.mark.parametrize("alert", alerts(), ids=NAMES)
def test_every_alert_is_in_the_runbook(alert: dict[str, dict[str, str]]) -> None:
    page, anchor = alert["annotations"]["runbook"].split("#")
    headings = re.findall(r"^## (.+)$", (ROOT / page).read_text(), re.M)
    assert anchor in {heading.lower() for heading in headings}


def test_the_runbook_tells_of_no_alert_that_is_gone() -> None:
    headings = re.findall(r"^## (.+)$", (ROOT / "docs" / "runbook.md").read_text(), re.M)
    assert headings == NAMES
