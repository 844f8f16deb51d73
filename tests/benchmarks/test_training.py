"""All stages of the training, one after another, in miniature: needs PyTorch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not here: `make train` installs it")

from benchmarks.demo_model import reward, train, trunk  # noqa: E402
from gateway.backends.embedded.model import Llama  # noqa: E402

SMALL = {
    trunk: {"STEPS": 4, "CHECKPOINT_STEPS": 2, "POOL": 64, "TOKENIZER_PROBLEMS": 400},
    train: {"BASE_STEP": 2, "ANSWERED": 8, "JUDGED": 8, "EACH": 2, "EACH_JUDGED": 2},
    reward: {"SPOILED_STEPS": 1, "SEEN": 1},
}


def test_one_command_trains_all_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.set_num_threads(1)
    for module, constants in SMALL.items():
        for name, value in constants.items():
            monkeypatch.setattr(module, name, value)
    train.train(tmp_path, seed=0)
    assert {each.name for each in (tmp_path / "trunk").iterdir()} == {"step-2", "step-4"}
    base, tokenizer = train.read(tmp_path / train.BASE)
    assert base.shape.hidden % base.shape.heads == 0
    ids = tokenizer.encode("3 + 4 = 7").ids
    served = Llama(tmp_path / train.BASE)  # as the gateway serves it
    cache = served.cache()
    told = served.logits(served.prefill(cache, cache.open(), np.array(ids)))
    with torch.no_grad():
        expected = base.logits(base.hidden(torch.tensor([ids])))[0].numpy()
    assert np.abs(told - expected).max() < 1e-3
    rewards = reward.load_rewards(tmp_path)
    outcome, process = rewards(torch.tensor([ids]), torch.tensor([len(ids) - 1]))
    assert outcome.shape == (1,)
    assert process.shape == (1, len(ids), 2)
