"""Keyset pagination: no row is skipped or repeated, and an invalid cursor is rejected."""

from __future__ import annotations

import base64
from datetime import timedelta
from typing import Any

import orjson
import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import MakeUser
from timba.accounts.models import Client
from timba.db.pagination import Page, _after, decode_cursor, paginate
from timba.errors import Invalid
from timba.files.models import File

ORDER = ("-uploaded_at", "-id")


def page_of_files(*, limit: int, cursor: str | None = None) -> Page[File]:
    return paginate(File.unscoped.all(), order=ORDER, limit=limit, cursor=cursor)


def names(page: Page[File]) -> list[str]:
    return [file.name for file in page.rows]


@pytest.fixture
def files(make_user: MakeUser, client_company: Client) -> list[str]:
    """Return the names of ten files, newest first; some have the same time."""
    now = timezone.now()
    for number in range(10):
        File.unscoped.create(name=str(number), client=client_company, storage_key=str(number))
        File.unscoped.filter(name=str(number)).update(
            uploaded_at=now + timedelta(microseconds=number // 4)
        )
    return list(File.unscoped.order_by(*ORDER).values_list("name", flat=True))


@pytest.mark.django_db
@pytest.mark.parametrize("limit", [1, 3, 9, 10, 11])
def test_pages_hold_each_row_once(files: list[str], limit: int) -> None:
    page = page_of_files(limit=limit)
    pages = [names(page)]
    while page.next_cursor is not None:
        page = page_of_files(limit=limit, cursor=page.next_cursor)
        pages.append(names(page))
    assert pages == [files[start : start + limit] for start in range(0, 10, limit)]


@pytest.mark.django_db
def test_rows_added_or_deleted_meanwhile_shift_no_page(
    files: list[str], client_company: Client
) -> None:
    first = page_of_files(limit=4)
    File.unscoped.create(name="new", client=client_company, storage_key="new")
    first.rows[-1].delete()
    second = page_of_files(limit=4, cursor=first.next_cursor)
    assert names(first) + names(second) == files[:8]


def cursor_of(values: Any) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(values)).decode().rstrip("=")


GOOD_ID = "6a6f6f6f-0000-4000-8000-000000000000"


@pytest.mark.django_db
@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "x",
        "ä",
        "====",
        cursor_of(7),
        cursor_of({}),
        cursor_of([]),
        cursor_of(["2026-01-01T00:00:00Z"]),
        cursor_of(["2026-01-01T00:00:00Z", None]),
        cursor_of(["2026-01-01T00:00:00Z", "no id"]),
        cursor_of(["2026-01-01T00:00:00Z", [GOOD_ID]]),
        cursor_of(["2026-13-01T00:00:00Z", GOOD_ID]),
        cursor_of([7, GOOD_ID]),
        cursor_of([{}, GOOD_ID]),
        cursor_of(["2026-01-01T00:00:00", GOOD_ID]),
        cursor_of(["0001-01-01T00:00:00+14:00", GOOD_ID]),
        cursor_of(["2026-01-01T00:00:00Z", GOOD_ID, 3]),
    ],
)
def test_invalid_cursor_is_rejected(cursor: str) -> None:
    with pytest.raises(Invalid) as refusal:
        page_of_files(limit=4, cursor=cursor)
    assert refusal.value.fields == {"cursor": ["This is not a cursor that Timba gave."]}


@pytest.mark.django_db
@pytest.mark.parametrize("number", [0, -1, 2**63 - 1, 2**63, -(2**63), 1.5, True, "7", "x", [7]])
def test_any_number_in_a_cursor_is_read_or_rejected(number: Any) -> None:
    try:
        values = decode_cursor(cursor_of([number]), Client, ("-id",))
    except Invalid:
        return
    assert list(Client.unscoped.filter(_after(("-id",), values))) == []


@given(
    st.binary() | st.builds(orjson.dumps, st.lists(st.integers(-(2**63), 2**64 - 1) | st.text()))
)
def test_any_cursor_is_read_or_rejected(content: bytes) -> None:
    cursor = base64.urlsafe_b64encode(content).decode()
    try:
        values = decode_cursor(cursor, File, ORDER)
    except Invalid:
        return
    assert len(values) == len(ORDER)
