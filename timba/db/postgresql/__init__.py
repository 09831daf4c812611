"""Django's PostgreSQL backend with the connections of `timba.db.server_connections`."""
