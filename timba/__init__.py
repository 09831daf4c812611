"""Timba, the system of record for timber companies."""
