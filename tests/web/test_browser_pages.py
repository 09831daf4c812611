"""The pages in a browser: Chromium on the live server, with a worker that processes files."""

from __future__ import annotations

import io
import re
from collections.abc import Callable

import pytest
from PIL import Image
from playwright.sync_api import BrowserContext, FilePayload, Page, Route, expect

from tests.factories import PASSWORD
from tests.temperatures.uploads import receive_readings, settle_readings
from tests.web.conftest import TIMEOUT_MS, Open
from timba.accounts.models import User
from timba.consignments.models import Consignment
from timba.files.models import File
from timba.files.processing import process_file
from timba.notes.models import Note

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
MakeUser = Callable[..., User]

# The page takes so many responses to its uploads for connections that broke.
LOSE_RESPONSES = """(count) => {
    const { get } = Object.getOwnPropertyDescriptor(XMLHttpRequest.prototype, "status");
    Object.defineProperty(XMLHttpRequest.prototype, "status", {
        get() {
            count -= 1;
            return count < 0 ? get.call(this) : 0;
        },
    });
}"""
READINGS = "7,-3.24,2026-11-18T06:00Z\n7,4.5,2026-11-18T23:00Z\n7,n/a,2026-11-19T06:00Z\n"


def photo(name: str = "IMG_0719.jpg", width: int = 640) -> FilePayload:
    stream = io.BytesIO()
    Image.effect_noise((width, 480), 60).convert("RGB").save(stream, "JPEG")
    return {"name": name, "mimeType": "image/jpeg", "buffer": stream.getvalue()}


def text(name: str, content: str) -> FilePayload:
    return {"name": name, "mimeType": "text/plain", "buffer": content.encode()}


def choose(page: Page, *files: FilePayload) -> None:
    page.locator("#choose").set_input_files(list(files))


def row(page: Page, name: str) -> object:
    return page.locator("li", has=page.locator(".name", has_text=name))


@pytest.fixture
def owner(make_user: MakeUser) -> User:
    return make_user()


def test_dropped_files_end_with_their_results_and_survive_a_reload(
    owner: User, open_page: Open, worker: None, browser_errors: list[str]
) -> None:
    page = open_page(owner, "/api/")
    cut = photo("cut.jpg")
    cut["buffer"] = cut["buffer"][:3000]
    choose(page, photo(), text("readings.csv", READINGS), text("gate note.txt", "Seal ok\n"), cut)
    for _ in range(2):
        expect(row(page, "IMG_0719.jpg")).to_contain_text("640 × 480")
        expect(row(page, "readings.csv")).to_contain_text("2 of 3 rows counted. 1 reject")
        expect(row(page, "gate note.txt")).to_contain_text("1 line, 2 words")
        expect(row(page, "cut.jpg")).to_contain_text("FAILURE")
        expect(page.get_by_role("status")).to_contain_text("All 4 sent")
        expect(page.get_by_role("status")).to_contain_text("3 SUCCESS, 1 FAILURE")
        page.reload()
    page.get_by_role("button", name="FAILURE 1", exact=True).click()
    expect(row(page, "readings.csv")).to_be_hidden()
    expect(row(page, "cut.jpg")).to_be_visible()
    before = File.unscoped.get(name="cut.jpg").fencing_token
    with page.expect_response(re.compile("/files/rows/")):
        page.get_by_role("button", name="Retry cut.jpg").click()
    expect(row(page, "cut.jpg")).to_contain_text("FAILURE")
    assert File.unscoped.get(name="cut.jpg").fencing_token > before
    assert browser_errors == []


