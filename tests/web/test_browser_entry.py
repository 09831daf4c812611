"""Logs typed in a browser: where the cursor goes, and what is asked before they are saved."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest
from playwright.sync_api import Page, Route, expect

from tests.web.conftest import Open
from tests.web.test_browser_consignments import press, type_log
from tests.web.test_consignments import measured, opened
from timba.accounts.models import User
from timba.consignments.models import Consignment, Log

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
MakeUser = Callable[..., User]
TEN = [
    ("31.5", "27"),
    ("28", "30,5"),
    ("33", "31"),
    ("29.5", "26"),
    ("30", "30"),
    ("27", "25.5"),
    ("35", "32"),
    ("26", "26"),
    ("31", "29"),
    ("30.5", "28"),
]


@pytest.fixture
def owner(make_user: MakeUser) -> User:
    return make_user(name="Anna Liepa")


@pytest.fixture
def load(owner: User) -> Consignment:
    return opened(owner)


def sizes() -> list[tuple[Decimal, Decimal, Decimal]]:
    return list(Log.unscoped.order_by("pk").values_list("length", "breadth", "height"))


def saved(page: Page, logs: int) -> None:
    """Wait until so many logs are saved."""
    expect(page.locator("#rows tr[id]")).to_have_count(logs)


def test_ten_logs_typed_at_a_keyboard_are_ten_exact_logs(
    owner: User, load: Consignment, open_page: Open, browser_errors: list[str]
) -> None:
    page = open_page(owner, f"/consignments/{load.pk}/")
    page.get_by_label("Length, m").click()
    page.keyboard.type("4.2")
    page.keyboard.press("Tab")
    for breadth, height in TEN:
        expect(page.get_by_label("Breadth, cm")).to_be_focused()
        type_log(page, breadth, height)
        expect(page.get_by_label("Length, m")).to_have_value("4.2")
    saved(page, 10)
    assert sizes() == [
        (Decimal("4.2"), Decimal(breadth), Decimal(height.replace(",", ".")))
        for breadth, height in TEN
    ]
    expect(page.locator("#totals")).to_contain_text("Volume3.6")
    assert browser_errors == []


def test_cursor_goes_to_the_barcode_for_those_who_scan_it(
    owner: User, load: Consignment, open_page: Open
) -> None:
    page = open_page(owner, f"/consignments/{load.pk}/")
    barcode, breadth = page.get_by_label("Barcode"), page.get_by_label("Breadth, cm")
    barcode.focus()
    page.keyboard.type("TB-77")
    page.keyboard.press("Enter")
    for text in ("4.2", "30", "25"):
        page.keyboard.type(text)
        page.keyboard.press("Enter")
    expect(barcode).to_be_focused()
    page.keyboard.type("TB-78")
    page.keyboard.press("Enter")
    expect(breadth).to_be_focused()
    type_log(page, "31", "26")
    expect(barcode).to_be_focused()
    saved(page, 2)
    breadth.focus()
    type_log(page, "32", "26")
    expect(breadth).to_be_focused()
    saved(page, 3)
    assert set(Log.unscoped.values_list("barcode", flat=True)) >= {"TB-77", "TB-78"}


def test_scan_into_a_measure_is_told_at_once(
    owner: User, load: Consignment, open_page: Open
) -> None:
    page = open_page(owner, f"/consignments/{load.pk}/")
    breadth = page.get_by_label("Breadth, cm")
    breadth.focus()
    page.keyboard.type("TB-77")
    page.keyboard.press("Enter")
    sentence = "Give the breadth as a number with at most 3 decimals, such as 31.5."
    expect(page.get_by_text(sentence)).to_be_visible()
    expect(breadth).to_be_focused()
    page.keyboard.type("30")
    expect(breadth).to_have_value("30")


def test_measure_far_from_the_others_is_saved_only_after_a_second_enter(
    owner: User, load: Consignment, open_page: Open, browser_errors: list[str]
) -> None:
    measured(owner, load)
    page = open_page(owner, f"/consignments/{load.pk}/")
    page.get_by_label("Length, m").focus()
    type_log(page, "30,5", "31", "26")
    question = page.get_by_text("Length 30.50 m? The other log has 4.20 m.")
    expect(question).to_be_visible()
    page.get_by_label("Length, m").fill("4.2")
    expect(question).to_have_count(0)
    page.keyboard.press("Enter")
    saved(page, 2)

    # The logs that were typed just now are compared with, too.
    type_log(page, "250", "26")
    expect(page.get_by_text("Breadth 250.0 cm? The others are about 30.5 cm.")).to_be_visible()
    page.get_by_label("Breadth, cm").fill("101")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Breadth 101.0 cm?")).to_be_visible()
    saved(page, 2)
    page.keyboard.press("Enter")
    saved(page, 3)
    type_log(page, "31", "2.6")
    page.get_by_role("button", name="Save it anyway").click()
    saved(page, 4)
    expect(page.get_by_label("Breadth, cm")).to_be_focused()
    assert [str(log[0]) for log in sizes()] == ["4.200"] * 4
    assert browser_errors == []


def test_gate_asks_about_a_measure_far_from_the_others(
    owner: User, load: Consignment, open_page: Open, browser_errors: list[str]
) -> None:
    measured(owner, load)
    measured(owner, load)
    page = open_page(owner, f"/consignments/{load.pk}/gate/")
    page.set_viewport_size({"width": 360, "height": 740})
    press(page, "115")
    page.get_by_role("button", name="Next", exact=True).click()
    press(page, "27")
    add = page.get_by_role("button", name="Add log")
    add.click()
    expect(page.get_by_text("Breadth 115.0 cm? The others are 30.0 cm.")).to_be_visible()
    page.get_by_label("Breadth, cm").fill("95")
    add.click()
    expect(page.get_by_text("Breadth 95.0 cm? The others are 30.0 cm.")).to_be_visible()
    page.get_by_role("button", name="Save it anyway").click()
    expect(page.locator(".sum")).to_contain_text("3 logs")
    assert sizes()[-1] == (Decimal("4.2"), Decimal(95), Decimal(27))
    assert browser_errors == []


def test_scan_at_the_gate_takes_no_measure_from_the_log_before(
    owner: User, load: Consignment, open_page: Open
) -> None:
    measured(owner, load)
    page = open_page(owner, f"/consignments/{load.pk}/gate/")
    page.get_by_label("Barcode").focus()
    page.keyboard.type("TB-77")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Breadth, cm")).to_be_focused()
    expect(page.get_by_label("Breadth, cm")).to_have_value("")


@pytest.mark.parametrize("form", ["", "gate/"])
def test_scan_after_a_rejected_one_takes_none_of_its_measures(
    owner: User, load: Consignment, open_page: Open, form: str
) -> None:
    measured(owner, load, "TB-77")
    page = open_page(owner, f"/consignments/{load.pk}/{form}")
    for label, text in (("Length, m", "4.2"), ("Breadth, cm", "31"), ("Height, cm", "26")):
        page.get_by_label(label).fill(text)
    page.get_by_label("Barcode").fill("TB-77")
    page.keyboard.press("Enter")
    rejected = page.locator("tr.unsaved")
    expect(rejected).to_contain_text("There is a log with the barcode “TB-77” already.")
    page.get_by_label("Barcode").focus()
    page.keyboard.type("TB-78")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Breadth, cm")).to_be_focused()
    expect(page.get_by_label("Breadth, cm")).to_have_value("")
    page.get_by_role("button", name="Correct it").click()
    expect(page.get_by_label("Barcode")).to_have_value("TB-77")
    assert Log.unscoped.count() == 1


@pytest.mark.parametrize(
    ("label", "text", "focused"),
    [
        ("Length, m", "3.6", "Breadth, cm"),
        ("Height, cm", "", "Height, cm"),
        ("Title", "S", "Title"),
    ],
)
def test_rejected_log_leaves_the_cursor_to_who_goes_on(
    owner: User, load: Consignment, open_page: Open, label: str, text: str, focused: str
) -> None:
    page = open_page(owner, f"/consignments/{load.pk}/")
    page.locator("#notes summary").click()
    held: list[Route] = []
    page.route("**/api/consignments/*/logs/", lambda route: held.append(route))  # noqa: PLW0108
    page.get_by_label("Length, m").focus()
    with page.expect_request("**/api/consignments/*/logs/"):
        type_log(page, "420", "31", "26")
    page.get_by_label(label, exact=True).fill(text)
    page.get_by_label(focused, exact=True).focus()
    held[0].continue_()
    expect(page.locator("tr.unsaved")).to_contain_text("A log is 0.1 to 40 m long.")
    expect(page.get_by_label(focused, exact=True)).to_be_focused()
    expect(page.get_by_label(label, exact=True)).to_have_value(text)


@pytest.mark.parametrize("has_javascript", [True, False])
def test_correction_far_from_the_others_is_saved_after_it_is_confirmed(
    owner: User, load: Consignment, open_page: Open, has_javascript: bool
) -> None:
    for _ in range(2):
        measured(owner, load)
    log = measured(owner, load, "TB-3")
    page = open_page(owner, f"/logs/{log.pk}/edit/")
    page.get_by_label("Length, m").fill("30.5")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Length 30.50 m? The others are 4.20 m.")).to_be_visible()
    log.refresh_from_db()
    assert log.length == Decimal("4.2")
    expect(page.get_by_role("button", name="Save it anyway")).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/consignments/{load.pk}/#logs")
    log.refresh_from_db()
    assert log.length == Decimal("30.5")
    # What stays as it was is not asked about again.
    page.goto(f"/logs/{log.pk}/edit/")
    page.get_by_label("Height, cm").fill("26")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/consignments/{load.pk}/#logs")


@pytest.mark.parametrize("has_javascript", [False])
def test_without_scripts_the_table_and_the_gate_ask_too(
    owner: User, load: Consignment, open_page: Open, has_javascript: bool
) -> None:
    measured(owner, load)
    for path in ("", "gate/"):
        page = open_page(owner, f"/consignments/{load.pk}/{path}")
        page.get_by_label("Length, m").fill("30.5")
        page.keyboard.press("Enter")
        expect(page.get_by_text("Length 30.50 m? The other")).to_be_visible()
        page.get_by_label("Length, m").fill("4.2")
        page.keyboard.press("Enter")
        expect(page.get_by_text("Length 30.50 m? The other")).to_have_count(0)
    assert [str(log[0]) for log in sizes()] == ["4.200"] * 3
