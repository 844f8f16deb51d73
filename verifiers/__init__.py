"""Verifiers: how candidates are scored; one file each."""
