#!/usr/bin/env python
"""The command `timba` in a clone: `python manage.py help` lists what it can do."""

from timba.runtime.command import main

if __name__ == "__main__":
    main("manage.py")
