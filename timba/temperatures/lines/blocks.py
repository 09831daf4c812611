"""Splits the bytes of a temperature file into numbered lines, whatever the bytes are.

A binary stream comes in, plain or gzip; blocks of whole lines in UTF-8 come out. Memory use depends
on the size of a block and never on the size of the file: a line above the limit is cut to little
more than the limit, and an archive that is a decompression bomb is refused while it is
decompressed.
"""

from __future__ import annotations

import codecs
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Final, Protocol

import numpy as np

from timba.files.kinds import is_gzip
from timba.temperatures.layout.layouts import PLAIN, Layout

# Bytes.
MAX_LINE = 1024 * 1024
CHUNK = 2 * 1024 * 1024
BOM = b"\xef\xbb\xbf"
# A block has as many lines at most: what is made of its lines takes more memory than its bytes.
MAX_BLOCK_LINES = 128 * 1024
# Python's `surrogateescape` keeps the bytes instead, but fails for those below 128, as in UTF-16.
_UNDECODABLE: Final = "timba.undecodable"

# Bytes. Small, because zlib returns a copy of all that follows a gzip member: thousands of tiny
# members in one large chunk would be copied thousands of times.
COMPRESSED_CHUNK = 64 * 1024
DECOMPRESSED_CHUNK = 256 * 1024
# Measured compression ratios: a year of minutes with one constant temperature 12, the shortest
# reading repeated without end 412, blanks 1,032. A higher ratio is not a file of readings.
MAX_RATIO = 450
# The ratio is checked only beyond this many decompressed bytes.
MIN_CHECKED_BYTES = 1024 * 1024

TRUNCATED = "The gzip archive ends before its end: it was cut off. Pack it again and upload that."
CORRUPT = "The gzip archive is damaged. Pack it again and upload that."
BOMB = (
    f"“{{name}}” unpacks to more than {MAX_RATIO} times its size, as no readings do. "
    "Upload it unpacked."
)
TOO_LARGE = "“{{name}}” unpacks to more than the {:,} bytes that a file may have. Split it."


class UnreadableFile(Exception):
    """The file cannot be decompressed; the message may contain the placeholder `{name}`."""

    def sentence(self, name: str) -> str:
        """Return the message for a file of this name."""
        return str(self).replace("{name}", name)


class UnpacksTooLarge(UnreadableFile):
    """The archive is a decompression bomb, or decompresses to more than a file may have."""


class Readable(Protocol):
    """A binary stream."""

    def read(self, size: int, /) -> bytes: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Block:
    """Whole lines of a file; `first_line` is the number of the first one, from 1.

    The last line of the file may lack its line feed.
    """

    first_line: int
    data: bytes

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """Yield the number of each line and its bytes without the line end (LF or CRLF)."""
        data = self.data.replace(b"\r\n", b"\n").removesuffix(b"\n")
        return enumerate(data.split(b"\n"), start=self.first_line)


def read_lines(
    stream: Readable, layout: Layout = PLAIN, *, max_unpacked: int | None = None
) -> Iterator[tuple[int, bytes]]:
    """Yield (number, line) for every line of a stream.

    A line longer than MAX_LINE is cut, but is still longer than MAX_LINE. Raises UnreadableFile.
    """
    for block in read_blocks(stream, layout, max_unpacked=max_unpacked):
        yield from block.lines()


def read_blocks(
    stream: Readable, layout: Layout = PLAIN, *, max_unpacked: int | None = None
) -> Iterator[Block]:
    """Yield the decompressed file as UTF-8 in blocks of whole lines, without byte order marks.

    Of the layout, only `encoding` and `ends_with_cr` count. Bytes that do not fit the encoding make
    their line invalid UTF-8. Raises UnpacksTooLarge for a gzip archive that decompresses to more
    than MAX_RATIO times its size or to more than `max_unpacked` bytes, and UnreadableFile for a
    truncated or damaged one, after the blocks before the damage.
    """
    first_line = 1
    carry = b""
    skipping = False
    for chunk in _text_chunks(stream, layout, max_unpacked):
        start = 0
        if skipping:
            start = chunk.find(b"\n")
            if start < 0:
                continue
            skipping = False
        end = chunk.rfind(b"\n") + 1
        if end:
            data = b"".join([carry, memoryview(chunk)[start:end]])
            carry, start = b"", end
            for part, count in _split_at_lines(data):
                yield Block(first_line=first_line, data=part)
                first_line += count
        carry += chunk[start:]
        # A line of exactly MAX_LINE bytes may be followed by a CR here. A longer one is cut to two
        # bytes more than the limit, so that it stays too long if its last byte is taken for a CR.
        if len(carry) > MAX_LINE + 1:
            carry = carry[: MAX_LINE + 2]
            skipping = True
    if carry:
        yield Block(first_line=first_line, data=carry)


