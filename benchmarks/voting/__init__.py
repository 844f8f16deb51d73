"""Stopping rules on recorded votes: accuracy, tokens and rounds, without and through the gateway."""
