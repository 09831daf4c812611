"""Temperature files in a browser: how far they are read, and the answers to their questions."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.web.conftest import Open
from tests.web.temperature_files import DATES, asking, read
from tests.web.test_consignments import MakeUser
from timba.accounts.models import User
from timba.files.models import File

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def owner(make_user: MakeUser) -> User:
    return make_user()


def test_the_rows_read_so_far_are_shown_live(
    owner: User, open_page: Open, browser_errors: list[str]
) -> None:
    file = read(owner.client, status="PENDING", progress=0.1)
    for path in (f"/files/{file.pk}/", "/files/"):
        File.unscoped.update(progress=0.1, rows_read=None)
        page = open_page(owner, path)
        percent, rows = page.locator("[data-percent]"), page.locator("[data-rows-read]")
        expect(percent).to_have_text("10\xa0%")
        expect(rows).to_be_hidden()
        File.unscoped.update(progress=0.42, rows_read=4_200_000)
        expect(percent).to_have_text("42\xa0%")
        expect(rows).to_have_text("4,200,000\xa0rows read")
    File.unscoped.update(status="SUCCESS", rows_read=None)
    expect(page.locator("#files")).to_contain_text("4,199 of 4,200 rows counted.")
    assert browser_errors == []


def test_a_question_that_is_left_open_is_told_beside_its_field(
    owner: User, open_page: Open, browser_errors: list[str]
) -> None:
    file = asking(owner.client)
    page = open_page(owner, f"/files/{file.pk}/")
    page.get_by_label("City of all readings").fill("0")
    page.get_by_role("button", name="Read it so").click()
    expect(page.get_by_label("Dates are written as")).to_have_accessible_description(DATES)
    expect(page.get_by_label("City of all readings")).to_have_accessible_description(
        "A city's number is from 1 to 2147483647."
    )
    expect(page.get_by_label("City of all readings")).to_have_attribute("aria-invalid", "true")
    assert browser_errors == []
