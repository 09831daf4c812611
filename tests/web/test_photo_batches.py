"""A whole batch of photos from the page, over a reload and a minute without a connection."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import BrowserContext, Page, expect

from tests.conftest import MakeUser
from tests.web.conftest import Open
from tests.web.test_browser_pages import row
from timba.files.models import File

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.django_db(transaction=True)]

GOOD = 93
OFFLINE_SECONDS = 60
PATIENCE_MS = 600_000
REFUSALS = {
    "IMG_too_large.jpg": "Not sent: it has 5.1 MB, a JPG may have 5 MB. Make it smaller.",
    "IMG_empty.jpg": "Not sent: it is empty. Choose it again once something is in it.",
    "IMG_text.png": "Not sent: it is called PNG but is none inside. Save it as PNG again.",
    "IMG_scan.pdf": "Not sent: it is called PDF but is none inside. Save it as PDF again.",
    "IMG_0722.heic": "Not sent: HEIC cannot be read.",
    "film.mp4": "Not sent: MP4 cannot be read here.",
    "Thumbs": "Not sent: a file without an extension cannot be read here.",
}
# Of all rows that have a photo, those that show it, scrolled into view one after the other.
THUMBNAILS = """async (list) => {
    const seen = [];
    for (const item of list.querySelectorAll("li:not(.is-bad)")) {
        item.scrollIntoView();
        const image = item.querySelector(".thumb img");
        const isDrawn = item.querySelector("canvas.thumb");
        if (image && !isDrawn) await image.decode();
        const name = item.querySelector(".name").textContent.trim();
        if (isDrawn || image?.naturalWidth) seen.push(name);
    }
    return seen;
}"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with photos of a phone's size in bytes, and with files that are none."""
    folder = tmp_path / "load"
    folder.mkdir()
    for number in range(GOOD):
        picture = Image.effect_noise((1600, 1200), 60).convert("RGB")
        picture.save(folder / f"IMG_{number:04}.jpg", quality=80)
    photo = (folder / "IMG_0000.jpg").read_bytes()
    contents = {"IMG_too_large.jpg": photo.ljust(5 * 1024 * 1024 + 1, b"\0"), "IMG_empty.jpg": b""}
    for name in REFUSALS:
        (folder / name).write_bytes(contents.get(name, b"The lorry is loaded.\n"))
    return folder


def wait_until_sent(page: Page, count: int) -> int:
    """Wait until so many files are sent, and not all; return how many they are."""
    lead = page.locator("[data-lead]")
    for _ in range(PATIENCE_MS // 50):
        progress = re.match(r"(\d+) of \d+ sent", lead.inner_text())
        if progress and int(progress[1]) >= count:
            return int(progress[1])
        page.wait_for_timeout(50)
    pytest.fail(f"Of {count} files: {lead.inner_text()}")


def test_a_hundred_photos_survive_a_reload_and_a_minute_offline(
    make_user: MakeUser,
    context: BrowserContext,
    open_page: Open,
    worker: None,
    folder: Path,
    browser_errors: list[str],
) -> None:
    started = time.monotonic()
    page = open_page(make_user(), "/api/")
    page.on("dialog", lambda dialog: dialog.accept())
    paths = sorted(folder.iterdir())
    page.locator("#choose").set_input_files(paths)
    sent_before = wait_until_sent(page, GOOD // 4)
    page.reload()
    status = page.get_by_role("status")
    expect(status).to_contain_text("wait for you")
    waiting = page.get_by_text(re.compile("Waits for you")).count() - 1  # but for the filter
    print(f"{sent_before} sent before the reload, {waiting} chosen again after it")
    page.locator("#choose").set_input_files(paths)
    sent_then = wait_until_sent(page, GOOD // 2)
    context.set_offline(True)
    expect(page.get_by_text("It goes on by itself once it is back.").first).to_be_visible()
    page.wait_for_timeout(OFFLINE_SECONDS * 1000)
    context.set_offline(False)
    print(f"{sent_then} sent before {OFFLINE_SECONDS} s without a connection")
    expect(status).to_contain_text(f"{GOOD} SUCCESS, 7 refused", timeout=PATIENCE_MS)
    print(f"{time.monotonic() - started:.0f} s in all")

    good = [path.name for path in paths if path.name not in REFUSALS]
    for _ in range(2):
        for name, sentence in REFUSALS.items():
            expect(row(page, name)).to_contain_text(sentence)
        assert sorted(page.locator("[data-batch]").evaluate(THUMBNAILS)) == good
        page.reload()
        expect(status).to_contain_text(f"{GOOD} SUCCESS, 7 refused")
    files = File.unscoped.values_list("name", "status")
    assert sorted(files) == [(name, "SUCCESS") for name in good]
    assert browser_errors == []
