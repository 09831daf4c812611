"""What the three databases need: retries, integrity errors, text search, the SQLite backend."""
