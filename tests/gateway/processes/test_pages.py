"""What several processes say becomes one page, which never goes back, and one log."""

from __future__ import annotations

import json
import logging
import math
import sys
from select import PIPE_BUF

from prometheus_client.parser import text_string_to_metric_families

from gateway.logs import JsonFormatter
from gateway.metrics import Metrics
from gateway.processes.frames import Frames, Kind, framed
from gateway.processes.pages import Family, Pages, Told
from gateway.processes.written import page_of

HOME = "http://a:1"


def _told(metrics: Metrics, **places: str) -> Told:
    """As it arrives."""
    return Told.loaded(Told(1, metrics.told(), places or {"b": HOME}).dumped())


def _values(pages: Pages) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    families = text_string_to_metric_families(page_of(pages.merged()).decode())
    return {(s.name, frozenset(s.labels.items())): s.value for f in families for s in f.samples}


def _value(pages: Pages, name: str, **labels: str) -> float:
    return _values(pages)[name, frozenset(labels.items())]


def _calls(metrics: Metrics, backend: str, times: int) -> None:
    metrics.upstream_calls.labels(backend, "ok").inc(times)


def test_the_page_of_one_is_its_own() -> None:
    metrics, pages = Metrics(), Pages()
    metrics.requests.labels("direct", "m", "ok", "complete").inc(3)
    metrics.seconds.labels("direct", "m").observe(0.2)
    metrics.backend_waiting.labels("b").set(math.inf)
    pages.heard(7, _told(metrics))
    assert page_of(pages.merged()) == metrics.page()


def test_counts_add_up_and_gauges_do_as_they_say() -> None:
    pages = Pages()
    for worker in (1, 2):
        metrics = Metrics()
        metrics.seconds.labels("direct", "m").observe(0.2 * worker)
        metrics.in_flight.value = worker
        metrics.backend_state.labels("b", "up").set(1)
        metrics.backend_waiting.labels("b").set(worker)
        pages.heard(worker, _told(metrics))
    by = {"strategy": "direct", "model": "m"}
    assert _value(pages, "its_request_seconds_count", **by) == 2
    assert _value(pages, "its_request_seconds_bucket", **by, le="0.25") == 1
    assert _value(pages, "its_request_seconds_bucket", **by, le="+Inf") == 2
    assert round(_value(pages, "its_request_seconds_sum", **by), 6) == 0.6
    assert _value(pages, "its_requests_in_flight") == 3
    assert _value(pages, "its_backend_state", backend="b", state="up") == 1
    assert _value(pages, "its_backend_waiting", backend="b") == 2
    assert _value(pages, "its_workers") == 2


def test_what_one_that_is_gone_counted_stays_and_its_gauges_go() -> None:
    pages, first, second = Pages(), Metrics(), Metrics()
    for metrics in (first, second):
        _calls(metrics, "b", 5)
        metrics.seconds.labels("direct", "m").observe(0.2)
        metrics.in_flight.value = 4
    pages.heard(1, _told(first))
    pages.heard(2, _told(second))
    born = _value(pages, "its_upstream_calls_created", backend="b", result="ok")
    pages.ended(1)
    pages.count("its_workers_lost")
    assert _value(pages, "its_upstream_calls_total", backend="b", result="ok") == 10
    assert _value(pages, "its_upstream_calls_created", backend="b", result="ok") == born
    assert _value(pages, "its_request_seconds_count", strategy="direct", model="m") == 2
    assert _value(pages, "its_requests_in_flight") == 4
    assert (_value(pages, "its_workers"), _value(pages, "its_workers_lost_total")) == (1, 1)
    replacement = Metrics()
    _calls(replacement, "b", 1)
    pages.heard(3, _told(replacement))
    assert _value(pages, "its_upstream_calls_total", backend="b", result="ok") == 11
    pages.ended(2)
    pages.ended(3)
    pages.heard(4, _told(Metrics()))
    assert _value(pages, "its_upstream_calls_total", backend="b", result="ok") == 11


