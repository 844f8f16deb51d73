from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import numpy as np
import pytest

from gateway.backends.embedded import EmbeddedBackend


@pytest.fixture
async def backend() -> AsyncIterator[EmbeddedBackend]:
    made = EmbeddedBackend()
    yield made
    await made.close()


@pytest.fixture
def weights(tmp_path: Path) -> Callable[..., Path]:
    """Writes a directory with random weights of a small shape."""

    def write(kv_heads: int, tied: bool = True) -> Path:
        from safetensors.numpy import save_file

        random, hidden, heads, inner, vocab = np.random.default_rng(0), 48, 6, 80, 50
        shapes = {"embed_tokens.weight": (vocab, hidden), "norm.weight": (hidden,)}
        for i in range(2):
            name = f"layers.{i}."
            shapes |= {
                name + "self_attn.q_proj.weight": (hidden, hidden),
                name + "self_attn.k_proj.weight": (kv_heads * 8, hidden),
                name + "self_attn.v_proj.weight": (kv_heads * 8, hidden),
                name + "self_attn.o_proj.weight": (hidden, hidden),
                name + "mlp.gate_proj.weight": (inner, hidden),
                name + "mlp.up_proj.weight": (inner, hidden),
                name + "mlp.down_proj.weight": (hidden, inner),
                name + "input_layernorm.weight": (hidden,),
                name + "post_attention_layernorm.weight": (hidden,),
            }
        arrays = {"model." + name: random.normal(0, 0.3, shape) for name, shape in shapes.items()}
        if not tied:
            arrays["lm_head.weight"] = random.normal(0, 0.3, (vocab, hidden))
        save_file(
            {name: value.astype(np.float16) for name, value in arrays.items()},
            str(tmp_path / "model.safetensors"),
        )
        config = {
            "hidden_size": hidden,
            "num_hidden_layers": 2,
            "num_attention_heads": heads,
            "num_key_value_heads": kv_heads,
            "intermediate_size": inner,
            "vocab_size": vocab,
            "rope_theta": 10000.0,
            "rms_norm_eps": 1e-5,
            "tie_word_embeddings": tied,
            "max_position_embeddings": 512,
        }
        (tmp_path / "config.json").write_text(json.dumps(config))
        return tmp_path

    return write
