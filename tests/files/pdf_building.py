"""Builds PDFs that attack their reader, object by object."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

CATALOG = "<< /Type /Catalog /Pages 2 0 R >>"
PAGES = "<< /Type /Pages /Count 1 /Kids [3 0 R] >>"
RESOURCES = "/Font << /F1 5 0 R >> /XObject << /X 6 0 R >> /Pattern << /P 6 0 R >>"
PAGE = (
    "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R "
    f"/Resources << {RESOURCES} >> >>"
)
LETTER = b"BT /F1 9 Tf (x) Tj ET"
FORM = "/Type /XObject /Subtype /Form /BBox [0 0 9 9]"
FONT = "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"


def stream(content: bytes, facts: str = "") -> bytes:
    """Return the object of a stream."""
    head = f"<< /Length {len(content)} {facts} >>\nstream\n".encode()
    return head + content + b"\nendstream"


def packed(content: bytes, facts: str = "") -> bytes:
    return stream(zlib.compress(content, 9), f"/Filter /FlateDecode {facts}")


def file_of(objects: Sequence[str | bytes], trailer: str = "") -> bytes:
    """Return a PDF of these objects, numbered from 1; the first one is its catalog.

    In the trailer, `{}` stands for the position of the cross references.
    """
    body, table = b"%PDF-1.7\n", b"0000000000 65535 f \n"
    for number, content in enumerate(objects, start=1):
        table += b"%010d 00000 n \n" % len(body)
        raw = content.encode("latin-1") if isinstance(content, str) else content
        body += b"%d 0 obj\n%b\nendobj\n" % (number, raw)
    facts = f"/Size {len(objects) + 1} /Root 1 0 R {trailer.format(len(body))}"
    end = f"trailer\n<< {facts} >>\nstartxref\n{len(body)}\n%%EOF\n".encode()
    return body + b"xref\n0 %d\n" % (len(objects) + 1) + table + end


def drawing(content: bytes, *more: str | bytes, page: str = PAGE, catalog: str = CATALOG) -> bytes:
    """Return a PDF of one page with this content; the font is object 5, `more` begin with 6."""
    return file_of([catalog, PAGES, page, packed(content), FONT, *more])


def page_tree(*trees: str) -> bytes:
    """Return a PDF whose page tree consists of these nodes, the first of them object 2."""
    return file_of([CATALOG, *trees])


def wide_tree(levels: int, count: int) -> bytes:
    """Return a PDF whose page tree has ten branches at each level, down to one page."""
    nodes = [
        f"<< /Type /Pages /Count {count} /Kids [{f'{number + 3} 0 R ' * 10}] >>"
        for number in range(levels)
    ]
    return page_tree(*nodes, "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] >>")


def nested_forms(levels: int) -> bytes:
    """Return a PDF of forms each of which draws the next one ten times, the last a letter."""
    forms = [
        stream(b"/X Do " * 10, f"{FORM} /Resources << /XObject << /X {number} 0 R >> >>")
        for number in range(7, levels + 7)
    ]
    letter = stream(LETTER, f"{FORM} /Resources << /Font << /F1 5 0 R >> >>")
    return drawing(b"/X Do", *forms, letter)


def with_action(action: str) -> bytes:
    """Return a PDF with an action that is due when it is opened, and when it is closed."""
    actions = f"/OpenAction << {action} >> /AA << /WC << {action} >> >>"
    return drawing(LETTER, catalog=f"<< /Type /Catalog /Pages 2 0 R {actions} >>")


def with_embedded_file() -> bytes:
    names = "/Names << /EmbeddedFiles << /Names [(setup.exe) 6 0 R] >> >>"
    return drawing(
        LETTER,
        "<< /Type /Filespec /F (setup.exe) /EF << /F 7 0 R >> >>",
        stream(b"MZ" * 500, "/Type /EmbeddedFile"),
        catalog=f"<< /Type /Catalog /Pages 2 0 R {names} >>",
    )


def with_content(content: bytes) -> bytes:
    """Return a PDF of one page whose content is this object."""
    return file_of([CATALOG, PAGES, PAGE, content, FONT])


def with_metadata(content: bytes) -> bytes:
    catalog = "<< /Type /Catalog /Pages 2 0 R /Metadata 6 0 R >>"
    facts = "/Type /Metadata /Subtype /XML /Filter /FlateDecode"
    return drawing(LETTER, stream(content, facts), catalog=catalog)


def with_image(filter_: str, content: bytes) -> bytes:
    """Return a PDF of an image that claims 2,500 million pixels."""
    facts = "/Width 50000 /Height 50000 /ColorSpace /DeviceRGB /BitsPerComponent 8"
    image = stream(content, f"/Type /XObject /Subtype /Image {facts} /Filter {filter_}")
    return drawing(b"q 600 0 0 700 0 0 cm /X Do Q " + LETTER, image)


def with_font(program: bytes, cmap: bytes = b"") -> bytes:
    font = (
        "<< /Type /Font /Subtype /TrueType /BaseFont /X /FirstChar 0 /LastChar 255 "
        "/FontDescriptor 7 0 R /ToUnicode 9 0 R >>"
    )
    descriptor = "<< /Type /FontDescriptor /FontName /X /Flags 4 /FontFile2 8 0 R >>"
    page = PAGE.replace("/F1 5 0 R", "/F1 6 0 R")
    return drawing(LETTER, font, descriptor, packed(program), packed(cmap), page=page)


def with_pages(count: int, content: bytes) -> bytes:
    """Return a PDF of many pages that all are one."""
    pages = f"<< /Type /Pages /Count {count} /Kids [{'3 0 R ' * count}] >>"
    return file_of([CATALOG, pages, PAGE, packed(content), FONT])


def with_size(box: str) -> bytes:
    return drawing(LETTER, page=PAGE.replace("0 0 612 792", box))


FORM_OF_ITSELF = stream(LETTER + b" /X Do", f"{FORM} /Resources << {RESOURCES} >>")
PATTERN_OF_ITSELF = stream(
    b"/Pattern cs /P scn 0 0 9 9 re f",
    "/Type /Pattern /PatternType 1 /PaintType 1 /TilingType 1 /BBox [0 0 9 9] /XStep .001 "
    f"/YStep .001 /Resources << {RESOURCES} >>",
)
FONT_OF_ITSELF = (
    "<< /Type /Font /Subtype /Type3 /FontBBox [0 0 9 9] /FontMatrix [1 0 0 1 0 0] /FirstChar 120 "
    "/LastChar 120 /Widths [9] /Encoding << /Differences [120 /x] >> /CharProcs << /x 7 0 R >> "
    "/Resources << /Font << /F1 6 0 R >> >> >>"
)
LAUGHS = '<!DOCTYPE x [<!ENTITY a "haha"><!ENTITY b "&a;&a;&a;&a;">]><x>&b;</x>'
