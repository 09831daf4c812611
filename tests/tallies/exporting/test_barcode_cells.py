"""Barcodes that a spreadsheet program would change or run have an apostrophe in a CSV."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timba.tallies.exporting.barcode_cells import escape_barcode, unescape_barcode


@pytest.mark.parametrize(
    "barcode",
    [
        # Numbers, which lose zeros, signs or digits.
        *(
            "00042",
            "0012345678905",
            "123456789012",
            "007.50",
            ".5",
            "12,5",
            "1 000",
            "1E5",
            "2e+10",
        ),
        *("(5)", "5-", "€5", "5 kr", "5%", "12 1/2", "１２３", "٤٢"),
        # Days and hours, in some languages.
        *("1-2", "1/2", "1.2", "2024-05-06", "6.5.2024", "12:30", "100:15", "8:30 PM", "1 A"),
        *("MAR1", "1MAR", "Sept 2", "5. März 2024", "MRZ 5", "okt-3", "12 май", "2024年5月6日"),
        # Truth values and errors.
        *("TRUE", "false", "WAHR", "Истина", "#N/A", "#REF!"),
        # Formulas.
        *("=1+1", "+371-1", "-5", "@SUM(1)", "\t1", "\r1", "＝1", '"=1"'),
        # Those that begin with an apostrophe of their own.
        *("'=1", "''00042", "'TRUE"),
    ],
)
def test_a_barcode_that_would_change_or_run_gets_an_apostrophe(barcode: str) -> None:
    assert escape_barcode(barcode) == f"'{barcode}"
    assert unescape_barcode(f"'{barcode}") == barcode


@pytest.mark.parametrize(
    "barcode",
    [
        *("TB-1-000001", "A1", "P7", "E5", "A-12", "1001", "0", "12345678901", "4751A", "R2D2"),
        *("12-345-678", "#12", "TRUE1", "MARTA-1", "May", "(01)04751234567890(21)7", "a=b"),
        *("'", "'t Woud", "Bērzs-1", "松木-1", "🌲-1"),
    ],
)
def test_other_barcodes_are_written_as_they_are(barcode: str) -> None:
    assert escape_barcode(barcode) == barcode
    assert unescape_barcode(barcode) == barcode


@given(st.text(alphabet="'=-+@0129.,:/eE %aAmMrRtTuU#;\"Ķ", max_size=8))
def test_each_barcode_has_one_form_in_a_csv(barcode: str) -> None:
    assert unescape_barcode(escape_barcode(barcode)) == barcode


@given(st.text(alphabet="'=-0129.MAR1 ", max_size=6), st.text(alphabet="'=-0129.MAR1 ", max_size=6))
def test_no_two_barcodes_share_a_form(one: str, other: str) -> None:
    assert (escape_barcode(one) == escape_barcode(other)) is (one == other)
