"""The files beside the weights, as Hugging Face's loaders read them."""

import json
from collections.abc import Mapping
from pathlib import Path

from tokenizers import Tokenizer

from benchmarks.demo_model.conversations import ASSISTANT, END, PAD, SYSTEM, USER, token_id
from benchmarks.demo_model.model import Shape

CHAT_TEMPLATE = (
    "{%- macro text(content) -%}"
    "{%- if content is string -%}{{- content -}}"
    "{%- elif content -%}"
    "{%- for part in content -%}"
    "{%- if part.type == 'text' -%}{{- part.text -}}{%- endif -%}"
    "{%- endfor -%}"
    "{%- endif -%}"
    "{%- endmacro -%}"
    "{%- for message in messages -%}"
    "{%- if message.role in ('system', 'developer') -%}{{- '<|system|>' -}}"
    "{%- elif message.role == 'user' -%}{{- '<|user|>' -}}"
    "{%- elif message.role == 'assistant' -%}{{- '<|assistant|>' -}}"
    "{%- else -%}{{- raise_exception('unknown role: ' + message.role) -}}"
    "{%- endif -%}"
    "{{- text(message.content) + '<|end|>' -}}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{- '<|assistant|>' -}}{%- endif -%}"
)


def config(shape: Shape, end: int, pad: int) -> Mapping[str, object]:
    """Return the Llama configuration of a shape."""
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": shape.vocab,
        "hidden_size": shape.hidden,
        "intermediate_size": shape.intermediate,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.kv_heads,
        "head_dim": shape.head_dim,
        "hidden_act": "silu",
        "rms_norm_eps": shape.norm_eps,
        "rope_theta": shape.rope_theta,
        "max_position_embeddings": shape.context,
        "attention_bias": False,
        "attention_dropout": 0.0,
        "mlp_bias": False,
        "tie_word_embeddings": True,
        "initializer_range": 0.02,
        "bos_token_id": None,
        "eos_token_id": end,
        "pad_token_id": pad,
        "torch_dtype": "float16",
        "use_cache": True,
    }


def write_directory(directory: Path, shape: Shape, tokenizer: Tokenizer) -> None:
    """Write everything but the weights and the model card into `directory`, made if missing."""
    end, pad = token_id(tokenizer, END), token_id(tokenizer, PAD)
    named = {
        "eos_token": END,
        "pad_token": PAD,
        "additional_special_tokens": [SYSTEM, USER, ASSISTANT],
    }
    loading = {
        **named,
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": None,
        "unk_token": None,
        "model_max_length": shape.context,
        "clean_up_tokenization_spaces": False,
        "chat_template": CHAT_TEMPLATE,
    }
    generation = {"eos_token_id": end, "pad_token_id": pad, "do_sample": True, "temperature": 1.0}
    contents = {
        "config.json": config(shape, end, pad),
        "tokenizer_config.json": loading,
        "special_tokens_map.json": named,
        "generation_config.json": generation,
    }
    directory.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (directory / name).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    tokenizer.save(str(directory / "tokenizer.json"))
