"""The layouts of temperature files: how they are written, and what decides that."""
