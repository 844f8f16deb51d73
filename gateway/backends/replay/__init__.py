"""Recorded answers of real models as an upstream: every strategy runs on them, without a GPU."""

from gateway.backends.replay.backend import ReplayBackend
from gateway.backends.replay.records import Recording, load

__all__ = ["Recording", "ReplayBackend", "load"]
