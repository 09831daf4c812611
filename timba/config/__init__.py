"""The composition root: may import every other package, and is imported by none."""

from timba.config.celery import app as celery_app

__all__ = ["celery_app"]
