"""Fixtures of the pages: a client with a session, a browser and a worker."""

from __future__ import annotations

import html
import re
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.test import Client as HttpClient
from playwright.sync_api import Browser, BrowserContext, Page, Request, expect, sync_playwright
from pytest_django.live_server_helper import LiveServer

from tests.clients import browser_of
from timba.accounts.models import User
from timba.files.sandbox import close_sandbox
from timba.files.worker import Worker

Open = Callable[..., Page]

BUILT = Path(__file__).parents[2] / "timba/web/static/timba/timba.js"
CHROMIUM = shutil.which("chromium")
CHROMIUM_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
TIMEOUT_MS = 60_000


def show_more(http_client: HttpClient, path: str, page: str) -> str:
    """Follow the link "Show more" of a page without JavaScript, and return the next page."""
    [query] = re.findall(r'href="([^"]*)" rel="next"', page)
    return http_client.get(path + html.unescape(query)).content.decode()


@pytest.fixture(autouse=True, scope="module")
def _close_sandbox() -> Iterator[None]:
    """End the processes that read files, which processing starts and keeps."""
    yield
    close_sandbox()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Return Debian's Chromium, one for all tests of a module."""
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed: apt-get install chromium")
    assert BUILT.is_file(), "The pages' script is not built: make front"
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        # Playwright's event loop runs in this thread as long as the browser. Django detects it and
        # would refuse the synchronous database calls of the tests.
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        expect.set_options(timeout=TIMEOUT_MS)
        chromium = playwright.chromium.launch(
            executable_path=CHROMIUM, args=list(CHROMIUM_ARGUMENTS)
        )
        yield chromium
        chromium.close()


@pytest.fixture
def worker(live_server: LiveServer) -> Iterator[None]:
    """Process files for as long as the test runs."""
    worker = Worker()
    thread = threading.Thread(target=worker.run, name="test-worker")
    thread.start()
    yield
    worker.stop()
    thread.join()


@pytest.fixture
def has_javascript() -> bool:
    """Whether the browser runs scripts."""
    return True


@pytest.fixture
def context(
    browser: Browser, live_server: LiveServer, has_javascript: bool
) -> Iterator[BrowserContext]:
    """Return a new browser context in the time zone of Riga."""
    context = browser.new_context(
        base_url=live_server.url,
        timezone_id="Europe/Riga",
        viewport={"width": 1280, "height": 800},
        java_script_enabled=has_javascript,
    )
    context.set_default_timeout(TIMEOUT_MS)
    yield context
    context.close()


@pytest.fixture
def browser_errors() -> list[str]:
    """Collect the errors of scripts and the violations of the content security policy."""
    return []


@pytest.fixture
def open_page(context: BrowserContext, live_server: LiveServer, browser_errors: list[str]) -> Open:
    """Return a function that opens a page as a user: `open_page(user, "/files/")`."""

    def open_as(user: User, path: str, **options: Any) -> Page:
        session = browser_of(user).cookies[settings.SESSION_COOKIE_NAME]
        cookie = {"name": session.key, "value": session.value, "url": live_server.url}
        context.add_cookies([cookie])  # type: ignore[list-item]
        page = context.new_page()
        page.on("pageerror", lambda error: browser_errors.append(str(error)))
        page.on(
            "console",
            lambda message: (
                browser_errors.append(message.text) if "Content Security" in message.text else None
            ),
        )
        page.goto(path, **options)
        return page

    return open_as


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """Return a text of 6 MB, which is two parts."""
    path = tmp_path / "log book.txt"
    path.write_bytes(b"Seal 88412 intact, eleven logs.\n" * (6 * 1024**2 // 32))
    return path


@pytest.fixture
def sent(context: BrowserContext) -> list[tuple[str, str]]:
    """Collect the requests that write: the method, and the offset of a part or the path."""
    requests: list[tuple[str, str]] = []

    def note(request: Request) -> None:
        if request.method == "PATCH":
            requests.append(("PATCH", request.headers["upload-offset"]))
        elif request.method != "GET" and request.method != "HEAD":
            requests.append((request.method, request.url.rpartition("/api/")[2]))

    context.on("request", note)
    return requests
