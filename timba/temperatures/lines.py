"""The bytes of a temperature file become numbered lines, however hostile the bytes are.

A binary stream comes in, plain or gzip; blocks of whole lines go out. Memory follows the block,
never the file: a line that is too long keeps just enough of itself to be seen as too long, and an
archive that unpacks beyond all reason is refused while it unpacks.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

MAX_LINE = 1024 * 1024
CHUNK = 256 * 1024
BOM = b"\xef\xbb\xbf"
GZIP_MAGIC = b"\x1f\x8b"

# Small, because zlib hands back a copy of all that follows a member: thousands of tiny members
# in one large chunk would be copied thousands of times.
PACKED_CHUNK = 64 * 1024
# A year of minutes that never change packs to a 12th, the shortest reading repeated without end to
# a 412th, blanks to a 1032nd. What packs better than this holds other things than readings.
MAX_RATIO = 450
# The first megabyte may be of any sort.
ALWAYS_UNPACKED = 1024 * 1024

TRUNCATED = "The gzip archive ends before its end: it was cut off. Pack it again and upload that."
CORRUPT = "The gzip archive is damaged. Pack it again and upload that."
BOMB = (
    f"“{{name}}” unpacks to more than {MAX_RATIO} times its size, as no readings do. "
    "Upload it unpacked."
)
TOO_LARGE = "“{{name}}” unpacks to more than the {:,} bytes that a file may have. Split it."


class Unreadable(Exception):
    """The file cannot be read."""

    def sentence(self, name: str) -> str:
        """Return why the file of this name cannot be read."""
        return str(self).replace("{name}", name)


class UnpacksTooFar(Unreadable):
    """The file is an archive of more than it should hold."""


class Stream(Protocol):
    """All that is asked of an opened file."""

    def read(self, size: int, /) -> bytes: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Block:
    """Whole lines of a file, the first of them numbered; the last may lack its line feed."""

    first_line: int
    data: bytes

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """Yield every line with its number, without its line end (LF or CRLF)."""
        data = self.data.replace(b"\r\n", b"\n").removesuffix(b"\n")
        return enumerate(data.split(b"\n"), start=self.first_line)


def read_lines(stream: Stream) -> Iterator[tuple[int, bytes]]:
    """Yield (number, line) for every line; a line over MAX_LINE comes cut, and longer than it."""
    for block in read_blocks(stream):
        yield from block.lines()


def read_blocks(stream: Stream, *, max_unpacked: int | None = None) -> Iterator[Block]:
    """Yield the file in blocks of whole lines, unpacked and without a byte order mark.

    Raises Unreadable where a gzip archive is cut off or damaged, and UnpacksTooFar where it unpacks
    beyond all reason or to more than `max_unpacked` bytes.
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
        # The limit and its line end may both have arrived; one byte more is surely too long, and
        # is still too long should its last byte be taken for half a CRLF.
        if len(carry) > MAX_LINE + 1:
            carry = carry[: MAX_LINE + 2]
            skipping = True
    if carry:
        yield Block(first_line=first_line, data=carry)


def is_packed(head: bytes) -> bool:
    """Say whether a file that begins with these bytes is a gzip archive."""
    return head.startswith(GZIP_MAGIC)


def _text_chunks(stream: Stream, max_unpacked: int | None) -> Iterator[bytes]:
    head, chunks = _with_head(_chunks(stream))
    if is_packed(head):
        head, chunks = _with_head(_joined(_unpacked(chunks, max_unpacked)))
    for chunk in chunks:
        yield chunk.removeprefix(BOM) if head else chunk
        head = b""


def _chunks(stream: Stream) -> Iterator[bytes]:
    while chunk := stream.read(CHUNK):
        yield chunk


def _with_head(chunks: Iterator[bytes]) -> tuple[bytes, Iterator[bytes]]:
    """Return the first bytes, at least a mark's worth, and all chunks beginning with them."""
    head = b""
    for chunk in chunks:
        head += chunk
        if len(head) >= len(BOM):
            break

    def together() -> Iterator[bytes]:
        if head:
            yield head
        yield from chunks

    return head, together()


def _joined(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Join pieces that are small: what is kept of each block would outgrow what is in it.

    The first of them is so large that nothing is read of an archive whose beginning condemns it.
    """
    joined, enough = bytearray(), ALWAYS_UNPACKED + 1
    try:
        for piece in pieces:
            joined += piece
            if len(joined) >= enough:
                yield from _cut(iter([bytes(joined)]), CHUNK)
                joined.clear()
                enough = CHUNK
    except UnpacksTooFar:
        raise
    except Unreadable:
        # What came before the damage is read all the same.
        yield from _cut(iter([bytes(joined)]), CHUNK)
        raise
    yield from _cut(iter([bytes(joined)]), CHUNK)


def _unpacked(chunks: Iterator[bytes], max_unpacked: int | None) -> Iterator[bytes]:
    """Unpack all members of a gzip archive, a bounded piece at a time."""
    member = zlib.decompressobj(zlib.MAX_WBITS | 16)
    packed = unpacked = 0
    for chunk in _cut(chunks, PACKED_CHUNK):
        data = chunk
        while data:
            if member.eof:
                # Archives on tape-like media are padded with zeros behind their last member.
                data = data.lstrip(b"\0")
                if not data:
                    break
                member = zlib.decompressobj(zlib.MAX_WBITS | 16)
            try:
                piece = member.decompress(data, CHUNK)
            except zlib.error as problem:
                raise Unreadable(CORRUPT) from problem
            left = member.unused_data if member.eof else member.unconsumed_tail
            packed += len(data) - len(left)
            unpacked += len(piece)
            if unpacked > max(ALWAYS_UNPACKED, packed * MAX_RATIO):
                raise UnpacksTooFar(BOMB)
            if max_unpacked is not None and unpacked > max_unpacked:
                raise UnpacksTooFar(TOO_LARGE.format(max_unpacked))
            if piece:
                yield piece
            data = left
    if not member.eof:
        raise Unreadable(TRUNCATED)


def _cut(chunks: Iterator[bytes], size: int) -> Iterator[bytes]:
    for chunk in chunks:
        for start in range(0, len(chunk), size):
            yield chunk[start : start + size]
