"""A file's bytes decide its kind, and the extension of its name must agree."""

from __future__ import annotations

import contextlib
import gzip
import random
import string
import sys
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy._core import _multiarray_umath

from tests.tallies.sheets import tally
from timba.files.kinds import (
    HEAD_BYTES,
    KINDS_BY_EXTENSION,
    SEND_AS_JPEG,
    Detected,
    UnknownKind,
    detect,
    extension_of,
    looks_like_text,
    size_limit,
)

JPEG, PNG, PDF = b"\xff\xd8\xff\xe0\0\x10JFIF", b"\x89PNG\r\n\x1a\n\0\0", b"%PDF-1.7\n"
WEBP = b"RIFF\x10\0\0\0WEBPVP8 "
HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"
TEXT = "Lärche, 12 Stämme\n".encode()
READINGS = b"7,21.5,2026-01-01T00:00:00Z\n"
PACKED = gzip.compress(READINGS, mtime=0)
ALL_KINDS = {"photo", "document", "text", "temperatures", "tally"}
BOOK = tally(("B-1", 4, 30, 25))
WORKBOOK = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
NOISE = random.Random(1).randbytes(999)


def part(name: str) -> bytes:
    """Return the beginning of a zip archive whose first entry has this name."""
    return b"PK\x03\x04" + bytes(22) + len(name).to_bytes(2, "little") + b"\0\0" + name.encode()


def is_readings(head: bytes) -> bool:
    return head.startswith((READINGS, PACKED[:20]))


def kind_of(name: str, head: bytes, requested: str | None = None) -> Detected:
    return detect(name=name, head=head, requested=requested, sniffers={"temperatures": is_readings})


@pytest.mark.parametrize(
    ("name", "head", "requested", "kind", "media_type"),
    [
        ("a.jpg", JPEG, None, "photo", "image/jpeg"),
        ("a.JPEG", JPEG, None, "photo", "image/jpeg"),
        ("a.PnG", PNG, None, "photo", "image/png"),
        ("a.webp", WEBP, "photo", "photo", "image/webp"),
        ("a.jfif", JPEG, None, "photo", "image/jpeg"),
        ("a.pdf", PDF, None, "document", "application/pdf"),
        ("a.pdf", b"\xef\xbb\xbf" + PDF, None, "document", "application/pdf"),
        ("a.pdf", b"\r\n" + PDF, None, "document", "application/pdf"),
        ("a.pdf", b"Content-Type: application/pdf\n\n" + PDF, None, "document", "application/pdf"),
        ("a.pdf", bytes(1000) + PDF, None, "document", "application/pdf"),
        ("a.txt", b"About %PDF-1.7", None, "text", "text/plain"),
        ("a.txt", TEXT, None, "text", "text/plain"),
        ("a.md", TEXT, None, "text", "text/markdown"),
        ("a.csv", TEXT, None, "text", "text/csv"),
        ("a.csv", READINGS, None, "temperatures", "text/csv"),
        ("a.txt", READINGS, None, "temperatures", "text/plain"),
        # A kind that the user chose is taken, either way.
        ("a.csv", READINGS, "text", "text", "text/csv"),
        ("a.csv", TEXT, "temperatures", "temperatures", "text/csv"),
        ("a.md", READINGS, None, "text", "text/markdown"),
        ("a.gz", PACKED, None, "temperatures", "application/gzip"),
        ("a.csv.GZ", PACKED, None, "temperatures", "application/gzip"),
        ("a.gz", gzip.compress(TEXT, mtime=0), "temperatures", "temperatures", "application/gzip"),
        ("a.csv", READINGS.decode().encode("utf-16"), "temperatures", "temperatures", "text/csv"),
        ("a.csv", "°C\n".encode("cp1252"), "temperatures", "temperatures", "text/csv"),
        (
            "a.gz",
            gzip.compress(READINGS.decode().encode("utf-16"), mtime=0),
            "temperatures",
            "temperatures",
            "application/gzip",
        ),
        # A logger that lost power leaves zeros.
        ("a.csv", READINGS + bytes(8192) + b"\n", None, "temperatures", "text/csv"),
        # Temperature files may have any extension, or none.
        ("readings", READINGS, "temperatures", "temperatures", "text/plain"),
        ("readings.dat", PACKED, "temperatures", "temperatures", "application/gzip"),
        (".csv", READINGS, "temperatures", "temperatures", "text/plain"),
        ("a.txt", "Lärche".encode("utf-16"), None, "text", "text/plain"),
        ("a.txt", "Bērzs, egle".encode("utf-16-le"), None, "text", "text/plain"),
        ("a.txt", "Лес, груз".encode("utf-16-be"), None, "text", "text/plain"),
        ("a.csv", "Bērzs;4".encode("utf-16-le")[:-1], None, "text", "text/csv"),
        ("a.txt", "Lärche, 12 Stämme".encode("cp1252"), None, "text", "text/plain"),
        ("a.csv", "Größe, Länge, Höhe".encode("cp1252"), "tally", "tally", "text/csv"),
        ("a.xlsx", BOOK, None, "tally", WORKBOOK),
        ("a.XLSX", part("[Content_Types].xml"), "tally", "tally", WORKBOOK),
        ("a.xlsx", part("xl/workbook.xml"), None, "tally", WORKBOOK),
        ("a.csv", TEXT, "tally", "tally", "text/csv"),
        ("a.csv", READINGS, "tally", "tally", "text/csv"),
        ("лиственница.txt", TEXT, None, "text", "text/plain"),
    ],
)
def test_the_bytes_decide_the_kind(
    name: str, head: bytes, requested: str | None, kind: str, media_type: str
) -> None:
    assert kind_of(name, head, requested) == Detected(kind=kind, media_type=media_type)


