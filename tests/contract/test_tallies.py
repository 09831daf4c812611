"""Tally sheets, line by line of the contract: kind, result, rejects, marked copy, exports."""

from __future__ import annotations

import csv
import io
from typing import Any

import openpyxl
import pytest
from rest_framework.test import APIClient

from tests.conftest import AsUser, MakeUser
from tests.contract.answers import assert_problem
from tests.contract.conftest import Work
from tests.contract.uploads import add, one, pdf, sent
from tests.factories import ClientFactory
from tests.tallies.sheets import read_back, save, tally
from timba.consignments.models import Consignment

pytestmark = pytest.mark.django_db

WORKBOOK = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
GOOD, BAD = ("B-1", 4.2, 30.5, 25), ("B-2", "x", 30, 25)
RESULT = ["id", "name", "execution_time", "random_number"]
RESULT += ["rows", "accepted", "rejected", "unchanged", "volume", "first_errors"]


def uploaded(
    program: APIClient, work: Work, load: Consignment, content: bytes | str, **fields: Any
) -> dict[str, Any]:
    """Upload a sheet to a consignment, have it processed, and return the file."""
    name = "Lorry 7.csv" if isinstance(content, str) else "Lorry 7.xlsx"
    file = add(program, sent(content, name), consignment_id=load.pk, **fields)
    assert (file["kind"], file["status"]) == ("tally", "PENDING")
    assert work() == 1
    return one(program, file)


def content_of(answer: Any) -> bytes:
    assert answer.status_code == 200
    return b"".join(answer.streaming_content)


def test_an_xlsx_is_a_tally_and_its_rows_become_logs(
    program: APIClient, work: Work, load: Consignment
) -> None:
    file = uploaded(program, work, load, tally(GOOD, BAD))
    assert (file["status"], file["media_type"], file["consignment_id"]) == (
        "SUCCESS",
        WORKBOOK,
        load.pk,
    )
    result = file["result"]
    assert list(result) == RESULT
    assert (result["id"], result["name"]) == (file["id"], "Lorry 7.xlsx")
    assert [result[name] for name in RESULT[4:9]] == [2, 1, 1, 0, 0.32]
    assert [list(error) for error in result["first_errors"]] == [["line", "reason", "text"]]
    shown = program.get(f"/timba/consignment?consignment_id={load.pk}").json()
    assert (shown["log_count"], shown["volume"]) == (1, 0.32)


def test_a_csv_is_one_only_where_its_kind_says_so(
    program: APIClient, work: Work, load: Consignment
) -> None:
    text = "barcode,length,breadth,height\nB-1,4.2,30.5,25\n"
    assert add(program, sent(text, "a.csv"))["kind"] == "text"
    work()
    file = uploaded(program, work, load, text, kind="tally")
    assert (file["media_type"], file["result"]["accepted"]) == ("text/csv", 1)


