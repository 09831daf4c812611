"""Lorry loads and the logs in them."""
