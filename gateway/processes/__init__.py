"""Several processes that serve one port: a supervisor, and its workers."""
