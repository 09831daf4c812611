"""Files of readings are told from other texts in whatever layout they are."""

from __future__ import annotations

import pytest

from timba.accounts.models import User
from timba.files.models import File
from timba.files.processing import process_file
from timba.files.receiving import Upload, accept_files
from timba.temperatures.sniffing import describe_layout, sniff_readings

pytestmark = pytest.mark.only_on("sqlite")

SEMICOLONS = "city;temp;at\n7;21,5;31.01.2026 10:00\n7;20,5;31.01.2026 11:00\n"


@pytest.mark.parametrize(
    ("text", "encoding", "layout"),
    [
        (SEMICOLONS, "utf-8", "with semicolons between the fields, with decimal commas"),
        (
            SEMICOLONS,
            "utf-16",
            "with semicolons between the fields, with decimal commas, in UTF-16",
        ),
        (
            SEMICOLONS.replace(";", "\t"),
            "utf-8",
            "with tabs between the fields, with decimal commas",
        ),
        ('"7","21.5","2026-01-31T14:05:00Z"\n' * 2, "utf-8", "with quotes"),
        (
            "x\n" * 30 + "city,temp,at\n" + "7,21.5,2026-01-31T14:05:00Z\n" * 2,
            "utf-8",
            "below 31 lines",
        ),
        (
            "Date,Time,Temperature (°F)\n" + "1/31/2026,1:42 PM,71.2\n" * 2,
            "cp1252",
            "in °F",
        ),
        ("2026-01-31 10:00,21.5,7\n" * 2, "utf-8", ""),
        ("7,21.5,1/31/2026 1:42:00 PM\n" * 2, "utf-8", ""),
    ],
)
def test_readings_are_recognized_in_other_layouts(text: str, encoding: str, layout: str) -> None:
    data = text.encode(encoding)
    assert describe_layout(data) == layout
    assert sniff_readings(data)


@pytest.mark.parametrize(
    "text",
    [
        "Invoice;Date;Amount\n" + "A1;2026-01-31 10:00;12,50\n" * 3,
        "Barcode;Length;Measured\n" + "B1;4,20;2026-01-31 10:00\n" * 3,
        "Meeting 2026-01-31 10:00, 7 people\nLunch, 5\n",
        "2026-01-31 10:00 7\n" * 3,
        "x\n" * 20 + "7,21.5,2026-01-31T14:05:00Z\n" * 2,
        "",
    ],
)
def test_other_tables_are_no_readings(text: str) -> None:
    assert describe_layout(text.encode()) is None
    assert not sniff_readings(text.encode())


def upload(actor: User, text: str, kind: str | None = None) -> File:
    sent = Upload(name="logger.csv")
    sent.write(text.encode())
    sent.finish()
    sent.identify(kind=kind)
    (accepted,) = accept_files(actor=actor, client=actor.client, uploads=[sent])
    assert process_file(accepted.file.pk)
    accepted.file.refresh_from_db()
    return accepted.file


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("text", "status", "error"),
    [
        (SEMICOLONS, "SUCCESS", ""),
        ("7,21.5,1/31/2026 1:42:00 PM\n" * 2, "SUCCESS", ""),
        ("x\n" * 30 + "city,temp,at\n" + "7,21.5,2026-01-31T14:05:00Z\n" * 2, "SUCCESS", ""),
    ],
)
def test_readings_never_count_as_a_mere_text(
    owner: User, text: str, status: str, error: str
) -> None:
    file = upload(owner, text)
    assert (file.kind, file.status, file.error) == ("temperatures", status, error)


@pytest.mark.django_db
def test_a_text_that_was_chosen_to_be_one_is_kept_as_a_text(owner: User) -> None:
    file = upload(owner, SEMICOLONS, kind="text")
    assert (file.kind, file.status, file.result["lines"]) == ("text", "SUCCESS", 3)
