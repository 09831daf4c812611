"""Readings of temperatures and their exact statistics."""
