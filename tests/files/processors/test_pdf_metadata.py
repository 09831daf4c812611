"""A PDF's title, author and time of creation are facts or null."""

from __future__ import annotations

import pytest

from tests.files.samples import MemorySource, pdf
from timba.files.processors.document import read_document
from timba.files.processors.pdf_metadata import PdfMetadata, parse_date, read_metadata
from timba.files.sandbox import run_in_sandbox


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("D:20240506070809Z", "2024-05-06T07:08:09Z"),
        ("D:20240506070809Z00'00'", "2024-05-06T07:08:09Z"),
        ("D:20240506070809+02'30'", "2024-05-06T04:38:09Z"),
        ("D:20240506070809+02'30", "2024-05-06T04:38:09Z"),
        ("D:20240506070809-0200", "2024-05-06T09:08:09Z"),
        ("D:20240506070809-02:00", "2024-05-06T09:08:09Z"),
        ("D:20210514143134-5'00'", "2021-05-14T19:31:34Z"),
        ("D:20240506070809+02'00'D:2024", "2024-05-06T05:08:09Z"),
        ("20190709173525+01'00'", "2019-07-09T16:35:25Z"),
        ("d:20240506070809 UTC", "2024-05-06T07:08:09Z"),
        ("(D:20240506070809)", "2024-05-06T07:08:09"),
        ("D:20240506070809", "2024-05-06T07:08:09"),
        ("D:20240506070809+", "2024-05-06T07:08:09"),
        ("D:20240506", "2024-05-06T00:00:00"),
        ("D:2024-05-06T07:08:09", "2024-05-06T07:08:09"),
        ("2024-05-06T07:08:09.123+02:00", "2024-05-06T05:08:09Z"),
        ("2024-05-06T07:08Z", "2024-05-06T07:08:00Z"),
        ("2024/5/6 7:08:09", "2024-05-06T07:08:09"),
        # The day, or the month, is not there or in doubt.
        ("D:2024", None),
        ("D:202405", None),
        ("D:2024115070809", None),
        ("D:202411090807", None),
        ("D:191040506070809", None),
        ("D:20240506 070809", None),
        ("5/6/2024 07:08:09", None),
        ("6 May 2024", None),
        ("D:20241399", None),
        ("D:20240506250809", None),
        ("D:00000000000000", None),
        ("D:00010101000000+14'00", None),
        ("D:20240506070809+99'99", None),
        ("", None),
    ],
)
def test_a_date_is_right_or_null(written: str, moment: str | None) -> None:
    assert parse_date(written) == moment
    assert read_metadata(pdf(info={"CreationDate": written})).created_at == moment


@pytest.mark.parametrize(
    ("raw", "title"),
    [
        (b"scan.jpg\0", "scan.jpg"),
        (b" Permit \t 7 ", "Permit 7"),
        (b"\0\0", None),
        ("Bērza baļķi\0".encode("utf-16"), "Bērza baļķi"),
        (b"\xfe\xff" + "Лес".encode("utf-16-be"), "Лес"),
        (b"\xef\xbb\xbf" + "Bērzs".encode(), "Bērzs"),
        # Not as the standard wants it.
        ("Bērza baļķi".encode(), "Bērza baļķi"),
        ("Накладная на груз".encode("cp1251"), "Накладная на груз"),
        # PDFDocEncoding.
        (b"Fahrt \x84 4 \xa0", "Fahrt — 4 €"),
        (b"L\xe4nge", "Länge"),
    ],
)
def test_titles_are_free_of_padding_and_of_wrong_letters(raw: bytes, title: str | None) -> None:
    escaped = b"".join(b"\\%03o" % byte for byte in raw)
    assert read_metadata(pdf(info={"Title": escaped, "Author": escaped})) == PdfMetadata(
        title=title, author=title
    )


DC = 'xmlns:dc="http://purl.org/dc/elements/1.1/"'
XAP = 'xmlns:xmp="http://ns.adobe.com/xap/1.0/"'


def packet(properties: str, attributes: str = "") -> str:
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
        '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        f'<rdf:Description rdf:about="" {DC} {XAP} {attributes}>{properties}</rdf:Description>'
        '</rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
    )


TITLE = (
    '<dc:title><rdf:Alt><rdf:li xml:lang="x-default">Cirsmas atļauja</rdf:li></rdf:Alt></dc:title>'
)
CREATORS = (
    "<dc:creator><rdf:Seq><rdf:li>Forest office</rdf:li><rdf:li>Anna</rdf:li></rdf:Seq>"
    "</dc:creator>"
)
DATE = "2024-05-06T07:08:09+02:00"


@pytest.mark.parametrize(
    ("xmp", "metadata"),
    [
        (
            packet(f"{TITLE}{CREATORS}<xmp:CreateDate>{DATE}</xmp:CreateDate>"),
            PdfMetadata(
                title="Cirsmas atļauja",
                author="Forest office, Anna",
                created_at="2024-05-06T05:08:09Z",
            ),
        ),
        (
            packet("<dc:title>Permit</dc:title>", f'xmp:CreateDate="{DATE}"'),
            PdfMetadata(title="Permit", created_at="2024-05-06T05:08:09Z"),
        ),
        (packet("<xmp:CreateDate>yesterday</xmp:CreateDate>"), PdfMetadata()),
        (packet("<dc:title>Permit"), PdfMetadata()),
        (
            f'<!DOCTYPE x [<!ENTITY e "Permit">]>{packet("<dc:title>&e;</dc:title>")[54:]}',
            PdfMetadata(),
        ),
    ],
    ids=["lists", "attribute", "no date", "cut off", "entities"],
)
def test_a_pdf_with_xmp_alone_has_its_facts(xmp: str, metadata: PdfMetadata) -> None:
    assert read_metadata(pdf(xmp=xmp)) == metadata


def test_the_document_information_comes_first() -> None:
    content = pdf(xmp=packet(TITLE + CREATORS), info={"Title": "Permit"})
    assert read_metadata(content) == PdfMetadata(title="Permit", author="Forest office, Anna")


def test_metadata_are_read_in_the_sandbox() -> None:
    content = pdf(xmp=packet(TITLE), info={"Author": "Лесничество Вологда".encode("koi8-r")})
    found = run_in_sandbox(read_document, MemorySource(content)).findings
    assert (found["title"], found["author"]) == ("Cirsmas atļauja", "Лесничество Вологда")


def test_no_metadata_of_a_file_that_is_no_pdf() -> None:
    assert read_metadata(b"%PDF-1.7\n") == PdfMetadata()