@pytest.mark.parametrize(
    ("name", "head", "requested", "sentence"),
    [
        ("a.exe", b"MZ", None, "files ending in “.exe” cannot be read here."),
        ("a.svg", b"<svg/>", None, "files ending in “.svg” cannot be read here."),
        ("a", TEXT, None, "the file name has no extension."),
        (".txt", TEXT, None, "the file name has no extension."),
        ("a.", TEXT, None, "the file name has no extension."),
        ("a.jpg", PNG, None, "its name ends in “.jpg”, but its bytes are a PNG image."),
        ("a.png", JPEG, None, "its name ends in “.png”, but its bytes are a JPEG photo."),
        ("a.pdf", WEBP, None, "its name ends in “.pdf”, but its bytes are a WebP image."),
        ("a.txt", PDF, None, "its name ends in “.txt”, but its bytes are a PDF."),
        ("a.csv", PACKED, None, "its name ends in “.csv”, but its bytes are a gzip archive."),
        ("a.jpg", TEXT, None, "its name ends in “.jpg”, but its bytes are plain text."),
        (
            "a.jpg",
            b"GIF89a" + bytes(range(256)) * 9,
            None,
            "its name ends in “.jpg”, but its bytes are of no kind that can be read here.",
        ),
        (
            "a",
            JPEG,
            "temperatures",
            "its name has no extension, but its bytes are a JPEG photo.",
        ),
        (
            "a.csv",
            TEXT,
            "photo",
            "its name ends in “.csv”, which is not a file of kind photo.",
        ),
        (
            "a.jpg",
            READINGS,
            "temperatures",
            "its name ends in “.jpg”, which is not a file of kind temperatures.",
        ),
        ("a.gz", b"\x1f\x8b" + bytes(50), None, "the archive is damaged."),
        (
            "a.xls",
            OLE,
            None,
            "files ending in “.xls” cannot be read here. Save it as an Excel workbook (.xlsx).",
        ),
        (
            "a.ods",
            part("mimetype"),
            None,
            "files ending in “.ods” cannot be read here. Save it as an Excel workbook (.xlsx).",
        ),
        (
            "a.xlsx",
            OLE,
            None,
            "it is locked with a password, or in an old format. Save it without one, as .xlsx.",
        ),
        (
            "a.xlsx",
            part("mimetype"),
            None,
            "its name ends in “.xlsx”, but its bytes are a zip archive.",
        ),
        (
            "a.xlsx",
            part("[Content_Types].xml") + part("word/document.xml"),
            None,
            "its name ends in “.xlsx”, but its bytes are a zip archive.",
        ),
        ("a.xlsx", TEXT, None, "its name ends in “.xlsx”, but its bytes are plain text."),
        ("a.csv", BOOK, "tally", "its name ends in “.csv”, but its bytes are an Excel workbook."),
        ("a.txt", TEXT, "tally", "its name ends in “.txt”, which is not a file of kind tally."),
        (
            "a.pdf",
            b" " * 1024 + PDF,
            None,
            "its name ends in “.pdf”, but its bytes are plain text.",
        ),
        (
            "a.gz",
            gzip.compress(random.Random(1).randbytes(999), mtime=0),
            None,
            "there is no text in this archive.",
        ),
        (
            "a.gz",
            gzip.compress(TEXT, mtime=0),
            None,
            "there are no temperature readings in this archive.",
        ),
    ],
)
def test_a_file_of_no_known_kind_is_refused_with_its_reason(
    name: str, head: bytes, requested: str | None, sentence: str
) -> None:
    with pytest.raises(UnknownKind) as refusal:
        kind_of(name, head, requested)
    assert str(refusal.value) == sentence


