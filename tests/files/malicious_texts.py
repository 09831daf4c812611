"""Texts, CSVs and gzip archives that attack their reader, and files that are not what they say."""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable
from functools import partial

from tests.files.malicious_photos import SCRIPT, noise, riff
from tests.files.malicious_workbooks import BOOK
from tests.files.samples import MaliciousFile, Outcome, pdf, photo
from timba.tallies.cells.sheet_xml import TOO_FULL
from timba.tallies.reading import NO_HEADER
from timba.temperatures.file_parsing import FORMAT, NO_LINES
from timba.temperatures.lines.blocks import TRUNCATED

READINGS = b"7,21.5,2026-01-01T00:00:00Z\n"
HEADER = b"Barcode;Length (m);Breadth (cm);Height (cm)\n"
LOG = b"B-1;4.2;30.5;25\n"
HTML = f"<!doctype html><html><body>{SCRIPT}</body></html>\n".encode()
SVG = f"<svg xmlns='http://www.w3.org/2000/svg' onload='x()'>{SCRIPT}</svg>\n".encode()
ELF = b"\x7fELF\2\1\1" + bytes(9) + noise(4_000)
EXE = b"MZ\x90\0\3\0\0\0" + noise(4_000)


def gzip_of(text: bytes, times: int) -> bytes:
    """Return an archive of a text that is repeated."""
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", mtime=0) as archive:
        for _ in range(times):
            archive.write(text)
    return packed.getvalue()


def mismatch(extension: str, what: str = "of no kind that can be read here") -> str:
    return f"its name ends in “.{extension}”, but its bytes are {what}."


def called(
    extension: str, build: Callable[[], bytes], what: str, upload_refusal: str = ""
) -> MaliciousFile:
    """Return a file whose bytes are not what its name says."""
    return MaliciousFile(f"x.{extension}", build, {}, mismatch(extension, what), upload_refusal)


def text(name: str, build: Callable[[], bytes], **outcomes: Outcome) -> MaliciousFile:
    return MaliciousFile(name, build, outcomes)


def archive(build: Callable[[], bytes], outcome: Outcome) -> MaliciousFile:
    return MaliciousFile("x.csv.gz", build, {"temperatures": outcome})


def refused(name: str, build: Callable[[], bytes], refusal: str) -> MaliciousFile:
    return MaliciousFile(name, build, {}, refusal)


NO_READINGS = "No line of the file is a reading. Line 1: {} " + FORMAT
NO_FIELDS = NO_READINGS.format(
    "The line does not have exactly three fields: city_id,temperature,timestamp."
)
TOO_LONG = NO_READINGS.format("The line is longer than 1 MB.")
NOT_UTF8 = NO_READINGS.format("The line is not UTF-8 text.")
UNSUPPORTED = "files ending in “.{}” cannot be read here."
UNKNOWN = "of no kind that can be read here"
WRONG_MARK = "Its bytes are not the text that its first bytes promise."
ONE_READING: Outcome = {"accepted": 1, "rejected": 1}
ONE_LOG: Outcome = {"accepted": 1, "rejected": 0}
NO_TEXT = "there is no text in this archive."

