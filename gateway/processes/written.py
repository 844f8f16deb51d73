"""The text page of what several processes told."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from gateway.processes.pages import Family


def page_of(families: Iterable[Family]) -> bytes:
    """The page that Prometheus scrapes."""
    registry = CollectorRegistry()
    registry.register(_Merged(families))
    return generate_latest(registry)


class _Merged(Collector):
    def __init__(self, families: Iterable[Family]):
        self._families = families

    def collect(self) -> Iterable[Metric]:
        for each in self._families:
            metric = Metric(each.name, each.documentation, each.type)
            for (name, labels), value in each.samples.items():
                metric.add_sample(name, dict(labels), value)
            yield metric
