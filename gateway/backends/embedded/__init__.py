"""A small language model in the gateway's own process: for demos and tests, without a GPU."""

from gateway.backends.embedded.backend import EmbeddedBackend

__all__ = ["EmbeddedBackend"]