def test_files_chosen_before_the_script_has_loaded_are_sent(
    owner: User, open_page: Open, context: BrowserContext, worker: None
) -> None:
    held: list[Route] = []
    context.route("**/timba*.js", lambda script: held.append(script))  # noqa: PLW0108 - wrapped
    with context.expect_event("request", lambda request: request.url.endswith(".js")):
        page = open_page(owner, "/api/", wait_until="commit")
    choose(page, text("gate note.txt", "Seal ok\n"))
    [script] = held
    script.continue_()
    expect(row(page, "gate note.txt")).to_contain_text("Kept as a text: 1 line, 2 words")
    expect(page.locator("[data-advice]")).to_have_text(
        "Everything is checked. 1 file kept as text: nothing in it is counted."
    )


def test_bad_files_are_rejected_before_a_byte_is_sent(owner: User, open_page: Open) -> None:
    page = open_page(owner, "/api/")
    sent: list[str] = []
    page.on(
        "request",
        lambda requested: sent.append(requested.url) if requested.method == "POST" else None,
    )
    huge = photo("huge.jpg")
    huge["buffer"] = huge["buffer"].ljust(5 * 1024 * 1024 + 1, b"\0")
    choose(
        page,
        huge,
        text("IMG_0722.heic", "x"),
        text("empty.txt", ""),
        text("song.mp3", "x"),
        text("fake.png", "x"),
        text("README", "x"),
    )
    expect(row(page, "huge.jpg")).to_contain_text("it has 5.1 MB, a JPG may have 5 MB")
    expect(row(page, "IMG_0722.heic")).to_contain_text("HEIC cannot be read.")
    expect(row(page, "empty.txt")).to_contain_text("it is empty")
    expect(row(page, "song.mp3")).to_contain_text("MP3 cannot be read here")
    expect(row(page, "fake.png")).to_contain_text("it is called PNG but is none inside")
    expect(row(page, "README")).to_contain_text("a file without an extension cannot be read here")
    expect(page.get_by_role("status")).to_contain_text("6 refused")
    page.get_by_role("button", name="Remove song.mp3").click()
    expect(row(page, "song.mp3")).to_have_count(0)
    assert sent == []


def test_all_files_of_a_full_batch_are_processed(
    owner: User, open_page: Open, worker: None
) -> None:
    page = open_page(owner, "/api/")
    choose(page, *(text(f"note {number:03}.txt", f"Note {number}\n") for number in range(101)))
    expect(row(page, "note 100.txt")).to_contain_text("a batch holds 100 files")
    expect(page.get_by_role("status")).to_contain_text("100 SUCCESS, 1 refused", timeout=300_000)
    assert File.unscoped.filter(status="SUCCESS").count() == 100


def test_file_dropped_on_the_page_goes_into_the_chosen_consignment(
    owner: User, open_page: Open, worker: None
) -> None:
    Consignment.unscoped.create(client=owner.client, name="AB-0187", type="pinewood")
    page = open_page(owner, "/api/")
    page.get_by_label("Into").select_option("AB-0187")
    drop = """() => {
        const data = new DataTransfer();
        data.items.add(new File(["Seal ok"], "gate.txt", {type: "text/plain"}));
        for (const type of ["dragenter", "dragover"])
            window.dispatchEvent(new DragEvent(type, {dataTransfer: data, cancelable: true}));
        const label = document.querySelector("[data-drop-label]").textContent;
        window.dispatchEvent(new DragEvent("drop", {dataTransfer: data, cancelable: true}));
        return label;
    }"""
    assert page.evaluate(drop) == "Let go: 1 file for AB-0187"
    expect(row(page, "gate.txt")).to_contain_text("SUCCESS")
    assert File.unscoped.get().consignment.name == "AB-0187"


def test_file_whose_response_is_lost_is_stored_once(
    owner: User, open_page: Open, worker: None
) -> None:
    page = open_page(owner, "/api/")
    statuses: list[int] = []
    page.on(
        "response",
        lambda response: (
            statuses.append(response.status) if response.url.endswith("/api/upload/") else None
        ),
    )
    page.evaluate(LOSE_RESPONSES, 1)
    choose(page, text("gate.txt", "Seal ok"))
    expect(row(page, "gate.txt")).to_contain_text("The connection broke. It goes on by itself")
    expect(row(page, "gate.txt")).to_contain_text("SUCCESS")
    assert statuses == [202, 202]
    assert File.unscoped.count() == 1


