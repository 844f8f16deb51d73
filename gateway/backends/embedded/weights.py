"""A Llama's shape and weights, read from a directory in HF's layout and made ready to multiply."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from gateway.backends.embedded.cache import Floats

CAUSAL, SEQUENCE, TOKEN = (
    f"LlamaFor{what}" for what in ("CausalLM", "SequenceClassification", "TokenClassification")
)


@dataclass(frozen=True, slots=True)
class Config:
    """The shape of a Llama, from HF's config.json."""

    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    vocab: int
    context: int
    theta: float
    epsilon: float
    tied: bool
    architecture: str

    @classmethod
    def load(cls, path: Path) -> Config:
        raw = json.loads(path.read_text(encoding="utf-8"))
        heads = raw["num_attention_heads"]
        rope = raw.get("rope_parameters") or {}  # where newer versions of HF's format keep theta
        return cls(
            layers=raw["num_hidden_layers"],
            heads=heads,
            kv_heads=raw.get("num_key_value_heads", heads),
            head_dim=raw.get("head_dim") or raw["hidden_size"] // heads,
            vocab=raw["vocab_size"],
            context=raw["max_position_embeddings"],
            theta=raw.get("rope_theta") or rope.get("rope_theta", 10_000.0),
            epsilon=raw.get("rms_norm_eps", 1e-6),
            tied=raw.get("tie_word_embeddings", False),
            architecture=(raw.get("architectures") or [CAUSAL])[0],
        )


@dataclass(frozen=True, slots=True)
class Layer:
    """One block's matrices, [in, out]; each carries the scale of the norm before it."""

    qkv: Floats
    out: Floats
    gate_up: Floats
    down: Floats


@dataclass(frozen=True, slots=True)
class Weights:
    """All matrices, float32; `head` carries the scale of the last norm, which is `norm`.

    The head is a language model's, [hidden, vocab], or a classifier's, [hidden, labels], which may
    have a `bias` [labels].
    """

    embedding: Floats
    layers: tuple[Layer, ...]
    head: Floats
    norm: Floats
    bias: Floats

    @classmethod
    def load(cls, path: Path, config: Config) -> Weights:
        named: dict[str, Floats] = {
            name.removeprefix("model."): value.astype(np.float32)
            for name, value in load_file(path).items()
        }
        embedding = named["embed_tokens.weight"]
        head = named.get("score.weight")
        if head is None:
            head = embedding if config.tied else named["lm_head.weight"]
        return cls(
            embedding=embedding,
            layers=tuple(_layer(named, f"layers.{i}.", config) for i in range(config.layers)),
            head=_folded(named["norm.weight"], head),
            norm=named["norm.weight"],
            bias=named.get("score.bias", np.zeros(len(head), np.float32)),
        )


def _layer(named: dict[str, Floats], at: str, config: Config) -> Layer:
    # The attention's 1/sqrt(dim) goes into the query matrix once, not into every score.
    query = named[at + "self_attn.q_proj.weight"] * np.float32(config.head_dim**-0.5)
    key, value = (named[f"{at}self_attn.{part}_proj.weight"] for part in "kv")
    gate, up = (named[f"{at}mlp.{part}_proj.weight"] for part in ("gate", "up"))
    return Layer(
        qkv=_folded(named[at + "input_layernorm.weight"], query, key, value),
        out=np.ascontiguousarray(named[at + "self_attn.o_proj.weight"].T),
        gate_up=_folded(named[at + "post_attention_layernorm.weight"], gate, up),
        down=np.ascontiguousarray(named[at + "mlp.down_proj.weight"].T),
    )


def _folded(norm: Floats, *matrices: Floats) -> Floats:
    """HF's [out, in] matrices side by side as one [in, out], scaled by the norm before them."""
    return np.ascontiguousarray((np.concatenate(matrices) * norm).T)