@pytest.mark.parametrize("name", ["a.xls", "a.xlsm", "a.ods"])
def test_sheets_of_another_sort_are_refused_with_what_to_do(name: str, program: APIClient) -> None:
    form = {"file": sent(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", name)}
    said = assert_problem(program.post("/api/files/", form, format="multipart"), 400)
    assert name in said["detail"]
    assert "Save it as an Excel workbook (.xlsx)." in said["detail"]


def test_a_tally_of_no_consignment_ends_with_what_to_do_and_can_be_tried_again(
    program: APIClient, work: Work, load: Consignment
) -> None:
    file = add(program, sent(tally(GOOD), "a.xlsx"))
    work()
    file = one(program, file)
    assert (file["status"], file["error"]) == (
        "FAILURE",
        "It belongs to no consignment yet. Choose its consignment, then try again.",
    )
    url = f"/api/files/{file['id']}/"
    assert program.patch(url, {"consignment_id": load.pk}, format="json").status_code == 200
    assert program.post(f"{url}retry/").status_code == 202
    work()
    assert one(program, file)["result"]["accepted"] == 1


def test_all_rejects_are_streamed_as_csv(program: APIClient, work: Work, load: Consignment) -> None:
    file = uploaded(program, work, load, tally(GOOD, BAD, (None, 4, 30, 25)))
    answer = program.get(f"/api/files/{file['id']}/rejects/")
    assert answer["Content-Type"].startswith("text/csv")
    assert list(csv.reader(io.StringIO(content_of(answer).decode(), newline=""))) == [
        ["line", "reason", "text"],
        ["3", "B3: The length “x” is not a number.", "B-2, x, 30, 25"],
        ["4", "A4: The barcode is missing.", ", 4, 30, 25"],
    ]


def test_the_marked_workbook_mended_and_uploaded_adds_only_what_was_missing(
    program: APIClient, work: Work, load: Consignment
) -> None:
    file = uploaded(program, work, load, tally(GOOD, BAD))
    answer = program.get(f"/api/files/{file['id']}/annotated/")
    assert answer["Content-Type"] == WORKBOOK
    assert answer["Content-Disposition"] == 'attachment; filename="Lorry 7 marked.xlsx"'
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Content-Security-Policy"] == "default-src 'none'; sandbox"
    sheet = read_back(content_of(answer))
    assert sheet["B3"].comment.text == "The length “x” is not a number."
    sheet["B3"] = 4
    mended = uploaded(program, work, load, save(sheet.parent))
    assert [mended["result"][name] for name in RESULT[4:8]] == [2, 1, 0, 1]


def test_there_is_no_marked_workbook_of_other_files_nor_where_nothing_was_bad(
    program: APIClient, work: Work, load: Consignment, make_user: MakeUser, as_user: AsUser
) -> None:
    waiting = add(program, sent(tally(BAD), "a.xlsx"), consignment_id=load.pk)
    assert_problem(program.get(f"/api/files/{waiting['id']}/annotated/"), 404)
    work()
    assert content_of(program.get(f"/api/files/{waiting['id']}/annotated/"))
    for data, name in ((pdf(), "a.pdf"), ("Hello", "a.txt")):
        file = add(program, sent(data, name))
        work()
        assert_problem(program.get(f"/api/files/{file['id']}/annotated/"), 404)
    good = uploaded(program, work, load, tally(GOOD))
    assert_problem(program.get(f"/api/files/{good['id']}/annotated/"), 404)
    stranger = as_user(make_user(client=ClientFactory()))
    assert_problem(stranger.get(f"/api/files/{waiting['id']}/annotated/"), 404)


@pytest.mark.parametrize("ending", ["xlsx", "csv"])
def test_an_export_comes_back_and_adds_nothing(
    ending: str, program: APIClient, work: Work, load: Consignment
) -> None:
    barcodes = ["0042", "=1+1", "-7", "@x", "дуб “2”", "a;b,c", "'=1", "1e5", "L-1 ", "  L-2"]
    for number, barcode in enumerate(barcodes):
        log = {
            "consignment_id": load.pk,
            "barcode": barcode,
            "length": f"4.{number}05",
            "breadth": 30 + number / 1000,
            "height": 25,
        }
        assert program.put("/timba/log", log, format="json").status_code == 201
    export = content_of(program.get(f"/api/consignments/{load.pk}/tally.{ending}"))
    content: bytes | str = export.decode() if ending == "csv" else export
    again = uploaded(program, work, load, content, kind="tally")
    assert (again["status"], again["result"]["first_errors"]) == ("SUCCESS", [])
    assert [again["result"][name] for name in RESULT[4:8]] == [10, 0, 0, 10]


def test_in_an_exported_workbook_nothing_is_a_formula(
    program: APIClient, load: Consignment
) -> None:
    log = {"consignment_id": load.pk, "barcode": "=1+1", "length": 4, "breadth": 30, "height": 25}
    assert program.put("/timba/log", log, format="json").status_code == 201
    content = content_of(program.get(f"/api/consignments/{load.pk}/tally.xlsx"))
    [sheet] = openpyxl.load_workbook(io.BytesIO(content)).worksheets
    assert {cell.data_type for row in sheet for cell in row} == {"s", "n"}


@pytest.mark.parametrize("ending", ["xlsx", "csv", "pdf"])
def test_exports_answer_with_and_without_the_final_slash(
    ending: str, program: APIClient, load: Consignment
) -> None:
    for slash in ("", "/"):
        assert content_of(program.get(f"/api/consignments/{load.pk}/tally.{ending}{slash}"))
