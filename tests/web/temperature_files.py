"""Temperature files as they stand in the database: one that asks, and one that was read."""

from __future__ import annotations

import copy
from typing import Any

from tests.web.test_files import stored
from timba.accounts.models import Client
from timba.files.models import File

DATES = "Are the dates day first or month first? Both are possible in every line."
CITY = "The file has no city. Of which city are its readings?"
ASKS = [
    {
        "columns": [
            {"number": 1, "letters": "A", "header": "No.", "field": None},
            {"number": 2, "letters": "B", "header": "Date", "field": "date"},
            {"number": 3, "letters": "C", "header": "Time", "field": "time"},
            {"number": 4, "letters": "D", "header": "Temp (°F)", "field": "temperature"},
        ],
        "rows": [
            [4, ["1", "03/04/2026", "08:30", "70,7"]],
            [5, ["2", "03/04/2026", "09:00", "32,0"]],
        ],
    }
]
READ_AS = {
    "encoding": "cp1252",
    "delimiter": ";",
    "decimal": ",",
    "columns": {"date": 2, "time": 3, "temperature": 4},
    "unit": "F",
    "dates": "day-first",
    "zone": "UTC",
    "skipped_lines": 3,
    "evidence": {
        "unit": "Temperatures in °F, from line 3.",
        "columns.date": "Date in column B (“Date”), from line 3.",
        "columns.time": "Time in column C (“Time”), from line 3.",
        "columns.temperature": "Temperature in column D (“Temp (°F)”), from line 3.",
    },
}
RESULT = {
    "rows": 4200,
    "accepted": 4199,
    "rejected": 1,
    "cities": 1,
    "first_at": "2026-04-03T08:30:00Z",
    "last_at": "2026-11-20T06:00:00Z",
    "min_temp": 0.0,
    "max_temp": 21.5,
    "rejects_kept": 1,
    "first_errors": [{"line": 9, "reason": "The temperature is no number.", "text": "5;;;ERR"}],
    "read_as": {**READ_AS, "city_id": 41},
    "questions": [],
    "warnings": [
        {
            "code": "error_value",
            "sentence": "−127.00 stands 12 times: sensors send it when they fail.",
            "count": 12,
        }
    ],
}


def asking(client: Client) -> File:
    """Return a file that asks for the order of its dates and for its city."""
    questions = [
        {"field": "dates", "sentence": DATES, "choices": ["day-first", "month-first"]},
        {"field": "city_id", "sentence": CITY, "choices": []},
    ]
    read_as = {name: value for name, value in READ_AS.items() if name != "dates"}
    return _stored(client, "FAILURE", {"questions": questions, "read_as": read_as}, error=DATES)


def read(client: Client, *, status: str = "SUCCESS", **fields: Any) -> File:
    """Return a file that was read in another than the plain layout."""
    return _stored(client, status, {**RESULT}, **fields)


def _stored(client: Client, status: str, result: Any, **fields: Any) -> File:
    values = {"kind": "temperatures", "name": "logger.csv", "status": status, "result": result}
    return stored(client, **{**values, "asks": copy.deepcopy(ASKS), **fields})
