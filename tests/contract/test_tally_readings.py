"""“Tally sheets”: what a sheet is read as, questions and answers, import profiles, dry runs."""

from __future__ import annotations

from typing import Any

import pytest
from rest_framework.test import APIClient

from tests.contract.conftest import ProcessPending
from tests.contract.responses import assert_problem
from tests.contract.test_tallies import upload_tally
from tests.contract.uploads import create_file, form_file, get_file
from tests.tallies.sheets import HEADER, tally, workbook
from timba.consignments.models import Consignment, Log

pytestmark = pytest.mark.django_db

TITLES = ("Tag", "Length", "Width", "Thickness")
IN_FEET = {"length": "ft", "breadth": "in", "height": "in"}


def logs() -> list[tuple[str, str, str, str]]:
    rows = Log.unscoped.order_by("pk").values_list("barcode", "length", "breadth", "height")
    return [(barcode, str(a), str(b), str(c)) for barcode, a, b, c in rows]


def retry(api_client: APIClient, file: dict[str, Any], **body: Any) -> Any:
    return api_client.post(f"/api/files/{file['id']}/retry/", body, format="json")


def test_units_in_a_row_of_their_own_are_converted_exactly(
    api_client: APIClient, process_pending: ProcessPending, consignment: Consignment
) -> None:
    sheet = workbook(TITLES, (None, "(ft)", "(in)", "(in)"), ("T-1", 12, 10, 8), ("T-2", 8, 9, 7))
    file = upload_tally(api_client, process_pending, consignment, sheet)
    assert file["status"] == "SUCCESS"
    assert logs() == [
        ("T-1", "3.658", "25.400", "20.320"),
        ("T-2", "2.438", "22.860", "17.780"),
    ]
    read_as = file["result"]["read_as"]
    assert read_as["units"] == IN_FEET
    assert read_as["columns"] == {"barcode": 1, "length": 2, "breadth": 3, "height": 4}
    assert read_as["evidence"]["units.length"] == "Length in feet, from row 2."


def test_sub_totals_are_no_logs_and_the_sheets_volume_is_compared(
    api_client: APIClient, process_pending: ProcessPending, consignment: Consignment
) -> None:
    sheet = workbook(
        (*HEADER, "Volume"),
        ("B-1", 4.2, 30.5, 25, 0.32),
        ("Sub-total", None, None, None, 0.32),
        ("B-2", 4, 30, 25, 0.9),
        ("Kopā 2 gab.", None, None, None, 1.22),
    )
    result = upload_tally(api_client, process_pending, consignment, sheet)["result"]
    assert (result["accepted"], result["volume"], result["sheet_volume"]) == (2, 0.62, 1.22)
    assert sum(each["count"] for each in result["left_out"]) == 2
    [warning] = [each for each in result["warnings"] if each["code"] == "volume_differs"]
    assert warning["count"] == 1
    assert "4" in warning["sentence"]


def test_a_question_names_its_field_and_choices_and_a_retry_answers_it(
    api_client: APIClient, process_pending: ProcessPending, consignment: Consignment
) -> None:
    sheet = workbook(TITLES, ("T-1", 1200, 10, 8), ("T-2", 3000, 9, 7))
    file = upload_tally(api_client, process_pending, consignment, sheet)
    [question] = file["result"]["questions"]
    assert list(question) == ["field", "sentence", "choices"]
    assert question["field"] == "units"
    assert {"length": "mm", "breadth": "mm", "height": "mm"} in question["choices"]
    assert (file["status"], file["error"]) == ("FAILURE", question["sentence"])
    assert logs() == []

    wrong = retry(api_client, file, read_as={"units": {"length": "furlong"}})
    assert list(assert_problem(wrong, 400)["errors"]) == ["read_as"]
    units = {"length": "mm", "breadth": "in", "height": "in"}
    assert retry(api_client, file, read_as={"units": units}).status_code == 202
    assert process_pending() == 1
    file = get_file(api_client, file)
    assert (file["status"], file["result"]["read_as"]["units"]) == ("SUCCESS", units)
    assert logs()[0] == ("T-1", "1.200", "25.400", "20.320")
    assert_problem(retry(api_client, file, read_as={"units": units}), 409)


