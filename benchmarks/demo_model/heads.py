"""Idle attention heads, so that a model's width is a multiple of how many it has.

Loaders of Hugging Face's form insist on that even where the heads' own size is stated. A head whose
query and output are zero changes nothing.
"""

import json
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor


def add_idle_heads(directory: Path) -> None:
    """Rewrite a model directory so that its width is a multiple of its attention heads."""
    file, weights = directory / "config.json", directory / "model.safetensors"
    config = json.loads(file.read_text(encoding="utf-8"))
    heads, groups = config["num_attention_heads"], config["num_key_value_heads"]
    wanted = next(n for n in range(heads, config["hidden_size"] + 1, groups)
                  if config["hidden_size"] % n == 0)  # fmt: skip
    named = load_file(weights)
    for name, value in named.items():
        if name.endswith("q_proj.weight"):
            named[name] = _widened(value, groups, wanted, config["head_dim"])
        if name.endswith("o_proj.weight"):
            named[name] = _widened(value.T, groups, wanted, config["head_dim"]).T.contiguous()
    config["num_attention_heads"] = wanted
    save_file(named, weights, metadata={"format": "pt"})
    weights.chmod(0o644)
    file.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def _widened(rows: Tensor, groups: int, heads: int, size: int) -> Tensor:
    """Return (heads * size, width) rows: each group's own heads, then its idle ones."""
    width = rows.shape[1]
    grouped = rows.reshape(groups, -1, size, width)
    idle = torch.zeros(groups, heads // groups - grouped.shape[1], size, width, dtype=rows.dtype)
    return torch.cat((grouped, idle), dim=1).reshape(heads * size, width)
