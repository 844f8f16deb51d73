"""The model's arithmetic, against a plain reading of the paper and against Hugging Face."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from gateway.backends.embedded import EmbeddedBackend
from gateway.backends.embedded.backend import MODEL
from gateway.backends.embedded.cache import Ints
from gateway.backends.embedded.chat import Chat
from gateway.backends.embedded.model import Llama
from gateway.types import Finished, Sample

GOLDEN = Path(__file__).parent / "golden.json"


def plainly(directory: Path, tokens: Ints) -> np.ndarray:
    """Logits [T, vocab] of a Llama, in float64 and without a cache."""
    config = json.loads((directory / "config.json").read_text())
    weights = {
        k.removeprefix("model."): v.astype(np.float64)
        for k, v in load_file(directory / "model.safetensors").items()
    }
    heads, kv = config["num_attention_heads"], config["num_key_value_heads"]
    dim = config["hidden_size"] // heads
    count = len(tokens)
    angle = np.outer(np.arange(count), 10000.0 ** (-np.arange(0, dim, 2) / dim))
    cos, sin = (np.concatenate([f(angle)] * 2, axis=1)[:, None] for f in (np.cos, np.sin))

    def norm(x: np.ndarray, name: str) -> np.ndarray:
        power = (x**2).mean(1, keepdims=True)
        scaled: np.ndarray = x / np.sqrt(power + 1e-5) * weights[name]
        return scaled

    def rotate(x: np.ndarray) -> np.ndarray:
        half = np.concatenate([-x[..., dim // 2 :], x[..., : dim // 2]], axis=-1)
        turned: np.ndarray = x * cos + half * sin
        return turned

    x = weights["embed_tokens.weight"][tokens]
    for i in range(config["num_hidden_layers"]):
        at = f"layers.{i}."
        h = norm(x, at + "input_layernorm.weight")
        q, k, v = (
            (h @ weights[f"{at}self_attn.{p}_proj.weight"].T).reshape(count, -1, dim) for p in "qkv"
        )
        q, k = rotate(q), np.repeat(rotate(k), heads // kv, axis=1)
        v = np.repeat(v, heads // kv, axis=1)
        scores = np.einsum("qhd,khd->hqk", q, k) / np.sqrt(dim)
        scores = np.where(np.tri(count, dtype=bool), scores, -np.inf)
        scores = np.exp(scores - scores.max(-1, keepdims=True))
        scores /= scores.sum(-1, keepdims=True)
        mixed = np.einsum("hqk,khd->qhd", scores, v).reshape(count, -1)
        x = x + mixed @ weights[at + "self_attn.o_proj.weight"].T
        h = norm(x, at + "post_attention_layernorm.weight")
        gate, up = (h @ weights[f"{at}mlp.{p}_proj.weight"].T for p in ("gate", "up"))
        x = x + (gate / (1 + np.exp(-gate)) * up) @ weights[at + "mlp.down_proj.weight"].T
    head = weights.get("lm_head.weight", weights["embed_tokens.weight"])
    logits: np.ndarray = norm(x, "norm.weight") @ head.T
    return logits


@pytest.mark.parametrize(("kv_heads", "tied"), [(2, True), (6, False)])
def test_prefill_and_steps_agree_with_plain_arithmetic(
    weights: Callable[..., Path], kv_heads: int, tied: bool
) -> None:
    directory = weights(kv_heads, tied)
    model, tokens = Llama(directory), np.arange(300) * 7 % 50
    expected = plainly(directory, tokens)
    cache = model.cache()
    slot = cache.open()
    read = [model.logits(model.prefill(cache, slot, part)) for part in np.split(tokens, [1, 120])]
    np.testing.assert_allclose(np.concatenate(read), expected, rtol=1e-3, atol=1e-3)
    cache = model.cache()
    cache.open()
    for token, logits in zip(tokens[:140], expected, strict=False):
        np.testing.assert_allclose(
            model.step(cache, np.array([token]))[0], logits, rtol=1e-3, atol=1e-3
        )


def test_sequences_of_one_batch_do_not_mix(weights: Callable[..., Path]) -> None:
    directory = weights(2)
    model, random = Llama(directory), np.random.default_rng(1)
    sequences = [random.integers(0, 50, size) for size in (3, 40, 150, 9)]
    cache = model.cache()
    for tokens in sequences:
        model.prefill(cache, cache.open(), tokens[:-1])
    logits = model.step(cache, np.array([tokens[-1] for tokens in sequences]))
    for tokens, line in zip(sequences, logits, strict=True):
        np.testing.assert_allclose(line, plainly(directory, tokens)[-1], rtol=1e-3, atol=1e-3)
    cache.close(1)  # the last one, of 9 tokens, moves here
    sequences = [np.append(sequences[i], 5) for i in (0, 3, 2)]
    logits = model.step(cache, np.array([5, 5, 5]))
    for tokens, line in zip(sequences, logits, strict=True):
        np.testing.assert_allclose(line, plainly(directory, tokens)[-1], rtol=1e-3, atol=1e-3)


def test_cache_finds_the_longest_shared_beginning(weights: Callable[..., Path]) -> None:
    model = Llama(weights(2))
    cache = model.cache()
    assert cache.relative(np.array([1, 2])) == (0, 0)
    for tokens in ([1, 2, 3], [1, 2, 9, 9, 9], [4]):
        model.prefill(cache, cache.open(), np.array(tokens))
    assert cache.relative(np.array([1, 2, 9, 9, 1])) == (1, 4)
    assert cache.relative(np.array([1, 2, 3, 0, 0])) == (0, 3)  # zeros past its end do not count
    assert cache.relative(np.array([7]))[1] == 0


needs_golden = pytest.mark.skipif(not GOLDEN.exists(), reason="golden.json is not written yet")


@needs_golden
def test_prompt_and_logits_are_those_of_hugging_face() -> None:
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))
    model = Llama(MODEL)
    chat = Chat(MODEL, model.config.vocab)
    ids = chat.prompt(golden["messages"], generate=True, proceed=False)
    assert ids == golden["prompt_ids"]
    cache = model.cache()
    logits = model.logits(model.prefill(cache, cache.open(), np.array(ids)))[-1]
    np.testing.assert_allclose(logits, golden["logits"], atol=2e-3)


@needs_golden
async def test_greedy_continuation_is_that_of_hugging_face(backend: EmbeddedBackend) -> None:
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))
    expected = tuple(golden["greedy_ids"])
    fields = {"temperature": 0, "max_tokens": len(expected)}
    async for event in backend.call(Sample("its-demo", golden["messages"], fields=fields)):
        if isinstance(event, Finished):
            assert event.candidate.token_ids == expected
