"""Django finds the class of a backend's connections by this module's name."""

from __future__ import annotations

from django.db.backends.mysql import base

from timba.db.server_connections import ServerConnectionMixin


class DatabaseWrapper(ServerConnectionMixin, base.DatabaseWrapper):
    """A connection to MariaDB or MySQL."""
