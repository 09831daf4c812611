"""Splits the bytes of a temperature file into numbered lines, whatever the bytes are.

A binary stream comes in, plain or gzip; blocks of whole lines come out. Memory use depends on the
size of a block and never on the size of the file: a line above the limit is cut to little more than
the limit, and an archive that is a decompression bomb is refused while it is decompressed.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

# Bytes.
MAX_LINE = 1024 * 1024
CHUNK = 256 * 1024
BOM = b"\xef\xbb\xbf"
GZIP_MAGIC = b"\x1f\x8b"

# Bytes. Small, because zlib returns a copy of all that follows a gzip member: thousands of tiny
# members in one large chunk would be copied thousands of times.
COMPRESSED_CHUNK = 64 * 1024
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


def read_lines(stream: Readable) -> Iterator[tuple[int, bytes]]:
    """Yield (number, line) for every line of a stream.

    A line longer than MAX_LINE is cut, but is still longer than MAX_LINE. Raises UnreadableFile.
    """
    for block in read_blocks(stream):
        yield from block.lines()


def read_blocks(stream: Readable, *, max_unpacked: int | None = None) -> Iterator[Block]:
    """Yield the decompressed file in blocks of whole lines, without its byte order mark.

    Raises UnpacksTooLarge for a gzip archive that decompresses to more than MAX_RATIO times its
    size or to more than `max_unpacked` bytes, and UnreadableFile for a truncated or damaged one,
    after the blocks before the damage.
    """
    first_line = 1
    carry = b""
    skipping = False
    for chunk in _text_chunks(stream, max_unpacked):
        rest = 0
        if skipping:
            rest = chunk.find(b"\n")
            if rest < 0:
                continue
            skipping = False
        data = carry + chunk[rest:]
        end = data.rfind(b"\n") + 1
        if end:
            yield Block(first_line=first_line, data=data[:end])
            first_line += data.count(b"\n", 0, end)
        carry = data[end:]
        # A line of exactly MAX_LINE bytes may be followed by a CR here. A longer one is cut to two
        # bytes more than the limit, so that it stays too long if its last byte is taken for a CR.
        if len(carry) > MAX_LINE + 1:
            carry = carry[: MAX_LINE + 2]
            skipping = True
    if carry:
        yield Block(first_line=first_line, data=carry)


def is_gzip(head: bytes) -> bool:
    """Return whether a file that begins with these bytes is a gzip archive."""
    return head.startswith(GZIP_MAGIC)


def _text_chunks(stream: Readable, max_unpacked: int | None) -> Iterator[bytes]:
    head, chunks = _peek(_chunks(stream))
    if is_gzip(head):
        head, chunks = _peek(_join_small(_decompress(chunks, max_unpacked)))
    for chunk in chunks:
        yield chunk.removeprefix(BOM) if head else chunk
        head = b""


def _chunks(stream: Readable) -> Iterator[bytes]:
    while chunk := stream.read(CHUNK):
        yield chunk


def _peek(chunks: Iterator[bytes]) -> tuple[bytes, Iterator[bytes]]:
    """Return the first bytes, enough for a byte order mark, and all chunks including them."""
    head = b""
    for chunk in chunks:
        head += chunk
        if len(head) >= len(BOM):
            break

    def all_chunks() -> Iterator[bytes]:
        if head:
            yield head
        yield from chunks

    return head, all_chunks()


def _join_small(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Join small pieces into chunks, because each block of lines has a constant overhead.

    The first chunk exceeds MIN_CHECKED_BYTES, so that no line is yielded from an archive whose
    beginning already exceeds the ratio.
    """
    joined, min_size = bytearray(), MIN_CHECKED_BYTES + 1
    try:
        for piece in pieces:
            joined += piece
            if len(joined) >= min_size:
                yield from _split(iter([bytes(joined)]), CHUNK)
                joined.clear()
                min_size = CHUNK
    except UnpacksTooLarge:
        raise
    except UnreadableFile:
        # The lines before the damage are yielded all the same.
        yield from _split(iter([bytes(joined)]), CHUNK)
        raise
    yield from _split(iter([bytes(joined)]), CHUNK)


def _decompress(chunks: Iterator[bytes], max_unpacked: int | None) -> Iterator[bytes]:
    """Decompress all members of a gzip archive in pieces of at most CHUNK bytes."""
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
                piece = member.decompress(data, CHUNK)
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
