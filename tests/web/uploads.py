"""What the tests of the upload pages in a browser share: a large file, and requests held back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route

from tests.web.conftest import TIMEOUT_MS

MEGABYTE = 1024 * 1024
PART = 5 * MEGABYTE
UPLOAD = "**/api/files/tus/*/"
BEGUN = [("POST", "files/tus/"), ("PATCH", "0"), ("PATCH", str(PART))]


def choose(page: Page, *paths: Path) -> None:
    """Choose files on the disk, which keep the time of their last change."""
    page.locator("#choose").set_input_files(list(paths))


def hold_second_part(page: Page) -> list[Route]:
    """Hold the next second part of a large file back; return the list that it comes into."""
    held: list[Route] = []

    def hold(route: Route) -> None:
        if not held and route.request.headers.get("upload-offset") == str(PART):
            held.append(route)
        else:
            route.continue_()

    page.route(UPLOAD, hold)
    return held


def wait_until(page: Page, is_so: Callable[[], object]) -> None:
    for _ in range(TIMEOUT_MS // 20):
        if is_so():
            return
        page.wait_for_timeout(20)
    pytest.fail("It did not come to this.")


def wait_for_part(page: Page, held: list[Route]) -> None:
    wait_until(page, lambda: held)


def leave_in_the_middle(page: Page, path: Path) -> None:
    """Choose a large file, and load the page again while its second part is on its way."""
    held = hold_second_part(page)
    choose(page, path)
    wait_for_part(page, held)
    page.on("dialog", lambda dialog: dialog.accept())
    # The page asks how much has arrived.
    with page.expect_response(lambda response: response.request.method == "HEAD"):
        page.reload()
