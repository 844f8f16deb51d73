"""Which policies are run, from the registry and the table."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.scaling import table
from benchmarks.scaling.table import BadTable, baselines, strategies, unknown
from gateway import Outcome, Session, strategy
from gateway.registry import Registry, load, spec_of


@strategy
async def direct(session: Session) -> Outcome:
    """The baseline."""
    raise NotImplementedError


@strategy
async def best_of_n(session: Session) -> Outcome:
    """The other baseline."""
    raise NotImplementedError


@strategy
async def clever(session: Session) -> Outcome:
    """A new one."""
    raise NotImplementedError


KNOWN = Registry("strategy", map(spec_of, (direct, best_of_n, clever)))


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    return tmp_path / "strategies.toml"


def test_a_strategy_without_a_line_runs_as_it_is_and_baselines_do_not(lines: Path) -> None:
    lines.write_text("")
    found = strategies(KNOWN, lines)
    assert [(name, each.wishes()) for name, each in found.items()] == [
        ("clever", {"strategy": "clever"})
    ]


def test_each_line_is_a_policy(lines: Path) -> None:
    lines.write_text(
        'clever = [{ label = "8", budget = 8 }, { label = "x", params = { a = 1 } }]\n'
        'best_of_n = [{ label = "early", verifier = "math" }]\n'
        "gone = [{ budget = 3 }]\n"
    )
    assert {name: each.wishes() for name, each in strategies(KNOWN, lines).items()} == {
        "best_of_n-early": {"strategy": "best_of_n", "verifier": "math"},
        "clever-8": {"strategy": "clever", "budget": 8},
        "clever-x": {"strategy": "clever", "params": {"a": 1}},
    }
    assert unknown(KNOWN, lines) == ["gone"]


@pytest.mark.parametrize(
    "text",
    [
        "clever = [",
        "clever = []",
        "clever = [{ n = 8 }]",
        "clever = [{ budget = 0 }]",
        'clever = [{ label = "a b" }]',
        "clever = [{ budget = 4 }, { budget = 8 }]",
    ],
)
def test_a_table_that_cannot_be_used_is_refused(lines: Path, text: str) -> None:
    lines.write_text(text)
    with pytest.raises(BadTable, match=r"strategies\.toml"):
        strategies(KNOWN, lines)


def test_baselines_are_one_sample_and_a_point_a_verifier_and_budget() -> None:
    found = baselines(["agreement", "math"], [2, 4])
    assert list(found) == [
        "direct",
        "best_of_n-agreement-2",
        "best_of_n-agreement-4",
        "best_of_n-math-2",
        "best_of_n-math-4",
    ]
    assert found["best_of_n-math-4"].wishes() == {
        "strategy": "best_of_n",
        "budget": 4,
        "verifier": "math",
    }


def test_our_own_table_can_be_used() -> None:
    registry = load("strategy", "strategies", "its_gateway.strategies")
    found = strategies(registry)
    named = {each.strategy for each in found.values()}
    assert set(registry) - {table.ONE, table.MANY} <= named
    assert unknown(registry) == []
