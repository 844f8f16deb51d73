"""Accuracy against tokens, of every strategy, at equal tokens with repeated sampling."""
