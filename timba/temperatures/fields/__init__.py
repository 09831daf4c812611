"""The fields of a line of a temperature file: how it is split, and how each field is parsed."""
