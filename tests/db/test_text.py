"""Text and JSON from files are cleaned so that every database can store them."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from timba.db.text import clean_json, replace_unstorable

POISON = "\0\ud800\udfff"


@pytest.mark.parametrize(
    ("dirty", "cleaned"),
    [
        ("Lärche 🌲 \u202edab", "Lärche 🌲 \u202edab"),
        ("a\0b", "a\ufffdb"),
        ("\ud83c\udf32", "\ufffd\ufffd"),
        ("\ud800", "\ufffd"),
        ("\x01\n\t", "\x01\n\t"),
    ],
)
def test_unstorable_characters_are_replaced(dirty: str, cleaned: str) -> None:
    assert replace_unstorable(dirty) == cleaned


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_nan_and_infinity_become_null(number: float) -> None:
    assert clean_json({"at": [number, 1.5, (number,)]}) == {"at": [None, 1.5, [None]]}


def test_names_are_cleaned_and_other_values_kept() -> None:
    value = {"a\0": {"b": [1, True, None, "\0"]}, 7: 8}
    assert clean_json(value) == {"a\ufffd": {"b": [1, True, None, "\ufffd"]}, "7": 8}


def test_long_texts_are_cut_with_an_ellipsis() -> None:
    long, longest = "ä" * 1001, "ä" * 1000
    assert clean_json({"title": long, "errors": [{"text": longest}]}) == {
        "title": "ä" * 999 + "…",
        "errors": [{"text": longest}],
    }


@settings(deadline=None)
@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.floats()
        | st.text(st.characters() | st.sampled_from(POISON), max_size=20),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=5), inner),
        max_leaves=20,
    )
)
def test_cleaned_values_are_json_in_utf_8_without_nul(value: object) -> None:
    text = json.dumps(clean_json(value), ensure_ascii=False, allow_nan=False)
    assert "\0" not in json.loads(json.dumps(text))
    assert "\\u0000" not in text
    text.encode()
