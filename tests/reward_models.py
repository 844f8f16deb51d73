"""Reward models of the demo model's shape with random heads: for tests that need any at all."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from gateway.backends.embedded.backend import MODEL

SHAPES = {
    "outcome_reward": ("LlamaForSequenceClassification", 1),
    "process_reward": ("LlamaForTokenClassification", 2),
}


def write(directory: Path) -> dict[str, Path]:
    """Write one of each below `directory`, in HF's layout; their directories by role."""
    return {role: _write(directory / f"{role}_model", *SHAPES[role]) for role in SHAPES}


def _write(directory: Path, architecture: str, labels: int) -> Path:
    shutil.copytree(MODEL, directory)
    config = json.loads((MODEL / "config.json").read_text())
    names = {str(label): f"LABEL_{label}" for label in range(labels)}
    config |= {"architectures": [architecture], "num_labels": labels, "id2label": names}
    config["label2id"] = {name: int(label) for label, name in names.items()}
    (directory / "config.json").write_text(json.dumps(config))
    random = np.random.default_rng(labels)
    named = load_file(MODEL / "model.safetensors")
    hidden = config["hidden_size"]
    named["score.weight"] = random.normal(0, 0.1, (labels, hidden)).astype(np.float16)
    if labels > 1:
        named["score.bias"] = random.normal(0, 0.1, labels).astype(np.float16)
    save_file(named, str(directory / "model.safetensors"), metadata={"format": "pt"})
    return directory
