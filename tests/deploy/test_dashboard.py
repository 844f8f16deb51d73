"""The dashboard asks for nothing that is not there, and Grafana finds it."""

from __future__ import annotations

import re
from collections import Counter

import pytest
import yaml

from gateway.testing import FakeBackend
from tests.conftest import Serve
from tests.deploy.queries import (
    ROOT,
    dashboard,
    dashboard_queries,
    metrics_in,
    own_metrics,
    vllm_series,
)


def test_names_are_told_from_the_rest_of_a_query() -> None:
    query = 'sum by (le, a) (rate(x_total{b="y"}[5m] offset 1h)) / on () group_left () max(vllm:z)'
    assert metrics_in(query) == {"x_total", "vllm:z"}


@pytest.mark.parametrize("query", dashboard_queries())
def test_every_query_names_metrics_that_exist(query: str) -> None:
    asked = metrics_in(query)
    assert asked
    assert asked <= own_metrics().keys() | vllm_series()


@pytest.mark.parametrize("query", [q for q in dashboard_queries() if "vllm:" not in q])
def test_every_label_that_is_grouped_by_is_one_of_the_metrics(query: str) -> None:
    asked = {label for found in re.findall(r"by \(([^)]*)\)", query) for label in found.split(", ")}
    for name in metrics_in(query):
        assert asked <= {*own_metrics()[name], "instance"}


async def test_every_own_metric_of_a_query_is_on_a_live_page(serve: Serve) -> None:
    served = await serve(FakeBackend(lambda *_: "a"))
    page = (await served.client()._client.get(f"{served.url}/metrics")).text
    families = set(re.findall(r"^# TYPE (\S+)", page, re.M))
    for query in dashboard_queries():
        for name in metrics_in(query):
            if name.startswith("its_"):
                assert {name, re.sub(r"_(bucket|sum|count)$", "", name)} & families, name


def test_most_of_the_gateways_metrics_are_shown() -> None:
    shown = {name for query in dashboard_queries() for name in metrics_in(query)}
    unseen = {
        name
        for name in own_metrics()
        if not re.search(r"_(sum|count)$", name) and name not in shown
    }
    assert unseen == {"its_example_key_accepted"}  # an alert tells of it


def test_panels_have_ids_of_their_own_and_do_not_overlap() -> None:
    panels = dashboard()["panels"]
    assert max(Counter(panel["id"] for panel in panels).values()) == 1
    taken: Counter[tuple[int, int]] = Counter()
    for at in (panel["gridPos"] for panel in panels):
        assert at["x"] + at["w"] <= 24
        taken.update((x, y) for x in range(at["x"], at["x"] + at["w"])
                     for y in range(at["y"], at["y"] + at["h"]))  # fmt: skip
    assert max(taken.values()) == 1


def test_the_variables_name_metrics_and_labels_that_exist() -> None:
    [variable] = [v for v in dashboard()["templating"]["list"] if v["type"] == "query"]
    found = re.fullmatch(r"label_values\((\w+), (\w+)\)", variable["definition"])
    assert found is not None
    assert variable["query"]["query"] == variable["definition"]
    assert found[2] in own_metrics()[found[1]]


def test_what_is_provisioned_is_what_compose_mounts() -> None:
    provisioning = ROOT / "deploy" / "grafana" / "provisioning"
    source = yaml.safe_load((provisioning / "datasources" / "prometheus.yml").read_text())
    provider = yaml.safe_load((provisioning / "dashboards" / "its-gateway.yml").read_text())
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    services = compose["services"]
    mounts = dict(volume.split(":")[:2] for volume in services["grafana"]["volumes"])
    assert mounts["./deploy/grafana/provisioning"] == "/etc/grafana/provisioning"
    assert mounts["./deploy/grafana/dashboards"] == provider["providers"][0]["options"]["path"]
    assert source["datasources"][0]["url"] == "http://prometheus:9090"
    assert "prometheus" in services