def test_a_backend_has_one_name_whatever_each_worker_calls_it() -> None:
    pages, first, second = Pages(), Metrics(), Metrics()
    _calls(first, "b", 1)
    _calls(first, "b-2", 10)
    _calls(second, "b", 100)
    pages.heard(1, _told(first, **{"b": "http://a:1", "b-2": "http://a:2"}))
    pages.heard(2, _told(second, **{"b": "http://a:2", "b-2": "http://a:3"}))
    assert _value(pages, "its_upstream_calls_total", backend="b", result="ok") == 1
    assert _value(pages, "its_upstream_calls_total", backend="b-2", result="ok") == 110
    _calls(second, "b-2", 1000)
    pages.heard(2, _told(second, **{"b": "http://a:2", "b-2": "http://a:3"}))
    assert _value(pages, "its_upstream_calls_total", backend="b-2-2", result="ok") == 1000


def test_a_backend_is_forgotten_when_all_have_forgotten_it() -> None:
    pages, first, second = Pages(), Metrics(), Metrics()
    for metrics in (first, second):
        _calls(metrics, "b", 5)
        _calls(metrics, "c", 1)
        pages.heard(id(metrics), _told(metrics, b=HOME, c="http://c"))
    first.forget_backend("b")
    pages.heard(id(first), _told(first, c="http://c"))
    assert _value(pages, "its_upstream_calls_total", backend="b", result="ok") == 10
    second.forget_backend("b")
    pages.heard(id(second), _told(second, c="http://c"))
    backends = {dict(labels).get("backend") for _, labels in _values(pages)} - {None}
    assert backends == {"c"}
    _calls(first, "b", 2)  # another, somewhere else
    pages.heard(id(first), _told(first, b="http://b:9", c="http://c"))
    assert _value(pages, "its_upstream_calls_total", backend="b", result="ok") == 2


def test_a_series_that_begins_anew_goes_on() -> None:
    pages, metrics, other = Pages(), Metrics(), Metrics()
    _calls(metrics, "b", 5)
    pages.heard(1, _told(metrics))
    pages.heard(2, _told(other))
    metrics.forget_backend("b")
    _calls(metrics, "b", 7)
    pages.heard(1, _told(metrics))
    assert _value(pages, "its_upstream_calls_total", backend="b", result="ok") == 12


def test_no_label_tells_of_processes() -> None:
    pages = Pages()
    for worker in (41, 42):
        pages.heard(worker, _told(Metrics()))
    labels = {label for _, series in _values(pages) for label, _ in series}
    assert labels <= {label for _, names in Metrics().families() for label in names} | {"le"}


def test_a_family_of_a_stranger_is_told_as_it_is() -> None:
    family = Family("x", "X.", "gauge", "sum", {("x", (("a", 'quo"te\n'),)): 1.0})
    [parsed] = text_string_to_metric_families(page_of([family]).decode())
    assert parsed.samples[0].labels == {"a": 'quo"te\n'}


def test_messages_come_out_as_they_went_in_whatever_the_parts() -> None:
    said = [(Kind.READY, b""), (Kind.COUNTED, b"x" * 70_000), (Kind.PAGE, b"\0\1")]
    stream = b"".join(framed(*each) for each in said)
    for size in (1, 3, 4096, len(stream)):
        frames = Frames()
        parts = [stream[at : at + size] for at in range(0, len(stream), size)]
        assert [message for part in parts for message in frames.feed(part)] == said


def test_no_line_of_a_worker_is_longer_than_what_is_written_in_one_piece() -> None:
    def logged(worker: int | None) -> str:
        try:
            raise ValueError("é\n" * 9000 + "the end")
        except ValueError:
            told = logging.LogRecord("x", logging.ERROR, "", 0, "failed", None, sys.exc_info())
            return JsonFormatter(worker).format(told)

    line = logged(2)
    assert len(line.encode()) + 1 <= PIPE_BUF
    read = json.loads(line)
    assert (read["worker"], read["message"]) == (2, "failed")
    assert read["exception"].endswith("the end")
    assert len(read["exception"]) > PIPE_BUF / 5
    assert "worker" not in json.loads(logged(None))
    assert len(logged(None)) > 9000
