"""SQLite as Timba talks to it: Django's own backend, and one function more."""