MALICIOUS_TEXTS: dict[str, MaliciousFile] = {
    "100 MB in one line": text(
        "x.txt",
        lambda: b"x" * 100 * 1024**2,
        text={"lines": 1, "chars": 104_857_600},
        temperatures=TOO_LONG,
    ),
    "NULs alone": refused("x.txt", lambda: bytes(100_000), mismatch("txt")),
    "NULs behind a text": text(
        "x.txt",
        lambda: b"larch\n" * 20_000 + bytes(1_000_000),
        text={"lines": 20_001, "chars": 1_120_000},
        temperatures=NO_FIELDS,
    ),
    "text in UTF-7": text(
        "x.txt",
        lambda: b"+ADw-script+AD4-alert(1)+ADw-/script+AD4-\n",
        text={"encoding": "utf-8", "preview": "+ADw-script+AD4-alert(1)+ADw-/script+AD4-\n"},
        temperatures=NO_FIELDS,
    ),
    "text in UTF-16 that ends within a letter": text(
        "x.txt",
        lambda: "larch\n\U0001f332".encode("utf-16")[:-1],
        text=WRONG_MARK,
        temperatures=NOT_UTF8,
    ),
    "UTF-16 of half letters": text(
        "x.txt",
        lambda: b"\xff\xfe" + b"\0\xd8" * 10_000,
        text=WRONG_MARK,
        temperatures=NOT_UTF8,
    ),
    "escape sequences": text(
        "x.txt",
        lambda: b"\x1b]0;title\x07\x1b[2J\x1b[31mlarch\n" * 10,
        text={"lines": 10},
        temperatures=NO_FIELDS,
    ),
    "letters from right to left": text(
        "x.txt",
        partial(str.encode, "\u202e\u2066exe.gnp\u2069\n"),
        text={"preview": "\u202e\u2066exe.gnp\u2069\n"},
        temperatures=NO_FIELDS,
    ),
    "a million marks on one letter": text(
        "x.txt",
        lambda: b"a" + "\u0301".encode() * 10**6,
        text={"lines": 1, "chars": 1_000_001},
        temperatures=TOO_LONG,
    ),
    "ten million empty lines": text(
        "x.txt", lambda: b"\n" * 10**7, text={"lines": 10**7}, temperatures=f"{NO_LINES} {FORMAT}"
    ),
    "Markdown with a script": MaliciousFile(
        "x.md", lambda: HTML, {"text": {"preview": HTML.decode()}}
    ),
    "tally of a million empty rows": text(
        "x.csv",
        lambda: HEADER + LOG + b";;;\n" * 10**6,
        text={"lines": 1_000_002},
        temperatures=NO_FIELDS,
        tally=ONE_LOG,
    ),
    "tally of a million rows": text(
        "x.csv",
        lambda: HEADER + LOG * 10**6,
        text={"lines": 1_000_001},
        temperatures=NO_FIELDS,
        tally=TOO_FULL,
    ),
    "row of a million columns": text(
        "x.csv",
        lambda: HEADER + b";" * 10**6 + b"\n" + LOG,
        text={"lines": 3},
        temperatures=NO_FIELDS,
        tally={"accepted": 1, "rejected": 1},
    ),
    "header of a million columns": text(
        "x.csv",
        lambda: b"Barcode;Length;" + b"x;" * 10**6 + b"\n" + LOG,
        text={"lines": 2},
        temperatures=TOO_LONG,
        tally="No column says that it holds the breadth. Which one is it?",
    ),
    "quotes that are never closed": text(
        "x.csv",
        lambda: HEADER + b'"B;' * 30_000 + b"\n" + LOG + b'"B-2;4;3;2\n' * 500,
        text={"lines": 503},
        temperatures=NO_FIELDS,
        tally={"accepted": 1, "rejected": 501},
    ),
    "formulas": text(
        "x.csv",
        lambda: HEADER + b"=cmd|' /C calc'!A0;4.2;30.5;25\n",
        text={"lines": 2},
        temperatures=NO_FIELDS,
        tally={"accepted": 1, "rejected": 0},
    ),
    "readings below a line of 60 MB": text(
        "x.csv",
        lambda: b"7," * 30_000_000 + b"\n" + READINGS,
        text={"lines": 2},
        temperatures=ONE_READING,
        tally=NO_HEADER,
    ),
    "readings below a million quotes": text(
        "x.csv",
        lambda: b"city_id,temperature,timestamp\n" + b'"' * 1_000_001 + b"\n" + READINGS,
        text={"lines": 3},
        temperatures=ONE_READING,
        tally=NO_HEADER,
    ),
    "temperature of a million digits": text(
        "x.csv",
        lambda: b"7," + b"9" * 1_000_000 + b",2026-01-01T00:00:00Z\n" + READINGS,
        text={"lines": 2},
        temperatures=ONE_READING,
        tally=NO_HEADER,
    ),
    "gzip of a gigabyte of one reading": archive(
        partial(gzip_of, READINGS * 30_000, 1_200), {"accepted": 36_000_000, "rejected": 0}
    ),
    "gzip of readings, then zeros": archive(
        lambda: gzip_of(READINGS, 1) + gzip_of(bytes(10**6), 100),
        "“x.csv.gz” unpacks to more than 450 times its size, as no readings do. "
        "Upload it unpacked.",
    ),
    "gzip of 200,000 members": archive(
        lambda: gzip.compress(READINGS, mtime=0) + gzip.compress(b"", mtime=0) * 200_000,
        {"accepted": 1, "rejected": 0},
    ),
    "gzip that is cut off": archive(
        lambda: gzip.compress(READINGS + noise(9_999).hex().encode())[:5_000], TRUNCATED
    ),
    "gzip with a name that leads out": archive(
        lambda: b"\x1f\x8b\x08\x08" + bytes(6) + b"../../x\0" + gzip.compress(READINGS * 2)[10:],
        {"accepted": 2, "rejected": 0},
    ),
    **{
        f"gzip of {what}": refused("x.csv.gz", build, reason)
        for what, build, reason in (
            ("zeros", partial(gzip_of, bytes(10**6), 100), NO_TEXT),
            (
                "a wrong checksum",
                lambda: gzip.compress(READINGS)[:-8] + bytes(8),
                "the archive is damaged.",
            ),
            ("a gzip", lambda: gzip.compress(gzip.compress(READINGS)), NO_TEXT),
            ("a program", lambda: gzip.compress(ELF), NO_TEXT),
        )
    },
    **{
        f"{what} called x.{extension}": called(extension, partial(bytes, content), "plain text")
        for what, content in (("SVG", SVG), ("HTML", HTML))
        for extension in ("jpg", "png", "webp", "pdf", "xlsx", "gz")
    },
    **{
        f"{what} called x.{extension}": MaliciousFile(
            f"x.{extension}",
            partial(bytes, content),
            {"text": {"preview": content.decode()}, "temperatures": NO_FIELDS},
        )
        for what, content in (("SVG", SVG), ("HTML", HTML))
        for extension in ("txt", "csv")
    },
    **{
        f"{what} called x.{extension}": MaliciousFile(
            f"x.{extension}",
            partial(bytes, content),
            {"temperatures": NO_FIELDS} if content.isascii() else {},
            UNSUPPORTED.format(extension),
            "" if content.isascii() else mismatch(extension),
        )
        for what, content in (("SVG", SVG), ("HTML", HTML), ("EXE", EXE), ("ELF", ELF))
        for extension in ("svg", "html", "exe", "php", "js")
    },
    **{
        f"{what} called x.{extension}": called(extension, partial(bytes, content), UNKNOWN)
        for what, content in (("EXE", EXE), ("ELF", ELF))
        for extension in ("jpg", "png", "webp", "pdf", "txt", "csv", "xlsx", "gz")
    },
    "GIF and JavaScript": called("jpg", lambda: b"GIF89a/*" + bytes(20) + b"*/=1;", "plain text"),
    "TIFF": called("jpg", lambda: b"II*\0\x08\0\0\0" + bytes(100), UNKNOWN),
    "AVI": called("webp", lambda: riff(bytes(100)).replace(b"WEBP", b"AVI ", 1), UNKNOWN),
    "ZIP called x.pdf": called("pdf", lambda: b"PK\3\4" + bytes(100), "a zip archive"),
    "ZIP called x.xlsx": called("xlsx", lambda: b"PK\3\4" + bytes(100), "a zip archive"),
    "JPEG called x.png": called("png", photo, "a JPEG photo"),
    "JPEG called x.pdf": called("pdf", photo, "a JPEG photo"),
    "JPEG called x.csv": called("csv", photo, "a JPEG photo"),
    "PNG called x.jpg": called("jpg", partial(photo, kind="PNG"), "a PNG image"),
    "PDF called x.jpg": called("jpg", pdf, "a PDF"),
    "PDF called x.txt": called("txt", pdf, "a PDF"),
    "workbook called x.csv": called("csv", partial(bytes, BOOK), "an Excel workbook"),
    "workbook called x.xlsm": MaliciousFile(
        "x.xlsm",
        partial(bytes, BOOK),
        {},
        UNSUPPORTED.format("xlsm") + " Save it as an Excel workbook (.xlsx).",
        mismatch("xlsm", "an Excel workbook"),
    ),
    "gzip called x.txt": called("txt", lambda: gzip.compress(READINGS), "a gzip archive"),
    "program without an extension": MaliciousFile(
        "x",
        partial(bytes, ELF),
        {},
        "the file name has no extension.",
        f"its name has no extension, but its bytes are {UNKNOWN}.",
    ),
}
