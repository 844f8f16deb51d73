"""What the gateway does while its backends are killed under load."""
