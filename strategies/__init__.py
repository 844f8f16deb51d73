"""Strategies: how candidates are drawn and one is chosen; one file each."""
