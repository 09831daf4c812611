"""Says whether a change changes anything: what does not is neither saved nor published."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import Model


def apply_changes(row: Model, changes: Mapping[str, Any]) -> bool:
    """Set these fields; return whether any of them now holds another value."""
    # By column, so that a related row is not fetched to be compared.
    columns = [row._meta.get_field(name).attname for name in changes]  # type: ignore[union-attr]
    before = [getattr(row, column) for column in columns]
    for name, value in changes.items():
        setattr(row, name, value)
    return before != [getattr(row, column) for column in columns]
