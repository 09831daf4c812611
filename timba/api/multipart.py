"""Reads a multipart form (RFC 7578) part by part as it arrives; no part is ever whole in memory.

Django's own parser reads no form whose lines end in LF, drops without a word what it does not
understand, and ends a part where its boundary stands in the middle of a line. Here a form may have
a preamble, text after its last boundary and either line end; an error says what cannot be read.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Protocol
from urllib.parse import unquote_to_bytes

CUT_OFF: Final = "The form was cut off before its end. Send it again."
_NO_BOUNDARY: Final = "The body does not begin with the boundary that its Content-Type names."
# The first read is small: a name may be enough to refuse a file that is large.
_MIN_READ: Final = 64 * 1024
# Fewer reads take less time: after each, and after each write, the thread awaits Python's lock.
_MAX_READ: Final = 1024 * 1024
_MAX_BOUNDARY: Final = 200
# What precedes the first part, and the header of each, is held in memory.
_MAX_PREAMBLE: Final = 64 * 1024
_MAX_HEADER: Final = 16 * 1024
# Blanks after a boundary, which some mail gateways add.
_MAX_PADDING: Final = 256
_AFTER_BOUNDARY: Final = re.compile(rb"(?P<last>--)|[ \t]{0,%d}(?P<end>\r?\n)" % _MAX_PADDING)
_END_OF_HEADER: Final = re.compile(rb"(?:\A|\n)\r?\n")
_FOLDED: Final = re.compile(r"\r?\n[ \t]+")
# Some programs do not escape quotes inside quotes: only the one at the end of a value closes it.
_PARAMETER: Final = re.compile(
    r""";\s*([^\s=;]+)\s*=\s*(?:"((?:\\.|[^"\\]|"(?!\s*(?:;|\Z)))*)"|([^;]*))"""
)
_ESCAPED: Final = re.compile(r"\\([\"\\])")
_IDENTITY_ENCODINGS: Final = frozenset({"", "7bit", "8bit", "binary"})


class FormError(Exception):
    """The form cannot be read; the sentence says why."""


class _EndOfBody(FormError):
    """The body has ended before the form has."""

    def __init__(self) -> None:
        super().__init__(CUT_OFF)


class Readable(Protocol):
    """A request's body."""

    def read(self, size: int, /) -> bytes:
        """Return the next bytes, none at the end."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """A part of a form, whose content is still to be read; `file_name` is None for a field."""

    name: str
    file_name: str | None
    charset: str
    content: Iterator[bytes]


class FormReader:
    """Yields the parts of a form; what is left of one's content is skipped before the next."""

    def __init__(self, body: Readable, *, content_type: str) -> None:
        """Begin reading; raise FormError where the content type names no boundary."""
        boundary = parameters_of(content_type).get("boundary", "")
        if not (1 <= len(boundary) <= _MAX_BOUNDARY and boundary.isascii()):
            raise FormError("The Content-Type of the form names no boundary.")
        self._body = body
        self._boundary = b"\n--" + boundary.encode()
        # As if a line had ended before: the body may begin with the first boundary.
        self._pending = b"\n"
        self._ends_in_crlf = True
        self._is_over = False
        self.bytes_read = 0

    def __iter__(self) -> Iterator[Part]:
        self._skip_preamble()
        number = 0
        while not self._is_over:
            number += 1
            part = self._part(number)
            yield part
            for _ in part.content:
                pass

    def _skip_preamble(self) -> None:
        size = 0
        try:
            for chunk in self._until_boundary():
                size += len(chunk)
                if size > _MAX_PREAMBLE:
                    raise FormError(_NO_BOUNDARY)
        except _EndOfBody:
            raise FormError(_NO_BOUNDARY) from None

    def _part(self, number: int) -> Part:
        header = self._header(number)
        disposition_type, disposition = _header_value(header, "content-disposition")
        name = disposition.get("name")
        if disposition_type != "form-data" or name is None:
            raise FormError(f"Part {number} of the form has no Content-Disposition with a name.")
        media_type, media = _header_value(header, "content-type")
        if media_type.startswith("multipart/"):
            raise FormError(f"“{name}” is a form within the form: send each part by itself.")
        encoding, _ = _header_value(header, "content-transfer-encoding")
        content = self._until_boundary()
        if encoding == "base64":
            content = _from_base64(content, name)
        elif encoding not in _IDENTITY_ENCODINGS:
            raise FormError(
                f"“{name}” has the Content-Transfer-Encoding {encoding}: send it as binary."
            )
        return Part(
            name=name,
            file_name=_file_name(disposition, field=name),
            charset=media.get("charset", "utf-8"),
            content=content,
        )

    def _header(self, number: int) -> str:
        while (end := _END_OF_HEADER.search(self._pending[:_MAX_HEADER])) is None:
            if len(self._pending) >= _MAX_HEADER:
                raise FormError(f"The header of part {number} of the form is too long.")
            self._fill()
        header = self._pending[: end.start()]
        # The last line end stays: the boundary of an empty part may follow it at once.
        self._pending = b"\n" + self._pending[end.end() :]
        return _FOLDED.sub(" ", _decode_header(header))

    def _until_boundary(self) -> Iterator[bytes]:
        """Yield what precedes the next boundary, without the line end that belongs to it."""
        start, search_from = 1, 0
        while True:
            end = self._pending.find(self._boundary, search_from)
            if end < 0:
                # The last bytes may be the beginning of the boundary, and of a CR before it.
                safe_end = max(start, len(self._pending) - len(self._boundary) - 1)
                if safe_end > start:
                    yield self._pending[start:safe_end]
                    self._pending, start = self._pending[safe_end:], 0
                search_from = 0
                self._fill()
                continue
            after = end + len(self._boundary)
            with contextlib.suppress(_EndOfBody):
                while len(self._pending) < after + _MAX_PADDING + 2:
                    self._fill()
            rest_of_line = _AFTER_BOUNDARY.match(self._pending, after)
            if rest_of_line is None:
                search_from = after  # within a line, and so no boundary
                continue
            if self._ends_in_crlf and end > start and self._pending[end - 1 : end] == b"\r":
                end -= 1
            content = self._pending[start:end]
            self._pending = self._pending[rest_of_line.end() :]
            self._is_over = rest_of_line["last"] is not None
            self._ends_in_crlf = rest_of_line["end"] != b"\n"
            if content:
                yield content
            return

    def _fill(self) -> None:
        """Read more of the body; raise _EndOfBody at its end."""
        chunk = self._body.read(min(max(self.bytes_read, _MIN_READ), _MAX_READ))
        if not chunk:
            raise _EndOfBody
        self.bytes_read += len(chunk)
        self._pending += chunk


