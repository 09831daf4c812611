"""Multipart forms as real clients write them are read, or rejected with the reason."""

from __future__ import annotations

import io
import os
from collections.abc import Callable

import pytest

from timba.api.multipart import CUT_OFF, FormError, FormReader

SEAL = b"Seal 1 intact.\n"
NO_BOUNDARY = "The body does not begin with the boundary that its Content-Type names."
Parts = list[tuple[str, str | None, bytes]]


class Slow(io.BytesIO):
    """Returns few bytes at a time, as a connection may."""

    def __init__(self, body: bytes, *, most: int) -> None:
        super().__init__(body)
        self._most = most

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(min(size or 0, self._most))


def read(body: bytes, *, boundary: str = "XX", most: int = 1 << 20) -> Parts:
    form = FormReader(
        Slow(body, most=most), content_type=f"multipart/form-data; boundary={boundary}"
    )
    return [(part.name, part.file_name, b"".join(part.content)) for part in form]


def part(content: bytes = SEAL, *, header: bytes = b"", disposition: bytes = b"") -> bytes:
    disposition = disposition or b'form-data; name="file"; filename="a.txt"'
    return (
        b"--XX\r\nContent-Disposition: "
        + disposition
        + b"\r\n"
        + header
        + b"\r\n"
        + content
        + (b"\r\n")
    )


END = b"--XX--\r\n"
FIELD = b'--XX\r\nContent-Disposition: form-data; name="kind"\r\n\r\ntext\r\n'
FORM = part() + FIELD + END
READ = [("file", "a.txt", SEAL), ("kind", None, b"text")]


@pytest.mark.parametrize(
    "written",
    [
        lambda form: form,
        lambda form: form.replace(b"\r\n", b"\n"),
        lambda form: form.replace(b"intact.\n\r\n", b"intact.\n\n"),
        lambda form: form.removesuffix(b"\r\n"),
        lambda form: form + b"An epilogue of some length. " * 10_000,
        lambda form: form + part(b"no part of the form"),
        lambda form: b"This is a form in many parts.\r\n\r\n" + form,
        lambda form: b"\r\n" + form,
        lambda form: form.replace(b"--XX\r\n", b"--XX \t\r\n"),
        lambda form: form.replace(b"; filename", b";\r\n filename"),
        lambda form: form.replace(b"Content-D", b"content-d").replace(b"form-data", b"Form-Data"),
    ],
    ids=[
        "CRLF", "LF", "one LF", "no last line end", "epilogue", "part behind the end", "preamble",
        "line before", "padding", "folded header", "letter case",
    ],
)  # fmt: skip
@pytest.mark.parametrize("most", [1, 2, 3, 7, 1 << 20])
def test_form_with_any_line_ends_preamble_and_epilogue_is_read(
    written: Callable[[bytes], bytes], most: int
) -> None:
    assert read(written(FORM), most=most) == READ


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\r\n",
        b"\n",
        b"\r",
        b"a--XX",
        b"a --XX--\r\nb",
        b"\r\n--XXY\r\n",
        b"\r\n--X\r\n--",
        b"\r\n\r\n--",
        os.urandom(3 << 20),
        b"\r\n--" * 500_000,
    ],
    ids=range(11),
)
def test_bytes_of_a_part_are_unchanged(content: bytes) -> None:
    assert read(part(content) + END) == [("file", "a.txt", content)]
    if len(content) < 100:
        assert read(part(content) + END, most=1) == [("file", "a.txt", content)]


def test_final_cr_of_a_part_is_kept_with_lf_line_ends() -> None:
    assert read(part(b"larch").replace(b"\r\n", b"\n").replace(b"larch", b"larch\r") + END) == [
        ("file", "a.txt", b"larch\r")
    ]


def test_empty_part_may_lack_a_line_end() -> None:
    assert read(part(b"").removesuffix(b"\r\n") + END) == [("file", "a.txt", b"")]


