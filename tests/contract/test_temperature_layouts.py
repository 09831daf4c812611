"""“Other layouts”: what loggers and spreadsheets write is read as it was meant, or asked about.

Each file comes in at every entrance: as temperatures at `/upload/`, and by its bytes at the others.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from rest_framework.test import APIClient

from tests.contract.conftest import ProcessPending
from tests.contract.uploads import UPLOAD_FIELDS, form_file, upload

pytestmark = pytest.mark.django_db

PREAMBLE = "".join(f"Device parameter {number}: value\n" for number in range(25))
MANY = "".join(
    f"9105,{minute % 9}.50,2026-01-01 {minute // 60:02}:{minute % 60:02}\n"
    for minute in range(1200)
)


@dataclass(frozen=True, kw_only=True)
class Case:
    """A file, and what becomes of it; `cities` has count, least, greatest and mean by city."""

    data: bytes | str
    cities: dict[int, tuple[int, float, float, float]] = field(default_factory=dict)
    rejected: int = 0
    read_as: dict[str, Any] | None = None
    warnings: tuple[str, ...] = ()
    asks: str = ""


CASES = {
    "semicolons and decimal commas, day first": Case(
        data="city_id;temperature;timestamp\n41;28,9;02/08/2022 15:30\n41;29,2;13/08/2022 15:40\n",
        cities={41: (2, 28.9, 29.2, 29.05)},
        read_as={"delimiter": ";", "decimal": ",", "dates": "day-first"},
    ),
    "the same, but no line says whether the day comes first": Case(
        data="city_id;temperature;timestamp\n41;28,9;02/08/2022 15:30\n", asks="dates"
    ),
    "UTF-16": Case(
        data="city_id,temperature,timestamp\n3,1.5,2026-01-01 00:00\n".encode("utf-16"),
        cities={3: (1, 1.5, 1.5, 1.5)},
        read_as={"encoding": "utf-16-le"},
    ),
    "two byte order marks": Case(
        data="\ufeff\ufeff9003,1.50,2026-01-06 06:00\n9003,2.50,2026-01-06 07:00\n",
        cities={9003: (2, 1.5, 2.5, 2.0)},
    ),
    "8 kB of NULs": Case(
        data=MANY + "\0" * 8192 + "\n" + MANY.replace("-01 ", "-02 "),
        cities={9105: (2400, 0.5, 8.5, 4.49)},
        rejected=1,
    ),
    "quotes": Case(
        data='"city_id","temperature","timestamp"\n"9005","1.50","2026-01-05 06:00"\n',
        cities={9005: (1, 1.5, 1.5, 1.5)},
        read_as={"delimiter": ","},
    ),
    "force text": Case(
        data='9006,1.5,"=""2026-06-24 02:00:07"""\n9006,1.6,="2026-06-24 03:00:07"\n'
        "9006,1.7,2026-06-24 04:00:07\n",
        cities={9006: (3, 1.5, 1.7, 1.6)},
        read_as={"delimiter": ","},
    ),
    "month first, with AM and PM": Case(
        data="city_id,temperature,timestamp\n9007,1.5,4/30/2026 13:42\n"
        "9007,1.6,4/30/2026 1:42:00 PM\n",
        cities={9007: (2, 1.5, 1.6, 1.55)},
        read_as={"dates": "month-first"},
        warnings=("repeated_readings",),
    ),
    "hours of one digit": Case(
        data="city_id,temperature,timestamp\n9008,1.5,2026-04-30 8:30\n9008,1.6,2026-04-30 10:30\n",
        cities={9008: (2, 1.5, 1.6, 1.55)},
    ),
    "°F in the header": Case(
        data="city_id,Temperature (°F),timestamp\n9010,70.7,2026-04-30 08:30\n"
        "9010,32.0,2026-04-30 09:30\n",
        cities={9010: (2, 0.0, 21.5, 10.75)},
        read_as={"unit": "F"},
    ),
    "values of failing sensors": Case(
        data="city_id,temperature,timestamp\n9011,4.5,2026-04-30 08:30\n"
        "9011,-127.00,2026-04-30 08:40\n9011,85.00,2026-04-30 08:50\n"
        "9011,999.9,2026-04-30 09:00\n9011,-99.9,2026-04-30 09:10\n9011,4.7,2026-04-30 09:20\n",
        cities={9011: (6, -127.0, 999.9, 144.53)},
        warnings=("error_values",),
    ),
    "one reading three times": Case(
        data="9013,1.0,2026-04-01 08:00\n" * 3 + "9013,4.0,2026-04-01 09:00\n",
        cities={9013: (4, 1.0, 4.0, 1.75)},
        warnings=("repeated_readings",),
    ),
    "zones": Case(
        data="9014,1.0,2026-03-29 03:30 EET\n9014,1.0,2026-03-29T03:30:00+02\n"
        "9014,2.0,2026-03-29 03:30 UTC\n9014,3.0,2026-03-29 03:30 +0200\n",
        cities={9014: (3, 1.0, 3.0, 2.0)},
        rejected=1,
        warnings=("repeated_readings",),
    ),
    "a preamble": Case(
        data=PREAMBLE + "city_id,temperature,timestamp\n9015,1.0,2026-04-01 08:00\n",
        cities={9015: (1, 1.0, 1.0, 1.0)},
        read_as={"skipped_lines": 26},
    ),
    "columns in another order": Case(
        data="temperature,city_id,timestamp\n12,41,2026-01-05 06:00\n13,41,2026-01-05 07:00\n",
        cities={41: (2, 12.0, 13.0, 12.5)},
        read_as={"columns": {"city_id": 2, "temperature": 1, "timestamp": 3}},
    ),
    "no column of cities": Case(
        data="timestamp,temperature\n2026-01-05 06:00,1.5\n2026-01-05 07:00,2.5\n",
        asks="city_id",
    ),
    "kelvin, but nothing says so": Case(
        data="city_id,temperature,timestamp\n"
        "7,293.15,2026-01-05 06:00\n7,294.15,2026-01-05 07:00\n",
        asks="unit",
    ),
    "a header of two rows": Case(
        data="\t\t\tTemp\tHi\tLow\nCity\tDate\tTime\tOut\tTemp\tTemp\n"
        "7\t01/16/25\t12:00 AM\t21.5\t22.0\t21.0\nbad\n"
        "7\t01/16/25\t12:30 AM\t22.5\t23.0\t22.0\n",
        cities={7: (2, 21.5, 22.5, 22.0)},
        rejected=1,
        read_as={
            "skipped_lines": 2,
            "columns": {"city_id": 1, "temperature": 4, "date": 2, "time": 3},
        },
    ),
    "a header of two rows, with temperatures indoors and outdoors": Case(
        data="\t\t\tTemp\tHi\tIn\nCity\tDate\tTime\tOut\tTemp\tTemp\n"
        "7\t01/16/25\t12:00 AM\t21.5\t22.0\t24.0\n",
        asks="columns.temperature",
    ),
    "a header of two rows, with a merged cell above several temperatures": Case(
        data="Date;Time;City;Temperature;;\n;;;Min;Max;Avg\n2025-06-01;12:00;7;10.0;20.0;15.0\n",
        asks="columns.temperature",
    ),
    "only CR at the end of lines": Case(
        data="city_id,temperature,timestamp\r7,1.5,2026-01-05 06:00\r7,2.5,2026-01-05 07:00\r",
        cities={7: (2, 1.5, 2.5, 2.0)},
    ),
}