def test_queued_file_can_be_removed(owner: User, open_page: Open) -> None:
    page = open_page(owner, "/api/")
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/api/upload/", hold)
    choose(page, *(text(f"{number}.txt", "Seal") for number in range(4)))
    expect(page.get_by_role("status")).to_contain_text("0 of 4 sent")
    for _ in range(TIMEOUT_MS // 20):
        if len(held) == 3:  # the maximum of parallel uploads
            break
        page.wait_for_timeout(20)
    page.get_by_role("button", name="Leave out 3.txt").click()
    page.get_by_role("button", name="Leave out 0.txt").click()
    expect(page.get_by_role("status")).to_contain_text("0 of 2 sent")
    for route in held:
        route.continue_()  # has no effect on the aborted request
    expect(page.get_by_role("status")).to_contain_text("All 2 sent")
    assert set(File.unscoped.values_list("name", flat=True)) == {"1.txt", "2.txt"}


def test_expired_session_is_shown_and_the_file_is_kept(
    owner: User, context: BrowserContext, open_page: Open, worker: None
) -> None:
    page = open_page(owner, "/api/")
    signed_in = context.cookies()
    context.clear_cookies(name="timba")
    choose(page, text("gate.txt", "Seal ok"))
    expect(page.locator("#signed-out")).to_be_visible()
    expect(row(page, "gate.txt")).to_contain_text("you are signed out")
    context.add_cookies(signed_in)
    page.get_by_role("button", name="Try gate.txt again").click()
    expect(row(page, "gate.txt")).to_contain_text("SUCCESS")


def test_temperature_page_shows_state_and_result_in_place(
    owner: User, open_page: Open, worker: None
) -> None:
    page = open_page(owner, "/upload/")
    for result in ("2 of 3 rows counted. 1 reject", "Already here since today"):
        choose(page, text("readings.csv", READINGS))
        expect(row(page, "readings.csv")).to_have_count(1)
        expect(row(page, "readings.csv")).to_contain_text(result)
    page.get_by_role("link", name="See the cities").click()
    expect(page.get_by_text("1 city, 2 readings, °C")).to_be_visible()


def test_list_shows_the_result_of_a_file_without_reloading(owner: User, open_page: Open) -> None:
    file = receive_readings(READINGS, actor=owner)
    page = open_page(owner, "/files/")
    expect(row(page, "readings.csv")).to_contain_text("Checking")
    search = page.get_by_label("Search by name")
    search.focus()
    assert process_file(file.pk)
    expect(row(page, "readings.csv")).to_contain_text("2 of 3 rows counted.")
    expect(search).to_be_focused()


def test_appended_files_are_updated_too_and_stay(
    owner: User, open_page: Open, browser_errors: list[str]
) -> None:
    file = receive_readings(READINGS, actor=owner)
    for number in range(60):
        File.unscoped.create(name=f"{number}.txt", client=owner.client, storage_key=str(number))
    result = {"lines": 1, "words": 1, "chars": 2, "encoding": "utf-8", "preview": "ok"}
    File.unscoped.exclude(pk=file.pk).update(kind="text", status="SUCCESS", result=result)
    page = open_page(owner, "/files/")
    expect(page.locator("#files > li")).to_have_count(50)
    page.get_by_role("link", name="Show more").click()
    expect(row(page, "readings.csv")).to_contain_text("Checking")
    assert process_file(file.pk)
    expect(row(page, "readings.csv")).to_contain_text("2 of 3 rows counted.")
    expect(page.locator("#files > li")).to_have_count(61)
    expect(page.get_by_role("link", name="Show more")).to_have_count(0)
    assert browser_errors == []


def test_list_refreshes_after_failed_requests(
    owner: User, open_page: Open, browser_errors: list[str]
) -> None:
    file = receive_readings(READINGS, actor=owner)
    page = open_page(owner, "/files/")
    expect(row(page, "readings.csv")).to_contain_text("Checking")
    requested: list[str] = []

    def lose_two(route: Route) -> None:
        requested.append(route.request.url)
        if len(requested) == 1:
            route.abort("connectionreset")
        elif len(requested) == 2:
            route.fulfill(status=503, body="The database is away.")
        else:
            route.continue_()

    page.route(re.compile(r"/files/$"), lose_two)
    assert process_file(file.pk)
    expect(row(page, "readings.csv")).to_contain_text("2 of 3 rows counted.")
    assert len(requested) == 3
    assert browser_errors == []


def test_list_is_searched_while_typing(
    owner: User, open_page: Open, browser_errors: list[str]
) -> None:
    settle_readings(READINGS, actor=owner)
    page = open_page(owner, "/files/")
    expect(page.locator("#shown")).to_contain_text("1 file")
    page.get_by_label("Search by name").press_sequentially("nobody")
    expect(page.get_by_text("No file matches")).to_be_visible()
    expect(page.locator("#shown")).to_contain_text("0 of 1 file")
    page.wait_for_url("**/files/?q=nobody*")
    page.get_by_label("Search by name").fill("read")
    expect(row(page, "readings.csv")).to_be_visible()
    assert browser_errors == []


def test_deletion_of_a_file_is_confirmed_in_place(owner: User, open_page: Open) -> None:
    file = settle_readings(READINGS, actor=owner)
    page = open_page(owner, f"/files/{file.pk}/")
    delete = page.locator("summary", has_text="Delete")
    delete.focus()
    page.keyboard.press("Enter")
    question = page.get_by_text("Its 2 readings leave every figure at once.")
    expect(question).to_be_visible()
    page.keyboard.press("Escape")
    expect(question).to_be_hidden()
    expect(delete).to_be_focused()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Delete file and readings").click()
    page.wait_for_url("**/files/")
    expect(page.get_by_text("No files yet")).to_be_visible()


def test_times_and_days_are_in_the_browsers_time_zone(owner: User, open_page: Open) -> None:
    file = settle_readings(READINGS, actor=owner)
    page = open_page(owner, f"/files/{file.pk}/")
    expect(page.locator(".facts", has_text="First reading")).to_contain_text(
        "18 Nov 2026, 08:00:00 EET"
    )
    page.goto("/temperatures/7/")
    expect(page.get_by_text("Times are in Europe/Riga.")).to_be_visible()
    # 23:00 UTC on the 18th is the 19th in Riga already.
    page.get_by_label("From", exact=True).fill("2026-11-19")
    page.get_by_role("button", name="Show", exact=True).click()
    page.wait_for_url("**/?from=2026-11-18T22%3A00%3A00.000Z&last=#city")
    expect(page.get_by_label("From", exact=True)).to_have_value("2026-11-19")
    expect(page.locator(".totals")).to_contain_text("4.50 °C")
    expect(page.locator(".totals", has_text="Readings")).to_contain_text("1")


def test_city_is_named_in_place(owner: User, open_page: Open, browser_errors: list[str]) -> None:
    settle_readings(READINGS, actor=owner)
    page = open_page(owner, "/temperatures/")
    page.get_by_text("Give it a name").click()
    page.get_by_label("Name").fill("Kuldīga")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Kuldīga")).to_be_visible()
    expect(page.locator(".cities")).to_contain_text("Kuldīga 7")
    assert browser_errors == []


def test_note_is_written_changed_and_deleted_by_keyboard(
    owner: User, open_page: Open, browser_errors: list[str]
) -> None:
    page = open_page(owner, "/notes/")
    page.get_by_role("link", name="Add note").press("Enter")
    expect(page.get_by_label("Title", exact=True)).to_be_focused()
    page.keyboard.type("Key of the gate")
    page.get_by_label("Text", exact=True).fill("Andris has it")
    page.get_by_role("button", name="Add note").press("Enter")
    expect(page.get_by_role("heading", name="Key of the gate")).to_be_visible()
    page.get_by_role("link", name="Edit Key of the gate").press("Enter")
    expect(page.get_by_label("Title", exact=True)).to_be_focused()
    page.get_by_label("Title", exact=True).fill("")
    page.get_by_role("button", name="Save").click()
    assert Note.unscoped.get().title == "Key of the gate"
    page.get_by_label("Title", exact=True).fill("Key of the yard")
    page.get_by_role("button", name="Save").press("Enter")
    expect(page.get_by_role("heading", name="Key of the yard")).to_be_visible()
    page.wait_for_url("**/notes/")
    page.locator("summary", has_text="Delete").press("Enter")
    page.get_by_role("button", name="Keep").press("Enter")
    expect(page.get_by_role("button", name="Delete note")).to_be_hidden()
    page.locator("summary", has_text="Delete").press("Enter")
    page.get_by_role("button", name="Delete note").press("Enter")
    expect(page.get_by_text("No notes yet")).to_be_visible()
    assert browser_errors == []


@pytest.mark.parametrize("has_javascript", [False])
def test_without_scripts_files_are_sent_and_lists_are_read(
    owner: User, context: BrowserContext, has_javascript: bool
) -> None:
    page = context.new_page()
    page.goto("/login/?next=/upload/")
    page.get_by_label("Username").fill(owner.username)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/upload/")
    page.locator("#choose").set_input_files([text("readings.csv", READINGS)])
    page.get_by_role("button", name="Send").click()
    assert process_file(File.unscoped.get().pk)
    page.goto("/files/?kind=temperatures")
    expect(row(page, "readings.csv")).to_contain_text("2 of 3 rows counted.")
    page.locator("a", has_text="1 reject").click()
    expect(page.get_by_role("cell", name="7,n/a,2026-11-19T06:00Z")).to_be_visible()
    page.locator("summary", has_text="Delete").click()
    page.get_by_role("button", name="Delete file and readings").click()
    expect(page.get_by_text("No files yet")).to_be_visible()


@pytest.mark.parametrize("has_javascript", [False])
def test_without_scripts_every_csv_is_what_was_chosen(
    owner: User, open_page: Open, has_javascript: bool
) -> None:
    page = open_page(owner, "/api/")
    page.get_by_label("CSV as").select_option("Tally sheet")
    page.locator("#choose").set_input_files(
        [text("a.csv", READINGS), text("b.csv", READINGS), text("c.txt", READINGS)]
    )
    page.get_by_role("button", name="Send").click()
    page.wait_for_url("**/api/upload/")
    kinds = dict(File.unscoped.values_list("name", "kind"))
    assert kinds == {"a.csv": "tally", "b.csv": "tally", "c.txt": "temperatures"}


def test_password_can_be_shown(context: BrowserContext) -> None:
    page = context.new_page()
    page.goto("/login/")
    password = page.get_by_label("Password", exact=True)
    password.fill("larch")
    page.get_by_role("button", name="Show the password").click()
    expect(password).to_have_attribute("type", "text")
    expect(password).to_be_focused()


def test_phone_has_the_menu_above_and_the_buttons_below(owner: User, open_page: Open) -> None:
    page = open_page(owner, "/files/")
    page.set_viewport_size({"width": 360, "height": 740})
    notes = page.get_by_role("link", name="Notes")
    expect(notes).to_be_hidden()
    page.get_by_role("button", name="Menu").click()
    notes.click()
    page.wait_for_url("**/notes/")
    add = page.get_by_role("link", name="Add note").bounding_box()
    assert add is not None
    assert add["height"] >= 44
    assert add["y"] + add["height"] <= 740
