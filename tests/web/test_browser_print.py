"""What the print of a page holds: all logs, or a sentence that says that some are missing."""

from __future__ import annotations

import re
from collections.abc import Callable

import pypdfium2
import pytest
from playwright.sync_api import Page, Route, expect

from tests.web.conftest import Open
from tests.web.test_consignments import measured, opened
from tests.web.test_files import stored
from timba.accounts.models import User
from timba.consignments.models import Consignment

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
MakeUser = Callable[..., User]
LOGS = 62
PART = "Only a part of this list is printed."


def printed(page: Page) -> str:
    """Return the text of the page in print."""
    sheets = pypdfium2.PdfDocument(page.pdf(prefer_css_page_size=True))
    text = "\n".join(sheet.get_textpage().get_text_range() for sheet in sheets)
    return re.sub(r"\s+", " ", text)


def barcodes(text: str) -> list[str]:
    return re.findall(r"\bL\d{3}\b", text)


@pytest.fixture
def owner(make_user: MakeUser) -> User:
    return make_user(name="Anna Liepa")


@pytest.fixture
def load(owner: User) -> Consignment:
    load = opened(owner)
    for number in range(1, LOGS + 1):
        measured(owner, load, f"L{number:03}")
    return load


def test_print_of_a_consignment_holds_all_its_logs(
    owner: User, load: Consignment, open_page: Open, browser_errors: list[str]
) -> None:
    page = open_page(owner, f"/consignments/{load.pk}/")
    expect(page.locator("#rows tr")).to_have_count(50)
    for _ in range(2):
        text = printed(page)
        assert barcodes(text) == [f"L{number:03}" for number in range(1, LOGS + 1)]
        assert text.count("19.530 m³") == 1
        assert PART not in text
        assert "Times are in Europe/Riga." in text
    expect(page.locator("#rows tr:visible")).to_have_count(50)
    expect(page.locator(".totals")).to_have_count(1)
    assert browser_errors == []


def test_print_says_when_it_is_a_part(owner: User, load: Consignment, open_page: Open) -> None:
    page = open_page(owner, f"/consignments/{load.pk}/")
    lost: list[Route] = []

    def lose(route: Route) -> None:
        lost.append(route)
        route.abort("connectionreset")

    page.route("**/paper/", lose)
    text = printed(page)
    assert len(lost) == 1
    assert len(barcodes(text)) == 50
    assert PART in text
    page.unroute("**/paper/")
    page.get_by_role("link", name="Show more").click()
    expect(page.locator("#rows tr")).to_have_count(LOGS)
    text = printed(page)
    assert len(barcodes(text)) == LOGS
    assert PART not in text


@pytest.mark.parametrize("has_javascript", [False])
def test_print_without_scripts_says_that_it_is_a_part(
    owner: User, load: Consignment, open_page: Open, has_javascript: bool
) -> None:
    page = open_page(owner, f"/consignments/{load.pk}/")
    text = printed(page)
    assert len(barcodes(text)) == 50
    assert PART in text
    assert "Times are in UTC." in text


def test_paper_holds_all_documents_and_the_page_says_that_it_holds_a_part(
    owner: User, open_page: Open
) -> None:
    load = opened(owner)
    assert owner.client is not None
    for number in range(21):
        stored(owner.client, consignment=load, name=f"permit {number:02}.txt")
    page = open_page(owner, f"/consignments/{load.pk}/")
    page.emulate_media(media="print")
    expect(page.get_by_text("permit ")).to_have_count(20)
    expect(page.get_by_text(PART)).to_be_visible()
    page.goto(f"/consignments/{load.pk}/paper/")
    expect(page.get_by_text("permit ")).to_have_count(21)
    expect(page.get_by_text(PART)).to_have_count(0)
