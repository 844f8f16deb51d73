"""Benchmark problems and the small demo model trained on them."""
