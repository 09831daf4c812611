"""Tally sheets as people keep them, read and marked: pure, and run in the sandbox."""
