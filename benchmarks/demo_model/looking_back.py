"""Set one layer's weights so that it compares a token with what was expected in its place.

A judge compares a token with what the layers below expected of it at the token before. Descent
from a language model hardly finds that way, so one group of heads and some gated units are given up
for it and set by regression; descent goes on from there.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from benchmarks.demo_model.model import LanguageModel, rotary

SHARPNESS = 10.0  # how far the score of the token before lies above its neighbours'
FREQUENCIES = 8  # of the rotary ones, the fastest, that tell the token before from others
RIDGE = 1e-3  # of a state's mean square


@torch.no_grad()  # type: ignore[untyped-decorator]
def look_back(
    model: LanguageModel, layer: int, ids: Tensor, answered: Tensor, chances: Tensor
) -> Tensor:
    """Set layer number `layer`, from 0, and return a readout (hidden, hidden).

    The first head brings what the state before says of the next token, in the main directions of
    the `answered` tokens of `ids`, to those directions of the stream that are used least; its
    group's other heads become idle. `chances` (answered, vocab) are those of each token. The
    readout is of the states after the layer, normalised as the last are, towards the embedding.
    """
    chosen, size = model.model.layers[layer], model.shape.head_dim
    stream = _stream(model, layer, ids)[answered]
    x = chosen.input_layernorm(stream)
    _attend_before(model, layer, x)
    last = model.model.norm.weight
    main = _directions(model.model.embed_tokens.weight[ids[answered]])[:, -size:]
    free = _directions(stream)[:, :size]
    attention = chosen.self_attn
    attention.v_proj.weight[:size] = main.T * (last / chosen.input_layernorm.weight)
    scale = stream.std() / (x @ attention.v_proj.weight[:size].T).std()
    attention.o_proj.weight[:, : size * model.shape.heads // model.shape.kv_heads] = 0
    attention.o_proj.weight[:, :size] = free * scale
    _square_errors(model, layer, ids, answered, chances, main)
    return main @ (free / last[:, None]).T * (stream.square().mean().sqrt() / scale)


def _attend_before(model: LanguageModel, layer: int, x: Tensor) -> None:
    """Turn the first group's key and first query so that they meet one token apart."""
    size, attention = model.shape.head_dim, model.model.layers[layer].self_attn
    always = _regression(x, torch.ones(len(x), 1))[0]  # near 1 on each state
    angle = model.shape.rope_theta ** -(torch.arange(size // 2, dtype=torch.float32) * 2 / size)
    used = (torch.arange(size // 2) < FREQUENCIES).float()
    weight = SHARPNESS * size**0.5 / float((used * (1 - angle.cos())).sum())
    key = torch.cat((used, torch.zeros(size // 2))) * weight**0.5
    query = torch.cat((used * angle.cos(), -used * angle.sin())) * weight**0.5
    attention.q_proj.weight[: size * model.shape.heads // model.shape.kv_heads] = 0
    attention.q_proj.weight[:size] = query[:, None] * always
    attention.k_proj.weight[:size] = key[:, None] * always


def _square_errors(
    model: LanguageModel, layer: int, ids: Tensor, answered: Tensor, chances: Tensor, main: Tensor
) -> None:
    """Set gated units to add up how far each token lies from the expected one.

    The state after the attention tells, by regression, the expected embedding less the token's own
    in the directions `main` (hidden, size); silu(d) d + silu(-d) (-d) is the square of d. The units
    given up are those that add least to the stream.
    """
    chosen = model.model.layers[layer]
    turn = rotary(torch.arange(ids.shape[1])[None], model.shape)
    stream = _stream(model, layer, ids)
    stream = stream + chosen.self_attn(chosen.input_layernorm(stream), turn, None, None, layer)
    stream = stream[answered]
    x, mlp, embedding = (
        chosen.post_attention_layernorm(stream),
        chosen.mlp,
        model.model.embed_tokens.weight,
    )
    rows = _regression(x, (chances @ embedding - embedding[ids[answered]]) @ main)
    told = x @ rows.T
    rows, told = rows / told.std(), told / told.std()
    inner = F.silu(mlp.gate_proj(x)) * mlp.up_proj(x)
    added = inner.square().mean(0) * mlp.down_proj.weight.square().sum(0)
    units = added.argsort()[: 2 * len(rows)]
    mlp.gate_proj.weight[units] = torch.cat((rows, -rows))
    mlp.up_proj.weight[units] = torch.cat((rows, -rows))
    scale = 2 * stream.std() / told.square().sum(1).std()
    mlp.down_proj.weight[:, units] = (_directions(stream)[:, 0] * scale)[:, None]


def _regression(x: Tensor, wanted: Tensor) -> Tensor:
    """Return (targets, width): the ridge regression of `wanted` on states (states, width)."""
    square = x.T @ x / len(x)
    ridge = RIDGE * square.trace() / len(square) * torch.eye(len(square))
    return torch.linalg.solve(square + ridge, x.T @ wanted / len(x)).T


def _directions(x: Tensor) -> Tensor:
    """Return orthogonal directions, in columns, those in which (states, width) vary least first."""
    centred = x - x.mean(0)
    found: Tensor = torch.linalg.eigh(centred.T @ centred)[1]
    return found


def _stream(model: LanguageModel, layer: int, ids: Tensor) -> Tensor:
    """Return the stream (rows, time, hidden) that comes to a layer."""
    turn = rotary(torch.arange(ids.shape[1])[None], model.shape)
    x: Tensor = model.model.embed_tokens(ids)
    for index, each in enumerate(model.model.layers[:layer]):
        x = x + each.self_attn(each.input_layernorm(x), turn, None, None, index)
        x = x + each.mlp(each.post_attention_layernorm(x))
    return x