def _split_at_lines(data: bytes) -> Iterator[tuple[bytes, int]]:
    """Yield whole lines, at most MAX_BLOCK_LINES at a time, and their number."""
    is_end = np.frombuffer(data, dtype=np.uint8) == ord("\n")
    count = int(np.count_nonzero(is_end))
    if count <= MAX_BLOCK_LINES:
        yield data, count
        return
    ends = np.flatnonzero(is_end)
    start = 0
    for first in range(0, count, MAX_BLOCK_LINES):
        after = min(first + MAX_BLOCK_LINES, count)
        stop = int(ends[after - 1]) + 1
        yield data[start:stop], after - first
        start = stop


def _text_chunks(stream: Readable, layout: Layout, max_unpacked: int | None) -> Iterator[bytes]:
    """Yield the decompressed file as UTF-8 without byte order marks, with LF or CRLF."""
    chunks = _join(_read_chunks(stream))
    head = next(chunks, b"")
    chunks = chain([head], chunks)
    if is_gzip(head):
        chunks = _join(_decompress(chunks, max_unpacked))
    if layout.encoding != "utf-8":
        chunks = _transcode(chunks, layout.encoding)
    head = next(chunks, b"")
    start = 0
    # Some programs write the mark of a text that already has one.
    while head.startswith(BOM, start):
        start += len(BOM)
    for chunk in chain([head[start:]], chunks):
        yield chunk.replace(b"\r", b"\n") if layout.ends_with_cr else chunk


def _read_chunks(stream: Readable) -> Iterator[bytes]:
    while chunk := stream.read(CHUNK):
        yield chunk


def _join(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Join small pieces into chunks, because each block of lines has a constant overhead.

    A chunk exceeds MIN_CHECKED_BYTES, so that no line is yielded from an archive whose beginning
    already exceeds the ratio.
    """
    joined = bytearray()
    try:
        for piece in pieces:
            if not joined and len(piece) >= CHUNK:
                yield piece
                continue
            joined += piece
            if len(joined) >= CHUNK:
                yield bytes(joined)
                joined.clear()
    except UnpacksTooLarge:
        raise
    except UnreadableFile:
        # The lines before the damage are yielded all the same.
        yield bytes(joined)
        raise
    if joined:
        yield bytes(joined)


def _transcode(chunks: Iterator[bytes], encoding: str) -> Iterator[bytes]:
    """Yield the text as UTF-8, with a byte that is never valid in it for what cannot be decoded."""
    decoder = codecs.getincrementaldecoder(encoding)(_UNDECODABLE)
    is_ascii_superset = not encoding.startswith("utf-16")
    for chunk in chunks:
        if is_ascii_superset and chunk.isascii():
            yield chunk
        else:
            yield decoder.decode(chunk).encode(errors="surrogateescape")
    yield decoder.decode(b"", final=True).encode(errors="surrogateescape")


def _mark_undecodable(error: UnicodeError) -> tuple[str, int]:
    """Decode bytes as U+DCFF, which `surrogateescape` encodes as the byte FF."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "\udcff", error.end


codecs.register_error(_UNDECODABLE, _mark_undecodable)


def _decompress(chunks: Iterator[bytes], max_unpacked: int | None) -> Iterator[bytes]:
    """Decompress all members of a gzip archive in pieces of at most DECOMPRESSED_CHUNK bytes."""
    member = zlib.decompressobj(zlib.MAX_WBITS | 16)
    packed = unpacked = 0
    for chunk in _split(chunks, COMPRESSED_CHUNK):
        data = chunk
        while data:
            if member.eof:
                # Some programs pad an archive with zeros after its last member.
                data = data.lstrip(b"\0")
                if not data:
                    break
                member = zlib.decompressobj(zlib.MAX_WBITS | 16)
            try:
                piece = member.decompress(data, DECOMPRESSED_CHUNK)
            except zlib.error as error:
                raise UnreadableFile(CORRUPT) from error
            rest = member.unused_data if member.eof else member.unconsumed_tail
            packed += len(data) - len(rest)
            unpacked += len(piece)
            if unpacked > max(MIN_CHECKED_BYTES, packed * MAX_RATIO):
                raise UnpacksTooLarge(BOMB)
            if max_unpacked is not None and unpacked > max_unpacked:
                raise UnpacksTooLarge(TOO_LARGE.format(max_unpacked))
            if piece:
                yield piece
            data = rest
    if not member.eof:
        raise UnreadableFile(TRUNCATED)


def _split(chunks: Iterator[bytes], size: int) -> Iterator[bytes]:
    for chunk in chunks:
        for start in range(0, len(chunk), size):
            yield chunk[start : start + size]
