"""`its-gateway eval`: problems under several policies over HTTP, and what can be said of them."""
