"""Keyset pagination: no row is skipped or repeated, and an invalid cursor is rejected."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import orjson
import pytest
from django.test import RequestFactory
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import MakeUser
from timba.accounts.models import Client
from timba.api.pagination import (
    _after,
    _decode_cursor,
    paginate,
    parse_limit,
)
from timba.errors import Invalid
from timba.files.models import File

ORDER = ("-uploaded_at", "-id")


def serialize(file: File) -> Mapping[str, Any]:
    return {"name": file.name}


def names_on(url: str) -> tuple[list[str], str | None]:
    rows = File.unscoped.all()
    found = paginate(rows, request=RequestFactory().get(url), serialize=serialize, order=ORDER)
    return [row["name"] for row in found["results"]], found["next"]


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
    url: str | None = f"/api/files/?limit={limit}&q=x%20y"
    met: list[str] = []
    while url is not None:
        names, url = names_on(url)
        assert len(names) <= limit
        assert url is None or "q=x+y" in url
        met += names
    assert met == files


@pytest.mark.django_db
def test_rows_added_or_deleted_meanwhile_shift_no_page(
    files: list[str], client_company: Client
) -> None:
    first, following = names_on("/?limit=4")
    File.unscoped.create(name="new", client=client_company, storage_key="new")
    File.unscoped.filter(name=first[-1]).delete()
    assert following is not None
    second, _ = names_on(following)
    assert first + second == files[:8]


@pytest.mark.parametrize("limit", ["0", "1001", "-1", "+1", "1.5", "", "x", "٣", "1" * 5000, " 1"])
def test_invalid_limit_is_rejected(limit: str) -> None:
    with pytest.raises(Invalid) as refusal:
        parse_limit(RequestFactory().get("/", {"limit": limit}))
    assert refusal.value.fields == {"limit": ["Give a whole number from 1 to 1000."]}


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
        names_on(f"/?cursor={cursor}")
    assert refusal.value.fields == {"cursor": ["This is not a cursor that Timba gave."]}


@pytest.mark.django_db
@pytest.mark.parametrize("number", [0, -1, 2**63 - 1, 2**63, -(2**63), 1.5, True, "7", "x", [7]])
def test_any_number_in_a_cursor_is_read_or_rejected(number: Any) -> None:
    try:
        values = _decode_cursor(cursor_of([number]), Client, ("-id",))
    except Invalid:
        return
    assert list(Client.unscoped.filter(_after(("-id",), values))) == []


@given(
    st.binary() | st.builds(orjson.dumps, st.lists(st.integers(-(2**63), 2**64 - 1) | st.text()))
)
def test_any_cursor_is_read_or_rejected(content: bytes) -> None:
    cursor = base64.urlsafe_b64encode(content).decode()
    try:
        values = _decode_cursor(cursor, File, ORDER)
    except Invalid:
        return
    assert len(values) == len(ORDER)
