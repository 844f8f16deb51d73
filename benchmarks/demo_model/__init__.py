"""Training and evaluation of the demo language model; the one place that needs torch."""
