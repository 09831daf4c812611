"""Files of a list are selected in a browser, and what is done with them."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from playwright.sync_api import APIResponse, Page, Route, expect

from tests.temperatures.uploads import receive_readings
from tests.web.accessibility import find_violations
from tests.web.conftest import Open
from tests.web.test_trash import READINGS, load_with_logs, put
from timba.accounts.models import User
from timba.consignments.models import Consignment
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
    select(page, "new 47.txt")
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


@pytest.fixture
def load(owner: User) -> Consignment:
    """Return a consignment with two photos, a text and a failed text."""
    load = load_with_logs(owner, "AB-0187", 0)
    for name, kind in (("a.jpg", "photo"), ("b.jpg", "photo"), ("c.txt", "text")):
        put(owner.client, name, f"{name}\n".encode(), kind=kind, consignment=load)
    put(owner.client, "d.txt", status="FAILURE", error="It is cut off.", consignment=load)
    return load


def expect_selected_in_load(page: Page, *names: str) -> None:
    boxes = page.locator("#evidence .select:checked")
    expect(boxes).to_have_count(len(names))
    for at, name in enumerate(names):
        expect(boxes.nth(at)).to_have_accessible_name(f"Select {name}")
    expect(page.locator("#selection")).to_be_visible(visible=bool(names))


def test_files_of_a_consignment_are_selected_on_its_page(
    owner: User, load: Consignment, open_page: Open, tmp_path: Path, browser_errors: list[str]
) -> None:
    page = open_page(owner, f"/consignments/{load.pk}/")
    select(page, "b.jpg")
    expect(page.get_by_role("button", name="Retry", exact=True)).to_be_hidden()
    select(page, "d.txt", modifiers=["Shift"])
    expect_selected_in_load(page, "b.jpg", "a.jpg", "d.txt")
    press(page, "Select all shown")
    expect_selected_in_load(page, "b.jpg", "a.jpg", "d.txt", "c.txt")
    select(page, "d.txt")
    expect(page.get_by_role("button", name="Retry", exact=True)).to_be_hidden()
    assert find_violations(page) == []
    with page.expect_download() as download:
        press(page, "Download ZIP")
    download.value.save_as(tmp_path / "files.zip")
    with ZipFile(tmp_path / "files.zip") as archive:
        assert sorted(archive.namelist()) == ["a.jpg", "b.jpg", "c.txt"]
    press(page, "Delete")
    expect_said(page, "3 files deleted.")
    expect(page.locator("#totals dd").nth(2)).to_have_text("1")
    expect(page.locator(".photos")).to_have_count(0)
    expect_selected_in_load(page)
    page.get_by_role("button", name="Undo").click()
    expect_said(page, "3 files restored.")
    expect(page.locator(".photos .select")).to_have_count(2)
    assert page.url.endswith(f"/consignments/{load.pk}/")
    assert browser_errors == []


def test_files_of_a_consignment_are_moved_and_retried_on_its_page(
    owner: User, load: Consignment, open_page: Open, browser_errors: list[str]
) -> None:
    other = load_with_logs(owner, "AB-0188", 0)
    page = open_page(owner, f"/consignments/{load.pk}/")
    select(page, "a.jpg")
    page.get_by_label("Consignment to move them to").select_option("AB-0188")
    press(page, "Move")
    expect_said(page, "a.jpg moved to AB-0188.")
    expect(page.locator(".photos .select")).to_have_count(1)
    select(page, "d.txt")
    page.locator("#selection").get_by_role("button", name="Retry").click()
    expect_said(page, "d.txt is checked again.")
    expect(page.locator('#documents [data-status="PENDING"]')).to_have_count(1)
    select(page, "b.jpg")
    page.get_by_label("Consignment to move them to").select_option("No consignment")
    press(page, "Move")
    expect_said(page, "b.jpg belongs to no consignment now.")
    expect(page.locator(".photos")).to_have_count(0)
    places = dict(File.unscoped.values_list("name", "consignment"))
    assert places == {"a.jpg": other.pk, "b.jpg": None, "c.txt": load.pk, "d.txt": load.pk}
    assert browser_errors == []


@pytest.mark.parametrize("has_javascript", [False])
def test_without_scripts_files_of_a_consignment_are_selected_and_restored(
    owner: User, load: Consignment, open_page: Open, has_javascript: bool
) -> None:
    page = open_page(owner, f"/consignments/{load.pk}/")
    for name in ("a.jpg", "c.txt"):
        page.get_by_label(f"Select {name}").check()
    press(page, "Delete")
    expect(page.locator("#notice .said")).to_have_text("2 files deleted.")
    expect(page.locator("#evidence .select")).to_have_count(2)
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("#notice .said")).to_have_text("2 files restored.")
    expect(page.locator("#evidence .select")).to_have_count(4)
