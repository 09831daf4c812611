"""Support for SQLite, PostgreSQL and MariaDB: settings, checks, retries, errors and text search."""
