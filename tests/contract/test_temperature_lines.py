"""“Temperatures”: the grammar of a line, and the reports of bad lines."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from rest_framework.test import APIClient

from tests.contract.conftest import ProcessPending
from tests.contract.responses import TIME, assert_problem
from tests.contract.uploads import (
    FOUR_READINGS,
    form_file,
    gzipped_form_file,
    upload,
    upload_and_process,
)

pytestmark = pytest.mark.django_db

RESULT = [
    "id", "name", "execution_time", "random_number", "rows", "accepted", "rejected", "cities",
    "first_at", "last_at", "min_temp", "max_temp", "rejects_kept", "read_as",
    "questions", "warnings", "first_errors",
]  # fmt: skip
GOOD = {
    "7,21.5,2026-01-01T12:00:00Z": (21.5, "2026-01-01T12:00:00Z"),
    "7,21,2026-01-01 12:00": (21.0, "2026-01-01T12:00:00Z"),
    " 7\t, 21.5 ,\t2026-01-01T12:00:00 ": (21.5, "2026-01-01T12:00:00Z"),
    "007,021.50,2026-01-01T12:00": (21.5, "2026-01-01T12:00:00Z"),
    "7,0.005,2026-01-01T12:00Z": (0.01, "2026-01-01T12:00:00Z"),
    "7,-0.005,2026-01-01T12:00Z": (-0.01, "2026-01-01T12:00:00Z"),
    "7,-0.004,2026-01-01T12:00Z": (0.0, "2026-01-01T12:00:00Z"),
    "7,-273.154,2026-01-01T12:00Z": (-273.15, "2026-01-01T12:00:00Z"),
    "7,999.994,2026-01-01T12:00Z": (999.99, "2026-01-01T12:00:00Z"),
    "7,1,2026-01-01T12:00:59.1234567Z": (1.0, "2026-01-01T12:00:59.123456Z"),
    "7,1,2026-01-01T12:00+02": (1.0, "2026-01-01T10:00:00Z"),
    "7,1,2026-01-01T12:00-0230": (1.0, "2026-01-01T14:30:00Z"),
    "7,1,2026-01-01T12:00+05:45": (1.0, "2026-01-01T06:15:00Z"),
    "7,1,1970-01-01T00:00Z": (1.0, "1970-01-01T00:00:00Z"),
    "7,1,2199-12-31T23:59:59.999999Z": (1.0, "2199-12-31T23:59:59.999999Z"),
    "7,1,2028-02-29T00:00Z": (1.0, "2028-02-29T00:00:00Z"),
}
BAD = [
    "0,1,2026-01-01T12:00Z", "2147483648,1,2026-01-01T12:00Z", "-7,1,2026-01-01T12:00Z",
    "7.0,1,2026-01-01T12:00Z", "Riga,1,2026-01-01T12:00Z", ",1,2026-01-01T12:00Z",
    "٧,1,2026-01-01T12:00Z", "7,,2026-01-01T12:00Z", "7,.5,2026-01-01T12:00Z",
    "7,5.,2026-01-01T12:00Z", "7,+5,2026-01-01T12:00Z", "7,1e1,2026-01-01T12:00Z",
    "7,inf,2026-01-01T12:00Z", "7,NaN,2026-01-01T12:00Z", "7,- 5,2026-01-01T12:00Z",
    '7,"5",2026-01-01T12:00Z', "7,-273.155,2026-01-01T12:00Z", "7,999.995,2026-01-01T12:00Z",
    "7,1000,2026-01-01T12:00Z", "7,1,5,2026-01-01T12:00Z", "7,1", "7", "7,1,",
    "7,1,2026-01-01", "7,1,2026-01-01t12:00Z", "7,1,2026-01-01T12:00z",
    "7,1,2026-01-01  12:00Z", "7,1,2026-02-29T12:00Z", "7,1,2026-13-01T12:00Z",
    "7,1,2026-01-01T24:00Z", "7,1,2026-01-01T12:60Z", "7,1,2026-01-01T12:00:60Z",
    "7,1,1969-12-31T23:59Z", "7,1,2200-01-01T00:00Z", "7,1,2026-1-1T12:00Z",
    "7,1,2026-01-01T12:00 Z", "7,1,2026-01-01T12:00:00.Z", "7,1,2026-01-01T12Z",
    "7,1,2026-01-01T12:00+2", "7,1,2026-01-01T12:00Z+02", "7;1;2026-01-01T12:00Z",
    "7,1,2026-01-01T12:00Z\0", "nonsense",
]  # fmt: skip


def rejects(api_client: APIClient, file: dict[str, Any]) -> list[list[str]]:
    response = api_client.get(f"/api/files/{file['id']}/rejects/")
    assert response.status_code == 200
    assert response["Content-Type"].split(";")[0] == "text/csv"
    text = b"".join(response).decode()
    rows = list(csv.reader(io.StringIO(text, newline="")))
    assert rows[0] == ["line", "reason", "text"]
    return rows[1:]


@pytest.mark.parametrize("line", GOOD)
def test_a_good_line_is_parsed(
    line: str, api_client: APIClient, process_pending: ProcessPending
) -> None:
    temperature, at = GOOD[line]
    header = "city_id,temperature (°C),timestamp\n"
    file = upload_and_process(api_client, process_pending, header + line)
    assert file["status"] == "SUCCESS"
    city = api_client.get("/temperature-readings/7/").json()
    assert [city[name] for name in ("count", "min_temp", "first_at")] == [1, temperature, at]


def test_any_other_line_is_a_bad_line_that_is_reported_once(
    api_client: APIClient, process_pending: ProcessPending
) -> None:
    good = "7,1,2026-01-01T12:00:00Z"
    lines = [line for bad in BAD for line in (good, bad)]
    file = upload_and_process(api_client, process_pending, "\n".join(lines))
    assert file["status"] == "SUCCESS"
    result = file["result"]
    counted = [result[name] for name in ("rows", "accepted", "rejected", "cities")]
    assert counted == [2 * len(BAD), len(BAD), len(BAD), 1]
    reported = rejects(api_client, file)
    assert [row[0] for row in reported] == [str(2 * n) for n in range(1, len(BAD) + 1)]
    # The CSV puts an apostrophe before a text that a spreadsheet could evaluate.
    escaped = [f"'{bad}" if bad[0] in "-=+@" else bad for bad in BAD]
    assert [row[2].replace("\ufffd", "\0") for row in reported] == escaped
    assert all(reason for _, reason, _ in reported)
    first = result["first_errors"]
    assert [list(error) for error in first] == [["line", "reason", "text"]] * 20
    assert [[str(e["line"]), e["reason"]] for e in first] == [row[:2] for row in reported[:20]]
    assert [e["text"].replace("\ufffd", "\0") for e in first] == BAD[:20]
    assert api_client.get("/temperature-readings/7/").json()["count"] == len(BAD)


def test_invalid_utf8_is_a_bad_line_shown_with_replacement_characters(
    api_client: APIClient, process_pending: ProcessPending
) -> None:
    file = upload_and_process(
        api_client, process_pending, FOUR_READINGS.encode() + b"7,1,2026-01-01T12:00Z\xff\n"
    )
    assert rejects(api_client, file) == [
        ["5", file["result"]["first_errors"][0]["reason"], "7,1,2026-01-01T12:00Z\ufffd"]
    ]


def test_the_text_of_a_bad_line_is_cut_at_1000_characters_and_a_long_line_is_bad(
    api_client: APIClient, process_pending: ProcessPending
) -> None:
    blanks = " " * 1024**2
    file = upload_and_process(
        api_client, process_pending, f"{'ā' * 1500}\n{FOUR_READINGS}7,1,2026-01-01T12:00Z{blanks}\n"
    )
    [[first, _, text], [second, _, blank]] = rejects(api_client, file)
    assert (first, text) == ("1", "ā" * 1000)
    assert (second, len(blank)) == ("6", 1000)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param("city_id,temperature,timestamp\n" + FOUR_READINGS, id="a header"),
        pytest.param(FOUR_READINGS.replace("\n", "\r\n"), id="CRLF"),
        pytest.param("\ufeff" + FOUR_READINGS, id="a BOM"),
        pytest.param(
            "\ufeffcity_id,temperature,timestamp\r\n" + FOUR_READINGS, id="a BOM and a header"
        ),
        pytest.param("\n \n" + FOUR_READINGS.replace("\n", "\n\n"), id="blank lines"),
        pytest.param(FOUR_READINGS.replace(",", " , "), id="blanks around fields"),
        pytest.param(FOUR_READINGS.rstrip("\n"), id="no last newline"),
    ],
)
@pytest.mark.parametrize("archive", [False, True])
def test_variants_of_the_format_are_accepted(
    data: str, archive: bool, api_client: APIClient, process_pending: ProcessPending
) -> None:
    response = upload(api_client, gzipped_form_file(data) if archive else form_file(data))
    assert response.status_code == 201
    assert process_pending() == 1
    result = api_client.get(f"/api/files/{response.json()['file_id']}/").json()["result"]
    assert (result["accepted"], result["rejected"], result["first_errors"]) == (4, 0, [])


def test_a_header_counts_as_line_1_and_is_a_bad_line_elsewhere(
    api_client: APIClient, process_pending: ProcessPending
) -> None:
    header = "city_id,temperature,timestamp\n"
    file = upload_and_process(api_client, process_pending, header + FOUR_READINGS + header)
    assert [row[0] for row in rejects(api_client, file)] == ["6"]


def test_the_result_has_exactly_these_fields(
    api_client: APIClient, process_pending: ProcessPending
) -> None:
    file = upload_and_process(api_client, process_pending, FOUR_READINGS + "nonsense\n")
    result = file["result"]
    assert list(result) == RESULT
    assert (result["id"], result["name"]) == (file["id"], "readings.csv")
    assert isinstance(result["execution_time"], float)
    assert 1 <= result["random_number"] <= 1000
    expected = {
        "rows": 5, "accepted": 4, "rejected": 1, "cities": 2, "min_temp": -3.25,
        "max_temp": 21.5, "first_at": "2026-01-01T12:00:00Z", "last_at": "2026-01-03T12:00:00Z",
    }  # fmt: skip
    assert {name: result[name] for name in expected} == expected
    assert TIME.fullmatch(result["first_at"])


def test_a_file_without_a_good_line_fails_with_a_sentence(
    api_client: APIClient, process_pending: ProcessPending
) -> None:
    file = upload_and_process(
        api_client, process_pending, "city_id,temperature,timestamp\nnonsense\n"
    )
    assert file["status"] == "FAILURE"
    assert file["error"].endswith(".")
    assert [row[0] for row in rejects(api_client, file)] == ["2"]
    assert_problem(api_client.get("/temperature-readings/7/"), 404)
