"""The real servers under Timba's tests: found or built, started, named and ended, without Docker.

It stands on Python's standard library alone, for it runs before anything is installed.
"""
