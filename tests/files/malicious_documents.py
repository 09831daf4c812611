"""PDFs that attack their reader: bombs, loops, scripts and links that nobody may follow."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from functools import partial

from tests.files.malicious_photos import SCRIPT, zeros
from tests.files.pdf_building import (
    CATALOG,
    FONT,
    FONT_OF_ITSELF,
    FORM_OF_ITSELF,
    LAUGHS,
    LETTER,
    PAGE,
    PAGES,
    PATTERN_OF_ITSELF,
    drawing,
    file_of,
    nested_forms,
    page_tree,
    stream,
    wide_tree,
    with_action,
    with_content,
    with_embedded_file,
    with_font,
    with_image,
    with_metadata,
    with_pages,
    with_size,
)
from tests.files.samples import Outcome, pdf, photo
from timba.files.processors.document import DAMAGED, LOCKED
from timba.files.sandbox import CRASHED, TIMED_OUT

ADDRESS = "http://127.0.0.1:9/"
DEPTH = 1_000_000
BLANK: Outcome = {"pages": 1, "text_chars": 0}
ONE_LETTER: Outcome = {"pages": 1, "text_chars": 1}
ONE_PAGE = [CATALOG, PAGES, PAGE, stream(LETTER), FONT]

# By a description: the bytes, and the outcome.
MALICIOUS_DOCUMENTS: dict[str, tuple[Callable[[], bytes], Outcome]] = {
    "100,000 pages": (partial(pdf, 100_000), "The PDF has 100000 pages; 5000 is the most."),
    "pages that are their own branch": (
        lambda: page_tree("<< /Type /Pages /Count 1 /Kids [2 0 R] >>"),
        BLANK,
    ),
    "branches of pages that hold each other": (
        lambda: page_tree(
            "<< /Type /Pages /Count 9 /Kids [3 0 R] >>", "<< /Type /Pages /Count 9 /Kids [2 0 R] >>"
        ),
        {"pages": 9, "text_chars": 0},
    ),
    "a thousand million pages": (partial(wide_tree, 9, 10**9), DAMAGED),
    "a thousand million pages, called one": (partial(wide_tree, 9, 1), BLANK),
    "a thousand million pages, called 5,000": (
        partial(wide_tree, 9, 5_000),
        {"pages": 5_000, "text_chars": 0},
    ),
    "fewer pages than none": (lambda: page_tree("<< /Type /Pages /Count -7 /Kids [] >>"), DAMAGED),
    "no pages": (lambda: page_tree("<< /Type /Pages /Count 0 /Kids [] >>"), DAMAGED),
    "content of a gigabyte": (
        lambda: with_content(stream(zeros(10**9), "/Filter /FlateDecode")),
        CRASHED,
    ),
    "content of a gigabyte, compressed twice": (
        lambda: with_content(
            stream(zlib.compress(zeros(10**9), 9), "/Filter [/FlateDecode /FlateDecode]")
        ),
        CRASHED,
    ),
    "content behind a thousand filters": (
        lambda: with_content(stream(b"x", f"/Filter [{'/ASCIIHexDecode ' * 1_000}]")),
        BLANK,
    ),
    "objects of 400 MB": (
        lambda: drawing(
            LETTER, stream(zeros(4 * 10**8), "/Type /ObjStm /N 9 /First 9 /Filter /FlateDecode")
        ),
        ONE_LETTER,
    ),
    "page of 10^18 square points": (lambda: with_size("0 0 1000000000 1000000000"), ONE_LETTER),
    "page without an area": (lambda: with_size("0 0 0 -99999999999999999999"), ONE_LETTER),
    "JavaScript": (
        lambda: with_action("/S /JavaScript /JS (app.alert\\(1\\); app.launchURL\\(1\\))"),
        ONE_LETTER,
    ),
    "a program to launch": (
        lambda: with_action("/S /Launch /F (/bin/sh) /Win << /F (cmd.exe) >>"),
        ONE_LETTER,
    ),
    "a link to open": (lambda: with_action(f"/S /URI /URI ({ADDRESS})"), ONE_LETTER),
    "another file to open": (
        lambda: with_action(f"/S /GoToR /F << /FS /URL /F ({ADDRESS}) >> /D [0 /Fit]"),
        ONE_LETTER,
    ),
    "an embedded program": (with_embedded_file, ONE_LETTER),
    "content at an address": (
        lambda: with_content(stream(b"", f"/F << /FS /URL /F ({ADDRESS}) >>")),
        BLANK,
    ),
    "content in a file of this machine": (
        lambda: with_content(stream(b"", "/F (/etc/passwd)")),
        BLANK,
    ),
    "encryption": (partial(pdf, locked=True), LOCKED),
    "references that refer to themselves": (lambda: file_of(ONE_PAGE, "/Prev {}"), ONE_LETTER),
    "references at 10^30": (lambda: file_of(ONE_PAGE, "/Prev 1" + "0" * 30), ONE_LETTER),
    "two thousand million objects": (lambda: file_of(ONE_PAGE, "/Size 2147483647"), ONE_LETTER),
    "half of it": (lambda: pdf(3)[:500], DAMAGED),
    "object that is itself": (lambda: file_of(["1 0 R"]), DAMAGED),
    "content whose length is itself": (
        lambda: with_content(b"<< /Length 4 0 R >>\nstream\nBT (x) Tj ET\nendstream"),
        BLANK,
    ),
    "form that draws itself": (lambda: drawing(b"/X Do", FORM_OF_ITSELF), ONE_LETTER),
    "forms that draw a million letters": (partial(nested_forms, 6), CRASHED),
    "pattern that fills itself": (
        lambda: drawing(b"/Pattern cs /P scn 0 0 600 700 re f", PATTERN_OF_ITSELF),
        BLANK,
    ),
    "font that is written in itself": (
        lambda: drawing(
            LETTER,
            FONT_OF_ITSELF,
            stream(b"9 0 d0 " + LETTER),
            page=PAGE.replace("/F1 5 0 R", "/F1 6 0 R"),
        ),
        BLANK,
    ),
    "two million lines": (lambda: drawing(b"0 0 m 9 9 l S\n" * 2_000_000), BLANK),
    "path of five million points": (
        lambda: drawing(b"0 0 m " + b"9 9 l\n" * 5_000_000 + b"S"),
        BLANK,
    ),
    "two million letters": (
        lambda: drawing(b"BT /F1 9 Tf " + b"(x) Tj\n" * 2_000_000 + b"ET"),
        CRASHED,
    ),
    "30 million saved states": (lambda: drawing(b"q " * 30_000_000), CRASHED),
    "5,000 pages of 100,000 letters": (
        lambda: with_pages(5_000, b"BT /F1 9 Tf " + b"(x) Tj\n" * 100_000 + b"ET"),
        TIMED_OUT,
    ),
    "arrays within arrays": (
        lambda: file_of([*ONE_PAGE, "[" * DEPTH + "]" * DEPTH], "/Info 6 0 R"),
        ONE_LETTER,
    ),
    "content of arrays within arrays": (lambda: drawing(b"[" * DEPTH), BLANK),
    "font of nonsense": (lambda: with_font(b"\0\1\0\0" + b"\xff" * 50_000), ONE_LETTER),
    "font of 400,000 million letters": (
        lambda: with_font(
            b"", b"begincmap 100 beginbfrange\n" + b"<0000> <FFFFFFFF> <0041>\n" * 100_000
        ),
        ONE_LETTER,
    ),
    "image of a bomb": (lambda: with_image("/FlateDecode", zeros(10**8)), ONE_LETTER),
    "image of a JPEG": (lambda: with_image("/DCTDecode", photo()), ONE_LETTER),
    "image of JBIG2": (
        lambda: with_image("/JBIG2Decode", b"\0\0\0\0\x30\0\1\0\0\0\x13" + b"\xff" * 500),
        ONE_LETTER,
    ),
    "billion laughs": (partial(pdf, text="x", xmp=LAUGHS), ONE_LETTER),
    "metadata of 300 MB": (lambda: with_metadata(zeros(3 * 10**8)), CRASHED),
    "metadata of five million elements": (
        lambda: with_metadata(zlib.compress(b"<a>" * 5_000_000, 9)),
        CRASHED,
    ),
    "title with a script": (
        partial(pdf, text="x", info={"Title": SCRIPT}),
        {"title": SCRIPT, "text_chars": 1},
    ),
    "title of 4 MB": (partial(pdf, text="x", info={"Title": "x" * 4_000_000}), ONE_LETTER),
    "PDF and HTML": (lambda: f"<html>{SCRIPT}\n".encode() + pdf(text="x"), ONE_LETTER),
    "PDF and ZIP": (lambda: pdf(text="x") + b"PK\5\6" + bytes(18), ONE_LETTER),
}
