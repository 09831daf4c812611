#!/usr/bin/env python
"""Run Timba's commands: `python manage.py help` lists them."""

import os
import sys

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line
from django.db import Error

from timba.db.outages import is_database_outage

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "timba.config.settings.base")
    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as refusal:
        sys.exit(f"Timba does not start: {refusal}")
    except Error as outage:
        if not is_database_outage(outage):
            raise
        sys.exit(f"Timba does not start: its database cannot be used: {outage}")
