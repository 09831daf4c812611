"""Builds Timba's image and runs compose.yaml by podman, without Docker and without a registry.

Images have the names that compose.yaml gives them, but are built from Debian's packages. So that
they are never taken for the official ones, podman has a storage of its own here.
"""
