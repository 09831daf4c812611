"""The one row that `/health/ready` writes, to see that the database takes writes."""

from __future__ import annotations

from django.db import models


class HealthProbe(models.Model):
    """When somebody last saw that a write is committed; a process writes every few seconds."""

    written_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"written at {self.written_at}"
