"""Stopping rules on recorded votes: accuracy, tokens, rounds; alone and through the gateway."""
