"""The pages of the API's schema work in a browser, under the same strict policy as all pages."""

from __future__ import annotations

import pytest
from playwright.sync_api import BrowserContext, expect
from pytest_django.live_server_helper import LiveServer

from timba.api.docs import openapi_document

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_operations_are_shown_without_requests_to_other_hosts(
    context: BrowserContext, live_server: LiveServer
) -> None:
    page = context.new_page()
    complaints: list[str] = []
    requested: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: requested.append(request.url))
    page.goto("/api/docs/")
    operations = [one for path in openapi_document()["paths"].values() for one in path]
    expect(page.locator(".opblock")).to_have_count(len(operations))
    note = page.locator("#operations-notes-post_api_notes")
    note.click()
    expect(note).to_contain_text("Idempotency-Key")
    assert complaints == []
    assert [url for url in requested if not url.startswith((live_server.url, "data:"))] == []
