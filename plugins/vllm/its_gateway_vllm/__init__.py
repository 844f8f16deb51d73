"""Sampling given a grammar inside vLLM: a logits processor that keeps tries across requests."""
