"""A sheet is read in three steps that can be seen: layout, questions, rows."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.tallies.reads import read
from tests.tallies.sheets import replace_parts, tally, workbook
from timba.tallies.parsing import (
    ParsedRows,
    RejectedRow,
    SheetLog,
    deserialize_rows,
    serialize_rows,
)

ROW = ("B-1", 4.2, 30, 25)
LOG = ("B-1", "4.200", "30.000", "25.000")
OWN_CSV = "barcode,length,breadth,height,volume\n"
OWN_XLSX = ("No.", "Barcode", "Length (m)", "Breadth (cm)", "Height (cm)", "Volume (m³)")
GERMAN = "Strichcode;Länge (m);Breite (cm);Höhe (cm)\nB-1;4,2;30;25\n"
POLISH = "Kod;Długość (m);Szerokość (cm);Wysokość (cm)\nB-1;4,2;30;25\n"


def test_what_was_found_is_told() -> None:
    findings = read(tally(ROW, ("B-2", "x", 30, 25), ("Total", 8.4, 60, 50))).findings
    assert findings == {
        "questions": [],
        "head": [
            {
                "table": 1,
                "sheet": "Tally",
                "header_row": 1,
                "columns": [
                    {"number": 1, "letters": "A", "header": "Barcode", "field": "barcode"},
                    {"number": 2, "letters": "B", "header": "Length (m)", "field": "length"},
                    {"number": 3, "letters": "C", "header": "Breadth (cm)", "field": "breadth"},
                    {"number": 4, "letters": "D", "header": "Height (cm)", "field": "height"},
                ],
                "rows": [
                    [2, ["B-1", "4.2", "30", "25"]],
                    [3, ["B-2", "x", "30", "25"]],
                    [4, ["Total", "8.4", "60", "50"]],
                ],
            }
        ],
        "read_as": {
            "columns": {"barcode": 1, "length": 2, "breadth": 3, "height": 4},
            "units": {"length": "m", "breadth": "cm", "height": "cm"},
            "decimal": None,
            "sheet": "Tally",
            "header_row": 1,
            "evidence": {
                "columns.barcode": "Barcode in column A (“Barcode”), from row 1.",
                "columns.length": "Length in column B (“Length (m)”), from row 1.",
                "columns.breadth": "Breadth in column C (“Breadth (cm)”), from row 1.",
                "columns.height": "Height in column D (“Height (cm)”), from row 1.",
                "units.length": "Length in metres, from row 1.",
                "units.breadth": "Breadth in centimetres, from row 1.",
                "units.height": "Height in centimetres, from row 1.",
            },
            "encoding": None,
            "delimiter": None,
        },
        "profile": None,
        "header": "Barcode · Length (m) · Breadth (cm) · Height (cm)",
        "header_digest": findings["header_digest"],
        "left_out": [{"reason": "total", "count": 1}],
        "sheets": [{"name": "Tally", "rows": 2, "accepted": 1}],
        "sheet_volume": None,
        "warnings": [],
        "tables": [
            {
                "sheet": "Tally",
                "grid": 0,
                "columns": {"barcode": 0, "length": 1, "breadth": 2, "height": 3},
            }
        ],
        "made_barcodes": False,
    }


def test_rows_are_the_same_after_leaving_the_sandbox() -> None:
    measures = {"length": Decimal("4.200"), "breadth": Decimal(30), "height": Decimal("25.5")}
    rows = ParsedRows(
        logs=[
            SheetLog(table=0, row=2, barcode="B-1", measures=measures),
            SheetLog(table=1, row=3, barcode=None, measures=measures, sheet_volume=Decimal("0.3")),
        ],
        rejected=[RejectedRow(table=1, row=4, errors={"row": "It is cut."}, text="B-2, 4")],
    )
    assert deserialize_rows(serialize_rows(rows)) == rows


# --- CSV -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "encoding", "delimiter"),
    [
        ("Barcode,Length,Breadth,Height\nB-1,4.2,30,25\n", "utf-8", ","),
        ("\ufeffBarcode;Length;Breadth;Height\r\nB-1;4,2;30;25", "utf-8-sig", ";"),
        ("Barcode\tLength\tBreadth\tHeight\nB-1\t4,2\t30\t25\n", "utf-8", "\t"),
        ('Barcode,Length,Breadth,Height\n"B-1","4,2","30,0",25\n', "utf-8", ","),
    ],
)
def test_a_csv_is_read_with_any_common_delimiter(text: str, encoding: str, delimiter: str) -> None:
    result = read(text)
    assert result.logs == [LOG]
    read_as = result.findings["read_as"]
    assert (read_as["encoding"], read_as["delimiter"]) == (encoding, delimiter)


@pytest.mark.parametrize(
    ("text", "encoding"),
    [(GERMAN, "cp1252"), (POLISH, "cp1250"), (GERMAN, "utf-16"), (POLISH, "utf-8")],
)
def test_a_csv_is_read_in_its_encoding(text: str, encoding: str) -> None:
    assert read(text.encode(encoding)).logs == [LOG]


# In the last one, “svîtrkods” of Windows-1252 differs from a word of headers by an accent alone.
@pytest.mark.parametrize("barcode", ["Etiķete", "Brūkšninis kodas", "Svītrkods"])
def test_an_encoding_may_be_told_by_the_header_alone(barcode: str) -> None:
    header = f"{barcode};Garums (m);Platums (cm);Augstums (cm)\n"
    result = read(f"{header}B-1;4,2;30;25\n".encode("cp1257"))
    assert result.logs == [LOG]
    assert result.evidence["encoding"] == (
        "The encoding is Windows-1257, in which alone the words of the header are known."
    )


def test_csv_rows_are_numbered_as_in_a_spreadsheet() -> None:
    header = "Lorry 7\n\nbarcode,length,breadth,height,remark\n"
    result = read(f'{header}B-1,4,30,25,"two\nlines"\n,,,\nB-2,x,1,1\nB-3,4,30,25\n')
    assert result.rows is not None
    assert ([log.row for log in result.rows.logs], list(result.rejects)) == ([4, 7], [6])


def test_a_workbook_may_be_stored_uncompressed() -> None:
    assert read(replace_parts(tally(ROW), parts={}, packing=0)).logs == [LOG]


# --- Exports of Timba's --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        f'{OWN_CSV}"\'007",4.200,30.000,25.000,0.315\n',
        f"{OWN_CSV.replace(',', ';')}'007;4,200;30,000;25,000;0,315\n",
        workbook(OWN_CSV.strip().split(","), ("'007", 4.2, 30, 25, 0.315)),
    ],
)
def test_a_csv_of_timba_comes_back_without_its_apostrophes(content: bytes | str) -> None:
    result = read(content)
    assert result.logs == [("007", *LOG[1:])]
    assert result.findings["sheet_volume"] == "0.315"


def test_a_workbook_of_timba_comes_back_without_its_details() -> None:
    details = [["Lorry 7"], ["Client", "Woods Ltd"], ["Logs", 2], ["Volume", 0.63], []]
    logs = [(1, "'007", 4.2, 30, 25, 0.315), (2, "B-2", 4.2, 30, 25, 0.315)]
    total = ("Total", None, None, None, None, 0.63)
    result = read(workbook(*details, OWN_XLSX, *logs, total))
    assert [log[0] for log in result.logs] == ["'007", "B-2"]
    assert (result.left_out, result.warnings) == ({"total": 1}, {})


@pytest.mark.parametrize(
    "header", ["Barcode,length,breadth,height,volume", "barcode,length,breadth,height"]
)
def test_the_apostrophes_of_other_sheets_stay(header: str) -> None:
    result = read(f"{header}\n'007,4.2,30,25\n")
    assert result.logs == [("'007", *LOG[1:])]
