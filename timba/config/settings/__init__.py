"""One module per environment; all values come from environment variables."""
