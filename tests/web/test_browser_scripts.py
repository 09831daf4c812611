"""Nothing in an uploaded file runs as a script, wherever Timba shows the file."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.files.malicious_files import MALICIOUS_FILES
from tests.files.malicious_photos import SCRIPT
from tests.web.conftest import Open
from tests.web.test_browser_viewer import settled
from timba.accounts.models import User
from timba.files.models import File

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
MakeUser = Callable[..., User]
# It would change the title of whatever page it is part of, as the script in the files does.
NAME = "<img src=x onerror=document.title='executed'>."
WITH_SCRIPTS = (
    "EXIF with a script",
    "JPEG and HTML",
    "HTML called x.txt",
    "SVG called x.csv",
    "Markdown with a script",
    "PDF: title with a script",
    "PDF: PDF and HTML",
    "workbook: workbook and HTML",
)


def assert_nothing_ran(page: Page) -> None:
    assert page.evaluate("document.title") != "executed"
    assert page.locator("script", has_text="executed").count() == 0
    assert page.locator("[onerror], [onload]").count() == 0


@pytest.mark.parametrize("description", WITH_SCRIPTS)
def test_scripts_in_files_do_not_run(
    description: str, make_user: MakeUser, open_page: Open, browser_errors: list[str]
) -> None:
    owner, malicious = make_user(), MALICIOUS_FILES[description]
    content = malicious.build()
    assert b"executed" in content or description.startswith("workbook")
    file = settled(owner, None, NAME + malicious.name.rpartition(".")[2], content)
    page = open_page(owner, f"/files/{file.pk}/")
    expect(page.get_by_role("heading", name=NAME)).to_be_visible()
    assert_nothing_ran(page)
    if File.unscoped.get(pk=file.pk).has_preview:
        page.locator("a[data-picture]").first.click()
        expect(page.get_by_role("dialog").locator("img")).to_be_visible()
        assert_nothing_ran(page)
    page.goto("/files/")
    expect(page.get_by_role("link", name=NAME).first).to_be_visible()
    assert_nothing_ran(page)
    # Its bytes are saved, and never shown as a page.
    with page.expect_download() as download:
        page.evaluate("path => { location = path }", f"/api/files/{file.pk}/content/")
    assert download.value.path().read_bytes() == content
    assert browser_errors == []
    page.goto(f"/api/files/{file.pk}/preview/?size=256")
    assert_nothing_ran(page)


def test_the_script_of_the_files_does_run_in_a_page(open_page: Open, make_user: MakeUser) -> None:
    page = open_page(make_user(), "about:blank")
    page.set_content(f"<html><body>{SCRIPT}</body></html>")
    assert page.evaluate("document.title") == "executed"
