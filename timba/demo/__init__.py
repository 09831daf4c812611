"""The demo company, made through the same services that users use."""
