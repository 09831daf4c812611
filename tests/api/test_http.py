"""The limit of lists. `tests.db.test_pagination` and `tests.contract` test their pages."""

from __future__ import annotations

import pytest
from django.test import RequestFactory

from timba.api.http import parse_limit
from timba.errors import Invalid


@pytest.mark.parametrize("limit", ["0", "1001", "-1", "+1", "1.5", "", "x", "٣", "1" * 5000, " 1"])
def test_invalid_limit_is_rejected(limit: str) -> None:
    with pytest.raises(Invalid) as refusal:
        parse_limit(RequestFactory().get("/", {"limit": limit}))
    assert refusal.value.fields == {"limit": ["Give a whole number from 1 to 1000."]}
