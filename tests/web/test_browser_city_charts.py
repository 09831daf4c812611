"""Small charts in a browser: loaded when in view, in their place; periods are remembered."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pypdfium2
import pytest
from playwright.sync_api import Page, Route, expect

from tests.conftest import MakeUser
from tests.temperatures.uploads import settle_readings
from tests.web.accessibility import AXE, AXE_RUNS
from tests.web.conftest import Open
from tests.web.test_city_charts import erase_readings
from tests.web.test_consignments import opened
from timba.accounts.models import User
from timba.files.models import File

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
CITIES = 40
DAYS = "".join(f"7,{day}.50,2026-11-{day:02}T06:00Z\n" for day in range(1, 21))
NOTE_END_OF_REQUEST = """
    document.addEventListener("htmx:finally:request", () => {
        document.documentElement.dataset.answered = "";
    });
"""
DATES = "22 Oct 2026 to 20 Nov 2026"


@pytest.fixture
def owner(make_user: MakeUser) -> User:
    return make_user()


@pytest.fixture
def file(owner: User) -> File:
    return settle_readings(DAYS, actor=owner)


def open_holding(page: Page, path: str, pattern: str) -> list[Route]:
    """Open a page, and hold its requests of this pattern; return them."""
    held: list[Route] = []
    page.route(pattern, lambda route: held.append(route))  # noqa: PLW0108 - wrapped
    with page.expect_request(pattern):
        page.goto(path)
    return held


def top_of(page: Page, selector: str) -> float:
    box = page.locator(selector).first.bounding_box()
    assert box is not None
    return box["y"]


def violations(page: Page) -> list[object]:
    """Return what axe finds, in light and dark, on a desk and on a phone."""
    found: list[object] = []
    page.evaluate(AXE.read_text())
    for width, scheme, rules in AXE_RUNS:
        page.set_viewport_size({"width": width, "height": 800})
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        report = page.evaluate(
            "rules => axe.run(document, {runOnly: rules, resultTypes: ['violations']})", rules
        )
        found += [(width, scheme, violation["id"]) for violation in report["violations"]]
    return found


@pytest.mark.parametrize("width", [1280, 360])
def test_sparklines_come_when_their_rows_come_into_view_and_move_nothing(
    owner: User, open_page: Open, browser_errors: list[str], width: int
) -> None:
    settle_readings(
        "".join(
            f"{city},{day}.0,2026-11-0{day}T06:00Z\n"
            for city in range(1, CITIES + 1)
            for day in (1, 2, 3)
        ),
        actor=owner,
    )
    page = open_page(owner, "/notes/")
    page.set_viewport_size({"width": width, "height": 800})
    held = open_holding(page, "/temperatures/", "**/sparkline/")
    expect(page.locator(".cities li")).to_have_count(CITIES)
    before = top_of(page, ".cities li:last-child")
    for route in held:
        route.continue_()
    page.unroute("**/sparkline/")
    expect(page.locator(".cities li:first-child polyline.mean")).to_have_count(1)
    assert top_of(page, ".cities li:last-child") == before
    last = page.locator(".cities li:last-child")
    expect(last.locator("polyline")).to_have_count(0)
    last.scroll_into_view_if_needed()
    expect(last.locator("polyline")).to_have_count(1)
    assert violations(page) == []
    assert browser_errors == []


def test_without_the_readings_rows_and_facts_stay_without_charts(
    owner: User, file: File, open_page: Open, browser_errors: list[str]
) -> None:
    erase_readings(file)
    load = opened(owner)
    page = open_page(owner, "/notes/")
    page.add_init_script(NOTE_END_OF_REQUEST)
    with page.expect_response("**/sparkline/") as sparkline:
        page.goto("/temperatures/")
    assert sparkline.value.status == 503
    expect(page.locator("html[data-answered]")).to_have_count(1)
    expect(page.locator(".cities li")).to_have_text(
        re.compile(
            r"^\s*City 7\s+20\sreadings, 1 Nov 2026 to 20 Nov 2026\s+1.50 to 20.50mean 11.00\s*$"
        )
    )
    with page.expect_response("**/chart/") as chart:
        page.goto(f"/consignments/{load.pk}/")
    assert chart.value.status == 503
    expect(page.locator("html[data-answered]")).to_have_count(1)
    expect(page.locator(".city-strip")).to_have_count(0)
    expect(page.get_by_text("Timba is busy")).to_have_count(0)
    expect(page.get_by_role("heading", name="Temperatures of city 7")).to_be_visible()
    expect(page.locator(".facts", has_text="Mean of all readings")).to_contain_text("11.00 °C")
    assert browser_errors == []


@pytest.mark.parametrize("width", [1280, 360])
def test_the_chart_of_a_consignment_comes_in_its_place_and_is_printed(
    owner: User, file: File, open_page: Open, browser_errors: list[str], width: int
) -> None:
    load = opened(owner)
    page = open_page(owner, "/notes/")
    page.set_viewport_size({"width": width, "height": 800})
    held = open_holding(page, f"/consignments/{load.pk}/", "**/chart/")
    facts = "#beside section:has(#city-title) .facts"
    before = top_of(page, facts)
    [route] = held
    route.continue_()
    chart = page.get_by_role("img", name="Temperature of city 7 by day, ")
    expect(chart).to_be_visible()
    assert top_of(page, facts) == before
    page.unroute("**/chart/")
    page.goto(f"/consignments/{load.pk}/paper/")
    expect(chart).to_be_visible()
    printed = pypdfium2.PdfDocument(page.pdf(prefer_css_page_size=True))
    assert DATES in printed[0].get_textpage().get_text_range()
    assert browser_errors == []


@pytest.mark.parametrize("width", [1280, 360])
def test_a_chosen_period_is_kept_for_other_cities_and_the_next_visit(
    owner: User, open_page: Open, browser_errors: list[str], width: int
) -> None:
    week_ago = datetime.now(UTC) - timedelta(days=6)
    for city in (7, 12):
        lines = f"{city},1.00,2020-01-01T00:00Z\n{city},2.00,{week_ago:%Y-%m-%dT%H:%MZ}\n"
        settle_readings(lines, actor=owner)
    page = open_page(owner, "/temperatures/")
    page.set_viewport_size({"width": width, "height": 800})
    period, readings = page.get_by_label("Period"), page.locator("#city .totals")
    expect(readings).to_contain_text("Readings2")
    period.get_by_role("link", name="7 d").click()
    expect(readings).to_contain_text("Readings1")
    page.locator(".cities").get_by_role("link", name="City 12").click()
    expect(page.get_by_role("heading", name="City 12")).to_be_in_viewport()
    assert (page.evaluate("scrollY") > 0) == (width == 360)
    page.goto("/temperatures/")
    expect(period.locator("[aria-current]")).to_have_text("7 d")
    expect(readings).to_contain_text("Readings1")
    assert violations(page) == []
    # With the dates taken out, all readings are shown, and remembered.
    page.get_by_label("From", exact=True).fill("")
    page.get_by_role("button", name="Show").click()
    for _ in range(2):
        expect(period.locator("[aria-current]")).to_have_text("All")
        expect(readings).to_contain_text("Readings2")
        page.goto("/temperatures/")
    assert browser_errors == []
