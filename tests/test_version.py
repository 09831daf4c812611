"""One version number for the API, its schema, the health endpoint and the foot of every page."""

from __future__ import annotations

import pytest
from django.test import Client as HttpClient

from tests.clients import browser_of
from tests.factories import StaffFactory
from timba import __version__

FOOT = f'<p class="version">Timba {__version__}</p>'


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/login/", "/no-such-page/"])
def test_the_foot_of_a_page_for_strangers_has_it(path: str) -> None:
    assert FOOT in HttpClient().get(path, headers={"Accept": "text/html"}).content.decode()


@pytest.mark.django_db
def test_the_foot_of_a_page_and_the_admin_site_have_it() -> None:
    staff = browser_of(StaffFactory())
    assert FOOT in staff.get("/consignments/").content.decode()
    assert f"Version {__version__}" in staff.get("/admin/").content.decode()


@pytest.mark.django_db
def test_health_and_the_schema_have_it() -> None:
    strangers = HttpClient()
    assert strangers.get("/health/ready").json()["version"] == __version__
    schema = strangers.get("/api/schema/", {"format": "json"}).json()
    assert schema["info"]["version"] == __version__
