"""Which policies are compared: every registered strategy, and the baselines."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from benchmarks.evaluation.policies import DIRECT, NAME, Policy
from gateway.registry import Registry

TABLE = Path(__file__).parent / "strategies.toml"
ONE, MANY = "direct", "best_of_n"
"""The baselines: one sample, and repeated sampling with a verifier."""


class BadTable(Exception):
    """The table of strategies cannot be used; the message says what is wrong."""


class _Line(BaseModel):
    """How a strategy is run."""

    model_config = ConfigDict(extra="forbid")

    label: str = Field("", pattern=r"^[A-Za-z0-9._+-]*$")
    budget: int | None = Field(None, ge=1)
    verifier: str | None = None
    params: dict[str, object] = Field(default_factory=dict)


_LINES = TypeAdapter(dict[str, list[_Line]])


def strategies(registry: Registry, path: Path = TABLE) -> dict[str, Policy]:
    """A policy for each line of the table whose strategy is registered, and one for each strategy
    that has no line, as it is by default; the baselines have only their lines.
    """
    lines = _read(path)
    found: dict[str, Policy] = {}
    for name in registry.names():
        for line in lines.get(name, [] if name in (ONE, MANY) else [_Line()]):
            called = f"{name}-{line.label}" if line.label else name
            if called in found:
                raise BadTable(f"{path}: two lines of {name} have the label {line.label!r}")
            found[called] = Policy(
                strategy=name,
                budget=line.budget,
                verifier=line.verifier,
                params=line.params or None,
            )
    return found


def baselines(verifiers: Iterable[str], budgets: Sequence[int]) -> dict[str, Policy]:
    """The policies of the baselines' curves; each begins with one sample, which all share."""
    found = {ONE: DIRECT}
    for verifier in verifiers:
        for budget in budgets:
            found[point(verifier, budget)] = Policy(strategy=MANY, budget=budget, verifier=verifier)
    return found


def point(verifier: str, budget: int) -> str:
    """The name of a point of repeated sampling's curve; that of a single sample is `direct`."""
    return f"{MANY}-{verifier}-{budget}"


def unknown(registry: Mapping[str, object], path: Path = TABLE) -> list[str]:
    """Strategies that the table has lines for and that are not there."""
    return sorted(set(_read(path)) - set(registry))


def _read(path: Path) -> dict[str, list[_Line]]:
    try:
        lines = _LINES.validate_python(tomllib.loads(path.read_text()))
    except (OSError, tomllib.TOMLDecodeError, ValidationError) as error:
        raise BadTable(f"{path}: {error}") from None
    for name, each in lines.items():
        if not NAME.fullmatch(name) or not each:
            raise BadTable(f"{path}: {name!r} is no strategy's name, or has no line")
    return lines
