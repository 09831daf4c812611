"""Uploads in a browser whose connection hangs, or whose file changes on the disk."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect
from pytest_django.fixtures import Settings

from tests.web.conftest import Open
from tests.web.test_browser_pages import row, text
from tests.web.uploads import (
    BEGUN,
    PART,
    UPLOAD,
    choose,
    hold_second_part,
    wait_for_part,
    wait_until,
)
from timba.accounts.models import User
from timba.api import tus
from timba.consignments.models import Consignment
from timba.consignments.trash import delete_consignment
from timba.files.models import File
from timba.files.resumable.models import ResumableUpload

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

BROKEN = "The connection broke. It goes on by itself"


@pytest.fixture(autouse=True)
def _own_folder(settings: Settings, tmp_path: Path) -> None:
    settings.TIMBA_DATA_DIR = tmp_path / "data"
    settings.TIMBA_DATA_DIR.mkdir()


@pytest.fixture
def owner(make_user: Callable[..., User]) -> User:
    return make_user()


@pytest.fixture
def page(owner: User, open_page: Open) -> Page:
    """Return the upload page with a clock that tests put forward."""
    page = open_page(owner, "/api/")
    page.clock.install()
    page.reload()
    return page


def test_upload_in_parts_that_hangs_goes_on_where_it_was(
    page: Page, worker: None, large: Path, sent: list[tuple[str, str]]
) -> None:
    held = hold_second_part(page)
    choose(page, large)
    wait_for_part(page, held)
    page.clock.fast_forward(31_000)
    expect(row(page, large.name)).to_contain_text(BROKEN)
    expect(row(page, large.name)).to_contain_text("SUCCESS")
    assert sent == [*BEGUN, ("PATCH", str(PART))]


def test_small_upload_that_hangs_is_sent_again_and_kept_once(page: Page, worker: None) -> None:
    held: list[Route] = []

    def hold_first(route: Route) -> None:
        if held:
            route.continue_()
        else:
            held.append(route)

    page.route("**/api/upload/", hold_first)
    page.locator("#choose").set_input_files([text("gate.txt", "Seal ok")])
    wait_until(page, lambda: held)
    page.clock.fast_forward(31_000)
    expect(row(page, "gate.txt")).to_contain_text(BROKEN)
    expect(row(page, "gate.txt")).to_contain_text("SUCCESS")
    assert File.unscoped.count() == 1


@pytest.fixture
def slow_store(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Have complete uploads stored once this event is set."""
    may_store = threading.Event()
    finish = tus.finish_upload

    def wait_and_finish(**options: Any) -> object:
        may_store.wait(timeout=60)
        return finish(**options)

    monkeypatch.setattr(tus, "finish_upload", wait_and_finish)
    yield may_store
    may_store.set()


def test_storing_a_large_file_may_take_longer_than_a_connection_hangs(
    page: Page,
    worker: None,
    large: Path,
    sent: list[tuple[str, str]],
    slow_store: threading.Event,
) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.method))
    choose(page, large)
    expect(row(page, large.name)).to_contain_text("100\N{NO-BREAK SPACE}%")
    page.clock.fast_forward(60_000)
    slow_store.set()
    expect(row(page, large.name)).to_contain_text("SUCCESS")
    assert sent == BEGUN
    assert "HEAD" not in asked  # which an upload that was given up goes on with


@pytest.mark.parametrize("change", [Path.unlink, lambda path: path.write_bytes(b"Seal 88413\n")])
def test_file_that_has_changed_on_the_disk_is_not_sent(
    page: Page, worker: None, large: Path, change: Callable[[Path], object]
) -> None:
    held = hold_second_part(page)
    choose(page, large)
    wait_for_part(page, held)
    change(large)
    held[0].abort("connectionreset")
    expect(row(page, large.name)).to_contain_text(
        "Not sent: it was changed, moved or deleted on this device meanwhile. Choose it again."
    )
    wait_until(page, lambda: not ResumableUpload.unscoped.exists())
    large.write_bytes(b"Seal 88413\n")
    choose(page, large)
    expect(row(page, large.name).filter(has_text="SUCCESS")).to_have_count(1)
    assert File.unscoped.get().size == 11


def test_nothing_stays_of_an_upload_whose_consignment_was_deleted_meanwhile(
    owner: User, page: Page, large: Path, sent: list[tuple[str, str]]
) -> None:
    consignment = Consignment.unscoped.create(client=owner.client, name="AB-0187", type="pinewood")
    page.reload()
    page.get_by_label("Into").select_option("AB-0187")
    held = hold_second_part(page)
    choose(page, large)
    wait_for_part(page, held)
    delete_consignment(actor=owner, consignment=consignment)
    held[0].continue_()
    expect(row(page, large.name)).to_contain_text("There is no such consignment.")
    assert [method for method, _ in sent[len(BEGUN) :]] == ["DELETE", "POST"]
    assert not ResumableUpload.unscoped.exists()


def test_upload_that_is_missing_each_time_is_begun_anew_once(
    page: Page, large: Path, sent: list[tuple[str, str]]
) -> None:
    def lose(route: Route) -> None:
        if route.request.headers.get("upload-offset") == str(PART):
            route.fulfill(status=404)
        else:
            route.continue_()

    page.route(UPLOAD, lose)
    choose(page, large)
    expect(row(page, large.name)).to_contain_text("Timba did not take it.")
    wait_until(page, lambda: not ResumableUpload.unscoped.exists())
    expected = ["POST", "PATCH", "PATCH", "DELETE"] * 2
    assert [method for method, _ in sent] == expected


@pytest.mark.parametrize("entry", ["null", "{"], ids=["gone", "damaged"])
def test_list_is_kept_beside_one_that_cannot_be_read(page: Page, entry: str) -> None:
    page.locator("#choose").set_input_files([text("seals.exe", "MZ")])
    expect(row(page, "seals.exe")).to_contain_text("EXE cannot be read here")
    add = """entry => {
        const [own] = Object.keys(localStorage).filter((key) => key.startsWith("timba.batch."));
        for (const tab of ["", "z"]) localStorage.setItem(own.replace(/[|].*/, "|") + tab, entry);
    }"""
    page.evaluate(add, entry)
    page.reload()
    expect(row(page, "seals.exe")).to_contain_text("EXE cannot be read here")
