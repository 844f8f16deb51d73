"""How a call asks the gateway's logits processor, where a server has it, to sample in a grammar.

The processor has to see the model's own logits, so vLLM itself must not be told of the grammar.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.grammar import constraint_of
from gateway.types import Json

TOLD_OTHERWISE = ("its_aligned", "response_format", "structured_outputs")


def translated(fields: Mapping[str, Any]) -> Json:
    """The body's fields, with `its_aligned` and the grammar as the processor's `vllm_xargs`."""
    aligned = fields.get("its_aligned")
    if not isinstance(aligned, Mapping):
        return dict(fields)
    rest = {name: value for name, value in fields.items() if name not in TOLD_OTHERWISE}
    constraint = constraint_of(fields)
    if constraint is None:
        return rest
    xargs = {
        "its_method": aligned.get("method", "cars"),
        "its_session": aligned.get("session", ""),
        "its_grammar_kind": constraint.kind,
        "its_grammar": constraint.source,
    }
    return {**rest, "vllm_xargs": {**(rest.get("vllm_xargs") or {}), **xargs}}
