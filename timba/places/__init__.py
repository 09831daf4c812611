"""Cities: a client's own numbers for towns, and their names."""
