"""Runs an installation: the web server, the processes and their supervisor."""