@pytest.mark.heic_is_read(False)
@pytest.mark.parametrize(
    ("name", "head", "requested", "sentence"),
    [
        ("a.heic", HEIC, None, f"files ending in “.heic” cannot be read here. {SEND_AS_JPEG}"),
        ("a.HEIF", HEIC, None, f"files ending in “.heif” cannot be read here. {SEND_AS_JPEG}"),
        (
            "a.jpg",
            HEIC,
            None,
            f"its name ends in “.jpg”, but its bytes are a HEIC photo. {SEND_AS_JPEG}",
        ),
        (
            "a.png",
            HEIC.replace(b"heic", b"mif1"),
            None,
            f"its name ends in “.png”, but its bytes are a HEIC photo. {SEND_AS_JPEG}",
        ),
    ],
)
def test_a_heic_photo_is_refused_with_advice(
    name: str, head: bytes, requested: str | None, sentence: str
) -> None:
    with pytest.raises(UnknownKind) as refusal:
        kind_of(name, head, requested)
    assert str(refusal.value) == sentence


@pytest.mark.parametrize("ending", sorted(KINDS_BY_EXTENSION))
def test_random_bytes_are_refused_whatever_their_name(ending: str) -> None:
    noise = random.Random(ending)
    for _ in range(50):
        with pytest.raises(UnknownKind):
            kind_of(f"noise.{ending}", noise.randbytes(noise.randrange(200, 5000)))


@settings(max_examples=50)
@given(
    name=st.text() | st.sampled_from([f"x.{ending}" for ending in KINDS_BY_EXTENSION]),
    start=st.sampled_from([b"", JPEG, PNG, PDF, WEBP, PACKED, BOOK, OLE]),
    rest=st.binary(max_size=200),
    requested=st.none() | st.sampled_from(sorted(ALL_KINDS)),
)
def test_every_file_is_of_some_kind_or_refused(
    name: str, start: bytes, rest: bytes, requested: str | None
) -> None:
    with contextlib.suppress(UnknownKind):
        assert kind_of(name, start + rest, requested).kind in {
            requested or kind for kind in ALL_KINDS
        }


@pytest.mark.parametrize(
    "text",
    [
        READINGS.decode().encode("utf-16"),
        READINGS.decode().encode("utf-16-le"),
        READINGS.decode().encode("utf-16-be")[:-1],
        "Ort;Temp °C;Zeit\n7;1,5;01.02.2026 08:00\n".encode("cp1252"),
        "Город;Температура\n7;1,5\n".encode("cp1251"),
        READINGS + bytes(8192) + READINGS,
        bytes(HEAD_BYTES // 2) + READINGS,
    ],
)
def test_readings_may_be_in_any_encoding_and_damaged_by_a_power_cut(text: bytes) -> None:
    for head, name in ((text, "a.csv"), (text, "a"), (gzip.compress(text), "a.gz")):
        assert kind_of(name, head[:HEAD_BYTES], "temperatures").kind == "temperatures"


@pytest.mark.parametrize("path", [sys.executable, _multiarray_umath.__file__])
def test_programs_are_no_readings(path: str) -> None:
    with Path(path).open("rb") as stream:
        head = stream.read(HEAD_BYTES)
    for start in (0, 64, 4096):
        for name, bytes_ in (("a", head[start:]), ("a", gzip.compress(head[start:]))):
            with pytest.raises(UnknownKind):
                kind_of(name, bytes_, "temperatures")


def test_a_gzip_bomb_is_decompressed_no_further_than_its_head() -> None:
    bomb = gzip.compress(b"7" * 50_000_000)
    tracemalloc.start()
    try:
        with pytest.raises(UnknownKind):
            kind_of("bomb.gz", bomb[:HEAD_BYTES])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 * 1024 * 1024


@pytest.mark.parametrize(
    ("bytes_", "is_text"),
    [
        (b"", True),
        (string.printable.encode(), True),
        (b"\x1b[1mbold\x1b[0m", True),
        ("дуб 𝟙 🌲".encode(), True),
        ("дуб".encode()[:-1] + b" and nine more words to outweigh it", True),
        (b"\0" * 20, False),
        (b"abc\0\0\0\0", False),
        (b"\xff\xfea\0", True),
        ("Größe: äöüÄÖÜß".encode("cp1252"), True),
        ("Größe: äöüÄÖÜß\0".encode("cp1252"), False),
    ],
)
def test_text_is_told_from_other_bytes(bytes_: bytes, is_text: bool) -> None:
    assert looks_like_text(bytes_) is is_text


@pytest.mark.parametrize(
    ("name", "extension"),
    [("a.TXT", "txt"), ("a.b.Csv", "csv"), (".txt", ""), ("txt", ""), ("a.", ""), ("..", "")],
)
def test_the_extension_of_a_name(name: str, extension: str) -> None:
    assert extension_of(name) == extension


@pytest.mark.parametrize(
    ("name", "limit"),
    [("a.jpg", 5 * 1024**2), ("a.PDF", 5 * 1024**2), ("a.csv", 7), ("a.gz", 7), ("a", 7)],
)
def test_photos_and_pdfs_have_a_limit_of_their_own(name: str, limit: int) -> None:
    assert size_limit(name, general=7) == limit
