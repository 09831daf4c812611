"""Parses the fields of many lines at once with numpy; only what is certain is accepted."""
