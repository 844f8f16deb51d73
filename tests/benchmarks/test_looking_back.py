"""The way by which reward models compare each token with what was expected: needs PyTorch."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not here: `make train` installs it")

from benchmarks.demo_model import looking_back, reward  # noqa: E402
from benchmarks.demo_model.comparing import MOST, Lesson  # noqa: E402
from benchmarks.demo_model.conversations import token_id  # noqa: E402
from benchmarks.demo_model.graded import Graded  # noqa: E402
from benchmarks.demo_model.model import LanguageModel, Shape  # noqa: E402
from benchmarks.demo_model.train import read  # noqa: E402
from gateway.backends.embedded.backend import MODEL  # noqa: E402

SMALL = Shape(vocab=24, hidden=64, intermediate=160, layers=3, heads=4, kv_heads=2)


def _ids(rows: int, seed: int) -> tuple[Any, Any]:
    ids = torch.randint(SMALL.vocab, (rows, 24), generator=torch.Generator().manual_seed(seed))
    answered = torch.zeros(ids.shape, dtype=torch.bool)
    answered[:, 4:20] = True
    return ids, answered


def _expected(ids: Any, answered: Any) -> tuple[Any, Any]:
    """What follows each token for sure, and how surprising that is which came: 0 or 1."""
    row, at = answered.nonzero(as_tuple=True)
    likely = (ids[row, at - 1] + 1) % SMALL.vocab
    chances = torch.nn.functional.one_hot(likely, SMALL.vocab).float()
    return chances, (ids[row, at] != likely).float()


def test_a_layer_tells_how_surprising_a_token_is_after_the_one_before() -> None:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    model = LanguageModel(SMALL).eval()

    def told(layer: int) -> float:
        """How well new states after a layer tell, linearly, a surprise: a correlation."""
        readings = []
        for seed in (1, 2):
            ids, answered = _ids(400, seed)
            ids[::2, 1:] = (ids[::2, :1] + torch.arange(1, ids.shape[1])) % SMALL.vocab
            each: list[Any] = []
            with torch.no_grad():
                model.hidden(ids, each=each)
            states = each[layer][answered]
            states = torch.cat((states, torch.ones(len(states), 1)), 1)
            readings.append((states, _expected(ids, answered)[1]))
        (seen, known), (new, wanted) = readings
        weights = looking_back._regression(seen, known[:, None])
        return float(torch.corrcoef(torch.stack((new @ weights[0], wanted)))[0, 1])

    before = told(1)
    ids, answered = _ids(400, 3)
    readout = looking_back.look_back(model, 1, ids, answered, _expected(ids, answered)[0])
    assert readout.shape == (SMALL.hidden, SMALL.hidden)
    assert before < 0.5 < 0.8 < told(1)


def test_the_teacher_says_how_surprised_the_base_was() -> None:
    torch.manual_seed(0)
    base = LanguageModel(SMALL).eval()
    ids, answered = _ids(3, 1)
    told, roots = Lesson(base).teacher(ids, answered)
    with torch.no_grad():
        chances = base.logits(base.hidden(ids[:1, :9])[0, -1]).softmax(-1)
    assert torch.allclose(told[5], chances, atol=1e-5)  # the sixth answered token is at place 9
    assert float(roots[0, 9]) == pytest.approx(float(-chances[ids[0, 9]].log()) ** 0.5, abs=1e-3)
    assert float(roots[~answered].abs().max()) == 0.0
    assert float(roots.max()) <= MOST**0.5


def test_reward_models_leave_the_base_and_its_reading_layers_as_they_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    torch.set_num_threads(1)
    monkeypatch.setattr(reward, "SPOILED_STEPS", 1)
    monkeypatch.setattr(reward, "SEEN", 1)
    base, tokenizer = read(MODEL)
    before = deepcopy(base.state_dict())
    prompt = tuple(tokenizer.encode("Ann has 3 apples and buys 4.").ids)
    words = tuple(tokenizer.encode("3 + 4 = 7").ids)
    other = (*words[:-1], token_id(tokenizer, "8"))
    graded = [
        Graded(prompt, words, len(words), correct=True, group=0),
        Graded(prompt, other, len(words) - 1, correct=False, group=0),
    ] * 8
    model = reward.train_rewards(base, tokenizer, graded, seed=0)
    after = model.trunk.state_dict()
    assert all(torch.equal(before[name], value) for name, value in base.state_dict().items())
    for name, value in before.items():
        fixed = name == "model.embed_tokens.weight" or any(
            name.startswith(f"model.layers.{layer}.") for layer in range(reward.FIXED_LAYERS)
        )
        assert torch.equal(value, after[name]) == fixed, name
