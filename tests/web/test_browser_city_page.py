"""The page of a city in a browser at the edges: long names, few readings, partial days."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.conftest import MakeUser
from tests.temperatures.uploads import CELSIUS, settle_readings
from tests.web.conftest import Open
from timba.accounts.models import User
from timba.places.services import name_city

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

# The last column of the canvas, and the last one in which its lowest rows, the labels, have ink.
LAST_COLUMN_OF_LABELS = """() => {
  const canvas = document.querySelector('.city-plot canvas');
  const {width, height} = canvas;
  const rows = Math.round(20 * devicePixelRatio);
  const {data} = canvas.getContext('2d').getImageData(0, height - rows, width, rows);
  const alphas = (x) => Array.from({length: rows}, (_, y) => data[4 * (y * width + x) + 3]);
  const columns = Array.from({length: width}, (_, x) => x);
  return [width - 1, columns.findLast((x) => alphas(x).some(Boolean))];
}"""
# How many columns of pixels have the colour of means.
COLUMNS_OF_MEANS = """() => {
  const canvas = document.querySelector('.city-plot canvas');
  const {width, height} = canvas;
  const {data} = canvas.getContext('2d').getImageData(0, 0, width, height);
  const mean = [26, 94, 72, 255];
  const isMean = (at) => mean.every((part, index) => Math.abs(part - data[at + index]) < 40);
  const columns = Array.from({length: width}, (_, x) => x);
  const rows = Array.from({length: height}, (_, y) => y);
  return columns.filter((x) => rows.some((y) => isMean(4 * (y * width + x)))).length;
}"""


@pytest.fixture
def owner(make_user: MakeUser) -> User:
    return make_user()


def settle(owner: User, *lines: str) -> None:
    settle_readings(CELSIUS + "".join(f"{line}\n" for line in lines), actor=owner)


def overlaps(one: Locator, other: Locator) -> bool:
    a, b = one.bounding_box(), other.bounding_box()
    assert a is not None
    assert b is not None
    return (
        a["x"] < b["x"] + b["width"]
        and b["x"] < a["x"] + a["width"]
        and a["y"] < b["y"] + b["height"]
        and b["y"] < a["y"] + a["height"]
    )


def expect_drawn(page: Page) -> None:
    expect(page.locator("[data-readout] span")).to_have_count(5)


@pytest.mark.parametrize("width", [1280, 320])
@pytest.mark.parametrize("name", ["W" * 100, "🌲" * 50, ""])
def test_the_heading_of_a_city_leaves_its_links_free(
    owner: User, open_page: Open, width: int, name: str
) -> None:
    settle(owner, "2147483647,1,2026-11-20T06:00Z")
    if name:
        name_city(actor=owner, client=owner.client, city_id=2147483647, name=name)
    page = open_page(owner, "/temperatures/")
    page.set_viewport_size({"width": width, "height": 800})
    expect_drawn(page)
    title, files = page.locator("#city-title"), page.get_by_role("link", name="Its 1 file")
    rename = page.locator("#city > .ask > summary")
    assert not overlaps(files, rename)
    assert not overlaps(title, rename)
    assert not page.evaluate("document.documentElement.scrollWidth > innerWidth")


def test_two_readings_that_are_years_apart_have_no_line_between_them(
    owner: User, open_page: Open
) -> None:
    settle(owner, "7,1,2020-01-01T06:00Z", "7,5,2026-11-20T06:00Z")
    page = open_page(owner, "/temperatures/7/")
    expect_drawn(page)
    assert 0 < page.evaluate(COLUMNS_OF_MEANS) < 20


@pytest.mark.parametrize(
    "lines",
    [
        ["7,1,2026-11-20T06:00Z"],
        [f"7,1,{2000 + year}-11-20T06:00Z" for year in (0, 2, 4, 6, 8, 10)],
    ],
)
def test_the_last_label_below_the_chart_is_whole(
    owner: User, open_page: Open, lines: list[str]
) -> None:
    settle(owner, *lines)
    page = open_page(owner, "/temperatures/7/")
    expect_drawn(page)
    edge, last = page.evaluate(LAST_COLUMN_OF_LABELS)
    assert last < edge


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("", "Days are those of UTC."),
        ("?from=2026-01-01&to=2026-11-20", "Days are those of UTC."),
        (
            "?from=2025-12-31T22:00Z",
            "Days are those of UTC, the first one only from the period’s beginning.",
        ),
        (
            "?to=2026-11-19T22:00Z",
            "Days are those of UTC, the last one only to the period’s end.",
        ),
    ],
)
def test_partial_days_are_told(owner: User, open_page: Open, query: str, sentence: str) -> None:
    settle(owner, *(f"7,{month},2026-{month:02}-19T06:00Z" for month in range(1, 12)))
    page = open_page(owner, f"/temperatures/7/{query}")
    expect_drawn(page)
    expect(page.locator("[data-note]")).to_have_text(sentence)


def test_a_new_name_keeps_the_period_in_the_address_of_its_tab(
    owner: User, open_page: Open
) -> None:
    settle(owner, "7,1,2026-11-20T06:00Z")
    page = open_page(owner, "/temperatures/7/?from=2026-11-01")
    expect_drawn(page)
    other = page.context.new_page()
    other.goto(page.url.replace("?from=2026-11-01", "?last=all"))
    page.locator("summary", has_text="Give it a name").click()
    page.get_by_label("Name", exact=True).fill("Kuldīga")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#city-title")).to_contain_text("Kuldīga")
    expect(page.locator("[data-city-chart]")).to_have_attribute(
        "data-from", "2026-11-01T00:00:00+00:00"
    )
