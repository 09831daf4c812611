"""A client's numbered towns."""
