"""“Tally sheets”: kind, result, rejects, annotated workbook, exports."""

from __future__ import annotations

import csv
import io
from typing import Any

import openpyxl
import pytest
from rest_framework.test import APIClient

from tests.clients import api_client_of
from tests.conftest import MakeUser
from tests.contract.conftest import ProcessPending
from tests.contract.responses import assert_problem
from tests.contract.uploads import create_file, form_file, get_file, invoice
from tests.factories import ClientFactory
from tests.tallies.sheets import read_back, save, tally
from timba.consignments.models import Consignment

pytestmark = pytest.mark.django_db

WORKBOOK = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
GOOD, BAD = ("B-1", 4.2, 30.5, 25), ("B-2", "x", 30, 25)
RESULT = ["id", "name", "execution_time", "random_number"]
RESULT += ["rows", "accepted", "rejected", "unchanged", "left_out", "volume", "sheet_volume"]
RESULT += ["sheets", "read_as", "questions", "warnings", "first_errors"]


def upload_tally(
    api_client: APIClient,
    process_pending: ProcessPending,
    consignment: Consignment,
    content: bytes | str,
    **fields: Any,
) -> dict[str, Any]:
    """Upload a sheet to a consignment, process it, and return the file."""
    name = "Lorry 7.csv" if isinstance(content, str) else "Lorry 7.xlsx"
    file = create_file(
        api_client, form_file(content, name), consignment_id=consignment.pk, **fields
    )
    assert (file["kind"], file["status"]) == ("tally", "PENDING")
    assert process_pending() == 1
    return get_file(api_client, file)


def content_of(response: Any) -> bytes:
    assert response.status_code == 200
    return b"".join(response.streaming_content)


def test_an_xlsx_is_a_tally_and_its_rows_become_logs(
    api_client: APIClient, process_pending: ProcessPending, consignment: Consignment
) -> None:
    file = upload_tally(api_client, process_pending, consignment, tally(GOOD, BAD))
    assert (file["status"], file["media_type"], file["consignment_id"]) == (
        "SUCCESS",
        WORKBOOK,
        consignment.pk,
    )
    result = file["result"]
    assert list(result) == RESULT
    assert (result["id"], result["name"]) == (file["id"], "Lorry 7.xlsx")
    assert [result[name] for name in RESULT[4:11]] == [2, 1, 1, 0, [], 0.32, None]
    assert result["sheets"] == [{"name": "Tally", "rows": 2, "accepted": 1}]
    assert [list(error) for error in result["first_errors"]] == [["line", "reason", "text"]]
    updated = api_client.get(f"/timba/consignment?consignment_id={consignment.pk}").json()
    assert (updated["log_count"], updated["volume"]) == (1, 0.32)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("barcode,length,breadth,height\nB-1,4.2,30.5,25\n", "tally"),
        ("Svītrkods;Garums;Platums;Augstums\nB-1;4,2;30,5;25\n", "tally"),
        ("name,town\nJānis,Valmiera\n", "text"),
    ],
)
def test_a_csv_whose_header_names_a_barcode_and_a_length_is_a_tally(
    text: str, kind: str, api_client: APIClient
) -> None:
    assert create_file(api_client, form_file(text, "a.csv"))["kind"] == kind
    assert create_file(api_client, form_file(text, "b.csv"), kind="tally")["kind"] == "tally"
    assert create_file(api_client, form_file(text, "c.csv"), kind="text")["kind"] == "text"


