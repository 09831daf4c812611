"""The chart of a city in a browser: what it draws, tells and requests."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import BrowserContext, Page, Request, Route, expect

from tests.clients import browser_of
from tests.factories import UserFactory
from tests.temperatures.uploads import CELSIUS, settle_readings
from tests.web.accessibility import AXE, AXE_RUNS
from tests.web.conftest import Open
from timba.accounts.models import User

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
MakeUser = Callable[..., User]

RIGA = ZoneInfo("Europe/Riga")
# The clocks in Riga do not change from here to March.
START = datetime(2025, 11, 1, tzinfo=UTC)
HOURS_BEFORE_GAP, GAP_HOURS = 300, 30
LIGHT, DARK = (26, 94, 72), (124, 199, 164)
# Whether each column of pixels has some of a colour. Pixels at the edge of a line are mixed ones.
PURE, MIXED = 20, 60
COLOURED_COLUMNS = """([colour, tolerance]) => {
  const canvas = document.querySelector('.city-plot canvas');
  const {width, height} = canvas;
  const pixels = canvas.getContext('2d').getImageData(0, 0, width, height).data;
  const isColoured = (at) =>
    colour.reduce((sum, part, index) => sum + Math.abs(pixels[at + index] - part), 0) < tolerance;
  const rows = Array.from({length: height}, (_, y) => y);
  return Array.from({length: width}, (_, x) => rows.some((y) => isColoured(4 * (y * width + x))));
}"""


def readings(minutes: Iterable[int]) -> str:
    """Return a file with readings of city 7 at these minutes after START."""
    return CELSIUS + "".join(
        f"7,{5 * math.sin(minute / 1440):.2f},{START + timedelta(minutes=minute):%Y-%m-%dT%H:%M}Z\n"
        for minute in minutes
    )


def series(user: User, query: Mapping[str, Any]) -> list[dict[str, Any]]:
    response = browser_of(user).get("/temperature-readings/7/series/", query)
    points: list[dict[str, Any]] = response.json()["points"]
    return points


def minus(number: float) -> str:
    return f"{number:.2f}".replace("-", "−")


def told(point: Mapping[str, Any]) -> list[str]:
    """Return the parts of the readout for the point of an hour."""
    at = datetime.fromisoformat(point["at"]).astimezone(RIGA)
    mean, lowest, highest = (f"{minus(point[name])} °C" for name in ("mean", "min", "max"))
    texts = [f"{at:%-d %b %Y, %H:%M} EET", f"{point['count']} readings"]
    return [*texts, f"mean {mean}", f"lowest {lowest}", f"highest {highest}"]


def figures(point: Mapping[str, Any]) -> list[str]:
    """Return the figures of a row of the table."""
    return [str(point["count"]), *(minus(point[name]) for name in ("mean", "min", "max"))]


def in_csv(point: Mapping[str, Any]) -> str:
    temperatures = (f"{point[name]:.2f}" for name in ("min", "max", "mean"))
    return ",".join([point["at"], str(point["count"]), *temperatures])


def expect_tabled(page: Page, points: Iterable[Mapping[str, Any]]) -> None:
    """Wait until the table has these points: a browser tells of an opened one a moment later."""
    cells = page.locator("[data-table] tbody td")
    expect(cells).to_have_text([figure for point in points for figure in figures(point)])


def query_of(url: str) -> dict[str, str]:
    return {name: value for name, [value] in parse_qs(urlsplit(url).query).items()}


def shown_csv(page: Page) -> dict[str, str]:
    link = page.get_by_role("link", name="Download as CSV")
    return query_of(link.get_attribute("href") or "")


def drag(page: Page, start: float, stop: float) -> None:
    """Drag over the chart from one part of its width to another."""
    box = page.locator(".u-over").bounding_box()
    assert box is not None
    y = box["y"] + 50
    page.mouse.move(box["x"] + start * box["width"], y)
    page.mouse.down()
    page.mouse.move(box["x"] + stop * box["width"], y, steps=5)
    page.mouse.up()


def expect_colour(page: Page, colour: tuple[int, int, int]) -> None:
    """Wait until the chart has a colour: the policy of the pages forbids to wait in them."""
    for _ in range(100):
        if any(page.evaluate(COLOURED_COLUMNS, [colour, PURE])):
            return
        page.wait_for_timeout(50)
    pytest.fail(f"The chart has no {colour}.")


def readout(page: Page) -> Any:
    return page.locator("[data-readout] span")


@pytest.fixture
def owner(make_user: MakeUser) -> User:
    return make_user()


@pytest.fixture
def requests(context: BrowserContext) -> list[Request]:
    """Collect the requests for series."""
    sent: list[Request] = []
    context.on(
        "request", lambda sending: sent.append(sending) if "/series/" in sending.url else None
    )
    return sent


@pytest.fixture
def ninety_days(owner: User) -> None:
    settle_readings(readings(range(0, 90 * 1440, 60)), actor=owner)


def test_a_month_of_minutes_is_drawn_by_one_request_with_its_gap_and_told_by_the_keys(
    owner: User, open_page: Open, requests: list[Request], browser_errors: list[str]
) -> None:
    gap = range(HOURS_BEFORE_GAP * 60, (HOURS_BEFORE_GAP + GAP_HOURS) * 60)
    minutes = [minute for minute in range(43_200 + len(gap)) if minute not in gap]
    settle_readings(readings(minutes), actor=owner)
    points = series(owner, {"bucket": "hour"})
    assert len(points) == 720
    page = open_page(owner, "/temperatures/7/")
    expect(readout(page)).to_have_text(told(points[-1]))
    chart = page.locator("[data-plot]")
    lowest, highest = min(point["min"] for point in points), max(point["max"] for point in points)
    expect(chart).to_have_accessible_name(
        f"Temperatures of city 7 by hour, {told(points[0])[0]} to {told(points[-1])[0]}, from "
        f"{minus(lowest)} °C to {minus(highest)} °C. Left and right arrow keys move from hour to "
        "hour, plus zooms in, minus shows the whole period."
    )

    chart.focus()
    keys = ["Home", "ArrowRight", "PageUp", "ArrowLeft", "PageDown", "ArrowLeft", "End"]
    for key, index in zip(keys, [0, 1, 25, 24, 0, 0, 719], strict=True):
        page.keyboard.press(key)
        expect(readout(page)).to_have_text(told(points[index]))

    for scheme, colour in (("light", LIGHT), ("dark", DARK), ("light", LIGHT)):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        expect_colour(page, colour)
    drawn = page.evaluate(COLOURED_COLUMNS, [LIGHT, MIXED])
    plot, over = (page.locator(name).bounding_box() for name in (".city-plot", ".u-over"))
    assert plot is not None
    assert over is not None
    left, width = over["x"] - plot["x"], over["width"]
    before, after = (
        left + width * hour / (719 + GAP_HOURS)
        for hour in (HOURS_BEFORE_GAP - 1, HOURS_BEFORE_GAP + GAP_HOURS)
    )
    assert after - before > 15
    assert not any(drawn[round(before) + 3 : round(after) - 3])
    assert all(drawn[round(left) + 3 : round(before) - 2])
    assert all(drawn[round(after) + 3 : round(left + width) - 3])

    page.mouse.move(over["x"] + 1, over["y"] + 50)
    expect(readout(page)).not_to_have_text(told(points[719]))
    page.mouse.move(over["x"] + over["width"] - 1, over["y"] + 50, steps=100)
    page.mouse.move(0, 0)
    expect(readout(page)).to_have_text(told(points[719]))
    cursor = page.locator(".u-cursor-x").bounding_box()
    assert cursor is not None
    assert abs(cursor["x"] - over["x"] - over["width"]) < 3
    touch = {"pointerType": "touch", "clientX": over["x"], "bubbles": True}
    page.locator(".u-over").dispatch_event("pointermove", touch)
    expect(readout(page)).to_have_text(told(points[0]))
    assert [query_of(request.url) for request in requests] == [{"bucket": "hour"}]
    assert browser_errors == []


@pytest.mark.parametrize(
    ("minutes", "parts"),
    [
        (range(0, 5 * 1440, 90), 1),
        ([1440 * (7 * week + day) for week in range(10) for day in range(3)], 10),
    ],
    ids=["every 90 minutes", "three days a week"],
)
def test_the_line_has_gaps_where_the_logger_was_off(
    owner: User, minutes: Iterable[int], parts: int, open_page: Open
) -> None:
    settle_readings(readings(minutes), actor=owner)
    page = open_page(owner, "/temperatures/7/")
    expect(page.locator(".city-plot canvas")).to_be_visible()
    expect_colour(page, LIGHT)
    drawn = page.evaluate(COLOURED_COLUMNS, [LIGHT, MIXED])
    assert sum(now and not before for before, now in pairwise([False, *drawn])) == parts


def test_a_dragged_range_is_fetched_by_the_hour_and_tabled_as_the_series_has_it(
    owner: User,
    ninety_days: None,
    open_page: Open,
    requests: list[Request],
    browser_errors: list[str],
) -> None:
    page = open_page(owner, "/temperatures/7/")
    page.locator("summary", has_text="Show these 90 days as a table").click()
    days = series(owner, {"bucket": "day"})
    expect_tabled(page, days)
    expect(page.get_by_text("Days are those of UTC.")).to_be_visible()
    expect(readout(page).first).to_have_text("Thu, 29 Jan 2026")
    assert shown_csv(page) == {"bucket": "day"}

    with page.expect_response("**/series/**"):
        drag(page, 20.2 / 89, 24.8 / 89)
    hours = {"bucket": "hour", "from": "2025-11-21T00:00:00.000Z", "to": "2025-11-27T00:00:00.000Z"}
    assert query_of(requests[-1].url) == hours
    expect(page.locator("[data-table] summary")).to_have_text("Show these 144 hours as a table")
    points = series(owner, hours)
    expect_tabled(page, points)
    assert shown_csv(page) == hours
    href = page.get_by_role("link", name="Download as CSV").get_attribute("href")
    assert page.request.get(str(href)).text().splitlines()[1:] == [in_csv(at) for at in points]
    expect(page.get_by_text("Days are those of UTC.")).to_have_count(0)

    drag(page, 10.2 / 143, 19.8 / 143)
    expect(page.locator("[data-table] summary")).to_have_text("Show these 11 hours as a table")
    expect_tabled(page, points[10:21])
    part = {"bucket": "hour", "from": "2025-11-21T10:00:00.000Z", "to": "2025-11-21T21:00:00.000Z"}
    assert shown_csv(page) == part
    assert series(owner, part) == points[10:21]
    page.get_by_role("button", name="Zoom in").click()
    expect(page.locator("[data-table] summary")).to_have_text("Show these 6 hours as a table")

    page.get_by_role("button", name="Show the whole period").click()
    expect(page.locator("[data-plot]")).to_be_focused()
    expect_tabled(page, days)
    assert shown_csv(page) == {"bucket": "day"}
    assert len(requests) == 2
    with page.expect_response("**/series/**"):
        page.keyboard.press("+")
    expect(page.locator("[data-table] summary")).to_contain_text("hours")
    page.locator(".u-over").dblclick()
    expect(page.locator("[data-table] summary")).to_have_text("Show these 90 days as a table")
    assert len(requests) == 3
    assert browser_errors == []


def test_the_bounds_of_the_page_are_those_of_the_chart(
    owner: User, ninety_days: None, open_page: Open, requests: list[Request]
) -> None:
    bounds = {"from": "2025-11-10T10:30:00+00:00", "to": "2026-01-20T09:15:00+00:00"}
    page = open_page(owner, "/temperatures/7/?from=2025-11-10T10:30Z&to=2026-01-20T09:15Z")
    expect(readout(page).first).to_have_text("Tue, 20 Jan 2026")
    assert query_of(requests[0].url) == shown_csv(page) == {"bucket": "day", **bounds}
    with page.expect_response("**/series/**"):
        drag(page, 0, 2.8 / 71)
    asked = query_of(requests[1].url)
    assert asked == {**bounds, "bucket": "hour", "to": "2025-11-14T00:00:00.000Z"}


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        (0, "The chart was not loaded: the connection broke."),
        (401, "The chart was not loaded: you are signed out. Sign in again, then try again."),
        (503, "The chart was not loaded. Readings cannot be read now."),
    ],
)
def test_a_failed_request_is_told_in_place_and_the_last_drawing_stays(
    owner: User, ninety_days: None, open_page: Open, status: int, sentence: str
) -> None:
    def fail(route: Route) -> None:
        if status:
            route.fulfill(status=status, json={"detail": "Readings cannot be read now."})
        else:
            route.abort("connectionreset")

    page = open_page(owner, "/files/")
    page.route("**/series/**", fail)
    page.goto("/temperatures/7/")
    problem = page.locator("[data-problem]")
    expect(problem.locator("span")).to_have_text(sentence)
    page.unroute("**/series/**")
    problem.get_by_role("button", name="Try again").click()
    expect(readout(page).first).to_have_text("Thu, 29 Jan 2026")
    expect(problem).to_be_hidden()

    page.route("**/series/**", fail)
    drag(page, 0.2, 0.3)
    expect(problem).to_be_visible()
    expect(problem.locator("span")).to_have_text(sentence)
    expect(page.locator("[data-table] summary")).to_have_text("Show these 90 days as a table")
    page.unroute("**/series/**")
    problem.get_by_role("button", name="Try again").click()
    expect(page.locator("[data-table] summary")).to_contain_text("hours")
    expect(problem).to_be_hidden()


def test_no_more_days_are_asked_for_than_a_series_may_have(
    owner: User, open_page: Open, requests: list[Request]
) -> None:
    settle_readings(f"{CELSIUS}7,4.5,1990-01-01T00:00Z\n7,-2,2025-11-01T10:00Z\n", actor=owner)
    page = open_page(owner, "/temperatures/7/")
    expect(
        page.get_by_text("The chart and the CSV begin 10,000 days before their end.")
    ).to_be_visible()
    expect(readout(page).first).to_have_text("Sat, 1 Nov 2025")
    first = (START - timedelta(days=9_999)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    assert query_of(requests[0].url) == shown_csv(page) == {"bucket": "day", "from": first}
    expect_colour(page, LIGHT)


def test_the_chart_is_printed_on_white_as_wide_as_the_paper(
    owner: User, ninety_days: None, open_page: Open
) -> None:
    page = open_page(owner, "/temperatures/7/")
    expect(readout(page)).to_have_count(5)
    page.emulate_media(color_scheme="dark")
    expect_colour(page, DARK)
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert any(page.evaluate(COLOURED_COLUMNS, [LIGHT, PURE]))
    # 18 cm at 96 dots per inch.
    expect(page.locator(".uplot")).to_have_css("width", "680px")
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert not any(page.evaluate(COLOURED_COLUMNS, [LIGHT, PURE]))
    assert any(page.evaluate(COLOURED_COLUMNS, [DARK, PURE]))


def test_a_drag_ends_when_the_chart_is_drawn_anew(
    owner: User, ninety_days: None, open_page: Open, requests: list[Request]
) -> None:
    page = open_page(owner, "/temperatures/7/")
    summary = page.locator("[data-table] summary")
    expect(summary).to_have_text("Show these 90 days as a table")
    box = page.locator(".u-over").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 50, box["y"] + 50)
    page.mouse.down()
    page.mouse.move(box["x"] + 100, box["y"] + 50, steps=5)
    page.set_viewport_size({"width": 1000, "height": 800})
    expect(page.locator(".u-over")).not_to_have_css("width", f"{box['width']:g}px")
    page.mouse.up()
    summary.click()
    expect(page.locator("[data-table] tbody tr")).to_have_count(90)
    assert len(requests) == 1


def test_a_superseded_request_is_aborted(owner: User, ninety_days: None, open_page: Open) -> None:
    page = open_page(owner, "/temperatures/7/")
    expect(readout(page).first).to_have_text("Thu, 29 Jan 2026")
    held: list[Route] = []
    page.route("**/series/**", lambda route: held.append(route))  # noqa: PLW0108 - wrapped
    with page.expect_request("**/series/**"):
        drag(page, 0.2, 0.3)
    with page.expect_event("requestfailed"):
        page.locator("[data-plot]").press("-")
    expect(page.locator("[data-table] summary")).to_have_text("Show these 90 days as a table")
    expect(page.locator("[data-problem]")).to_be_hidden()


def test_the_chart_is_drawn_again_with_the_new_name_of_its_city(
    owner: User, ninety_days: None, open_page: Open, requests: list[Request]
) -> None:
    page = open_page(owner, "/temperatures/7/")
    expect(readout(page)).to_have_count(5)
    page.locator("summary", has_text="Give it a name").click()
    page.get_by_label("Name", exact=True).fill("Kuldīga")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("[data-plot]")).to_have_accessible_name(
        "Temperatures of Kuldīga by day, Sat, 1 Nov 2025 to Thu, 29 Jan 2026, from −5.00 °C to "
        "5.00 °C. Left and right arrow keys move from day to day, plus zooms in, minus shows the "
        "whole period."
    )
    expect(page.get_by_text("daily mean")).to_be_visible()
    expect(page.locator(".city-plot canvas")).to_have_count(1)
    assert len(requests) == 2


def test_staff_see_the_chart_of_the_client_that_they_have_chosen(
    owner: User, ninety_days: None, open_page: Open, requests: list[Request]
) -> None:
    staff = UserFactory(client=None, is_staff=True)
    page = open_page(staff, "/files/")
    page.get_by_label("Client").select_option(owner.client.name)
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page.get_by_label("Client")).to_have_value(str(owner.client.pk))
    page.goto("/temperatures/7/")
    expect(readout(page).first).to_have_text("Thu, 29 Jan 2026")
    assert query_of(requests[0].url) == {"bucket": "day", "client_id": str(owner.client.pk)}


def test_the_chart_is_accessible_and_fits_a_phone(
    owner: User, ninety_days: None, open_page: Open, browser_errors: list[str]
) -> None:
    page = open_page(owner, "/temperatures/7/")
    page.locator("summary", has_text="as a table").click()
    with page.expect_response("**/series/**"):
        drag(page, 0.2, 0.3)
    expect(page.locator("[data-table] summary")).to_contain_text("hours")
    page.route("**/series/**", lambda route: route.abort())
    page.evaluate(AXE.read_text())
    found = []
    for width, scheme, rules in AXE_RUNS:
        page.set_viewport_size({"width": width, "height": 800})
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
        report = page.evaluate("rules => axe.run(document, {runOnly: rules})", rules)
        found += [(width, scheme, violation["id"]) for violation in report["violations"]]
    assert found == []
    for width in (360, 320, 1920):
        page.set_viewport_size({"width": width, "height": 800})
        area = page.locator(".city-plot").bounding_box()
        assert area is not None
        expect(page.locator(".uplot")).to_have_css("width", f"{area['width']:g}px")
        assert not page.evaluate("document.documentElement.scrollWidth > innerWidth")
    page.set_viewport_size({"width": 360, "height": 800})
    targets = [
        page.get_by_role("button", name="Zoom in"),
        page.get_by_role("button", name="Show the whole period"),
        page.locator("[data-table] summary"),
        page.get_by_role("link", name="Download as CSV"),
    ]
    assert [target.bounding_box()["height"] >= 44 for target in targets] == [True] * 4
    assert browser_errors == []


@pytest.mark.parametrize("has_javascript", [False])
def test_without_javascript_the_totals_and_the_csv_remain(
    owner: User, ninety_days: None, open_page: Open
) -> None:
    page = open_page(owner, "/temperatures/7/?from=2025-11-10")
    expect(page.locator("#city .totals")).to_contain_text("Readings1,944")
    assert shown_csv(page) == {"bucket": "day", "from": "2025-11-10T00:00:00+00:00"}
    expect(page.locator(".city-chart")).to_be_hidden()
