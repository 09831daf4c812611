"""A consignment in a browser: logs by keyboard and on the gate page, tallies, print."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pypdfium2
import pytest
from playwright.sync_api import FilePayload, Page, Route, expect

from tests.tallies.sheets import HEADER, read_back, save, tally
from tests.web.conftest import Open
from tests.web.test_browser_pages import photo
from tests.web.test_consignments import measured, opened
from timba.accounts.models import User
from timba.consignments.models import Consignment, Log
from timba.files.models import File

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
MakeUser = Callable[..., User]
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def sheet(name: str, content: bytes) -> FilePayload:
    return {"name": name, "mimeType": XLSX, "buffer": content}


def type_log(page: Page, *boxes: str) -> None:
    """Type a log field by field, then Enter."""
    for box in boxes[:-1]:
        page.keyboard.type(box)
        page.keyboard.press("Tab")
    page.keyboard.type(boxes[-1])
    page.keyboard.press("Enter")


def press(page: Page, keys: str) -> None:
    for key in keys:
        page.get_by_role("button", name="Decimal point" if key == "." else key, exact=True).click()


def totals(page: Page) -> str:
    return page.locator("#totals").inner_text()


@pytest.fixture
def owner(make_user: MakeUser) -> User:
    return make_user(name="Anna Liepa")


@pytest.fixture
def load(owner: User) -> Consignment:
    return opened(owner)


def test_consignment_is_opened_and_filled_by_keyboard_and_tally_and_printed(
    owner: User, open_page: Open, worker: None, browser_errors: list[str]
) -> None:
    page = open_page(owner, "/consignments/")
    page.get_by_role("link", name="New consignment").press("Enter")
    expect(page.get_by_label("Name", exact=True)).to_be_focused()
    page.keyboard.type("AB-0187")
    page.get_by_label("Type", exact=True).first.select_option("pinewood")
    page.get_by_role("button", name="Open consignment").press("Enter")
    expect(page.get_by_role("heading", name="AB-0187 pinewood")).to_be_visible()

    page.get_by_label("Barcode").focus()
    type_log(page, "TB-1", "4,20", "30", "25")
    type_log(page, "TB-2", "4.20", "31.5", "27")
    type_log(page, "", "", "26", "26,5")
    expect(page.locator("#rows tr[id]")).to_have_count(3)
    expect(page.locator("#totals")).to_contain_text("0.961 m³")
    expect(page.get_by_label("Breadth, cm")).to_be_focused()
    assert [str(log.volume) for log in Log.unscoped.all()] == ["0.315", "0.357", "0.289"]

    rows = [("TB-3", 4.2, 30, 25), ("TB-1", 4.2, 99, 25), ("TB-4", 4.2, "thick", 25)]
    page.locator("#choose").set_input_files([sheet("tally.xlsx", tally(*rows))])
    row = page.locator("#documents li", has_text="tally.xlsx")
    row.get_by_role("button", name="Add the logs of tally.xlsx").click()
    expect(row).to_contain_text("1 log added, 0.315 m³.")
    expect(row).to_contain_text("2 rejects")
    expect(page.locator("#totals")).to_contain_text("1.276 m³")
    expect(page.locator("#rows")).to_contain_text("TB-3")
    with page.expect_download() as download:
        row.get_by_role("link", name="marked in the sheet").click()
    marked = read_back(download.value.path().read_bytes())
    assert [cell.value for cell in marked[1]] == list(HEADER)
    assert marked["C3"].comment is not None
    assert marked["C4"].comment is not None

    marked["C3"], marked["C4"] = 30, 30
    page.locator("#choose").set_input_files([sheet("mended.xlsx", save(marked.parent))])
    row = page.locator("#documents li", has_text="mended.xlsx")
    row.get_by_role("button", name="Add the logs of mended.xlsx").click()
    expect(row).to_contain_text("1 log added, 0.315 m³, 2 there already.")
    expect(page.locator("#totals")).to_contain_text("1.591 m³")
    assert set(Log.unscoped.values_list("barcode", flat=True)) >= {"TB-1", "TB-2", "TB-3", "TB-4"}
    assert Log.unscoped.count() == 5

    page.get_by_role("link", name="Print").click()
    expect(page.get_by_role("heading", name="AB-0187 pinewood")).to_be_visible()
    printed = pypdfium2.PdfDocument(page.pdf(prefer_css_page_size=True))
    text = "".join(sheet.get_textpage().get_text_range() for sheet in printed)
    for words in ("AB-0187", "1.591", "TB-4", "Handed over by"):
        assert words in text
    assert "Sign out" not in text
    assert browser_errors == []


def test_all_parts_about_logs_refresh_after_a_tally_is_processed(
    owner: User, open_page: Open, load: Consignment, worker: None, browser_errors: list[str]
) -> None:
    page = open_page(owner, f"/consignments/{load.pk}/")
    expect(page.get_by_text("No logs yet")).to_be_visible()
    rows = [(f"TB-{number}", 4.2, 30, 25) for number in range(1, 13)]
    page.locator("#choose").set_input_files([sheet("tally.xlsx", tally(*rows))])
    page.get_by_role("button", name="Add the logs of tally.xlsx").click()
    expect(page.locator("#totals")).to_contain_text("3.780 m³")
    expect(page.get_by_role("heading", name="Logs 12")).to_be_visible()
    expect(page.locator("[data-next]")).to_have_text("13")
    expect(page.get_by_text("No logs yet")).to_have_count(0)
    page.set_viewport_size({"width": 360, "height": 740})
    shown = page.locator("#rows tr:visible")
    expect(shown).to_have_count(10)
    page.get_by_role("button", name="Show all 12 logs").click()
    expect(shown).to_have_count(12)
    expect(page.get_by_role("button", name="Show all 12 logs")).to_be_hidden()
    assert browser_errors == []


def test_enter_of_a_scanner_moves_on_and_escape_clears(
    owner: User, open_page: Open, load: Consignment
) -> None:
    page = open_page(owner, f"/consignments/{load.pk}/")
    page.get_by_label("Barcode").focus()
    page.keyboard.type("TB-77")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Length, m")).to_be_focused()
    page.keyboard.type("4.2")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Breadth, cm")).to_be_focused()
    page.keyboard.type("30")
    page.keyboard.press("Enter")
    page.keyboard.type("25")
    expect(page.get_by_label("Volume in cubic metres")).to_have_text("0.315")
    page.keyboard.press("Escape")
    expect(page.get_by_label("Barcode")).to_have_value("")
    expect(page.get_by_label("Length, m")).to_have_value("")
    assert not Log.unscoped.exists()


def test_rejected_log_returns_to_the_inputs_with_its_error(
    owner: User, open_page: Open, load: Consignment
) -> None:
    page = open_page(owner, f"/consignments/{load.pk}/")
    page.get_by_label("Length, m").focus()
    type_log(page, "420", "31", "26")
    expect(page.locator("[data-errors]")).to_have_text("A log is 0.1 to 40 m long.")
    expect(page.get_by_label("Breadth, cm")).to_have_value("31")
    expect(page.get_by_label("Length, m")).to_be_focused()
    page.keyboard.type("4.20")
    page.keyboard.press("Enter")
    expect(page.locator("#rows")).to_contain_text("31.0")
    expect(page.locator("[data-errors]")).to_be_empty()


def test_logs_are_saved_while_typing_and_rejected_ones_stay_in_their_rows(
    owner: User, open_page: Open, load: Consignment
) -> None:
    measured(owner, load, "TB-1")
    page = open_page(owner, f"/consignments/{load.pk}/")
    held: list[Route] = []

    def hold_the_first(route: Route) -> None:
        if held:
            route.continue_()
        else:
            held.append(route)

    page.route("**/api/consignments/*/logs/", hold_the_first)
    page.get_by_label("Barcode").focus()
    type_log(page, "TB-1", "4.2", "31", "26")
    type_log(page, "TB-2", "4.2", "32", "26")
    page.keyboard.type("TB-3")
    expect(page.locator("tr.saving")).to_have_count(2)
    held[0].continue_()
    expect(page.locator("tr.unsaved")).to_contain_text("There is a log with the barcode")
    expect(page.locator("#rows")).to_contain_text("TB-2")
    expect(page.get_by_label("Barcode")).to_have_value("TB-3")
    page.get_by_label("Barcode").fill("")
    page.get_by_role("button", name="Correct it").click()
    page.get_by_label("Barcode").fill("TB-4")
    page.keyboard.press("Enter")
    expect(page.locator("#rows tr[id]")).to_have_count(3)
    assert set(Log.unscoped.values_list("barcode", flat=True)) == {"TB-1", "TB-2", "TB-4"}


def test_log_whose_response_is_lost_is_added_once(
    owner: User, open_page: Open, load: Consignment
) -> None:
    page = open_page(owner, f"/consignments/{load.pk}/")
    responses: list[int] = []

    def lose_the_first_answer(route: Route) -> None:
        responses.append(route.fetch().status)
        if len(responses) == 1:
            route.abort("connectionreset")
        else:
            route.continue_()

    page.route("**/api/consignments/*/logs/", lose_the_first_answer)
    page.get_by_label("Barcode").focus()
    type_log(page, "", "4.2", "31", "26")
    expect(page.locator("tr.saving")).to_contain_text("The connection broke. It goes on by itself")
    expect(page.locator("#rows tr[id]")).to_have_count(1)
    assert Log.unscoped.count() == 1


def test_log_is_corrected_in_its_row_and_deleted_after_confirmation(
    owner: User, open_page: Open, load: Consignment, browser_errors: list[str]
) -> None:
    log = measured(owner, load, "TB-1")
    page = open_page(owner, f"/consignments/{load.pk}/")
    page.get_by_role("link", name="TB-1").press("Enter")
    row = page.locator(f"#log-{log.pk}")
    row.get_by_label("Breadth, cm").fill("60,5")
    page.keyboard.press("Enter")
    expect(page.locator("#totals")).to_contain_text("0.635 m³")
    page.get_by_role("link", name="TB-1").press("Enter")
    row.locator("summary", has_text="Delete").press("Enter")
    expect(row).to_contain_text("AB-0187 then has 0.635 m³ less.")
    row.get_by_role("button", name="Delete log").press("Enter")
    expect(page.locator("#totals")).to_contain_text("0.000 m³")
    expect(page.get_by_text("No logs yet")).to_be_visible()
    assert browser_errors == []


def test_log_is_corrected_on_a_page_of_its_own_on_a_phone(
    owner: User, open_page: Open, load: Consignment
) -> None:
    log = measured(owner, load, "TB-1")
    page = open_page(owner, f"/consignments/{load.pk}/")
    page.set_viewport_size({"width": 360, "height": 740})
    page.get_by_role("link", name="TB-1").click()
    page.wait_for_url(f"**/logs/{log.pk}/edit/")
    page.get_by_label("Height, cm").fill("50")
    page.get_by_role("button", name="Save").click()
    page.wait_for_url(f"**/consignments/{load.pk}/#logs")
    expect(page.locator("#totals")).to_contain_text("0.630 m³")


def test_older_logs_are_appended(owner: User, open_page: Open, load: Consignment) -> None:
    for number in range(1, 121):
        measured(owner, load, f"L{number}")
    page = open_page(owner, f"/consignments/{load.pk}/")
    expect(page.locator("#rows tr")).to_have_count(50)
    page.get_by_role("link", name="Show more").press("Enter")
    expect(page.locator("#rows tr")).to_have_count(100)
    page.keyboard.press("Enter")  # the link has kept the focus
    expect(page.locator("#rows tr")).to_have_count(120)
    expect(page.get_by_role("link", name="Show more")).to_have_count(0)
    numbers: Any = page.locator("#rows td.n").all_inner_texts()
    assert numbers == [str(number) for number in range(120, 0, -1)]


def test_logs_are_added_on_the_gate_page_and_undone(
    owner: User, open_page: Open, load: Consignment, browser_errors: list[str]
) -> None:
    measured(owner, load, "TB-1")
    page = open_page(owner, f"/consignments/{load.pk}/")
    page.set_viewport_size({"width": 360, "height": 740})
    page.get_by_role("link", name="Add log").click()
    expect(page.get_by_label("Length, m")).to_have_value("4.20")
    expect(page.get_by_label("Breadth, cm")).to_be_focused()
    press(page, "31.5")
    page.get_by_role("button", name="Next", exact=True).click()
    expect(page.get_by_label("Height, cm")).to_be_focused()
    press(page, "27")
    expect(page.locator("[data-volume-hint]")).to_have_text("= 0.357 m³")
    page.get_by_role("button", name="Add log").click()
    expect(page.locator("[data-save-state]")).to_have_text("All saved")
    expect(page.locator(".sum")).to_contain_text("0.672 m³")
    expect(page.locator("[data-rows] tr").first).to_contain_text("4.20 × 31.5 × 27.0")
    expect(page.get_by_label("Breadth, cm")).to_be_focused()
    assert Log.unscoped.get(volume=Decimal("0.357")).consignment == load

    # The same log again: each input suggests the previous value.
    for _ in range(2):
        page.get_by_role("button", name="Next", exact=True).click()
    page.get_by_role("button", name="Add log").click()
    expect(page.locator(".sum")).to_contain_text("1.029 m³")
    page.get_by_role("button", name="Undo log 3").click()
    expect(page.locator(".sum")).to_contain_text("0.672 m³")
    expect(page.locator(".sum")).to_contain_text("2 logs")
    expect(page.get_by_role("button", name="Undo log 2")).to_be_visible()
    assert Log.unscoped.count() == 2
    for key in page.locator("[data-keys] button").all():
        box = key.bounding_box()
        assert box is not None
        assert min(box["width"], box["height"]) >= 44
        assert box["y"] + box["height"] <= 740
    assert browser_errors == []


@pytest.mark.parametrize("has_javascript", [False])
def test_without_scripts_logs_are_added_corrected_and_deleted(
    owner: User, open_page: Open, load: Consignment, has_javascript: bool
) -> None:
    page = open_page(owner, f"/consignments/{load.pk}/")
    page.get_by_label("Length, m").fill("4,2")
    page.get_by_label("Breadth, cm").fill("30")
    page.get_by_label("Height, cm").fill("nothing")
    page.get_by_label("Height, cm").press("Enter")
    expect(page.get_by_text("Give the height as a number")).to_be_visible()
    page.get_by_label("Height, cm").fill("25")
    page.get_by_role("button", name="Add log").click()
    expect(page.locator("#totals")).to_contain_text("0.315 m³")
    page.locator("#rows a").click()
    page.get_by_label("Height, cm").fill("50")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#totals")).to_contain_text("0.630 m³")
    page.goto(f"/consignments/{load.pk}/gate/")
    page.get_by_role("button", name="Add log").click()
    expect(page.locator(".sum")).to_contain_text("2 logs")
    page.get_by_role("button", name="Undo log 2").click()
    expect(page.locator(".sum")).to_have_text(re.compile("1 log$"))


def test_photos_appear_as_soon_as_they_are_processed(
    owner: User, open_page: Open, worker: None, load: Consignment
) -> None:
    page = open_page(owner, f"/consignments/{load.pk}/")
    page.locator("#choose").set_input_files([photo("gate.jpg")])
    picture = page.get_by_role("link", name="gate.jpg").locator("img")
    picture.scroll_into_view_if_needed()
    expect(picture).to_have_js_property("naturalWidth", 256)
    assert File.unscoped.get().consignment == load
    expect(page.locator("[data-batch] li")).to_have_count(0)
