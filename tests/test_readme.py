"""What the README says is true: its example runs and keeps the laws, its table is complete."""

from __future__ import annotations

import re
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from gateway.laws import STRATEGY_LAWS
from gateway.registry import Spec, load, spec_of
from gateway.wishes import HEADERS, header_title

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


@pytest.fixture
def example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Spec:
    """The strategy by hand, as a module of its own."""
    [code] = [
        block for block in re.findall(r"```python\n(.*?)```", README, re.S) if "@strategy" in block
    ]
    (tmp_path / "readme_strategy.py").write_text(code)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "readme_strategy", raising=False)
    return spec_of(import_module("readme_strategy").shortest_agreeing)


@pytest.mark.parametrize("law", STRATEGY_LAWS, ids=lambda law: law.__name__)
async def test_the_strategy_by_hand_keeps_the_laws(example: Spec, law: Any) -> None:
    await law(example, load("verifier", "verifiers", "its_gateway.verifiers"))


def test_every_header_is_in_the_table() -> None:
    missing = [name for name in map(header_title, HEADERS) if f"`{name}`" not in README]
    assert missing == []


def test_every_link_leads_somewhere() -> None:
    for page in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
