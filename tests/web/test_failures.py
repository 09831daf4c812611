"""Failures around the pages: nothing typed is lost, and nothing is saved twice."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import APIResponse, BrowserContext, Dialog, Page, Route, expect

from tests.factories import PASSWORD
from tests.temperatures.uploads import receive_readings
from tests.web.conftest import TIMEOUT_MS, Open
from tests.web.test_browser_consignments import press, totals, type_log
from tests.web.test_browser_pages import LOSE_RESPONSES, READINGS, choose, row, text
from tests.web.test_consignments import measured, opened
from timba.accounts.models import User
from timba.consignments.models import Consignment, Log
from timba.files.models import File
from timba.files.processing import process_file
from timba.notes.models import Note

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
MakeUser = Callable[..., User]

LOGS = "**/api/consignments/*/logs/"
UNSURE = "Not sure whether it was"
SIGNED_OUT = '{"title": "Unauthorized", "status": 401, "detail": "Sign in."}'
# Only what sleeps, by the function of a promise: requests are still given up after their time.
NO_PAUSES = """(later => {
  window.setTimeout = (act, time) => later(act, String(act).includes("native") ? 1 : time);
})(setTimeout)"""
# As when the network fails between the head and the end of a response.
BREAK_OFF = """(address) => {
  const whole = window.fetch;
  window.fetch = async (...parameters) => {
    const answer = await whole(...parameters);
    if (!String(parameters[0]).includes(address)) return answer;
    window.fetch = whole;
    const cut = (body) => body.error(new TypeError("cut"));
    return new Response(new ReadableStream({ start: cut }), answer);
  };
}"""


@pytest.fixture
def owner(make_user: MakeUser) -> User:
    return make_user(name="Anna Liepa")


@pytest.fixture
def load(owner: User) -> Consignment:
    return opened(owner)


@pytest.fixture
def leave_dialogs(context: BrowserContext) -> list[str]:
    """Collect the dialogs that ask whether to leave a page with unsaved data."""
    questions: list[str] = []

    def answer(dialog: Dialog) -> None:
        questions.append(dialog.type)
        dialog.accept()

    context.on("dialog", answer)
    return questions


def coming(owner: User, load: Consignment) -> File:
    """Return a pending file of the consignment."""
    file = receive_readings(READINGS, actor=owner)
    file.consignment = load
    file.save()
    return file


def sign_out_while_logs_wait(page: Page) -> Callable[[], None]:
    """Hold back the first log; the returned function rejects it and all later ones."""
    held: list[Route] = []

    def refuse(route: Route) -> None:
        route.fulfill(status=401, body=SIGNED_OUT, content_type="application/problem+json")

    def meet(route: Route) -> None:
        if held:
            refuse(route)
        else:
            held.append(route)

    page.route(LOGS, meet)
    return lambda: refuse(held[0])


def lose_answers(keys: list[str]) -> Callable[[Route], None]:
    """Process the first request, but lose its response and all others; collect the keys sent."""

    def lose(route: Route) -> None:
        keys.append(route.request.headers["idempotency-key"])
        if len(keys) == 1:
            route.fetch()
        route.abort("connectionreset")

    return lose


def add_at_gate(page: Page, breadth: str, height: str) -> None:
    press(page, breadth)
    page.get_by_role("button", name="Next", exact=True).click()
    press(page, height)
    page.get_by_role("button", name="Add log").click()


def test_rejected_logs_at_the_gate_wait_until_corrected_or_dropped(
    owner: User, open_page: Open, load: Consignment, leave_dialogs: list[str]
) -> None:
    measured(owner, load, "TB-1")
    page = open_page(owner, f"/consignments/{load.pk}/gate/")
    refuse = sign_out_while_logs_wait(page)
    for breadth in ("31", "32", "33"):
        add_at_gate(page, breadth, "26")
    rows = page.locator("[data-rows]")
    expect(rows.locator(".saving")).to_have_count(3)
    refuse()
    expect(rows.locator(".unsaved")).to_have_count(2)
    expect(rows.locator(".unsaved").first).to_contain_text("you are signed out")
    expect(page.get_by_label("Breadth, cm")).to_have_value("31")
    expect(page.locator("[data-save-state]")).to_have_text("2 not saved")

    page.unroute(LOGS)
    page.get_by_role("button", name="Add log").click()
    expect(page.locator(".sum")).to_contain_text("2 logs")
    rows.locator(".unsaved", has_text="32.0").get_by_role("button", name="Correct it").click()
    expect(page.get_by_label("Breadth, cm")).to_have_value("32")
    expect(page.locator("[data-save-state]")).to_have_text("1 not saved")
    page.get_by_role("button", name="Add log").click()
    expect(page.locator(".sum")).to_contain_text("3 logs")
    expect(page.get_by_role("button", name="Undo log 3")).to_be_visible()
    page.reload()
    assert leave_dialogs == ["beforeunload"]
    assert [log.breadth for log in Log.unscoped.order_by("pk")[1:]] == [31, 32]


def test_gate_shows_all_saved_only_without_rejected_logs(
    owner: User, open_page: Open, load: Consignment, leave_dialogs: list[str]
) -> None:
    page = open_page(owner, f"/consignments/{load.pk}/gate/")
    press(page, "4.2")
    page.get_by_role("button", name="Next", exact=True).click()
    refuse = sign_out_while_logs_wait(page)
    for breadth in ("31", "32"):
        add_at_gate(page, breadth, "26")
    expect(page.locator(".saving")).to_have_count(2)
    refuse()
    page.get_by_role("button", name="Drop it").click()
    expect(page.locator("[data-save-state]")).to_be_hidden()
    expect(page.locator("[data-errors]")).to_contain_text("Not saved")
    page.unroute(LOGS)
    page.get_by_role("button", name="Add log").click()
    expect(page.locator("[data-save-state]")).to_have_text("All saved")
    page.reload()
    assert leave_dialogs == []


def test_undo_pressed_twice_deletes_one_log(
    owner: User, open_page: Open, load: Consignment
) -> None:
    for barcode in ("TB-1", "TB-2", "TB-3"):
        measured(owner, load, barcode)
    page = open_page(owner, f"/consignments/{load.pk}/gate/")
    page.get_by_role("button", name="Undo log 3").dblclick()
    expect(page.get_by_role("button", name="Undo log 2")).to_be_visible()
    expect(page.locator("[data-save-state]")).to_have_text("All saved")
    expect(page.locator(".sum")).to_contain_text("2 logs")
    assert Log.unscoped.count() == 2


def test_refresh_keeps_rejected_logs(
    owner: User, open_page: Open, load: Consignment, leave_dialogs: list[str]
) -> None:
    file = coming(owner, load)
    page = open_page(owner, f"/consignments/{load.pk}/")
    refuse = sign_out_while_logs_wait(page)
    page.get_by_label("Barcode").focus()
    type_log(page, "TB-2", "4.2", "31", "26")
    type_log(page, "TB-3", "4.2", "32", "26")
    expect(page.locator("tr.saving")).to_have_count(2)
    refuse()
    expect(page.locator("tr.unsaved")).to_contain_text(["TB-3", "TB-2"])
    measured(owner, load, "TB-4")
    assert process_file(file.pk)
    expect(page.locator("#rows")).to_contain_text("TB-4")
    assert "0.315 m³" in totals(page)
    expect(page.locator("tr.unsaved")).to_contain_text(["TB-3", "TB-2"])
    page.reload()
    assert leave_dialogs == ["beforeunload"]


def test_refresh_requested_before_a_log_was_saved_keeps_the_log(
    owner: User, open_page: Open, load: Consignment
) -> None:
    file = coming(owner, load)
    page = open_page(owner, f"/consignments/{load.pk}/")
    held: list[tuple[Route, APIResponse]] = []

    def hold_the_first(route: Route) -> None:
        if held:
            route.continue_()
        else:
            held.append((route, route.fetch()))

    page.route(f"**/consignments/{load.pk}/", hold_the_first)
    assert process_file(file.pk)
    for _ in range(TIMEOUT_MS // 20):
        if held:
            break
        page.wait_for_timeout(20)
    page.get_by_label("Barcode").focus()
    type_log(page, "TB-1", "4.2", "30", "25")
    expect(page.locator("#rows")).to_contain_text("TB-1")
    route, older = held[0]
    route.fulfill(response=older)
    expect(page.locator("#documents")).to_contain_text("2 of 3 rows counted.")
    expect(page.locator("#rows")).to_contain_text("TB-1")
    assert "0.315 m³" in totals(page)


def test_refresh_keeps_the_log_being_corrected(
    owner: User, open_page: Open, load: Consignment
) -> None:
    log = measured(owner, load, "TB-1")
    file = coming(owner, load)
    page = open_page(owner, f"/consignments/{load.pk}/")
    page.get_by_role("link", name="TB-1").press("Enter")
    edited = page.locator(f"#log-{log.pk}").get_by_label("Breadth, cm")
    edited.fill("60")
    measured(owner, load, "TB-4")
    assert process_file(file.pk)
    expect(page.locator("#documents")).to_contain_text("2 of 3 rows counted.")
    assert "0.630 m³" in totals(page)
    expect(edited).to_have_value("60")
    edited.press("Enter")
    expect(page.locator("#totals")).to_contain_text("0.945 m³")
    expect(page.locator("#rows")).to_contain_text("TB-4")


def test_page_continues_after_signing_in_in_another_tab(
    owner: User, context: BrowserContext, open_page: Open, load: Consignment
) -> None:
    page = open_page(owner, f"/consignments/{load.pk}/")
    context.clear_cookies(name="timba")
    page.get_by_label("Barcode").focus()
    type_log(page, "TB-1", "4.2", "31", "26")
    expect(page.locator("#signed-out")).to_be_visible()
    with context.expect_page() as opened_tab:
        page.locator("#signed-out a").click()
    tab = opened_tab.value
    tab.get_by_label("Username").fill(owner.username)
    tab.get_by_label("Password").fill(PASSWORD)
    tab.get_by_role("button", name="Sign in").click()
    tab.wait_for_url(f"**/consignments/{load.pk}/")

    page.get_by_role("button", name="Correct it").click()
    page.get_by_role("button", name="Add log").click()
    expect(page.locator("#rows")).to_contain_text("TB-1")
    expect(page.locator("#signed-out")).to_be_hidden()
    page.locator("#notes summary").first.click()
    page.get_by_label("Title").fill("Seal")
    page.get_by_label("Text").fill("Seal 4711 is whole.")
    page.get_by_role("button", name="Add note").click()
    expect(page.locator("#notes")).to_contain_text("Seal 4711 is whole.")
    assert Note.unscoped.count() == 1


@pytest.mark.parametrize("corrected", [False, True])
def test_log_whose_responses_are_all_lost_is_added_once_when_sent_again(
    owner: User, open_page: Open, load: Consignment, corrected: bool
) -> None:
    page = open_page(owner, f"/consignments/{load.pk}/")
    page.evaluate(NO_PAUSES)
    keys: list[str] = []
    page.route(LOGS, lose_answers(keys))
    page.get_by_label("Barcode").focus()
    type_log(page, "", "4.2", "31", "26")
    expect(page.locator("[data-errors]")).to_contain_text(UNSURE)
    page.unroute(LOGS)
    if corrected:
        page.get_by_label("Breadth, cm").fill("32")
    with page.expect_request(LOGS) as asked:
        page.get_by_role("button", name="Add log").click()
    expect(page.locator("#rows tr[id]")).to_have_count(1)
    assert len(set(keys)) == 1
    assert (asked.value.headers["idempotency-key"] in keys) is not corrected
    assert Log.unscoped.count() == 1 + corrected


def test_waiting_log_keeps_its_own_key_beside_an_equal_one(
    owner: User, open_page: Open, load: Consignment
) -> None:
    page = open_page(owner, f"/consignments/{load.pk}/")
    page.evaluate(NO_PAUSES)
    keys: list[str] = []
    page.route(LOGS, lose_answers(keys))
    page.get_by_label("Barcode").focus()
    type_log(page, "", "4.2", "31", "26")
    page.keyboard.type("another is begun")
    expect(page.locator("tr.unsaved")).to_contain_text(UNSURE)
    page.unroute(LOGS)
    page.keyboard.press("Control+A")
    page.keyboard.press("Delete")
    type_log(page, "31", "26")
    expect(page.locator("#rows tr[id]")).to_have_count(1)
    page.get_by_role("button", name="Correct it").click()
    page.get_by_role("button", name="Add log").click()
    expect(page.locator("#rows tr[id]")).to_have_count(2)
    assert Log.unscoped.count() == 2


def test_log_saved_despite_lost_responses_is_shown_and_counted_once(
    owner: User, open_page: Open, load: Consignment
) -> None:
    file = coming(owner, load)
    page = open_page(owner, f"/consignments/{load.pk}/")
    page.evaluate(NO_PAUSES)
    page.route(LOGS, lose_answers([]))
    page.get_by_label("Barcode").focus()
    type_log(page, "TB-1", "4.2", "30", "25")
    expect(page.locator("tr.unsaved")).to_contain_text(UNSURE)
    page.unroute(LOGS)
    assert process_file(file.pk)
    expect(page.locator("#rows")).to_contain_text("TB-1")
    page.get_by_role("button", name="Correct it").click()
    page.get_by_role("button", name="Add log").click()
    expect(page.locator("[data-next]")).to_have_text("2")
    expect(page.locator("#rows tr")).to_have_count(1)
    assert "0.315 m³" in totals(page)


def test_file_whose_responses_are_all_lost_is_stored_once_when_sent_again(
    owner: User, open_page: Open, worker: None
) -> None:
    page = open_page(owner, "/api/")
    page.evaluate(NO_PAUSES)
    page.evaluate(LOSE_RESPONSES, 7)
    keys: list[str] = []
    page.on(
        "response",
        lambda response: (
            keys.append(response.request.headers["idempotency-key"])
            if response.url.endswith("/api/upload/") and response.status == 202
            else None
        ),
    )
    choose(page, text("gate.txt", "Seal ok"))
    expect(row(page, "gate.txt")).to_contain_text(UNSURE)
    page.get_by_role("button", name="Try gate.txt again").click()
    expect(row(page, "gate.txt")).to_contain_text("SUCCESS")
    assert len(keys) == 8
    assert len(set(keys)) == 1
    assert File.unscoped.count() == 1


def test_leaving_the_page_is_confirmed_while_a_file_can_be_sent_again(
    owner: User, context: BrowserContext, open_page: Open, leave_dialogs: list[str]
) -> None:
    page = open_page(owner, "/api/")
    context.clear_cookies(name="timba")
    choose(page, text("gate.txt", "Seal ok"))
    expect(page.get_by_role("button", name="Try gate.txt again")).to_be_visible()
    page.reload()
    assert leave_dialogs == ["beforeunload"]


def test_each_tab_remembers_its_own_batch(
    owner: User, context: BrowserContext, open_page: Open, leave_dialogs: list[str]
) -> None:
    page = open_page(owner, "/api/")
    page.route("**/api/upload/", lambda route: None)
    choose(page, text("gate.txt", "Seal ok"))
    expect(row(page, "gate.txt")).to_contain_text("Sending")
    second = context.new_page()
    second.goto("/api/")
    choose(second, text("load.txt", "Load ok"))
    expect(second.get_by_role("status")).to_contain_text("being checked")
    expect(second.locator("[data-batch] li")).to_have_count(1)
    page.reload()
    assert leave_dialogs == ["beforeunload"]
    expect(row(page, "gate.txt")).to_contain_text("The page was closed while it was being sent")
    expect(page.locator("[data-batch] li")).to_have_count(1)

    # The rows of a closed tab are restored by the next one.
    second.close()
    third = context.new_page()
    third.goto("/api/")
    expect(third.locator("[data-batch] li")).to_have_count(1)
    expect(row(third, "load.txt")).to_contain_text("Checking")


def test_polling_continues_after_an_interrupted_response(owner: User, open_page: Open) -> None:
    file = receive_readings(READINGS, actor=owner)
    page = open_page(owner, "/files/")
    page.evaluate(BREAK_OFF, "/api/task-status/")
    with page.expect_response("**/api/task-status/**"):
        pass
    assert process_file(file.pk)
    expect(row(page, "readings.csv")).to_contain_text("2 of 3 rows counted.")


def test_list_refreshes_after_an_interrupted_response(owner: User, open_page: Open) -> None:
    file = receive_readings(READINGS, actor=owner)
    page = open_page(owner, "/files/")
    page.evaluate(BREAK_OFF, "/files/")
    assert process_file(file.pk)
    expect(row(page, "readings.csv")).to_contain_text("2 of 3 rows counted.")


def test_log_whose_response_is_interrupted_is_added_once(
    owner: User, open_page: Open, load: Consignment
) -> None:
    page = open_page(owner, f"/consignments/{load.pk}/")
    page.evaluate(BREAK_OFF, "/logs/")
    page.get_by_label("Barcode").focus()
    type_log(page, "", "4.2", "31", "26")
    type_log(page, "32", "26")
    expect(page.locator("#rows tr[id]")).to_have_count(2)
    assert Log.unscoped.count() == 2
