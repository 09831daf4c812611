"""Django's SQLite backend with a function for case-insensitive search."""
