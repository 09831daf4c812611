#!/usr/bin/env python
"""Runs management commands: `python manage.py help` lists them."""

import os
import sys

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line
from django.db import Error

from timba.db.errors import is_database_outage

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "timba.config.settings.base")
    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.exit(f"Timba does not start: {error}")
    except Error as error:
        if not is_database_outage(error):
            raise
        sys.exit(f"Timba does not start: its database cannot be used: {error}")
