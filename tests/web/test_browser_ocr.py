"""The page of a file shows by itself what was read in its pictures."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Page, Request, Route, expect

from tests.files.conftest import accept
from tests.files.samples import photo
from tests.files.test_ocr import paper, scan, work
from tests.web.conftest import Open
from tests.web.test_browser_viewer import settled
from timba.accounts.models import User
from timba.files.ocr import why_ocr_is_off
from timba.files.processing import process_file
from timba.files.receiving import Upload
from timba.files.services import delete_file

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.ocr_is_installed(True),
]
MakeUser = Callable[..., User]
WAITS = "is still being read"


@pytest.fixture(autouse=True)
def needs_data() -> None:
    if reason := why_ocr_is_off():
        pytest.skip(reason)


@pytest.fixture
def owner(make_user: MakeUser) -> User:
    return make_user()


def live_requests(page: Page) -> list[str]:
    """Collect the requests by which the page follows what it shows."""
    asked: list[str] = []

    def note(request: Request) -> None:
        if "timba-live-update" in request.headers or "/task-status/" in request.url:
            asked.append(request.url)

    page.on("request", note)
    return asked


def expect_no_more(page: Page, asked: list[str]) -> None:
    """Expect that the page asks for nothing in an hour."""
    before = len(asked)
    for _ in range(60):
        page.clock.fast_forward(60_000)
    page.evaluate("fetch('/health/live').then(() => 0)")
    assert len(asked) == before


def test_text_in_pictures_is_shown_when_it_is_read(
    owner: User, open_page: Open, browser_errors: list[str]
) -> None:
    upload = Upload(name="permit.pdf")
    upload.write(scan(paper()))
    upload.finish()
    [accepted] = accept(owner, upload)
    file = accepted.file
    page = open_page(owner, f"/files/{file.pk}/")
    page.clock.install()
    asked = live_requests(page)
    page.reload()
    expect(page.get_by_text("It is stored and is being checked.")).to_be_visible()
    assert process_file(file.pk)
    expect(page.locator(".facts")).to_contain_text(WAITS)
    page.locator("summary", has_text="Delete").click()
    with page.expect_response(f"**/files/{file.pk}/"):
        page.clock.pause_at(datetime.now(UTC) + timedelta(hours=1))
    before = len(asked)
    with page.expect_response(f"**/files/{file.pk}/"):
        page.clock.fast_forward(30_000)
    page.evaluate("fetch('/health/live').then(() => 0)")
    assert len(asked) == before + 1
    expect(page.get_by_role("button", name="Delete file")).to_be_visible()
    work()
    page.clock.fast_forward(60_000)
    expect(page.locator(".facts")).to_contain_text("13 words")
    expect(page.locator(".facts")).not_to_contain_text(WAITS)
    expect_no_more(page, asked)
    assert browser_errors == []


def test_page_of_a_photo_without_text_stops_to_wait(owner: User, open_page: Open) -> None:
    file = settled(owner, None, "gate.jpg", photo((640, 480)))
    page = open_page(owner, f"/files/{file.pk}/")
    page.clock.install()
    asked = live_requests(page)
    page.reload()
    expect(page.locator(".facts")).to_contain_text(WAITS)
    work()
    page.clock.fast_forward(60_000)
    expect(page.locator(".facts")).not_to_contain_text("Text in pictures")
    expect_no_more(page, asked)


def test_page_of_a_deleted_file_waits_for_nothing(owner: User, open_page: Open) -> None:
    file = settled(owner, None, "permit.pdf", scan(paper()))
    page = open_page(owner, f"/files/{file.pk}/")
    page.clock.install()
    asked = live_requests(page)
    page.reload()
    expect(page.locator(".facts")).to_contain_text(WAITS)
    delete_file(actor=owner, file=file)
    with page.expect_response(lambda response: response.status == 404):
        page.clock.fast_forward(60_000)
    expect_no_more(page, asked)


def test_page_asks_once_at_a_time(owner: User, open_page: Open) -> None:
    file = settled(owner, None, "permit.pdf", scan(paper()))
    page = open_page(owner, f"/files/{file.pk}/")
    page.clock.install()
    asked = live_requests(page)
    page.reload()
    expect(page.locator(".facts")).to_contain_text(WAITS)

    def answer(route: Route) -> None:
        # As where its text was just read, and it is to be read anew before the page is shown.
        if len(asked) == 1:
            route.fulfill(body="13 words")
        else:
            route.continue_()

    page.route(f"**/files/{file.pk}/", answer)
    with page.expect_response(lambda response: len(asked) == 2):
        page.clock.pause_at(datetime.now(UTC) + timedelta(hours=1))
        page.clock.fast_forward(1_000)
    expect(page.locator(".facts")).to_contain_text(WAITS)
    with page.expect_response(f"**/files/{file.pk}/"):
        page.clock.fast_forward(30_000)
    page.evaluate("fetch('/health/live').then(() => 0)")
    assert len(asked) == 3
