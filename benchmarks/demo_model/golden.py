"""Record what transformers makes of a model directory, for the engine's tests to compare with.

`python -m benchmarks.demo_model.golden --model DIR --out FILE`; needs transformers.
"""

import argparse
import json
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from benchmarks.demo_model.conversations import render
from benchmarks.demo_model.model import load
from benchmarks.problems import generate

CONTINUATION = 32  # tokens
TOLERANCE = 1e-2


def record(directory: Path) -> dict[str, object]:
    """Return a chat with its prompt ids, last float32 logits and greedy continuation."""
    question = next(generate(1, 1, split="test", fewest=4)).question
    messages = [("system", "You are a careful assistant."), ("user", question)]
    chat = [{"role": role, "content": content} for role, content in messages]
    tokenizer = AutoTokenizer.from_pretrained(directory)
    ids = tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_dict=False)
    text = tokenizer.apply_chat_template(chat, add_generation_prompt=True, tokenize=False)
    parts = [
        {"role": role, "content": [{"type": "text", "text": content}]} for role, content in messages
    ]
    assert text == render(messages, prompt=True)
    assert text == tokenizer.apply_chat_template(parts, add_generation_prompt=True, tokenize=False)
    model = AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32).eval()
    with torch.inference_mode():
        logits = model(torch.tensor([ids])).logits[0]
        own = load(directory)
        difference = (own.logits(own.hidden(torch.tensor([ids])))[0] - logits).abs().max().item()
        continued = model.generate(
            torch.tensor([ids]), do_sample=False, max_new_tokens=CONTINUATION
        )[0, len(ids) :].tolist()
    print(f"largest difference from the training model's logits: {difference:.2e}")
    assert difference < TOLERANCE
    rounded = [round(value, 5) for value in logits[-1].tolist()]
    return {
        "messages": chat,
        "prompt": text,
        "prompt_ids": ids,
        "logits": rounded,
        "greedy_ids": continued,
    }


def main() -> None:
    """Read the command line and write the record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="the model directory")
    parser.add_argument("--out", type=Path, required=True, help="the JSON file to write")
    arguments = parser.parse_args()
    content = record(arguments.model)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(content) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
