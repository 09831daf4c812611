"""Files are selected, deleted, taken back and downloaded in a browser."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from playwright.sync_api import APIResponse, Page, Route, expect

from tests.temperatures.uploads import receive_readings, settle_readings
from tests.web.conftest import Open
from tests.web.test_browser_pages import AXE, AXE_RUNS
from tests.web.test_trash import READINGS, load_with_logs, put
from timba.accounts.models import User
from timba.consignments.models import Log
from timba.consignments.trash import delete_consignment
from timba.files.models import File
from timba.files.processing import process_file
from timba.files.services import delete_file

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
MakeUser = Callable[..., User]


@pytest.fixture
def owner(make_user: MakeUser) -> User:
    return make_user()


@pytest.fixture
def files(owner: User) -> list[File]:
    """Create five texts, the newest last."""
    return [put(owner.client, f"{n}.txt", f"Seal {n}\n".encode()) for n in range(5)]


def select(page: Page, name: str, **options: Any) -> None:
    page.get_by_label(f"Select {name}").click(**options)


def expect_selected(page: Page, *names: str) -> None:
    expect(page.locator("#files > li:has(:checked) .name")).to_have_text(list(names))
    if names:
        count = "1 file" if len(names) == 1 else f"{len(names)} files"
        expect(page.locator("[data-selected]")).to_have_text(f"{count} selected")
    expect(page.locator("#selection")).to_be_visible(visible=bool(names))


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def expect_said(page: Page, *sentences: str) -> None:
    expect(page.locator("#notice .said :is(p, li)")).to_have_text(list(sentences))


def test_a_range_is_selected_by_shift_and_all_that_are_shown(
    owner: User, files: list[File], open_page: Open, browser_errors: list[str]
) -> None:
    for n in range(48):
        put(owner.client, f"new {n}.txt")
    page = open_page(owner, "/files/?q=txt")
    page.get_by_role("link", name="Show more").click()
    expect(page.locator("#files > li")).to_have_count(53)
    select(page, "3.txt")
    select(page, "1.txt", modifiers=["Shift"])
    expect_selected(page, "3.txt", "2.txt", "1.txt")
    select(page, "2.txt")
    select(page, "3.txt", modifiers=["Shift"])
    expect_selected(page, "1.txt")
    box = page.get_by_label("Select 4.txt")
    box.focus()
    page.keyboard.press("Shift+Space")
    expect_selected(page, "4.txt", "3.txt", "1.txt")
    press(page, "Select all shown")
    expect(page.locator("[data-selected]")).to_have_text("53 files selected")
    press(page, "Clear")
    expect_selected(page)
    expect(page.get_by_label("Select new 47.txt")).to_be_focused()
    select(page, "2.txt")
    page.get_by_label("Search by name").fill("3.txt")
    expect(page.locator("#files > li .name").first).to_have_text("new 43.txt")
    expect_selected(page)
    page.get_by_label("Search by name").fill("txt")
    expect(page.locator("#files > li")).to_have_count(50)
    expect_selected(page)
    select(page, "new 47.txt")
    expect_selected(page, "new 47.txt")
    assert page.evaluate("getSelection().toString()") == ""
    assert browser_errors == []


def test_a_selection_stays_over_show_more_and_live_updates(
    owner: User, files: list[File], open_page: Open, browser_errors: list[str]
) -> None:
    for n in range(49):
        put(owner.client, f"new {n}.txt")
    pending = receive_readings(READINGS, actor=owner)
    page = open_page(owner, "/files/")
    select(page, "new 1.txt")
    page.get_by_role("link", name="Show more").click()
    expect(page.locator("#files > li")).to_have_count(55)
    select(page, "3.txt")
    expect_selected(page, "new 1.txt", "3.txt")
    # Rows come and go elsewhere meanwhile: what is selected are the files, not the rows.
    delete_file(actor=owner, file=File.unscoped.get(name="new 2.txt"))
    delete_file(actor=owner, file=files[4])
    assert process_file(pending.pk)
    expect(page.locator("#files")).to_contain_text("1 of 1 row counted.")
    expect(page.locator("#files > li")).to_have_count(53)
    expect_selected(page, "new 1.txt", "3.txt")
    press(page, "Delete")
    expect_said(page, "2 files deleted.")
    expect(page.locator("#files > li")).to_have_count(51)
    deleted = File.unscoped.filter(deleted_at__isnull=False)
    assert set(deleted.values_list("name", flat=True)) == {
        *("new 1.txt", "new 2.txt", "3.txt", "4.txt")
    }
    assert browser_errors == []


def test_a_live_update_that_is_older_than_a_deletion_is_not_shown(
    owner: User, files: list[File], open_page: Open, browser_errors: list[str]
) -> None:
    pending = receive_readings(READINGS, actor=owner)
    page = open_page(owner, "/files/")
    held: list[tuple[Route, APIResponse]] = []

    def hold_the_first(route: Route) -> None:
        if "timba-live-update" in route.request.headers and not held:
            held.append((route, route.fetch()))
        else:
            route.continue_()

    page.route(re.compile("/files/$"), hold_the_first)
    with page.expect_request(re.compile("/files/$")):
        assert process_file(pending.pk)
    select(page, "4.txt")
    press(page, "Delete")
    expect_said(page, "4.txt deleted.")
    [(route, older)] = held
    with page.expect_request(re.compile("/files/$")):
        route.fulfill(response=older)
    expect(page.locator("#files")).to_contain_text("1 of 1 row counted.")
    names = ["readings.csv", "3.txt", "2.txt", "1.txt", "0.txt"]
    expect(page.locator("#files > li .name")).to_have_text(names)
    expect_said(page, "4.txt deleted.")
    assert browser_errors == []


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


def test_selected_files_are_moved_retried_and_downloaded(
    owner: User, files: list[File], open_page: Open, tmp_path: Path, browser_errors: list[str]
) -> None:
    load = load_with_logs(owner, "AB-0187", 0)
    page = open_page(owner, "/files/")
    select(page, "4.txt")
    select(page, "2.txt")
    with page.expect_download() as download:
        press(page, "Download ZIP")
    assert download.value.suggested_filename == "files.zip"
    download.value.save_as(tmp_path / "files.zip")
    with ZipFile(tmp_path / "files.zip") as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    assert contents == {"4.txt": b"Seal 4\n", "2.txt": b"Seal 2\n"}
    expect_selected(page, "4.txt", "2.txt")
    expect(page.get_by_role("button", name="Retry")).to_be_hidden()
    page.get_by_label("Consignment to move them to").select_option("AB-0187")
    press(page, "Move")
    expect_said(page, "2 files moved to AB-0187.")
    expect_selected(page)
    assert set(File.unscoped.filter(consignment=load).values_list("name", flat=True)) == {
        *("2.txt", "4.txt")
    }
    File.unscoped.filter(name="3.txt").update(status="FAILURE", error="It is cut off.")
    page.reload()
    select(page, "3.txt")
    press(page, "Retry")
    expect_said(page, "3.txt is checked again.")
    assert browser_errors == []


def test_what_could_not_be_done_is_said_and_the_selection_stays(
    owner: User, files: list[File], open_page: Open, browser_errors: list[str]
) -> None:
    page = open_page(owner, "/files/")
    select(page, "4.txt")
    page.route("**/files/selected/", lambda route: route.abort("connectionreset"))
    press(page, "Delete")
    expect_said(page, "The connection broke. Reload the page to see what was done.")
    page.unroute("**/files/selected/")
    owner.client.subscription.current_period_end = owner.client.created_at
    owner.client.subscription.save()
    press(page, "Delete")
    expect_said(
        page, "The subscription has lapsed: reading goes on, writing waits until it is renewed."
    )
    expect_selected(page, "4.txt")
    assert not File.unscoped.filter(deleted_at__isnull=False).exists()
    assert browser_errors == []


def test_too_many_files_are_refused_before_they_are_sent(
    owner: User, files: list[File], open_page: Open
) -> None:
    page = open_page(owner, "/files/")
    page.evaluate("""() => {
        const list = document.querySelector("#files");
        for (let n = 0; n < 996; n += 1) {
            const row = list.lastElementChild.cloneNode(true);
            row.querySelector("input").value = `more ${n}`;
            list.append(row);
        }
    }""")
    select(page, "4.txt")
    press(page, "Select all shown")
    expect(page.get_by_role("alert")).to_have_text("Select at most 1,000 files at once.")
    expect(page.get_by_role("button", name="Delete", exact=True)).to_be_disabled()
    select(page, "4.txt")
    expect(page.get_by_role("button", name="Delete", exact=True)).to_be_enabled()


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


def check(page: Page) -> None:
    """Expect that the page is accessible and fits, in each width and colour scheme."""
    page.evaluate(AXE.read_text())
    for width, scheme, rules in AXE_RUNS:
        page.set_viewport_size({"width": width, "height": 740})
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
        report = page.evaluate(
            "rules => axe.run(document, {runOnly: rules, resultTypes: ['violations']})", rules
        )
        found = [(v["id"], [node["html"] for node in v["nodes"]]) for v in report["violations"]]
        assert found == [], (page.url, width, scheme)
    for width in (1280, 360, 320):
        page.set_viewport_size({"width": width, "height": 740})
        assert not page.evaluate("document.documentElement.scrollWidth > innerWidth"), width


def test_each_state_is_accessible_and_fits(
    owner: User, files: list[File], open_page: Open, browser_errors: list[str]
) -> None:
    for n in range(2):
        delete_consignment(actor=owner, consignment=load_with_logs(owner, f"VT-{n} " * 9, n))
    load_with_logs(owner, "AB-0187 " * 9, 0)
    page = open_page(owner, "/files/")
    select(page, "4.txt")
    select(page, "3.txt")
    check(page)
    box = page.get_by_label("Select 4.txt").bounding_box()
    assert box is not None
    assert (box["width"] >= 24, box["height"] >= 44) == (True, True)
    delete_file(actor=owner, file=files[3])
    press(page, "Delete")
    expect_said(page, "4.txt deleted. 1 not:", "3.txt: There is no such file.")
    page.get_by_role("button", name="Undo").focus()
    check(page)
    page.goto("/trash/")
    select(page, "4.txt")
    check(page)
    for path in ("/trash/?q=nobody", "/trash/consignments/"):
        page.goto(path)
        check(page)
    load_with_logs(owner, "VT-0 " * 9, 0)
    press(page, f"Restore {('VT-0 ' * 9).strip()}")
    expect(page.get_by_role("alert").filter(has_text="was not restored")).to_be_visible()
    check(page)
    assert browser_errors == []
