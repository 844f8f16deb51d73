"""What became of requests: receipts that their owners can read, and replaying them."""
