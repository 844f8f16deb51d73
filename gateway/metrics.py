"""Every metric: its name, labels and meaning. Names of upstreams' own metrics are not used here."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.metrics_core import Metric

from gateway.processes.pages import Family, How
from gateway.run import Answer
from gateway.sandbox.verdict import HOW
from gateway.trace import Tallied, Trace

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
HIGHEST: Literal["livemax"] = "livemax"
OVERHEAD = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5)


class Level:
    """How many there are now, read by a gauge when it is asked: counting is for free."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0


class Metrics:
    """One process' metrics, in a registry of their own.

    A gauge of several workers shows their sum, but for those marked `HIGHEST`.
    """

    def __init__(self) -> None:
        # Finding a child takes prometheus-client longer than counting in it.
        self._child = lru_cache(maxsize=4096)(lambda metric, *labels: metric.labels(*labels))
        self.registry = CollectorRegistry()
        r = self.registry
        by_request = ("strategy", "model")
        self.requests = Counter(
            "its_requests", "Chat requests by how they ended and why sampling stopped.",
            (*by_request, "outcome", "stop"), registry=r,
        )  # fmt: skip
        self.in_flight = Level()
        self.requests_in_flight = Gauge(
            "its_requests_in_flight", "Chat requests being served.", registry=r
        )
        self.requests_in_flight.set_function(lambda: self.in_flight.value)
        self.example_key = Gauge(
            "its_example_key_accepted",
            "1 while clients may use the key that the example deployments ship with.",
            registry=r, multiprocess_mode=HIGHEST,
        )  # fmt: skip
        self.workers = Gauge("its_workers", "Processes that serve.", registry=r)
        self.workers.set(1)
        self.workers_lost = Counter(
            "its_workers_lost", "Workers that ended unasked, and were replaced.", registry=r
        )
        self.samples = Counter("its_samples", "Candidates begun.", by_request, registry=r)
        self.samples_saved = Counter(
            "its_samples_saved", "Candidates that an early stop did not draw.",
            by_request, registry=r,
        )  # fmt: skip
        self.tokens = Counter(
            "its_tokens", "Tokens by kind (prompt, completion) and purpose (sample, judge).",
            (*by_request, "kind", "purpose"), registry=r,
        )  # fmt: skip
        self.tokens_saved = Counter(
            "its_tokens_saved",
            "Estimate: candidates saved times the request's mean completion tokens a candidate.",
            by_request, registry=r,
        )  # fmt: skip
        self.degraded = Counter(
            "its_degraded", "Requests in which something was not done as asked.",
            ("strategy", "reason"), registry=r,
        )  # fmt: skip
        self.seconds = Histogram(
            "its_request_seconds", "Time to the last byte.", by_request, buckets=SECONDS, registry=r
        )
        self.first_byte = Histogram(
            "its_first_byte_seconds", "Time to the first byte of the body.", ("strategy",),
            buckets=SECONDS, registry=r,
        )  # fmt: skip
        self.overhead = Histogram(
            "its_overhead_seconds",
            "Time of a request in which neither an upstream nor a verifier was at work.",
            ("strategy",), buckets=OVERHEAD, registry=r,
        )  # fmt: skip
        self.verifier_seconds = Histogram(
            "its_verifier_seconds", "Time of a verifier in one request.", ("verifier",),
            buckets=SECONDS, registry=r,
        )  # fmt: skip
        self.verifier_tokens = Counter(
            "its_verifier_tokens", "Tokens of a verifier's own calls.",
            ("verifier", "kind"), registry=r,
        )  # fmt: skip
        self.verdicts = Counter(
            "its_verdicts", "Candidates by verdict (passed, failed, scored, unjudged).",
            ("verifier", "verdict"), registry=r,
        )  # fmt: skip
        self.upstream_seconds = Histogram(
            "its_upstream_seconds", "Time of an upstream call.", ("backend",), buckets=SECONDS,
            registry=r,
        )  # fmt: skip
        self.upstream_calls = Counter(
            "its_upstream_calls", "Upstream calls by result (ok, aborted, rejected, unavailable).",
            ("backend", "result"), registry=r,
        )  # fmt: skip
        self.upstream_in_flight = Gauge(
            "its_upstream_in_flight", "Upstream calls under way.", ("backend",), registry=r
        )
        self.upstream_tokens = Counter(
            "its_upstream_tokens", "Tokens of upstream calls that ended well, by kind.",
            ("backend", "kind"), registry=r,
        )  # fmt: skip
        self._add_languages(r)
        self._add_rules(r)
        self._add_pool(r)
        self._add_state(r)
        self._add_sandbox(r)

    def _add_languages(self, r: CollectorRegistry) -> None:
        self.language_samples = Counter(
            "its_language_samples",
            "What multilingual drew, by the user's language (`unsure` is one) and kind (candidate, "
            "evidence).",
            ("language", "kind"), registry=r,
        )  # fmt: skip
        self.language_answers = Counter(
            "its_language_answers",
            "What multilingual answered, by the user's language, which candidate won (greedy, "
            "sampled), and whether it is in that language (yes, wordless, unsure, no, empty).",
            ("language", "won", "in_language"), registry=r,
        )  # fmt: skip
        self.tallied: dict[Tallied, Counter] = {
            "language_samples": self.language_samples,
            "language_answers": self.language_answers,
        }

    def _add_rules(self, r: CollectorRegistry) -> None:
        self.rule_samples_saved = Counter(
            "its_rule_samples_saved", "Candidates that a rule of adaptive stopped before.",
            ("rule",), registry=r,
        )  # fmt: skip
        self.rule_tokens_saved = Counter(
            "its_rule_tokens_saved",
            "Estimate: those candidates times the request's mean completion tokens a candidate.",
            ("rule",), registry=r,
        )  # fmt: skip
        self.rule_answers_lost = Counter(
            "its_rule_answers_lost",
            "Answers that going on to the cap would have bettered, by the rule's own account of "
            "the chance; rules that have none are not here.", ("rule",), registry=r,
        )  # fmt: skip
        self.tallied |= {
            "rule_samples_saved": self.rule_samples_saved,
            "rule_tokens_saved": self.rule_tokens_saved,
            "rule_answers_lost": self.rule_answers_lost,
        }

    def _add_pool(self, r: CollectorRegistry) -> None:
        by_backend = ("backend",)
        self.backend_state = Gauge(
            "its_backend_state",
            "1 for the state that a backend is in (up, trial, open, down, draining), else 0.",
            ("backend", "state"), registry=r, multiprocess_mode=HIGHEST,
        )  # fmt: skip
        self.backend_outstanding = Gauge(
            "its_backend_outstanding", "Candidates under way at a backend, of this gateway.",
            by_backend, registry=r,
        )  # fmt: skip
        self.backend_waiting = Gauge(
            "its_backend_waiting", "The backend's own vllm:num_requests_waiting, as last read.",
            by_backend, registry=r, multiprocess_mode=HIGHEST,
        )  # fmt: skip
        self.backend_cache_usage = Gauge(
            "its_backend_cache_usage", "The backend's own vllm:kv_cache_usage_perc, as last read.",
            by_backend, registry=r, multiprocess_mode=HIGHEST,
        )  # fmt: skip
        self.ejections = Counter(
            "its_ejections", "Backends left alone after failures (consecutive, outlier).",
            ("backend", "reason"), registry=r,
        )  # fmt: skip
        self.retries = Counter(
            "its_retries",
            "Calls made again (retry), candidates begun anew after some of a stream (redraw), and "
            "what the budget of retries did not grant (refused).",
            ("kind",), registry=r,
        )  # fmt: skip
        self.lost_tokens = Counter(
            "its_lost_tokens", "Completion tokens lost with an upstream and drawn again.",
            registry=r,
        )  # fmt: skip
        self.hedges = Counter(
            "its_hedges", "Calls made at a second backend as well, by whether that was the first "
            "to say something (won, lost).", ("result",), registry=r,
        )  # fmt: skip
        self.affinity = Counter(
            "its_affinity",
            "Calls by where they went: their prompt's own backend (home), the next in its order "
            "(spilled), the least busy (least), the only one there is (only).",
            ("choice",), registry=r,
        )  # fmt: skip
        self.queue_waiting = Gauge(
            "its_queue_waiting", "Calls that wait in line for a backend.", registry=r
        )
        self.queue_seconds = Histogram(
            "its_queue_seconds", "Time in line, of the calls that had to wait.",
            buckets=SECONDS, registry=r,
        )  # fmt: skip
        self.queue_refused = Counter(
            "its_queue_refused", "Calls refused after the longest wait in line.", registry=r
        )

    def _add_state(self, r: CollectorRegistry) -> None:
        self.store_failures = Counter(
            "its_store_failures",
            "Commands that the store did not do, by why (slow, full, refusing, gone) or because it "
            "was known to fail (away).", ("reason",), registry=r,
        )  # fmt: skip
        self.errands_dropped = Counter(
            "its_store_dropped", "Writes beside the requests that were given up.", registry=r
        )
        self.quota_refusals = Counter(
            "its_quota_refused",
            "Requests refused by a quota, by its kind (requests, samples, tokens, concurrent).",
            ("what",), registry=r,
        )  # fmt: skip
        self.reused = Counter(
            "its_samples_reused", "Candidates taken from the pool of samples instead of drawn.",
            registry=r,
        )  # fmt: skip
        self.cache = Counter(
            "its_cache", "Requests that allowed reuse, by what came of it (hit, pool, miss).",
            ("result",), registry=r,
        )  # fmt: skip
        # Told as 0 from the beginning, so that a first one shows as an increase.
        for counter, words in (
            (self.store_failures, ("slow", "full", "refusing", "gone", "away")),
            (self.quota_refusals, ("requests", "samples", "tokens", "concurrent")),
            (self.cache, ("hit", "pool", "miss")),
        ):
            for word in words:
                counter.labels(word)

    def _add_sandbox(self, r: CollectorRegistry) -> None:
        self.sandbox_runs = Counter(
            "its_sandbox_runs",
            "Programs run, by how that ended (pass, fail, runtime, compile, timeout, cancelled, "
            "unavailable).",
            ("how",), registry=r,
        )  # fmt: skip
        for how in (*HOW, "cancelled", "unavailable"):
            self.sandbox_runs.labels(how)  # so that a rate is 0, and not nothing, before the first
        self.sandbox_seconds = Histogram(
            "its_sandbox_seconds", "Time of a run, without waiting for a place.", buckets=SECONDS,
            registry=r,
        )  # fmt: skip
        self.sandbox_in_flight = Gauge("its_sandbox_in_flight", "Programs being run.", registry=r)

    def forget_backend(self, name: str) -> None:
        """Drop the series of a backend that is gone: names that come and go add up."""
        for each in vars(self).values():
            if isinstance(each, MetricWrapperBase) and "backend" in each._labelnames:
                each.remove_by_labels({"backend": name})

    def live(self, count: Callable[[], int]) -> None:
        """Show the embedded model's live sequences, as `count` tells them."""
        gauge = Gauge(
            "its_embedded_live_sequences",
            "Candidates that the embedded model is writing or has queued.",
            registry=self.registry,
        )
        gauge.set_function(count)

    def placed(self, how: str) -> None:
        """Book where a call went."""
        self._child(self.affinity, how).inc()

    def store_failed(self, reason: str) -> None:
        """Book a command that the store did not do."""
        self._child(self.store_failures, reason).inc()

    def errand_dropped(self) -> None:
        """Book a write that was given up."""
        self.errands_dropped.inc()

    def reuse_ended(self, result: str) -> None:
        """Book what came of a request that allowed reuse."""
        self._child(self.cache, result).inc()

    def quota_refused(self, what: str) -> None:
        """Book a request that a quota refused."""
        self._child(self.quota_refusals, what).inc()

    def sandbox_began(self) -> None:
        """Book that a program is being run."""
        self.sandbox_in_flight.inc()

    def sandbox_ended(self, how: str, seconds: float) -> None:
        """Book how a run ended, and what it took."""
        self.sandbox_in_flight.dec()
        self._child(self.sandbox_runs, how).inc()
        self.sandbox_seconds.observe(seconds)

    def page(self) -> bytes:
        """The text page that Prometheus scrapes."""
        return generate_latest(self.registry)

    def told(self) -> list[Family]:
        """All series, for a page of several processes."""
        own = (value for value in vars(self).values() if isinstance(value, Gauge))
        highest = {each._name for each in own if each._multiprocess_mode == HIGHEST}
        families = []
        for each in self.registry.collect():
            samples = {(s.name, tuple(s.labels.items())): s.value for s in each.samples}
            how: How = "max" if each.name in highest else "sum"
            families.append(Family(each.name, each.documentation, each.type, how, samples))
        return families

    def record(
        self,
        strategy: str,
        model: str,
        answer: Answer,
        trace: Trace,
        *,
        seconds: float,
        first: float,
    ) -> None:
        """Book an answered request; times are in seconds."""
        outcome = answer.outcome
        self._child(self.requests, strategy, model, "ok", outcome.stop).inc()
        self._spent(strategy, model, trace)
        saved = trace.samples_saved
        if saved and trace.samples:
            self._child(self.samples_saved, strategy, model).inc(saved)
            mean = trace.sampling.completion_tokens / trace.samples
            self._child(self.tokens_saved, strategy, model).inc(saved * mean)
        if trace.samples_reused:
            self.reused.inc(trace.samples_reused)
        for reason in outcome.degraded:
            self._child(self.degraded, strategy, reason).inc()
        self._child(self.seconds, strategy, model).observe(seconds)
        self._child(self.first_byte, strategy).observe(first)
        self._child(self.overhead, strategy).observe(max(0.0, seconds - trace.waited))

    def failed(self, strategy: str, model: str, outcome: str, trace: Trace) -> None:
        """Book a request that ended without an answer; what it drew has been paid all the same."""
        self._child(self.requests, strategy, model, outcome, "none").inc()
        self._spent(strategy, model, trace)

    def _spent(self, strategy: str, model: str, trace: Trace) -> None:
        self._child(self.samples, strategy, model).inc(trace.samples)
        for purpose, usage in (("sample", trace.sampling), ("judge", trace.judging)):
            if usage.total_tokens:
                by = strategy, model
                self._child(self.tokens, *by, "prompt", purpose).inc(usage.prompt_tokens)
                self._child(self.tokens, *by, "completion", purpose).inc(usage.completion_tokens)
        for verifier, seconds in trace.verifier_seconds.items():
            self._child(self.verifier_seconds, verifier).observe(seconds)
        for verifier, usage in trace.verifier_usage.items():
            self._child(self.verifier_tokens, verifier, "prompt").inc(usage.prompt_tokens)
            self._child(self.verifier_tokens, verifier, "completion").inc(usage.completion_tokens)
        for (verifier, verdict), count in trace.verdicts.items():
            self._child(self.verdicts, verifier, verdict).inc(count)
        for (measure, labels), amount in trace.tallies.items():
            self._child(self.tallied[measure], *labels).inc(amount)

    def families(self) -> list[tuple[Metric, tuple[str, ...]]]:
        """Every metric, with the names of its labels, for the generated documentation."""
        own = [value for value in vars(self).values() if isinstance(value, MetricWrapperBase)]
        return [(next(iter(each.describe())), tuple(each._labelnames)) for each in own]