def test_an_answer_is_an_import_profile_for_the_next_sheet(
    api_client: APIClient, process_pending: ProcessPending, consignment: Consignment
) -> None:
    units = {"length": "mm", "breadth": "in", "height": "in"}
    first = upload_tally(
        api_client, process_pending, consignment, workbook(TITLES, ("T-1", 1200, 10, 8))
    )
    retry(api_client, first, read_as={"units": units})
    process_pending()
    [profile] = api_client.get("/api/import-profiles/").json()["results"]
    assert [profile[name] for name in ("kind", "read_as", "used_count")] == [
        "tally",
        {"units": units},
        0,
    ]
    second = upload_tally(
        api_client, process_pending, consignment, workbook(TITLES, ("T-2", 3100, 11, 9))
    )
    assert second["status"] == "SUCCESS"
    assert second["result"]["read_as"]["profile"] == profile["id"]
    assert [each["code"] for each in second["result"]["warnings"]] == ["profile_used"]
    [profile] = api_client.get("/api/import-profiles/").json()["results"]
    assert profile["used_count"] == 1


def test_a_dry_run_ends_in_success_without_logs_and_a_retry_records_them(
    api_client: APIClient, process_pending: ProcessPending, consignment: Consignment
) -> None:
    file = upload_tally(
        api_client,
        process_pending,
        consignment,
        tally(("B-1", 4.2, 30.5, 25)),
        dry_run="true",
    )
    assert (file["status"], file["dry_run"], file["result"]["accepted"]) == ("SUCCESS", True, 1)
    assert logs() == []
    response = retry(api_client, file)
    assert (response.status_code, response.json()["dry_run"]) == (202, True)
    process_pending()
    file = get_file(api_client, file)
    assert "dry_run" not in file
    assert [barcode for barcode, *_ in logs()] == ["B-1"]


def test_only_a_tally_has_a_dry_run(api_client: APIClient) -> None:
    form = {"file": form_file("a note", "a.txt"), "dry_run": "true"}
    problem = assert_problem(api_client.post("/api/files/", form, format="multipart"), 400)
    assert list(problem["errors"]) == ["dry_run"]


def test_every_visible_sheet_and_table_is_read_and_told(
    api_client: APIClient, process_pending: ProcessPending, consignment: Consignment
) -> None:
    sheet = workbook(
        HEADER,
        ("B-1", 4, 30, 25),
        (),
        ("Length (mm)", "Barcode", "Height (mm)", "Breadth (mm)"),
        (4200, "B-2", 250, 300),
    )
    file = upload_tally(api_client, process_pending, consignment, sheet)
    assert file["status"] == "SUCCESS"
    assert logs() == [
        ("B-1", "4.000", "30.000", "25.000"),
        ("B-2", "4.200", "30.000", "25.000"),
    ]
    assert file["result"]["sheets"] == [{"name": "Tally", "rows": 2, "accepted": 2}]
    assert len(file["result"]["read_as"]["tables"]) == 2


def test_a_csv_row_with_more_fields_than_its_header_is_a_reject(
    api_client: APIClient, process_pending: ProcessPending, consignment: Consignment
) -> None:
    text = "barcode,length,breadth,height\nB-1,4.2,30.5,25,,\nB-2,4,25,30,25\n"
    file = create_file(api_client, form_file(text, "a.csv"), consignment_id=consignment.pk)
    process_pending()
    result = get_file(api_client, file)["result"]
    assert (result["accepted"], result["rejected"]) == (1, 1)
    assert result["first_errors"][0]["line"] == 3


def test_an_import_profile_is_changed_and_deleted(
    api_client: APIClient, process_pending: ProcessPending, consignment: Consignment
) -> None:
    sheet = workbook(TITLES, ("T-1", 1200, 10, 8))
    file = upload_tally(api_client, process_pending, consignment, sheet)
    retry(api_client, file, read_as={"units": {"length": "mm", "breadth": "in", "height": "in"}})
    process_pending()
    [profile] = api_client.get("/api/import-profiles/").json()["results"]
    assert list(profile) == [
        "id", "kind", "header", "read_as", "used_count", "last_used_at", "created_by",
    ]  # fmt: skip
    url = f"/api/import-profiles/{profile['id']}/"
    read_as = {"units": IN_FEET}
    response = api_client.patch(url, {"read_as": read_as})
    assert (response.status_code, response.json()) == (200, {**profile, "read_as": read_as})
    problem = assert_problem(api_client.patch(url, {"read_as": {"units": {"length": "yd"}}}), 400)
    assert list(problem["errors"]) == ["read_as"]
    assert api_client.delete(url).status_code == 204
    assert_problem(api_client.get(url), 404)
    assert upload_tally(api_client, process_pending, consignment, sheet)["status"] == "FAILURE"
