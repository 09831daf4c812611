"""The lines of a temperature file: how bytes become lines, and what a good line is."""
