"""From a verifier's numbers to probabilities: maps that labelled answers have earned.

`maps` holds what `its-gateway calibrate` has fitted, `signals` the numbers that an answer came
with, `feedback` what clients say of answers afterwards.
"""

from gateway.calibration.maps import Calibration, Map, Reliability, load
from gateway.calibration.signals import Signals, signals

__all__ = ["Calibration", "Map", "Reliability", "Signals", "load", "signals"]