@pytest.mark.parametrize("name", ["a.xls", "a.xlsm", "a.ods"])
def test_other_spreadsheet_formats_are_rejected_with_advice(
    name: str, api_client: APIClient
) -> None:
    form = {"file": form_file(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", name)}
    problem = assert_problem(api_client.post("/api/files/", form, format="multipart"), 400)
    assert name in problem["detail"]
    assert "Save it as an Excel workbook (.xlsx)." in problem["detail"]


def test_a_tally_without_consignment_fails_with_advice_and_can_be_retried(
    api_client: APIClient, process_pending: ProcessPending, consignment: Consignment
) -> None:
    file = create_file(api_client, form_file(tally(GOOD), "a.xlsx"))
    process_pending()
    file = get_file(api_client, file)
    assert (file["status"], file["error"]) == (
        "FAILURE",
        "It belongs to no consignment yet. Choose its consignment, then try again.",
    )
    url = f"/api/files/{file['id']}/"
    assert (
        api_client.patch(url, {"consignment_id": consignment.pk}, format="json").status_code == 200
    )
    assert api_client.post(f"{url}retry/").status_code == 202
    process_pending()
    assert get_file(api_client, file)["result"]["accepted"] == 1


def test_all_rejects_are_streamed_as_csv(
    api_client: APIClient, process_pending: ProcessPending, consignment: Consignment
) -> None:
    file = upload_tally(
        api_client, process_pending, consignment, tally(GOOD, BAD, (None, 4, 30, 25))
    )
    response = api_client.get(f"/api/files/{file['id']}/rejects/")
    assert response["Content-Type"].startswith("text/csv")
    assert list(csv.reader(io.StringIO(content_of(response).decode(), newline=""))) == [
        ["line", "reason", "text"],
        ["3", "B3: The length “x” is not a number.", "B-2, x, 30, 25"],
        ["4", "A4: The barcode is missing.", ", 4, 30, 25"],
    ]


def test_the_annotated_workbook_adds_only_missing_logs_when_corrected_and_uploaded(
    api_client: APIClient, process_pending: ProcessPending, consignment: Consignment
) -> None:
    file = upload_tally(api_client, process_pending, consignment, tally(GOOD, BAD))
    response = api_client.get(f"/api/files/{file['id']}/annotated/")
    assert response["Content-Type"] == WORKBOOK
    assert response["Content-Disposition"] == 'attachment; filename="Lorry 7 marked.xlsx"'
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Content-Security-Policy"] == "default-src 'none'; sandbox"
    sheet = read_back(content_of(response))
    assert sheet["B3"].comment.text == "The length “x” is not a number."
    sheet["B3"] = 4
    corrected = upload_tally(api_client, process_pending, consignment, save(sheet.parent))
    assert [corrected["result"][name] for name in RESULT[4:8]] == [2, 1, 0, 1]


def test_only_processed_tallies_with_rejects_have_an_annotated_workbook(
    api_client: APIClient,
    process_pending: ProcessPending,
    consignment: Consignment,
    make_user: MakeUser,
) -> None:
    waiting = create_file(
        api_client, form_file(tally(BAD), "a.xlsx"), consignment_id=consignment.pk
    )
    assert_problem(api_client.get(f"/api/files/{waiting['id']}/annotated/"), 404)
    process_pending()
    assert content_of(api_client.get(f"/api/files/{waiting['id']}/annotated/"))
    for data, name in ((invoice(), "a.pdf"), ("Hello", "a.txt")):
        file = create_file(api_client, form_file(data, name))
        process_pending()
        assert_problem(api_client.get(f"/api/files/{file['id']}/annotated/"), 404)
    good = upload_tally(api_client, process_pending, consignment, tally(GOOD))
    assert_problem(api_client.get(f"/api/files/{good['id']}/annotated/"), 404)
    other_client = api_client_of(make_user(client=ClientFactory()))
    assert_problem(other_client.get(f"/api/files/{waiting['id']}/annotated/"), 404)


@pytest.mark.parametrize("extension", ["xlsx", "csv", "csv?decimal=comma"])
def test_uploading_an_export_adds_nothing(
    extension: str,
    api_client: APIClient,
    process_pending: ProcessPending,
    consignment: Consignment,
) -> None:
    barcodes = ["0042", "=1+1", "-7", "@x", "дуб “2”", "a;b,c", "'=1", "1e5", "1-2", "TRUE"]
    for number, barcode in enumerate(barcodes):
        log = {
            "consignment_id": consignment.pk,
            "barcode": barcode,
            "length": f"4.{number}05",
            "breadth": 30 + number / 1000,
            "height": 25,
        }
        assert api_client.put("/timba/log", log, format="json").status_code == 201
    export = content_of(api_client.get(f"/api/consignments/{consignment.pk}/tally.{extension}"))
    content: bytes | str = export if extension == "xlsx" else export.decode()
    again = upload_tally(api_client, process_pending, consignment, content, kind="tally")
    assert (again["status"], again["result"]["first_errors"]) == ("SUCCESS", [])
    assert [again["result"][name] for name in RESULT[4:8]] == [10, 0, 0, 10]


def test_an_exported_workbook_contains_no_formula(
    api_client: APIClient, consignment: Consignment
) -> None:
    log = {
        "consignment_id": consignment.pk,
        "barcode": "=1+1",
        "length": 4,
        "breadth": 30,
        "height": 25,
    }
    assert api_client.put("/timba/log", log, format="json").status_code == 201
    content = content_of(api_client.get(f"/api/consignments/{consignment.pk}/tally.xlsx"))
    [sheet] = openpyxl.load_workbook(io.BytesIO(content)).worksheets
    assert {cell.data_type for row in sheet for cell in row} == {"s", "n"}


@pytest.mark.parametrize("extension", ["xlsx", "csv", "pdf"])
def test_exports_are_served_with_and_without_the_final_slash(
    extension: str, api_client: APIClient, consignment: Consignment
) -> None:
    for slash in ("", "/"):
        assert content_of(
            api_client.get(f"/api/consignments/{consignment.pk}/tally.{extension}{slash}")
        )
