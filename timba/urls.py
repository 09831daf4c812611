"""The `path` of every URL: it matches with and without its final slash, without a redirect.

A redirect would turn a POST into a GET and lose its body, so both spellings are one route.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpResponseBase
from django.urls import URLPattern, URLResolver
from django.urls.resolvers import RoutePattern


class OptionalSlashPattern(RoutePattern):
    """Match a route as it is written, else with its final slash added or removed."""

    def __init__(self, route: str, name: str | None = None, is_endpoint: bool = False) -> None:
        super().__init__(route, name=name, is_endpoint=is_endpoint)
        self._beginning = route.partition("<")[0].rstrip("/")

    def match(self, path: str) -> Any:
        # Most routes fail here: every request tries one after the other.
        if not path.startswith(self._beginning):
            return None
        match = super().match(path)
        if match is None and not path.endswith("//"):
            match = super().match(path[:-1] if path.endswith("/") else f"{path}/")
        return match


def path(
    route: str, view: Callable[..., HttpResponseBase], *, name: str | None = None
) -> URLPattern:
    """Return the URL pattern of one view; Django's own `path` is for `include`."""
    return URLPattern(OptionalSlashPattern(route, name=name, is_endpoint=True), view, name=name)


def site_path(route: str, site_urls: tuple[Any, str, str]) -> URLResolver:
    """Return the URL resolver of an admin site, whose index matches without the slash too."""
    urlconf, app_name, namespace = site_urls
    pattern = OptionalSlashPattern(route)
    return URLResolver(pattern, urlconf, app_name=app_name, namespace=namespace)