@pytest.mark.parametrize(
    ("parameters", "name"),
    [
        (b'filename="load %22A%22.txt"', "load %22A%22.txt"),
        (rb'filename="load \"A\".txt"', 'load "A".txt'),
        (b'filename="load "A".txt"', 'load "A".txt'),
        (b'filename="a;b=c.txt"', "a;b=c.txt"),
        (b"filename=a.txt", "a.txt"),
        ('filename="Größe дуб.txt"'.encode(), "Größe дуб.txt"),
        ('filename="Größe.txt"'.encode("latin-1"), "Größe.txt"),
        ('filename="Preis €.txt"'.encode("cp1252"), "Preis €.txt"),
        (b"filename*=UTF-8''Gr%C3%B6%C3%9Fe%20%D0%B4.txt", "Größe д.txt"),
        (b"filename*=iso-8859-1'de'Gr%F6%DFe.txt", "Größe.txt"),
        (b"filename=\"Gr_e.txt\"; filename*=UTF-8''Gr%C3%B6e.txt", "Gröe.txt"),
        (b"filename*=UTF-8''Gr%C3%B6e.txt; filename=\"Gr_e.txt\"", "Gröe.txt"),
        (b"filename*=klingon''Q.txt; filename=\"a.txt\"", "a.txt"),
        (rb'filename="C:\load\tags.txt"', "tags.txt"),
        (b"filename*=UTF-8''..%2F..%2Fetc%2Fpasswd.txt", "passwd.txt"),
        (b'filename=""', ""),
    ],
)
def test_file_name_is_read_in_every_encoding(parameters: bytes, name: str) -> None:
    form = part(disposition=b'form-data; name="file"; ' + parameters) + END
    assert read(form) == [("file", name, SEAL)]


def test_base64_content_is_decoded() -> None:
    header = b"Content-Transfer-Encoding: base64\r\n"
    assert read(part(b"U2Vh\r\nbCAx\r\nIGlu\r\n", header=header) + END, most=5) == [
        ("file", "a.txt", b"Seal 1 in")
    ]


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"", NO_BOUNDARY),
        (b"no form at all", NO_BOUNDARY),
        (b"x" * (1 << 20) + FORM, NO_BOUNDARY),
        (FORM.replace(b"XX", b"YY"), NO_BOUNDARY),
        (FORM.removesuffix(b"-\r\n"), CUT_OFF),
        (part(), CUT_OFF),
        (FORM[:60], CUT_OFF),
        (
            b"--XX\r\n\r\nlarch\r\n" + END,
            "Part 1 of the form has no Content-Disposition with a name.",
        ),
        (
            part() + part(disposition=b"form-data; filename=a.txt") + END,
            "Part 2 of the form has no Content-Disposition with a name.",
        ),
        (part(header=b"X-Long: " + b"x" * 20_000 + b"\r\n") + END,
         "The header of part 1 of the form is too long."),
        (
            part(header=b"Content-Type: multipart/mixed; boundary=YY\r\n") + END,
            "“file” is a form within the form: send each part by itself.",
        ),
        (
            part(header=b"Content-Transfer-Encoding: quoted-printable\r\n") + END,
            "“file” has the Content-Transfer-Encoding quoted-printable: send it as binary.",
        ),
        (
            part(b"!", header=b"Content-Transfer-Encoding: base64\r\n") + END,
            "“file” is not in base64, as its header says.",
        ),
        (
            part(disposition=b"form-data; name=\"file\"; filename*=klingon''Q.txt") + END,
            "The file name of “file” is not encoded as RFC 5987 says.",
        ),
    ],
)  # fmt: skip
def test_unreadable_form_is_rejected_with_the_reason(body: bytes, sentence: str) -> None:
    with pytest.raises(FormError) as refusal:
        read(body)
    assert str(refusal.value) == sentence


@pytest.mark.parametrize("boundary", ["", "x" * 201, "ā"])
def test_invalid_boundary_is_rejected_with_the_reason(boundary: str) -> None:
    with pytest.raises(FormError, match=r"^The Content-Type of the form names no boundary\.$"):
        read(FORM, boundary=boundary)


def test_a_boundary_may_be_quoted_and_long() -> None:
    boundary = "----- a: b; " + "x" * 150
    assert read(FORM.replace(b"XX", boundary.encode()), boundary=f'"{boundary}"') == READ
