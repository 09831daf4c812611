"""Uploads that are sent in parts and resumed after an interruption, as tus 1.0.0 describes."""
