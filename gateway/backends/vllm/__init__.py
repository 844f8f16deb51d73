"""A vLLM server, or anything that speaks its dialect of OpenAI's API, over HTTP."""

from gateway.backends.vllm.backend import VLLMBackend

__all__ = ["VLLMBackend"]
