"""What `deploy/` holds can be used as it is."""

from __future__ import annotations

from pathlib import Path

from gateway.settings import load

DEPLOY = Path(__file__).parents[2] / "deploy"


def test_the_example_configuration_loads() -> None:
    settings = load(["--config", str(DEPLOY / "gateway.example.toml")])
    assert [each.base for each in settings.upstreams()] == [
        "http://127.0.0.1:8001",
        "http://127.0.0.1:8002",
    ]
    assert settings.caps.samples == 64
    assert settings.all_presets()["careful"].verifier == "agreement"
    assert settings.roles.assigned() == {"judge": "small-judge"}
