"""Django's SQLite backend with one more function, by which texts are searched."""
