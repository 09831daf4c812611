"""Installs, builds, starts and stops the real servers that the tests use, without Docker.

Only Python's standard library is imported, because this runs before any package is installed.
"""
