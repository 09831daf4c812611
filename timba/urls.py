"""One `path` for every door: a URL answers with and without its final slash, without a redirect.

A redirect would turn a POST into a GET and lose its body, so both spellings are the same route.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from django.urls.conf import _path  # type: ignore[attr-defined]
from django.urls.resolvers import RoutePattern


class OptionalSlashPattern(RoutePattern):
    """Match a route as it is written, else with its final slash added or taken away."""

    def match(self, path: str) -> Any:
        found = super().match(path)
        if found is None and not path.endswith("//"):
            found = super().match(path[:-1] if path.endswith("/") else f"{path}/")
        return found


path = partial(_path, Pattern=OptionalSlashPattern)
