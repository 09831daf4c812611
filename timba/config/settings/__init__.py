"""One module an environment; all values come from the environment variables."""
