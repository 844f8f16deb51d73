"""Hostile code, contained: see docs/sandbox.md for what is, how, and what is not."""
