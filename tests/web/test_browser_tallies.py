"""Tally sheets in a browser: a dry run, a question, an answer that is remembered."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.tallies.sheets import read_back, save, workbook
from tests.web.conftest import Open
from tests.web.test_browser_consignments import MakeUser, sheet
from tests.web.test_consignments import opened
from timba.accounts.models import User
from timba.consignments.models import Consignment, Log
from timba.files.models import ImportProfile

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

# Feet and inches, but only two of the three units are named.
TITLES = ("Tag", "Length", "Width", "Thickness")
UNITS = (None, "(ft)", "(in)", None)


@pytest.fixture
def owner(make_user: MakeUser) -> User:
    return make_user(name="Anna Liepa")


@pytest.fixture
def load(owner: User) -> Consignment:
    return opened(owner)


def send(page: Page, name: str, content: bytes) -> None:
    page.locator("#choose").set_input_files([sheet(name, content)])


def test_a_sheet_in_feet_asks_once_and_is_recorded_after_it_was_seen(
    owner: User,
    load: Consignment,
    open_page: Open,
    worker: None,
    browser_errors: list[str],
) -> None:
    page = open_page(owner, f"/consignments/{load.pk}/")
    rows = [
        ("T-1", "8'6\"", 12, 10),
        ("T-2", 12, "12 1/2", 10),
        ("Sub-total", 20.5, None, None),
        ("T-3", "long", 12, 10),
        ("T-4", 10, 12, None),
        ("Total 4 pcs", 30.5, None, None),
    ]
    send(page, "supplier.xlsx", workbook(TITLES, UNITS, *rows))
    row = page.locator("#documents li", has_text="supplier.xlsx")
    row.get_by_role("link", name="Answer").click()
    expect(page.get_by_role("heading", name="How is this sheet to be read?")).to_be_visible()
    expect(page.locator("table.sheet")).to_contain_text("8'6\"")
    expect(page.get_by_label("Length in")).to_have_value("ft")
    page.get_by_label("Height in").select_option("in")
    page.get_by_role("button", name="Show what it would add").click()

    # 2.591 m × 30.48 cm × 25.4 cm, and 3.658 m × 31.75 cm × 25.4 cm.
    expect(page.get_by_role("heading", name="This sheet would add 2 logs, 0.496")).to_be_visible()
    expect(page.locator("#read-as")).to_contain_text("Left out: ")
    assert not Log.unscoped.exists()
    with page.expect_download() as download:
        page.get_by_role("link", name="The sheet with its bad cells marked").click()
    page.get_by_role("button", name="Add 2 logs").click()
    expect(page.get_by_text("Logs added")).to_be_visible()
    logs = Log.unscoped.order_by("barcode").values_list("barcode", "length", "breadth", "height")
    assert [tuple(map(str, log)) for log in logs] == [
        ("T-1", "2.591", "30.480", "25.400"),
        ("T-2", "3.658", "31.750", "25.400"),
    ]

    marked = read_back(download.value.path().read_bytes())
    assert marked["B6"].comment is not None
    marked["B6"], marked["D7"] = 9, 11
    page.goto(f"/consignments/{load.pk}/")
    send(page, "mended.xlsx", save(marked.parent))
    row = page.locator("#documents li", has_text="mended.xlsx")
    row.get_by_role("button", name="Add the logs of mended.xlsx").click()
    expect(row).to_contain_text("2 logs added")
    expect(page.locator("#rows")).to_contain_text("T-4")

    send(page, "next.xlsx", workbook(TITLES, UNITS, ("T-9", 11, 12, 10), ("T-10", 9, 12, 11)))
    row = page.locator("#documents li", has_text="next.xlsx")
    expect(row).to_contain_text("Would add 2 logs")
    page.goto("/files/profiles/")
    expect(page.locator("#profiles")).to_contain_text("height in inches")
    assert ImportProfile.unscoped.count() == 1
    assert browser_errors == []


def test_columns_of_an_unknown_header_are_chosen_and_two_for_one_are_told(
    owner: User, load: Consignment, open_page: Open, worker: None
) -> None:
    page = open_page(owner, f"/consignments/{load.pk}/")
    header = ("Barcode", "Ipsum (m)", "Breadth (cm)", "Height (cm)")
    send(page, "odd.xlsx", workbook(header, ("T-1", 4, 30, 25), ("T-2", 5, 30, 25)))
    page.locator("#documents").get_by_role("link", name="Answer").click()
    page.get_by_label("Column B").select_option("breadth")
    page.get_by_role("button", name="Show what it would add").click()
    expect(page.get_by_role("alert")).to_contain_text(
        "Two columns are chosen as the breadth. Choose one of them."
    )
    page.get_by_label("Column B").select_option("length")
    page.get_by_role("button", name="Show what it would add").click()
    page.get_by_role("button", name="Add 2 logs").click()
    expect(page.get_by_text("Logs added")).to_be_visible()
    assert Log.unscoped.count() == 2
