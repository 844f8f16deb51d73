"""What an answer says of how it came about: response headers and the `its` block (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway.openai import usage_json
from gateway.policy import Policy
from gateway.run import Answer
from gateway.trace import Trace
from gateway.types import UNJUDGED, Candidate, Json, Score, Usage


@dataclass(frozen=True, slots=True)
class Receipts:
    """Writes receipts; `prices` are (prompt, completion) a token, by model."""

    prices: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    def headers(self, answer: Answer, policy: Policy, trace: Trace) -> dict[str, str]:
        """The `x-its-*` headers of an answer that is complete."""
        outcome = answer.outcome
        headers = {
            "x-its-strategy": policy.strategy.name,
            "x-its-samples": str(answer.samples),
            "x-its-tokens": str(answer.usage.completion_tokens),
            "x-its-stop": outcome.stop,
            "x-its-cache": cache_word(policy, trace),
        }
        if outcome.confidence is not None:
            headers["x-its-confidence"] = f"{outcome.confidence:.4f}"
        if outcome.degraded:
            headers["x-its-degraded"] = ",".join(outcome.degraded)
        return headers

    def block(self, answer: Answer, policy: Policy, trace: Trace) -> Json | None:
        """The `its` block, as much of it as the policy's detail asks for."""
        if policy.detail == "none":
            return None
        outcome = answer.outcome
        block: Json = {
            "strategy": policy.strategy.name,
            "params": dict(policy.params),
            "stop": outcome.stop,
            "samples": answer.samples,
            "tokens": answer.usage.completion_tokens,
            "route": policy.route,
            "confidence": outcome.confidence,
            "calibration": _calibration(answer),
            "support": outcome.support,
            "signals": dict(answer.signals[0].numbers) if answer.signals else {},
            "degraded": list(outcome.degraded),
            "usage": self._usage(trace, outcome.candidates[0].model),
            "verifier_seconds": dict(trace.verifier_seconds),
            "verifier_usage": {
                name: usage_json(usage) for name, usage in trace.verifier_usage.items()
            },
        }
        if outcome.evidence is not None:
            block["evidence"] = dict(outcome.evidence)
        if policy.detail == "candidates":
            scores = [*outcome.scores, *[UNJUDGED] * len(outcome.candidates)]
            places = {id: place for place, id in enumerate(answer.drawn)}
            block["candidates"] = [
                _candidate(candidate, score, places.get(candidate.id))
                for candidate, score in zip(outcome.candidates, scores, strict=False)
            ]
        return block

    def _usage(self, trace: Trace, model: str) -> Json:
        parts: Json = {
            "sampling": usage_json(trace.sampling),
            "judging": usage_json(trace.judging),
        }
        if trace.samples_reused:
            parts["reused"] = usage_json(trace.reused)
        if model in self.prices:
            parts["cost"] = self._cost(trace.paid, model)
        return parts

    def _cost(self, usage: Usage, model: str) -> float:
        prompt, completion = self.prices[model]
        return usage.prompt_tokens * prompt + usage.completion_tokens * completion


def _calibration(answer: Answer) -> Json | None:
    """What the confidence rests on; None where there is none."""
    if answer.map is None:
        return None
    return answer.map.model_dump(include={"verifier", "kind", "n", "ece", "brier"})


def cache_word(policy: Policy, trace: Trace) -> str:
    """What came of reuse: `off`, `miss`, `pool:k` for k samples, `hit` for a whole answer."""
    if policy.cache == "off":
        return "off"
    if trace.cached:
        return "hit"
    return f"pool:{trace.samples_reused}" if trace.samples_reused else "miss"


def _candidate(candidate: Candidate, score: Score, index: int | None) -> Json:
    told: dict[str, Any] = {
        "id": candidate.id,
        "index": index,
        "text": candidate.text,
        "finish_reason": candidate.finish_reason,
        "score": score.value if score.judged else None,
        "passed": score.passed,
        "answer": score.key,
        "reason": score.reason,
    }
    if candidate.reasoning:
        told["reasoning"] = candidate.reasoning
    if candidate.tool_calls:
        told["tool_calls"] = candidate.tool_calls
    if candidate.usage is not None:
        told["tokens"] = candidate.usage.completion_tokens
    return told