@pytest.mark.parametrize("url", UPLOAD_FIELDS)
@pytest.mark.parametrize("name", CASES)
def test_a_file_is_read_as_it_was_meant_or_asked_about(
    api_client: APIClient, process_pending: ProcessPending, name: str, url: str
) -> None:
    case = CASES[name]
    response = upload(api_client, form_file(case.data), url)
    assert response.status_code == (202 if url == "/api/upload/" else 201), response.content
    process_pending()
    [file] = api_client.get("/api/files/").json()["results"]
    result = file["result"]
    assert file["kind"] == "temperatures"
    assert [question["field"] for question in result["questions"]] == [case.asks] * bool(case.asks)
    assert file["status"] == ("FAILURE" if case.asks else "SUCCESS"), file["error"]
    if case.asks:
        assert file["error"] == result["questions"][0]["sentence"]
        return
    assert result["rejected"] == case.rejected
    assert tuple(warning["code"] for warning in result["warnings"]) == case.warnings
    if case.read_as is None:
        assert result["read_as"] is None
    else:
        assert result["read_as"].items() >= case.read_as.items()
    cities = api_client.get("/temperature-readings/").json()["cities"]
    assert {
        city["city_id"]: (city["count"], city["min_temp"], city["max_temp"], city["mean_temp"])
        for city in cities
    } == case.cities
