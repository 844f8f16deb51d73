"""A small Llama-architecture model in torch, named within as Hugging Face names its weights."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

EARLY_LAYERS = 4  # after which the trunk's training reads the next token too


@dataclass(frozen=True, slots=True)
class Shape:
    """The model's sizes; `kv_heads` divides `heads`."""

    vocab: int
    hidden: int = 160
    intermediate: int = 416
    layers: int = 7
    heads: int = 6
    kv_heads: int = 2
    head_dim: int = 32
    context: int = 1024
    norm_eps: float = 1e-5
    rope_theta: float = 10000.0


@dataclass(slots=True)
class Cache:
    """Keys and values so far: one (batch, kv_heads, slots, head_dim) tensor of each a layer."""

    keys: list[Tensor]
    values: list[Tensor]
    used: int = 0


def rotary(positions: Tensor, shape: Shape) -> tuple[Tensor, Tensor]:
    """Return cos and sin, (batch, 1, time, head_dim), for positions (batch, time)."""
    half = torch.arange(0, shape.head_dim, 2, dtype=torch.float32) / shape.head_dim
    angles = positions[:, None, :, None].float() * shape.rope_theta**-half
    both = torch.cat((angles, angles), dim=-1)
    return both.cos(), both.sin()


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotate (batch, heads, time, head_dim) by halves, the convention of Hugging Face's Llama."""
    first, second = x.chunk(2, dim=-1)
    return x * cos + torch.cat((-second, first), dim=-1) * sin


class Norm(nn.Module):  # type: ignore[misc]
    """Root-mean-square normalisation over the last dimension with a learned scale."""

    def __init__(self, width: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """Normalise (..., width)."""
        return F.rms_norm(x, self.weight.shape, self.weight, self.eps)


class Attention(nn.Module):  # type: ignore[misc]
    """Causal grouped-query attention with rotary positions."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.q_proj = nn.Linear(shape.hidden, shape.heads * shape.head_dim, bias=False)
        self.k_proj = nn.Linear(shape.hidden, shape.kv_heads * shape.head_dim, bias=False)
        self.v_proj = nn.Linear(shape.hidden, shape.kv_heads * shape.head_dim, bias=False)
        self.o_proj = nn.Linear(shape.heads * shape.head_dim, shape.hidden, bias=False)

    def forward(
        self,
        x: Tensor,
        turn: tuple[Tensor, Tensor],
        mask: Tensor | None,
        cache: Cache | None,
        layer: int,
    ) -> Tensor:
        """Attend (batch, time, hidden) to itself, or to `cache` once it is appended there."""
        batch, time, _ = x.shape
        split = (batch, time, -1, self.shape.head_dim)
        query = rotate(self.q_proj(x).view(split).transpose(1, 2), *turn)
        key = rotate(self.k_proj(x).view(split).transpose(1, 2), *turn)
        value = self.v_proj(x).view(split).transpose(1, 2)
        if cache is not None:
            end = cache.used + time
            cache.keys[layer][:, :, cache.used : end] = key
            cache.values[layer][:, :, cache.used : end] = value
            key, value = cache.keys[layer][:, :, :end], cache.values[layer][:, :, :end]
        mixed = F.scaled_dot_product_attention(
            query, key, value, attn_mask=mask, is_causal=mask is None, enable_gqa=True
        )
        out: Tensor = self.o_proj(mixed.transpose(1, 2).reshape(batch, time, -1))
        return out


class Mlp(nn.Module):  # type: ignore[misc]
    """The gated feed-forward network (SwiGLU)."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(shape.hidden, shape.intermediate, bias=False)
        self.up_proj = nn.Linear(shape.hidden, shape.intermediate, bias=False)
        self.down_proj = nn.Linear(shape.intermediate, shape.hidden, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map (..., hidden) to (..., hidden)."""
        out: Tensor = self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))
        return out


class Layer(nn.Module):  # type: ignore[misc]
    """One decoder layer, normalised before each half."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.self_attn = Attention(shape)
        self.mlp = Mlp(shape)
        self.input_layernorm = Norm(shape.hidden, shape.norm_eps)
        self.post_attention_layernorm = Norm(shape.hidden, shape.norm_eps)


class Decoder(nn.Module):  # type: ignore[misc]
    """Embedding, layers and the last normalisation."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(shape.vocab, shape.hidden)
        self.layers = nn.ModuleList(Layer(shape) for _ in range(shape.layers))
        self.norm = Norm(shape.hidden, shape.norm_eps)


class LanguageModel(nn.Module):  # type: ignore[misc]
    """The causal language model; its output projection is its embedding."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.model = Decoder(shape)
        for name, weight in self.named_parameters():
            if (
                weight.dim() == 2
            ):  # smaller where a layer adds to the stream, so that depth does not swell it
                last = name.endswith(("o_proj.weight", "down_proj.weight"))
                nn.init.normal_(weight, std=0.02 / (2 * shape.layers) ** 0.5 if last else 0.02)

    def hidden(
        self,
        ids: Tensor,
        positions: Tensor | None = None,
        mask: Tensor | None = None,
        cache: Cache | None = None,
        each: list[Tensor] | None = None,
    ) -> Tensor:
        """Return last states (batch, time, hidden) of ids (batch, time), positions from 0.

        `mask` is True where attention is allowed; without one each token sees those before it.
        The states after each layer, normalised as the last are, go to `each`.
        """
        if positions is None:
            positions = torch.arange(ids.shape[1])[None]
        turn = rotary(positions, self.shape)
        x = self.model.embed_tokens(ids)
        for index, layer in enumerate(self.model.layers):
            x = x + layer.self_attn(layer.input_layernorm(x), turn, mask, cache, index)
            x = x + layer.mlp(layer.post_attention_layernorm(x))
            if each is not None:
                each.append(self.model.norm(x))
        if cache is not None:
            cache.used += ids.shape[1]
        out: Tensor = self.model.norm(x)
        return out

    def logits(self, states: Tensor) -> Tensor:
        """Return the logits (..., vocab) of states (..., hidden)."""
        return F.linear(states, self.model.embed_tokens.weight)

    def empty_cache(self, batch: int, slots: int) -> Cache:
        """Return a cache with room for `slots` tokens in each of `batch` rows."""
        size = (batch, self.shape.kv_heads, slots, self.shape.head_dim)
        layers = range(self.shape.layers)
        return Cache([torch.zeros(size) for _ in layers], [torch.zeros(size) for _ in layers])


def save(model: LanguageModel, directory: Path) -> None:
    """Write the weights in float16 as `model.safetensors`."""
    weights = {
        name: value.detach().to(torch.float16).contiguous()
        for name, value in model.state_dict().items()
    }
    file = directory / "model.safetensors"
    save_file(weights, file, metadata={"format": "pt"})
    file.chmod(0o644)


def shape_of(config: Mapping[str, Any]) -> Shape:
    """Return the sizes that a configuration of Hugging Face's form states."""
    return Shape(
        vocab=config["vocab_size"],
        hidden=config["hidden_size"],
        intermediate=config["intermediate_size"],
        layers=config["num_hidden_layers"],
        heads=config["num_attention_heads"],
    )


def load(directory: Path) -> LanguageModel:
    """Return the model of a directory that training wrote, its weights widened to float32."""
    config = json.loads((directory / "config.json").read_text(encoding="utf-8"))
    model = LanguageModel(shape_of(config))
    model.load_state_dict(
        {k: v.float() for k, v in load_file(directory / "model.safetensors").items()}
    )
    model.eval()
    return model
