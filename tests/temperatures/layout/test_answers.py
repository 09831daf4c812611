"""Answers to the questions of a temperature file."""

from __future__ import annotations

from typing import Any

import pytest

from timba.files.answers import BadAnswer
from timba.temperatures.layout.answers import check_answers


@pytest.mark.parametrize(
    ("read_as", "checked"),
    [
        ({"city_id": None, "unit": "F"}, {"unit": "F"}),
        ({"columns": {"city_id": None}}, {"columns": {"city_id": None}}),
        ({"columns": {"city_id": 1}}, {"columns": {"city_id": 1}}),
        (
            {"columns": {"timestamp": None, "date": 4, "time": 2}},
            {"columns": {"date": 4, "time": 2}},
        ),
    ],
)
def test_none_takes_an_answer_back_but_of_the_cities_says_that_there_is_no_column(
    read_as: dict[str, Any], checked: dict[str, Any]
) -> None:
    assert check_answers(read_as) == checked


def test_a_timestamp_and_a_date_are_not_both_answered() -> None:
    sentence = "“columns” names a timestamp, or a date and a time, not both."
    with pytest.raises(BadAnswer, match=sentence):
        check_answers({"columns": {"timestamp": 3, "date": 4, "time": 2}})
