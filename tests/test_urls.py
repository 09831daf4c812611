"""URLs match with and without a final slash."""

from __future__ import annotations

import pytest
from django.http import HttpResponse
from django.urls import Resolver404, URLResolver
from django.urls.resolvers import RegexPattern

from timba.urls import path


def resolver(*routes: str) -> URLResolver:
    patterns = [path(route, lambda _: HttpResponse(), name=route) for route in routes]
    return URLResolver(RegexPattern(r"^/"), patterns)


@pytest.mark.parametrize("route", ["notes/", "notes", "notes/<int:pk>/", "tally.xlsx"])
def test_an_address_is_found_with_and_without_its_final_slash(route: str) -> None:
    address = "/" + route.replace("<int:pk>", "7").removesuffix("/")
    for spelling in (address, f"{address}/"):
        assert resolver(route).resolve(spelling).url_name == route


def test_two_slashes_are_another_address() -> None:
    with pytest.raises(Resolver404):
        resolver("notes/").resolve("/notes//")
