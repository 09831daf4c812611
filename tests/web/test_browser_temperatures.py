"""Temperature files in a browser: how far they are read, and the answers to their questions."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.web.conftest import Open
from tests.web.temperature_files import DATES, asking, read
from tests.web.test_browser_pages import choose, text
from tests.web.test_consignments import MakeUser
from timba.accounts.models import User
from timba.files.models import File

HEADER = "No;Date;Time;Temp (°F)\n"
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


def test_a_loggers_file_asks_once_and_can_be_read_differently(
    owner: User, open_page: Open, worker: None, browser_errors: list[str]
) -> None:
    page = open_page(owner, "/upload/")
    choose(page, text("april.csv", HEADER + "1;03/04/2026;08:30;70,7\n2;03/04/2026;09:00;32,0\n"))
    page.get_by_role("link", name="Answer").click()
    expect(page.get_by_role("heading", name="How are these readings to be read?")).to_be_visible()
    expect(page.locator("table.sheet")).to_contain_text("70,7")
    expect(page.get_by_label("Temperatures are in")).to_have_value("F")
    page.get_by_label("Dates are written as").select_option("day-first")
    page.get_by_label("City of all readings").fill("41")
    page.get_by_role("button", name="Read it so").click()
    facts = page.locator(".facts").first
    expect(facts).to_contain_text("Readings counted2 of 2\xa0rows")
    expect(facts).to_contain_text("Highest21.50 °C")
    expect(facts).to_contain_text("First reading3 Apr 2026, 11:30:00 EEST")

    page.locator("summary", has_text="Read it differently").click()
    page.get_by_label("Dates are written as").select_option("month-first")
    page.get_by_role("button", name="Read it so").click()
    expect(facts).to_contain_text("First reading4 Mar 2026, 10:30:00 EET")

    page.goto("/upload/")
    expect(page.locator("[data-batch] li", has_text="april.csv")).to_contain_text("counted")
    page.get_by_label("City of all readings").fill("7")
    choose(page, text("may.csv", HEADER + "1;05/06/2026;08:30;50,0\n"))
    row = page.locator("[data-batch] li", has_text="may.csv")
    expect(row).to_contain_text("1 of 1\xa0row counted. 1\xa0warning")
    row.get_by_role("link", name="may.csv").click()
    expect(page.locator("#file > .notice")).to_have_text(
        "What the file leaves open was taken from an import profile."
    )
    expect(page.locator("#read-as")).to_contain_text("Dates begin with the month, by the profile.")
    page.get_by_role("link", name="import profiles").click()
    expect(page.locator("#profiles")).to_contain_text("order of the dates: month first")
    assert browser_errors == []
