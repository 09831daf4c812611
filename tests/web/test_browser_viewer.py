"""The viewer in a browser: photos and pages of PDFs over the page they were opened from."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone
from PIL import Image
from playwright.sync_api import BrowserContext, Locator, Page, Request, Route, expect

from tests.files.samples import pdf, photo
from tests.journeys.processes import wait_until
from tests.web.accessibility import AXE, AXE_RUNS
from tests.web.conftest import Open
from tests.web.test_consignments import measured, opened
from timba.accounts.models import User
from timba.consignments.models import Consignment
from timba.demo.drawing import draw_photo
from timba.demo.files import PHOTOS
from timba.files.models import Derivative, File
from timba.files.processing import process_file
from timba.files.receiving import Upload, accept_files

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
MakeUser = Callable[..., User]
NAMES = ("IMG_3.jpg", "IMG_2.jpg", "IMG_1.jpg")
MAX_PAGE_BYTES = 250_000
# Where and how large the picture is drawn, in pixels.
BOX = "image => { const box = image.getBoundingClientRect(); return [box.width, box.height]; }"
TOUCH = """(surface, [type, ...points]) => points.forEach(([id, x, y]) => surface.dispatchEvent(
    new PointerEvent(type, {pointerId: id, pointerType: "touch", clientX: x, clientY: y})
))"""


def settled(actor: User, load: Consignment | None, name: str, content: bytes) -> File:
    """Upload a file and process it."""
    assert actor.client is not None
    upload = Upload(name=name)
    upload.write(content)
    upload.finish()
    upload.identify()
    [accepted] = accept_files(actor=actor, client=actor.client, uploads=[upload], consignment=load)
    assert process_file(accepted.file.pk)
    return accepted.file


@pytest.fixture
def owner(make_user: MakeUser) -> User:
    return make_user()


@pytest.fixture
def load(owner: User) -> Consignment:
    """Return a consignment with three photos and a PDF of three pages."""
    load = opened(owner)
    for number in (1, 2, 3):
        settled(owner, load, f"IMG_{number}.jpg", photo((1600, 1200 + number)))
    settled(owner, load, "permit.pdf", pdf(3, text="Pinus"))
    return load


@pytest.fixture(params=[1280, 360])
def width(request: pytest.FixtureRequest) -> int:
    """Width of the window in pixels."""
    width: int = request.param
    return width


def viewer(page: Page) -> Locator:
    return page.get_by_role("dialog")


def picture(page: Page) -> Locator:
    """Return the picture in the viewer."""
    return viewer(page).locator("img")


def expect_picture(page: Page, alt: str, *, size: str = "1024", number: int = 1) -> None:
    """Expect that the viewer shows this picture, completely loaded."""
    query = f"size={size}" + (f"&page={number}" if number > 1 else "")
    expect(picture(page)).to_have_attribute("alt", alt)
    expect(picture(page)).to_have_attribute("src", re.compile(re.escape(query) + "$"))
    expect(picture(page)).to_have_js_property("complete", True)
    assert picture(page).evaluate("image => image.naturalWidth") > 0


def thumbnail(page: Page, name: str) -> Locator:
    return page.locator(f'a[data-picture][data-name="{name}"]')


def drawn(page: Page) -> list[float]:
    """Return width and height of the picture as it is drawn, in pixels."""
    box: list[float] = picture(page).evaluate(BOX)
    return box


def expect_drawn(page: Page, box: list[float], *, scale: float = 1) -> None:
    """Wait until the picture is drawn in this size, times `scale`."""
    expected = pytest.approx([side * scale for side in box])
    wait_until(lambda: drawn(page) == expected, seconds=60, what=f"the picture is {expected}")


def test_photos_of_a_load_are_seen_one_after_the_other(
    owner: User, load: Consignment, open_page: Open, width: int, browser_errors: list[str]
) -> None:
    path = f"/consignments/{load.pk}/"
    page = open_page(owner, path)
    page.set_viewport_size({"width": width, "height": 740})
    thumbnail(page, "IMG_2.jpg").click()
    expect(viewer(page)).to_have_accessible_name("IMG_2.jpg")
    expect_picture(page, "IMG_2.jpg, photo 2 of 3")
    expect(viewer(page).get_by_role("status")).to_have_text("IMG_2.jpg, photo 2 of 3")
    second = File.unscoped.get(name="IMG_2.jpg")
    page.wait_for_url(f"**/files/{second.pk}/?in=consignment")
    page.keyboard.press("ArrowRight")
    expect_picture(page, "IMG_1.jpg, photo 3 of 3")
    page.get_by_role("button", name="Next", exact=True).click()
    expect_picture(page, "permit.pdf, document 1 of 1, page 1 of 3")
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("button", name="Next", exact=True)).to_have_attribute(
        "aria-disabled", "true"
    )
    page.keyboard.press("ArrowLeft")
    page.get_by_role("button", name="Previous", exact=True).click()
    expect_picture(page, "IMG_2.jpg, photo 2 of 3")
    expect(page).to_have_title("IMG_2.jpg · Timba")
    page.keyboard.press("Escape")
    expect(viewer(page)).to_be_hidden()
    page.wait_for_url(f"**{path}")
    expect(thumbnail(page, "IMG_2.jpg")).to_be_focused()
    expect(page).to_have_title("AB-0187 · Timba")
    assert browser_errors == []


def test_photos_of_a_log_are_opened_from_its_row(
    owner: User, load: Consignment, open_page: Open, browser_errors: list[str]
) -> None:
    File.unscoped.filter(name__in=NAMES[:2]).update(log=measured(owner, load, "TB-1"))
    page = open_page(owner, f"/consignments/{load.pk}/")
    sign = page.get_by_role("link", name="2 photos of TB-1")
    sign.focus()
    page.keyboard.press("Enter")
    expect_picture(page, "IMG_3.jpg, photo 1 of 2")
    page.keyboard.press("ArrowRight")
    expect_picture(page, "IMG_2.jpg, photo 2 of 2")
    expect(viewer(page).get_by_role("button", name="Next", exact=True)).to_be_disabled()
    page.keyboard.press("Escape")
    expect(viewer(page)).to_have_count(0)
    expect(sign).to_be_focused()
    # From the photos below, all are seen, each once, even where the list cannot be loaded.
    page.route("**/api/files/?*", lambda route: route.abort())
    tile = page.locator(".photos").get_by_role("link", name="IMG_3.jpg")
    tile.click()
    expect_picture(page, "IMG_3.jpg, photo 1 of 3")
    page.keyboard.press("Escape")
    expect(tile).to_be_focused()
    sign.click()
    expect_picture(page, "IMG_3.jpg, photo 1 of 1")
    assert browser_errors == []


def test_back_closes_the_viewer_at_the_same_place_and_forward_opens_it(
    owner: User, load: Consignment, open_page: Open, browser_errors: list[str]
) -> None:
    for number in range(40):
        measured(owner, load, f"L{number}")
    page = open_page(owner, f"/consignments/{load.pk}/")
    page.set_viewport_size({"width": 360, "height": 740})
    thumbnail(page, "IMG_3.jpg").scroll_into_view_if_needed()
    page.evaluate("document.body.dataset.kept = 'yes'")
    place = page.evaluate("scrollY")
    assert place > 0
    thumbnail(page, "IMG_3.jpg").click()
    expect_picture(page, "IMG_3.jpg, photo 1 of 3")
    page.go_back()
    expect(viewer(page)).to_be_hidden()
    expect(thumbnail(page, "IMG_3.jpg")).to_be_focused()
    wait_until(lambda: page.evaluate("scrollY") == place, seconds=60, what=f"it is at {place}")
    page.go_forward()
    expect_picture(page, "IMG_3.jpg, photo 1 of 3")
    page.get_by_role("button", name="Close").click()
    page.wait_for_url(f"**/consignments/{load.pk}/")
    # The page is the one that was left, not loaded anew.
    assert page.evaluate("document.body.dataset.kept") == "yes"
    assert browser_errors == []


def test_address_of_the_viewer_is_that_of_the_files_page(
    owner: User, load: Consignment, open_page: Open
) -> None:
    page = open_page(owner, f"/consignments/{load.pk}/")
    thumbnail(page, "IMG_3.jpg").click()
    expect_picture(page, "IMG_3.jpg, photo 1 of 3")
    page.reload()
    expect(viewer(page)).to_be_hidden()
    expect(page.get_by_role("heading", level=1)).to_have_text("IMG_3.jpg")
    expect(page.get_by_role("img", name="IMG_3.jpg")).to_be_visible()
    thumbnail(page, "IMG_3.jpg").click()
    expect_picture(page, "IMG_3.jpg, photo 1 of 3")
    page.keyboard.press("ArrowRight")
    expect_picture(page, "IMG_2.jpg, photo 2 of 3")
    page.keyboard.press("Escape")
    expect(viewer(page)).to_be_hidden()
    expect(page.get_by_role("heading", level=1)).to_have_text("IMG_3.jpg")
    page.go_back()
    expect(page.get_by_role("heading", level=1)).to_contain_text("AB-0187")


def test_picture_is_zoomed_moved_and_turned_in_the_view_only(
    owner: User, load: Consignment, open_page: Open, width: int
) -> None:
    page = open_page(owner, f"/consignments/{load.pk}/")
    page.set_viewport_size({"width": width, "height": 740})
    page.emulate_media(reduced_motion="reduce")
    thumbnail(page, "IMG_3.jpg").click()
    expect_picture(page, "IMG_3.jpg, photo 1 of 3")
    whole = drawn(page)
    zoom_out = page.get_by_role("button", name="Zoom out")
    expect(zoom_out).to_have_attribute("aria-disabled", "true")
    page.keyboard.press("+")
    expect_drawn(page, whole, scale=1.5)
    expect(zoom_out).to_have_attribute("aria-disabled", "false")
    zoom_out.click()
    expect_drawn(page, whole)
    surface = viewer(page).locator("[data-surface]")
    surface.dblclick()
    expect_drawn(page, whole, scale=2.5)
    # Zoomed in, a photo is shown as it was uploaded.
    expect(picture(page)).to_have_attribute("src", re.compile("/content/$"))
    left = picture(page).bounding_box()
    assert left is not None
    page.mouse.move(width / 2, 300)
    page.mouse.down()
    page.mouse.move(width / 2 + 40, 300)
    page.mouse.up()
    moved = picture(page).bounding_box()
    assert moved is not None
    assert round(moved["x"] - left["x"]) == 40
    page.mouse.wheel(0, 10_000)
    expect_drawn(page, whole)
    page.keyboard.press("r")
    expect(viewer(page)).to_contain_text("photo 1 of 3, turned by 90° in this view only")
    turned = drawn(page)
    assert (turned[0] > turned[1]) != (whole[0] > whole[1]) or width == 360
    expect(viewer(page).get_by_role("status")).to_have_text("Turned by 90° in this view only.")
    page.keyboard.press("ArrowRight")
    expect_picture(page, "IMG_2.jpg, photo 2 of 3")
    expect(viewer(page)).not_to_contain_text("turned")


def test_swipes_and_pinches_move_and_zoom(owner: User, load: Consignment, open_page: Open) -> None:
    page = open_page(owner, f"/consignments/{load.pk}/")
    page.set_viewport_size({"width": 360, "height": 740})
    page.emulate_media(reduced_motion="reduce")
    thumbnail(page, "IMG_3.jpg").click()
    expect_picture(page, "IMG_3.jpg, photo 1 of 3")
    surface = viewer(page).locator("[data-surface]")
    # A pointer that a script makes cannot be captured.
    surface.evaluate("surface => { surface.setPointerCapture = () => {}; }")

    def touch(kind: str, *points: tuple[int, int, int]) -> None:
        surface.evaluate(TOUCH, [kind, *points])

    def swipe(to_x: int, to_y: int) -> None:
        touch("pointerdown", (1, 200, 300))
        touch("pointermove", (1, to_x, to_y))
        touch("pointerup", (1, to_x, to_y))

    swipe(100, 310)
    expect_picture(page, "IMG_2.jpg, photo 2 of 3")
    swipe(300, 310)
    expect_picture(page, "IMG_3.jpg, photo 1 of 3")
    swipe(180, 300)  # too short
    swipe(120, 500)  # downwards
    expect_picture(page, "IMG_3.jpg, photo 1 of 3")
    whole = drawn(page)
    touch("pointerdown", (1, 150, 300), (2, 210, 300))
    touch("pointermove", (1, 120, 300), (2, 240, 300))
    touch("pointerup", (1, 120, 300), (2, 240, 300))
    expect_drawn(page, whole, scale=2)


def test_pages_of_a_document_are_turned(
    owner: User, load: Consignment, open_page: Open, width: int
) -> None:
    page = open_page(owner, f"/consignments/{load.pk}/")
    page.set_viewport_size({"width": width, "height": 740})
    thumbnail(page, "permit.pdf").click()
    expect_picture(page, "permit.pdf, document 1 of 1, page 1 of 3")
    page.keyboard.press("PageDown")
    expect_picture(page, "permit.pdf, document 1 of 1, page 2 of 3", number=2)
    expect(viewer(page)).to_contain_text("Page 2 of 3")
    page.get_by_role("button", name="Next page").click()
    expect_picture(page, "permit.pdf, document 1 of 1, page 3 of 3", number=3)
    page.keyboard.press("PageDown")
    expect(page.get_by_role("button", name="Next page")).to_have_attribute("aria-disabled", "true")
    page.route("**/preview/?size=1024&page=2", lambda route: route.fulfill(status=404))
    page.keyboard.press("PageUp")
    failed = "Page 2 cannot be drawn. Open the original to read it."
    expect(viewer(page).get_by_text(failed).first).to_be_visible()
    expect(viewer(page).get_by_role("status")).to_have_text(failed)
    expect(picture(page)).to_be_hidden()
    page.keyboard.press("PageUp")
    expect_picture(page, "permit.pdf, document 1 of 1, page 1 of 3")
    expect(picture(page)).to_be_visible()


def test_server_that_is_busy_is_asked_again(
    owner: User, load: Consignment, open_page: Open
) -> None:
    page = open_page(owner, f"/consignments/{load.pk}/")
    asked: list[str] = []

    def be_busy(route: Route) -> None:
        asked.append(route.request.url)
        # The picture, and the question why it failed.
        if len(asked) > 2:
            route.continue_()
        else:
            route.fulfill(status=503, headers={"Retry-After": "1"})

    page.route("**/preview/?size=1024&page=2", be_busy)
    thumbnail(page, "permit.pdf").click()
    page.keyboard.press("PageDown")
    expect_picture(page, "permit.pdf, document 1 of 1, page 2 of 3", number=2)
    assert len(asked) >= 3


def test_file_without_a_preview_says_so(owner: User, load: Consignment, open_page: Open) -> None:
    file = File.unscoped.get(name="IMG_2.jpg")
    Derivative.objects.filter(file=file).delete()
    File.unscoped.filter(pk=file.pk).update(has_preview=False)
    page = open_page(owner, f"/consignments/{load.pk}/")
    expect(thumbnail(page, "IMG_2.jpg").locator("svg")).to_be_visible()
    expect(thumbnail(page, "IMG_2.jpg").locator("img")).to_have_count(0)
    thumbnail(page, "IMG_2.jpg").click()
    sentence = "There is no picture of it. Open the original to see it."
    expect(viewer(page).get_by_text(sentence).first).to_be_visible()
    page.keyboard.press("ArrowRight")
    expect_picture(page, "IMG_1.jpg, photo 3 of 3")


def test_thumbnail_that_cannot_be_loaded_leaves_the_icon(
    owner: User, load: Consignment, open_page: Open, context: BrowserContext
) -> None:
    context.route("**/preview/**", lambda route: route.fulfill(status=404))
    page = open_page(owner, f"/consignments/{load.pk}/", wait_until="networkidle")
    tile = thumbnail(page, "IMG_2.jpg")
    tile.scroll_into_view_if_needed()
    expect(tile.locator("img")).to_be_hidden()
    with_image = tile.screenshot()
    tile.locator("img").evaluate("image => image.remove()")
    assert tile.screenshot() == with_image


def test_facts_and_the_original_are_at_hand(
    owner: User, load: Consignment, open_page: Open, width: int
) -> None:
    page = open_page(owner, f"/consignments/{load.pk}/")
    page.set_viewport_size({"width": width, "height": 740})
    thumbnail(page, "IMG_3.jpg").click()
    page.keyboard.press("i")
    facts = viewer(page).get_by_role("complementary", name="Facts")
    expect(facts).to_contain_text("1,600 × 1,203 pixels")
    expect(page.get_by_role("button", name="Facts")).to_have_attribute("aria-expanded", "true")
    page.keyboard.press("ArrowRight")
    expect(facts).to_contain_text("1,600 × 1,202 pixels")
    second = File.unscoped.get(name="IMG_2.jpg")
    expect(viewer(page).get_by_role("link", name="Open the original")).to_have_attribute(
        "href", f"/api/files/{second.pk}/content/"
    )
    facts.get_by_role("link", name="The page of this file").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("IMG_2.jpg")
    expect(viewer(page)).to_be_hidden()


def test_files_of_the_list_are_seen_one_after_the_other(
    owner: User, load: Consignment, open_page: Open, browser_errors: list[str]
) -> None:
    settled(owner, None, "note.txt", b"Seal ok\n")
    page = open_page(owner, "/files/")
    page.get_by_label("Search by name").fill("i")
    page.wait_for_url("**/files/?q=i*")
    page.evaluate("document.body.dataset.kept = 'yes'")
    thumbnail(page, "permit.pdf").click()
    expect_picture(page, "permit.pdf, document 1 of 1, page 1 of 3")
    page.keyboard.press("ArrowRight")
    expect_picture(page, "IMG_3.jpg, photo 1 of 3")
    page.wait_for_url("**/?in=files&q=i")
    page.keyboard.press("Escape")
    page.wait_for_url("**/files/?q=i*")
    expect(thumbnail(page, "IMG_3.jpg")).to_be_focused()
    assert page.evaluate("document.body.dataset.kept") == "yes"
    assert browser_errors == []


def test_photos_that_the_page_leaves_out_are_reached(
    owner: User, load: Consignment, open_page: Open
) -> None:
    for number in range(4, 12):
        settled(owner, load, f"IMG_{number}.jpg", photo((64, 48 + number)))
    page = open_page(owner, f"/consignments/{load.pk}/")
    expect(page.get_by_role("link", name="4 more")).to_be_visible()
    thumbnail(page, "IMG_5.jpg").click()
    expect_picture(page, "IMG_5.jpg, photo 7 of 11")
    page.keyboard.press("ArrowRight")
    expect_picture(page, "IMG_4.jpg, photo 8 of 11")
    page.keyboard.press("Escape")
    # It has no thumbnail: the focus is on the one that opened the viewer.
    expect(thumbnail(page, "IMG_5.jpg")).to_be_focused()


def test_live_updates_load_the_page_behind_the_viewer(
    owner: User, load: Consignment, open_page: Open
) -> None:
    assert owner.client is not None
    upload = Upload(name="late.txt")
    upload.write(b"Seal ok\n")
    upload.finish()
    upload.identify()
    [late] = accept_files(actor=owner, client=owner.client, uploads=[upload], consignment=load)
    page = open_page(owner, f"/consignments/{load.pk}/")
    thumbnail(page, "IMG_3.jpg").click()
    expect_picture(page, "IMG_3.jpg, photo 1 of 3")
    assert process_file(late.file.pk)
    row = page.locator("#documents li", has_text="late.txt")
    expect(row).to_contain_text("1 line, 2 words")
    expect(viewer(page)).to_be_visible()


@pytest.mark.parametrize("has_javascript", [False])
def test_without_scripts_files_are_seen_page_by_page(
    owner: User, load: Consignment, open_page: Open, has_javascript: bool
) -> None:
    page = open_page(owner, f"/consignments/{load.pk}/")
    thumbnail(page, "IMG_3.jpg").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("IMG_3.jpg")
    expect(page.get_by_role("img", name="IMG_3.jpg")).to_be_visible()
    for name in ("IMG_2.jpg", "IMG_1.jpg", "permit.pdf"):
        page.get_by_role("link", name=f"Next: {name}").click()
        expect(page.get_by_role("heading", level=1)).to_have_text(name)
    page.get_by_role("link", name="Next page").click()
    expect(page.get_by_role("img", name="permit.pdf, page 2 of 3")).to_be_visible()
    page.get_by_role("link", name="Previous: IMG_1.jpg").click()
    page.get_by_role("link", name="AB-0187").first.click()
    page.wait_for_url(f"**/consignments/{load.pk}/")


def test_viewer_is_accessible_and_fits(
    owner: User, load: Consignment, open_page: Open, browser_errors: list[str]
) -> None:
    page = open_page(owner, f"/consignments/{load.pk}/")
    page.evaluate(AXE.read_text())
    thumbnail(page, "permit.pdf").click()
    page.keyboard.press("i")
    expect(viewer(page).get_by_text("Stored")).to_be_visible()
    found: list[Any] = []
    for width, scheme, rules in AXE_RUNS:
        page.set_viewport_size({"width": width, "height": 740})
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
        report = page.evaluate(
            "rules => axe.run(document, {runOnly: rules, resultTypes: ['violations']})", rules
        )
        for violation in report["violations"]:
            nodes = [node["html"] for node in violation["nodes"]]
            found.append((width, scheme, violation["id"], nodes))
        for control in viewer(page).locator("button:visible, a.btn:visible").all():
            box = control.bounding_box()
            assert box is not None
            if min(box["width"], box["height"]) < 44:
                found.append((width, control.inner_text(), box))
            if box["x"] < 0 or box["x"] + box["width"] > width:
                found.append((width, control.inner_text(), "beyond the window"))
    assert found == []
    assert browser_errors == []


def test_first_visit_to_a_consignment_with_large_photos_is_light(
    owner: User, open_page: Open, context: BrowserContext
) -> None:
    load = opened(owner)
    [spec, *_] = PHOTOS
    scene = Image.open(io.BytesIO(draw_photo(spec.scene(now=timezone.now()))))
    size = (4000, 3000)
    grain = Image.effect_noise(size, 70).convert("RGB")
    large = photo(picture=Image.blend(scene.resize(size), grain, 0.45))
    assert 4_500_000 < len(large) < 5_242_880
    for number in range(7):
        settled(owner, load, f"IMG_{number}.jpg", large)
    finished: list[Request] = []
    context.on("requestfinished", lambda request: finished.append(request))  # noqa: PLW0108 - wrapped
    page = open_page(owner, f"/consignments/{load.pk}/", wait_until="networkidle")
    thumbnail(page, "IMG_0.jpg").scroll_into_view_if_needed()
    expect(page.locator(".photos img")).to_have_count(7)
    page.wait_for_function(
        "[...document.querySelectorAll('.photos img')].every(image => image.naturalWidth)"
    )
    wait_until(
        lambda: sum("size=256" in request.url for request in finished) == 7,
        seconds=60,
        what="7 thumbnails have arrived",
    )
    sizes = {request.url: request.sizes() for request in finished}
    weights = {
        url: size["responseBodySize"] + size["responseHeadersSize"] for url, size in sizes.items()
    }
    assert not any("/content/" in url for url in weights)
    assert sum(weights.values()) <= MAX_PAGE_BYTES, weights
