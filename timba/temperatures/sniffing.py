"""Tells files of readings from other texts by their first lines, in whatever layout they are."""

from __future__ import annotations

import zlib
from typing import Final

from timba.files.kinds import HEAD_BYTES, is_gzip
from timba.temperatures.layout.answers import Answers
from timba.temperatures.layout.drafts import draft_head
from timba.temperatures.layout.encodings import decode_quickly
from timba.temperatures.layout.tables import MAX_PREAMBLE

# A file is of readings if one of so many first lines below its header is one.
SNIFFED_LINES: Final = 20
# Those of a preamble, and as many again that tell what the columns hold.
_MAX_LINES: Final = 2 * MAX_PREAMBLE


def sniff_readings(head: bytes) -> bool:
    """Return whether a file that begins with `head`, compressed or not, holds readings.

    One of the first 20 lines below its preamble and its header must be one, whatever is open.
    """
    return any(
        draft is not None and draft.is_of_temperatures and bool(draft.readings(SNIFFED_LINES))
        for each in decode_quickly(unpack_head(head), _MAX_LINES)
        for draft in [draft_head(each, Answers())]
    )


def unpack_head(head: bytes) -> bytes:
    """Return the first bytes of a file, decompressed if it is an archive.

    What is damaged ends them, as does the end of the head of a longer archive.
    """
    if not is_gzip(head):
        return head[:HEAD_BYTES]
    unpacked = b""
    while head and len(unpacked) < HEAD_BYTES:
        member = zlib.decompressobj(zlib.MAX_WBITS | 16)
        try:
            unpacked += member.decompress(head, HEAD_BYTES - len(unpacked))
        except zlib.error:
            break
        head = member.unused_data.lstrip(b"\0")
    return unpacked
