"""Files of readings are told from other texts in whatever layout they are."""

from __future__ import annotations

import gzip
import random

import pytest

from timba.accounts.models import User
from timba.files.models import File
from timba.files.processing import process_file
from timba.files.receiving import Upload, accept_files
from timba.temperatures.sniffing import sniff_readings

pytestmark = pytest.mark.only_on("sqlite")

SEMICOLONS = "city;temp;at\n7;21,5;31.01.2026 10:00\n7;20,5;31.01.2026 11:00\n"


PLAIN = "7,21.5,2026-01-31T14:05:00Z\n"


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (SEMICOLONS, "utf-8"),
        (SEMICOLONS, "utf-16"),
        (SEMICOLONS.replace(";", "\t"), "utf-8"),
        ('"7","21.5","2026-01-31T14:05:00Z"\n' * 2, "utf-8"),
        ("x\n" * 100 + "city,temp,at\n" + "?\n" * 19 + PLAIN, "utf-8"),
        ("Date,Time,Temperature (°F)\n" + "1/31/2026,1:42 PM,71.2\n" * 2, "cp1252"),
        ("Город;Дата;Время;Температура\n7;31.01.2026;13:42;21,5\n", "cp1251"),
        ("2026-01-31 10:00,21.5,7\n" * 2, "utf-8"),
        ("7,21.5,1/31/2026 1:42:00 PM\n" * 2, "utf-8"),
        # What is open is asked later.
        ("time,temp\n02/03/2026 10:00,400\n", "utf-8"),
        ("city;temp 1;temp 2;time\n7;1;2;2026-01-31 10:00\n", "utf-8"),
    ],
)
def test_readings_are_recognized_in_other_layouts(text: str, encoding: str) -> None:
    data = text.encode(encoding)
    assert sniff_readings(data)
    assert sniff_readings(gzip.compress(data))


@pytest.mark.parametrize(
    "text",
    [
        "Invoice;Date;Amount\n" + "A1;2026-01-31 10:00;12,50\n" * 3,
        "Invoice,Amount,Date\n" + "7,12.50,2026-01-31 10:00\n" * 3,
        "Barcode;Length;Measured\n" + "B1;4,20;2026-01-31 10:00\n" * 3,
        "Barcode,Length,Measured\n" + "7,4.20,2026-01-31 10:00\n" * 3,
        # The letter T is a thickness here.
        "Tag,L,B,T,Date\n" + "1,4.2,30,25,2026-01-31 10:00\n" * 3,
        "Nr;Länge (m);Datum\n" + "1;4,20;31.01.2026 10:00\n" * 3,
        "city_id,humidity,timestamp\n" + "7,45.5,2026-01-31 10:00\n" * 3,
        "city_id,temperature,timestamp\n",
        "city_id,temperature,timestamp\n" + "?\n" * 20 + PLAIN,
        "time,temp\n2026-01-31,21.5\n",
        "Meeting 2026-01-31 10:00, 7 people\nLunch, 5\n",
        "2026-01-31 10:00 7\n" * 3,
        "2026-01-31 10:00,21.5\n" * 3,
        "x\n" * 20 + PLAIN * 2,
        "x\n" * 101 + "city;temp;at\n7;21,5;31.01.2026 10:00\n",
        "",
    ],
)
def test_other_tables_are_no_readings(text: str) -> None:
    assert not sniff_readings(text.encode())
    assert not sniff_readings(gzip.compress(text.encode()))


def test_an_archive_is_recognized_by_what_its_head_unpacks_to() -> None:
    noise = random.Random(1)
    lines = "".join(f"7,{noise.randrange(99999) / 100},2026-01-31 10:00\n" for _ in range(9000))
    packed = gzip.compress(b"") + gzip.compress(lines.encode())
    assert sniff_readings(packed[: 64 * 1024])
    assert not sniff_readings(packed[:12] + b"damaged" + packed[12:])


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
