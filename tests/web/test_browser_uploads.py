"""The upload page in a browser: files in parts, files chosen again, files that are here already."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from playwright.sync_api import BrowserContext, expect
from pytest_django.fixtures import Settings
from pytest_django.live_server_helper import LiveServer

from tests.clients import browser_of
from tests.web.conftest import Open
from tests.web.test_browser_pages import READINGS, photo, row, text
from tests.web.uploads import (
    BEGUN,
    MEGABYTE,
    PART,
    choose,
    hold_second_part,
    leave_in_the_middle,
    wait_for_part,
    wait_until,
)
from timba.accounts.models import User
from timba.consignments.models import Consignment
from timba.files.models import File
from timba.files.resumable.models import ResumableUpload
from timba.files.resumable.services import delete_upload

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
MakeUser = Callable[..., User]

# The server answers, and the page never hears of it.
LOSE_RESPONSES = """() => {
    const listen = XMLHttpRequest.prototype.addEventListener;
    XMLHttpRequest.prototype.addEventListener = function (type, ...listener) {
        if (type !== "load") listen.call(this, type, ...listener);
    };
}"""


@pytest.fixture(autouse=True)
def _own_folder(settings: Settings, tmp_path: Path) -> None:
    settings.TIMBA_DATA_DIR = tmp_path / "data"
    settings.TIMBA_DATA_DIR.mkdir()


@pytest.fixture
def owner(make_user: MakeUser) -> User:
    return make_user()


def test_large_file_is_sent_in_parts_into_the_chosen_consignment(
    owner: User,
    open_page: Open,
    worker: None,
    large: Path,
    sent: list[tuple[str, str]],
    browser_errors: list[str],
) -> None:
    Consignment.unscoped.create(client=owner.client, name="AB-0187", type="pinewood")
    page = open_page(owner, "/api/")
    page.get_by_label("Into").select_option("AB-0187")
    choose(page, large)
    expect(row(page, large.name)).to_contain_text("SUCCESS")
    expect(row(page, large.name)).to_contain_text("196,608 lines")
    assert sent == BEGUN
    file = File.unscoped.get()
    assert (file.size, file.consignment.name) == (6 * MEGABYTE, "AB-0187")
    assert browser_errors == []


def test_csv_files_are_sent_as_tally_sheets_where_that_is_chosen(
    owner: User, open_page: Open, tmp_path: Path
) -> None:
    small, large = tmp_path / "small.csv", tmp_path / "large.csv"
    small.write_text(READINGS)
    large.write_text(READINGS * (6 * MEGABYTE // len(READINGS)))
    page = open_page(owner, "/api/")
    page.get_by_label("CSV as").select_option("Tally sheet")
    choose(page, small, large)
    page.locator("#choose").set_input_files([photo()])
    expect(page.get_by_role("status")).to_contain_text("All 3 sent")
    kinds = File.unscoped.values_list("name", "kind", "dry_run")
    assert sorted(kinds) == [
        ("IMG_0719.jpg", "photo", False),
        ("large.csv", "tally", True),
        ("small.csv", "tally", True),
    ]


def test_large_temperature_file_counts_once(
    owner: User, open_page: Open, worker: None, tmp_path: Path, sent: list[tuple[str, str]]
) -> None:
    path = tmp_path / "logger.dat"
    path.write_text("7,-3.24,2026-11-18T06:00Z\n" * (6 * MEGABYTE // 26))
    page = open_page(owner, "/upload/")
    for result in ("241,979 of 241,979 rows counted", "Already here since today"):
        choose(page, path)
        expect(row(page, path.name)).to_have_count(1)
        expect(row(page, path.name)).to_contain_text(result)
    assert sent == BEGUN * 2
    assert File.unscoped.count() == 1


def test_folders_are_dropped_with_all_that_is_in_them(
    owner: User, open_page: Open, worker: None, tmp_path: Path
) -> None:
    load = tmp_path / "load"
    for number in range(103):
        # A browser lists a hundred at once.
        path = load / ("gate" if number <= 100 else "yard/east") / f"seal {number}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"Seal {number} ok")
    for name in (".DS_Store", "Thumbs.db", "yard/desktop.ini"):
        (load / name).write_text("of the system")
    (tmp_path / "note.txt").write_text("Two seals missing")
    page = open_page(owner, "/api/")
    browser = page.context.new_cdp_session(page)
    files = [str(load), str(tmp_path / "note.txt")]
    dropped = {"items": [], "files": files, "dragOperationsMask": 1}
    for event in ("dragEnter", "dragOver", "drop"):
        browser.send(
            "Input.dispatchDragEvent", {"type": event, "x": 400, "y": 300, "data": dropped}
        )
    expect(page.get_by_role("status")).to_contain_text("100 SUCCESS")
    expect(page.locator("[data-batch] li")).to_have_count(104)
    expect(page.locator("[data-batch] li").filter(has_text="Refused")).to_have_count(4)
    names = set(File.unscoped.values_list("name", flat=True))
    assert names == {f"seal {number}.txt" for number in range(100)}


def test_upload_that_breaks_off_goes_on_where_it_was(
    owner: User, open_page: Open, worker: None, large: Path, sent: list[tuple[str, str]]
) -> None:
    page = open_page(owner, "/api/")
    held = hold_second_part(page)
    choose(page, large)
    wait_for_part(page, held)
    held[0].abort("connectionreset")
    expect(row(page, large.name)).to_contain_text("The connection broke. It goes on by itself")
    expect(row(page, large.name)).to_contain_text("SUCCESS")
    assert sent == [*BEGUN, ("PATCH", str(PART))]


def test_upload_waits_while_the_browser_is_offline(
    owner: User,
    context: BrowserContext,
    open_page: Open,
    worker: None,
    large: Path,
    sent: list[tuple[str, str]],
) -> None:
    page = open_page(owner, "/api/")
    held = hold_second_part(page)
    choose(page, large)
    wait_for_part(page, held)
    context.set_offline(True)
    held[0].abort("internetdisconnected")
    waiting = "The connection broke. It goes on by itself once it is back."
    expect(row(page, large.name)).to_contain_text(waiting)
    context.set_offline(False)
    expect(row(page, large.name)).to_contain_text("SUCCESS")
    assert sent == [*BEGUN, ("PATCH", str(PART))]


def test_unfinished_upload_goes_on_with_the_same_file_alone(
    owner: User, open_page: Open, worker: None, large: Path, sent: list[tuple[str, str]]
) -> None:
    for name in ("AB-0187", "AB-0188"):
        Consignment.unscoped.create(client=owner.client, name=name, type="pinewood")
    page = open_page(owner, "/api/")
    page.get_by_label("Into").select_option("AB-0187")
    leave_in_the_middle(page, large)
    here = "5 MB of 6 MB are here, for AB-0187. Choose it again to go on."
    expect(row(page, large.name)).to_contain_text(here)
    expect(page.locator("[data-advice]")).to_contain_text("Choose log book.txt again")
    # For another consignment, or changed meanwhile, it is another file and sent from its start.
    page.get_by_label("Into").select_option("AB-0188")
    choose(page, large)
    expect(row(page, large.name).filter(has_text="SUCCESS")).to_have_count(1)
    page.get_by_label("Into").select_option("")
    os.utime(large, (0, 0))
    choose(page, large)
    expect(row(page, large.name).filter(has_text="SUCCESS")).to_have_count(2)
    expect(row(page, large.name).filter(has_text=here)).to_have_count(1)
    assert sent == BEGUN * 3


def test_chosen_again_after_a_reload_only_the_rest_is_sent(
    owner: User, open_page: Open, worker: None, large: Path, sent: list[tuple[str, str]]
) -> None:
    page = open_page(owner, "/api/")
    leave_in_the_middle(page, large)
    expect(row(page, large.name)).to_contain_text("5 MB of 6 MB are here.")
    held = hold_second_part(page)
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Choose again log book.txt").click()
    chooser.value.set_files([large])
    wait_for_part(page, held)
    expect(row(page, large.name)).to_contain_text("It goes on from 5 MB")
    held[0].continue_()
    expect(row(page, large.name)).to_contain_text("SUCCESS")
    assert sent == [*BEGUN, ("PATCH", str(PART))]
    assert File.unscoped.get().size == 6 * MEGABYTE


def test_unfinished_upload_is_discarded(
    owner: User, open_page: Open, large: Path, sent: list[tuple[str, str]]
) -> None:
    page = open_page(owner, "/api/")
    leave_in_the_middle(page, large)
    upload = ResumableUpload.unscoped.get()
    page.get_by_role("button", name="Discard log book.txt").click()
    expect(row(page, large.name)).to_have_count(0)
    assert sent == [*BEGUN, ("DELETE", f"files/tus/{upload.pk}/")]
    assert ResumableUpload.unscoped.count() == 0


def test_expired_upload_begins_again_by_itself(
    owner: User, open_page: Open, worker: None, large: Path, sent: list[tuple[str, str]]
) -> None:
    page = open_page(owner, "/api/")
    held = hold_second_part(page)
    choose(page, large)
    wait_for_part(page, held)
    upload = ResumableUpload.unscoped.get()
    deletion = ("DELETE", f"files/tus/{upload.pk}/")
    delete_upload(actor=owner, upload=upload)
    held[0].continue_()
    expect(row(page, large.name)).to_contain_text("SUCCESS")
    assert sent == [*BEGUN, deletion, *BEGUN]
    # And one that had expired before its file was chosen again.
    large.write_bytes(b"Seal 88413\n" * (6 * MEGABYTE // 11))
    leave_in_the_middle(page, large)
    delete_upload(actor=owner, upload=ResumableUpload.unscoped.get(file=None))
    page.reload()
    expired = row(page, large.name).filter(has_text="has been deleted meanwhile")
    expect(expired).to_have_count(1)
    choose(page, large)
    expect(expired).to_have_count(0)
    expect(row(page, large.name).filter(has_text="SUCCESS")).to_have_count(2)
    assert sent == [*BEGUN, deletion, *BEGUN * 3]


def test_nobody_goes_on_with_the_upload_of_another_user(
    owner: User,
    make_user: MakeUser,
    live_server: LiveServer,
    context: BrowserContext,
    open_page: Open,
    worker: None,
    large: Path,
    sent: list[tuple[str, str]],
) -> None:
    colleague = make_user(client=owner.client, username="colleague")
    page = open_page(owner, "/api/")
    held = hold_second_part(page)
    choose(page, large)
    wait_for_part(page, held)
    [session] = [one for one in context.cookies() if one["name"] == "timba"]
    # In another tab, a colleague signs in after signing out.
    theirs = browser_of(colleague).cookies[django_settings.SESSION_COOKIE_NAME]
    cookie = {"name": theirs.key, "value": theirs.value, "url": live_server.url}
    context.add_cookies([cookie])  # type: ignore[list-item]
    other = context.new_page()
    other.goto("/api/")
    expect(other.locator("[data-batch] li")).to_have_count(0)
    held[0].continue_()
    expect(row(page, large.name)).to_contain_text("you are signed out")
    expect(page.locator("#signed-out")).to_be_visible()
    assert File.unscoped.count() == 0
    context.add_cookies([session])  # type: ignore[list-item]
    page.get_by_role("button", name="Try log book.txt again").click()
    expect(row(page, large.name)).to_contain_text("SUCCESS")
    assert sent == [*BEGUN, ("PATCH", str(PART))]
    assert File.unscoped.get().uploaded_by == owner


def test_files_not_sent_before_a_reload_are_named_and_sent_once(
    owner: User, open_page: Open, worker: None, tmp_path: Path
) -> None:
    paths = [tmp_path / f"seal {number}.txt" for number in range(5)]
    for path in paths:
        path.write_text(f"{path.stem} ok")
    page = open_page(owner, "/api/")
    page.evaluate(LOSE_RESPONSES)
    choose(page, *paths)
    wait_until(page, lambda: File.unscoped.filter(status="SUCCESS").count() == 3)
    page.on("dialog", lambda dialog: dialog.accept())
    page.reload()
    expect(page.get_by_role("status")).to_contain_text("Nothing sent yet")
    expect(page.get_by_role("status")).to_contain_text("5 wait for you")
    expect(page.locator("[data-advice]")).to_contain_text(
        "Choose seal 0.txt, seal 1.txt, seal 2.txt and 2 more again, or all of them"
    )
    closed = row(page, "seal 0.txt")
    expect(closed).to_contain_text("The page was closed while it was being sent. Choose it again")
    expect(row(page, "seal 4.txt")).to_contain_text("Not sent: the page was closed first.")
    choose(page, *paths[1:])
    expect(page.get_by_role("status")).to_contain_text("4 SUCCESS")
    # Who chooses all of them sends none twice.
    choose(page, *paths)
    expect(page.get_by_role("status")).to_contain_text("5 SUCCESS")
    expect(page.locator("[data-batch] li")).to_have_count(5)
    assert File.unscoped.count() == 5


def test_person_decides_about_a_photo_that_is_here_already(
    owner: User, open_page: Open, worker: None, browser_errors: list[str]
) -> None:
    Consignment.unscoped.create(client=owner.client, name="AB-0187", type="pinewood")
    page = open_page(owner, "/api/")
    page.get_by_label("Into").select_option("AB-0187")
    first, note = photo("IMG_1.jpg"), text("gate.txt", "Seal ok")
    page.locator("#choose").set_input_files([first, note])
    expect(page.get_by_role("status")).to_contain_text("2 SUCCESS")
    again = [{**first, "name": "copy.jpg"}, {**note, "name": "copy.txt"}, photo("IMG_2.jpg")]
    page.locator("#choose").set_input_files(again)  # type: ignore[arg-type]
    expect(row(page, "copy.jpg")).to_contain_text(
        "The same photo is here already: IMG_1.jpg of AB-0187."
    )
    expect(row(page, "copy.txt")).to_contain_text(
        "The same file is here already: gate.txt of AB-0187."
    )
    expect(row(page, "IMG_2.jpg")).to_contain_text("SUCCESS")
    page.get_by_role("button", name="Leave out copy.txt").click()
    page.get_by_role("button", name="Send anyway copy.jpg").click()
    expect(page.get_by_role("status")).to_contain_text("4 SUCCESS")
    names = set(File.unscoped.values_list("name", flat=True))
    assert names == {"IMG_1.jpg", "gate.txt", "IMG_2.jpg", "copy.jpg"}
    page.locator("#choose").set_input_files(again[:2])  # type: ignore[arg-type]
    page.get_by_role("button", name="Leave out the 2 that are here already").click()
    expect(page.locator("[data-batch] li")).to_have_count(4)
    assert File.unscoped.count() == 4
    assert browser_errors == []


def test_files_are_sent_where_it_cannot_be_told_whether_they_are_here(
    owner: User, open_page: Open, worker: None
) -> None:
    page = open_page(owner, "/api/")
    page.route(re.compile("sha256="), lambda route: route.fulfill(status=503))
    for name in ("IMG_1.jpg", "IMG_2.jpg"):
        page.locator("#choose").set_input_files([{**photo(), "name": name}])
        expect(row(page, name)).to_contain_text("SUCCESS")
