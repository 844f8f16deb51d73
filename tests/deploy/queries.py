"""What dashboard and alerts ask Prometheus, and which metrics there are to ask for."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from gateway.metrics import Metrics

ROOT = Path(__file__).parents[2]
PROMETHEUS = ROOT / "deploy" / "prometheus"
DASHBOARD = ROOT / "deploy" / "grafana" / "dashboards" / "its-gateway.json"
VLLM = Path(__file__).parent / "vllm_metrics.txt"

SUFFIXES = {
    "counter": ("_total",),
    "gauge": ("",),
    "histogram": ("_bucket", "_sum", "_count"),
}
NOT_METRICS = re.compile(
    r'"[^"]*"'  # strings
    r"|\{[^}]*\}"  # label matchers
    r"|\[[^\]]*\]"  # ranges
    r"|\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)"
    r"|\boffset\s+\w+"
    r"|\b(?:and|or|unless|bool)\b"
)
NAME = re.compile(r"[A-Za-z_:][A-Za-z0-9_:]*(?!\w|\s*\()")


def dashboard() -> dict[str, Any]:
    """The dashboard, as Grafana reads it."""
    read: dict[str, Any] = json.loads(DASHBOARD.read_text())
    return read


def dashboard_queries() -> list[str]:
    """Every query of the dashboard, with Grafana's variables filled in."""
    panels = [panel for panel in dashboard()["panels"] if panel["type"] != "row"]
    asked = [target["expr"] for panel in panels for target in panel["targets"]]
    return [q.replace("$__rate_interval", "1m").replace("$strategy", ".*") for q in asked]


def alerts() -> list[dict[str, Any]]:
    """Every alert."""
    groups = yaml.safe_load((PROMETHEUS / "alerts.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def metrics_in(query: str) -> set[str]:
    """The names of the metrics that a query asks for."""
    return set(NAME.findall(NOT_METRICS.sub(" ", query)))


def own_metrics() -> dict[str, tuple[str, ...]]:
    """What the gateway's page has: series name -> its labels."""
    return {
        family.name + suffix: (*labels, "le") if suffix == "_bucket" else labels
        for family, labels in Metrics().families()
        for suffix in SUFFIXES[family.type]
    }


def vllm_metrics() -> Iterator[tuple[str, str]]:
    """What vLLM's page has: type, name."""
    for line in VLLM.read_text().splitlines():
        if not line.startswith("#"):
            kind, name = line.split()
            yield kind, name


def vllm_series() -> set[str]:
    """Names of vLLM's series."""
    return {name + suffix for kind, name in vllm_metrics() for suffix in SUFFIXES[kind]}
