"""The plugin as it would be installed beside a user's vLLM, without touching that environment."""

from __future__ import annotations

from pathlib import Path

import http_sf

ROOT = Path(__file__).parents[2]
ENTRY = "[vllm.logits_processors]\nits_gateway = its_gateway_vllm.processor:GrammarProcessor\n"


def written(at: Path) -> Path:
    """A folder for `PYTHONPATH`: links to the sources, and the metadata that names the plugin."""
    metadata = at / "its_gateway_vllm-0.1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: its-gateway-vllm\nVersion: 0.1.0\n"
    )
    (metadata / "entry_points.txt").write_text(ENTRY)
    (at / "gateway").symlink_to(ROOT / "gateway")
    (at / "its_gateway_vllm").symlink_to(ROOT / "plugins" / "vllm" / "its_gateway_vllm")
    (at / "http_sf").symlink_to(Path(http_sf.__file__).parent)
    return at
