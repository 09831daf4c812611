"""The demo company, created through the same services that users call."""
