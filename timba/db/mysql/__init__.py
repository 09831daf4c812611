"""Django's MySQL backend with the connections of `timba.db.server_connections`."""
