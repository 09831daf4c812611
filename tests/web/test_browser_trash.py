"""Deletions are undone, and the trash is used, in a browser."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import expect

from tests.temperatures.uploads import settle_readings
from tests.web.accessibility import find_violations
from tests.web.conftest import Open
from tests.web.test_browser_selection import (  # noqa: F401 - fixtures among them
    expect_said,
    expect_selected,
    files,
    owner,
    press,
    select,
)
from tests.web.test_trash import READINGS, load_with_logs
from timba.accounts.models import User
from timba.consignments.models import Log
from timba.consignments.trash import delete_consignment
from timba.files.models import File
from timba.files.services import delete_file

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_a_deletion_is_undone_by_keyboard_and_tells_what_was_refused(
    owner: User, files: list[File], open_page: Open, browser_errors: list[str]
) -> None:
    page = open_page(owner, "/files/")
    page.get_by_label("Select 4.txt").press("Space")
    page.get_by_label("Select 3.txt").press("Space")
    delete_file(actor=owner, file=files[3])
    page.get_by_role("button", name="Delete", exact=True).press("Enter")
    expect_said(page, "4.txt deleted. 1 not:", "3.txt: There is no such file.")
    expect(page.locator("[data-notice]")).to_be_focused()
    expect_selected(page)
    expect(page.locator("#shown")).to_have_text("3 files")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Undo")).to_be_focused()
    page.keyboard.press("Enter")
    expect_said(page, "4.txt restored.")
    expect(page.locator("[data-notice]")).to_be_focused()
    expect(page.locator("#files > li .name")).to_have_text(["4.txt", "2.txt", "1.txt", "0.txt"])
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # closes it
    expect_said(page)
    expect(page.locator("#main")).to_be_focused()
    assert browser_errors == []


def test_undo_is_offered_for_ten_seconds_and_as_long_as_it_is_used(
    owner: User, files: list[File], open_page: Open
) -> None:
    load_with_logs(owner, "AB-0187", 0)
    page = open_page(owner, "/files/")
    page.clock.install()
    page.reload()
    page.clock.pause_at(datetime.now(UTC) + timedelta(hours=1))
    undo = page.get_by_role("button", name="Undo")

    def pass_time(milliseconds: int) -> None:
        page.mouse.move(5, 5)
        page.clock.fast_forward(milliseconds)

    select(page, "4.txt")
    press(page, "Delete")
    expect(undo).to_be_visible()
    pass_time(9_999)
    expect(undo).to_be_visible()
    undo.hover()
    page.clock.fast_forward(60_000)
    expect(undo).to_be_visible()
    undo.focus()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Tab")
    pass_time(60_000)
    expect(undo).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    pass_time(1_000)
    expect(undo).to_have_count(0)
    expect_said(page)
    # Also what offers no Undo is gone by then, so that it hides nothing.
    select(page, "3.txt")
    press(page, "Move")
    expect_said(page, "Nothing was changed: choose a consignment first.")
    pass_time(10_000)
    expect_said(page)
    # What was refused stays to be read.
    select(page, "2.txt")
    delete_file(actor=owner, file=files[3])
    select(page, "3.txt")
    press(page, "Delete")
    expect(undo).to_be_visible()
    pass_time(10_000)
    expect(undo).to_have_count(0)
    expect_said(page, "2.txt deleted. 1 not:", "3.txt: There is no such file.")


def test_a_deleted_load_is_taken_back_where_it_was_deleted(owner: User, open_page: Open) -> None:
    load = load_with_logs(owner, "AB-0187", 3)
    page = open_page(owner, f"/consignments/{load.pk}/edit/")
    page.locator("summary", has_text="Delete").click()
    press(page, "Delete consignment and logs")
    page.wait_for_url("**/consignments/")
    expect_said(page, "AB-0187 deleted with its 3 logs.")
    press(page, "Undo")
    page.wait_for_url(f"**/consignments/{load.pk}/")
    expect_said(page, "AB-0187 restored with its 3 logs.")
    assert Log.unscoped.filter(consignment=load.pk).count() == 3


def test_files_are_restored_in_the_trash(
    owner: User, files: list[File], open_page: Open, browser_errors: list[str]
) -> None:
    first = settle_readings(READINGS, actor=owner, name="yard.csv")
    for file in (*files, first):
        delete_file(actor=owner, file=file)
    settle_readings(READINGS, actor=owner, name="yard again.csv")
    page = open_page(owner, "/trash/")
    press(page, "Restore 3.txt")
    expect_said(page, "3.txt restored.")
    expect(page.locator("[data-notice]")).to_be_focused()
    select(page, "yard.csv")
    select(page, "1.txt", modifiers=["Shift"])
    press(page, "Restore")
    expect_said(
        page,
        "3 files restored. 1 not:",
        "yard.csv: The same readings count already: they are in “yard again.csv”.",
    )
    expect(page.locator("#deleted b")).to_have_text(["yard.csv", "0.txt"])
    assert browser_errors == []


@pytest.mark.parametrize("has_javascript", [False])
def test_without_scripts_files_are_selected_deleted_and_taken_back(
    owner: User, files: list[File], open_page: Open, has_javascript: bool
) -> None:
    page = open_page(owner, "/files/?kind=text")
    select(page, "4.txt")
    select(page, "3.txt")
    press(page, "Delete")
    expect_said(page, "2 files deleted.")
    expect(page.locator("#files > li")).to_have_count(3)
    press(page, "Undo")
    expect_said(page, "2 files restored.")
    expect(page.locator("#files > li")).to_have_count(5)
    assert page.url.endswith("/files/?kind=text")


def test_each_state_is_accessible_and_fits(
    owner: User, files: list[File], open_page: Open, browser_errors: list[str]
) -> None:
    for n in range(2):
        delete_consignment(actor=owner, consignment=load_with_logs(owner, f"VT-{n} " * 9, n))
    load_with_logs(owner, "AB-0187 " * 9, 0)
    page = open_page(owner, "/files/")
    select(page, "4.txt")
    select(page, "3.txt")
    assert find_violations(page) == []
    box = page.get_by_label("Select 4.txt").bounding_box()
    assert box is not None
    assert (box["width"] >= 24, box["height"] >= 44) == (True, True)
    delete_file(actor=owner, file=files[3])
    press(page, "Delete")
    expect_said(page, "4.txt deleted. 1 not:", "3.txt: There is no such file.")
    page.get_by_role("button", name="Undo").focus()
    assert find_violations(page) == []
    page.goto("/trash/")
    select(page, "4.txt")
    assert find_violations(page) == []
    for path in ("/trash/?q=nobody", "/trash/consignments/"):
        page.goto(path)
        assert find_violations(page) == []
    load_with_logs(owner, "VT-0 " * 9, 0)
    press(page, f"Restore {('VT-0 ' * 9).strip()}")
    expect(page.get_by_role("alert").filter(has_text="was not restored")).to_be_visible()
    assert find_violations(page) == []
    assert browser_errors == []