def parameters_of(value: str) -> dict[str, str]:
    """Return the parameters of a header's value, by their names in lower case."""
    return {
        match[1].lower(): _ESCAPED.sub(r"\1", match[2]) if match[3] is None else match[3].strip()
        for match in _PARAMETER.finditer(value)
    }


def _header_value(header: str, name: str) -> tuple[str, Mapping[str, str]]:
    """Return a header's value in lower case without its parameters, and those; "" without it."""
    for line in header.split("\n"):
        known, colon, value = line.partition(":")
        if colon and known.strip().lower() == name:
            value = value.strip()
            return value.partition(";")[0].strip().lower(), parameters_of(value)
    return "", {}


def _file_name(disposition: Mapping[str, str], *, field: str) -> str | None:
    """Return the last component of the file's name, as it was sent; None where there is none."""
    name = disposition.get("filename")
    extended = disposition.get("filename*")
    if extended is not None:
        try:
            name = _decode_extended_value(extended)
        except (LookupError, ValueError) as error:
            if name is None:
                raise FormError(
                    f"The file name of “{field}” is not encoded as RFC 5987 says."
                ) from error
    return None if name is None else name.replace("\\", "/").rpartition("/")[2]


def _decode_extended_value(value: str) -> str:
    """Return the text that RFC 5987 encodes as `UTF-8''na%C3%AFve.txt`."""
    charset, _, encoded = value.split("'", 2)
    return unquote_to_bytes(encoded).decode(charset)


def _decode_header(text: bytes) -> str:
    """Return text in UTF-8, else in Latin-1 as Windows writes it."""
    for encoding in ("utf-8", "cp1252"):
        try:
            return text.decode(encoding)
        except UnicodeDecodeError:
            continue
    return text.decode("latin-1")


def _from_base64(chunks: Iterator[bytes], name: str) -> Iterator[bytes]:
    rest = b""
    for chunk in chunks:
        rest += b"".join(chunk.split())
        whole = len(rest) // 4 * 4
        try:
            yield base64.b64decode(rest[:whole], validate=True)
        except binascii.Error as error:
            raise FormError(f"“{name}” is not in base64, as its header says.") from error
        rest = rest[whole:]
    if rest:
        raise FormError(f"“{name}” is not in base64, as its header says.")
