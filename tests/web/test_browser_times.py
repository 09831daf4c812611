"""Times in a browser: one zone on a page, before and after it is redrawn, and on paper."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from playwright.sync_api import expect

from tests.temperatures.uploads import settle_readings
from tests.web.conftest import Open
from tests.web.test_browser_print import printed
from tests.web.test_consignments import measured, opened
from timba.accounts.models import User
from timba.consignments.models import Consignment
from timba.files.models import File

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
MakeUser = Callable[..., User]
# In Riga (UTC+2 in winter) it is the next day already.
LATE = datetime(2025, 11, 18, 23, 30, tzinfo=UTC)
READINGS = "7,-3.2,2025-11-18T23:30:00Z\n7,4.5,2025-11-19T23:30:00Z\n"


@pytest.fixture
def owner(make_user: MakeUser) -> User:
    return make_user(name="Anna Liepa")


@pytest.fixture
def load(owner: User) -> Consignment:
    load = opened(owner)
    Consignment.unscoped.filter(pk=load.pk).update(created_at=LATE)
    return load


def test_times_stay_in_the_browsers_zone_when_a_search_redraws_the_list(
    owner: User, load: Consignment, open_page: Open, browser_errors: list[str]
) -> None:
    page = open_page(owner, "/consignments/")
    opened_at = page.locator("#consignments time")
    expect(opened_at).to_have_text("19 Nov 2025")
    expect(page.get_by_text("Times are in Europe/Riga.")).to_be_visible()
    with page.expect_response("**/?q=4417*"):
        page.get_by_label("Search by name").fill("4417")
    page.wait_for_url("**/?q=4417*")
    expect(opened_at).to_have_text("19 Nov 2025")
    expect(opened_at).to_have_attribute("title", "19 Nov 2025, 01:30:00 EET")
    page.get_by_role("link", name="New consignment").click()
    expect(page.get_by_label("Name", exact=True)).to_be_focused()
    expect(opened_at).to_have_text("19 Nov 2025")
    expect(page.get_by_text("Times are in Europe/Riga.")).to_be_visible()
    expect(page.locator("#main")).not_to_contain_text("UTC")
    assert browser_errors == []


def test_days_stay_the_same_after_a_city_is_renamed(owner: User, open_page: Open) -> None:
    settle_readings(READINGS, actor=owner)
    page = open_page(owner, "/temperatures/7/")
    span = page.locator(".cities .span")
    expect(span).to_have_text("2 readings, 19 Nov 2025 to 20 Nov 2025")
    page.get_by_text("Give it a name").click()
    page.get_by_label("Name").fill("Kuldīga")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Kuldīga")).to_be_visible()
    expect(span).to_have_text("2 readings, 19 Nov 2025 to 20 Nov 2025")
    facts = page.locator(".facts", has_text="First reading")
    expect(facts).to_contain_text("19 Nov 2025, 01:30:00 EET")


def test_a_photos_time_without_a_zone_is_not_converted(owner: User, open_page: Open) -> None:
    file = settle_readings(READINGS, actor=owner)
    result = {"width": 640, "height": 480, "format": "JPEG", "taken_at": "2024-05-06T23:08:09"}
    File.unscoped.filter(pk=file.pk).update(kind="photo", result=result)
    page = open_page(owner, f"/files/{file.pk}/")
    taken = page.locator(".facts > div", has_text="Taken")
    expect(taken).to_contain_text("6 May 2024, 23:08:09 (zone unknown)")


def test_printed_pages_have_full_dates_and_say_their_zone(
    owner: User, load: Consignment, open_page: Open
) -> None:
    measured(owner, load)
    page = open_page(owner, f"/consignments/{load.pk}/")
    text = printed(page)
    assert "opened 19 Nov 2025, 01:30 EET" in text
    assert "Times are in Europe/Riga." in text


def test_paper_is_in_the_zone_of_the_company(
    owner: User, load: Consignment, open_page: Open
) -> None:
    assert owner.client is not None
    owner.client.time_zone = "America/Bogota"
    owner.client.save()
    page = open_page(owner, f"/consignments/{load.pk}/paper/")
    expect(page.locator(".meta")).to_contain_text("opened 18 Nov 2025, 18:30:00 -05")
    text = printed(page)
    assert "opened 18 Nov 2025, 18:30:00 -05" in text
    assert "Times are in America/Bogota." in text
