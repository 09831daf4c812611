"""Lines are whole and numbered, whatever the bytes and their compression."""

from __future__ import annotations

import gzip
import io
import random
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest

from timba.temperatures.layout.layouts import Layout
from timba.temperatures.lines import blocks
from timba.temperatures.lines.blocks import MAX_LINE, UnreadableFile, read_blocks, read_lines


class Dripping:
    """A stream that returns a few bytes at a time, as networks do."""

    def __init__(self, data: bytes, sizes: Iterator[int]) -> None:
        self._stream, self._sizes = io.BytesIO(data), sizes

    def read(self, size: int, /) -> bytes:
        return self._stream.read(min(size, next(self._sizes)))


class Endless:
    """A stream that repeats one chunk and holds it only once."""

    def __init__(self, chunk: bytes, times: int, end: bytes = b"") -> None:
        self._chunks = iter([chunk] * times + [end])

    def read(self, size: int, /) -> bytes:
        return next(self._chunks, b"")


def numbered(data: bytes) -> list[tuple[int, bytes]]:
    return list(read_lines(io.BytesIO(data)))


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", []),
        (b"\n", [(1, b"")]),
        (b"a", [(1, b"a")]),
        (b"a\nb", [(1, b"a"), (2, b"b")]),
        (b"a\r\n\r\nb\r\n", [(1, b"a"), (2, b""), (3, b"b")]),
        # Only the last carriage return before a line feed belongs to the line end.
        (b"a\rb\r\r\nc\r", [(1, b"a\rb\r"), (2, b"c\r")]),
        (b"\xef\xbb\xbfa\n\xef\xbb\xbfb", [(1, b"a"), (2, b"\xef\xbb\xbfb")]),
        (b"\xef\xbb\xbf" * 2 + b"a", [(1, b"a")]),
        (b"\xef\xbb\xbf" * 3 + b"a", [(1, b"a")]),
        (b"\xef\xbb\xbf", []),
        (b"\xef\xbb", [(1, b"\xef\xbb")]),
        (b"\x1f", [(1, b"\x1f")]),
    ],
)
def test_lines_are_split_at_line_feeds_and_numbered(
    data: bytes, expected: list[tuple[int, bytes]]
) -> None:
    assert numbered(data) == expected
    assert numbered(gzip.compress(data)) == expected


def test_lines_do_not_depend_on_how_the_bytes_arrive(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(7)
    # Small limits reach every branch with short files.
    monkeypatch.setattr(blocks, "MAX_LINE", 9)
    monkeypatch.setattr(blocks, "CHUNK", 7)
    monkeypatch.setattr(blocks, "COMPRESSED_CHUNK", 5)
    monkeypatch.setattr(blocks, "MAX_BLOCK_LINES", 2)
    for _ in range(1500):
        data = bytes(rng.choices(b"abc\xef\xbb\xbf\r\n\n", k=rng.randrange(60)))
        text = data.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").removesuffix(b"\n")
        expected = [line[:10] for line in text.split(b"\n")] if text or b"\n" in data else []
        for packed in (data, gzip.compress(data)):
            drops = iter(lambda: rng.randrange(1, 9), None)
            lines_read = list(read_lines(Dripping(packed, drops)))
            assert [line[:10] for _, line in lines_read] == expected, data
            assert [number for number, _ in lines_read] == list(range(1, len(expected) + 1))


def test_a_line_at_the_limit_is_whole_and_a_longer_one_stays_too_long() -> None:
    whole, longer = b"x" * MAX_LINE, b"y" * (MAX_LINE + 1)
    lines_read = numbered(
        whole + b"\r\n" + longer + b"\r\n" + longer + b"\r" + b"z" * 9 + b"\r\nend"
    )
    assert [number for number, _ in lines_read] == [1, 2, 3, 4]
    assert lines_read[0][1] == whole
    assert [len(line) > MAX_LINE for _, line in lines_read] == [False, True, True, False]
    assert lines_read[3][1] == b"end"


def test_a_line_of_a_hundred_megabytes_takes_little_memory() -> None:
    chunk = b"\r" * blocks.CHUNK
    tracemalloc.start()
    try:
        lines_read = list(read_lines(Endless(chunk, 400, b"\n1,2\n")))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert [number for number, _ in lines_read] == [1, 2]
    assert MAX_LINE < len(lines_read[0][1]) <= MAX_LINE + 2
    assert lines_read[1][1] == b"1,2"
    assert peak < 12 * MAX_LINE


def test_blocks_end_at_line_ends_only() -> None:
    data = b"".join(b"%d\n" % number for number in range(1_000_000)) + b"last"
    blocks = list(read_blocks(io.BytesIO(data)))
    assert len(blocks) > 3
    assert b"".join(block.data for block in blocks) == data
    assert all(block.data.endswith(b"\n") for block in blocks[:-1])
    assert [int(block.data.split(b"\n", 1)[0]) + 1 for block in blocks[:-1]] == [
        block.first_line for block in blocks[:-1]
    ]


def test_a_block_has_a_limited_number_of_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "MAX_BLOCK_LINES", 3)
    read = list(read_blocks(io.BytesIO(b"a\n\n\nb\n\nc\nd\ne")))
    assert [(block.first_line, block.data) for block in read] == [
        (1, b"a\n\n\n"),
        (4, b"b\n\nc\n"),
        (7, b"d\n"),
        (8, b"e"),
    ]


@pytest.mark.parametrize("chunk", [7, 8, 1000])
@pytest.mark.parametrize(
    ("layout", "data", "expected"),
    [
        # 81 has no meaning in cp1252: its line, and no other, is invalid UTF-8.
        ({"encoding": "cp1252"}, b"7;\xb0\xe4\n\x81;\r\n8", ["7;°ä", "\udcff;", "8"]),
        ({"encoding": "cp1251"}, b"\xf2,\x98\xf2\n", ["т,\udcffт"]),
        ({"encoding": "utf-16-le"}, "\ufeffā,1\r\n🌲\n".encode("utf-16-le"), ["ā,1", "🌲"]),
        ({"encoding": "utf-16-be"}, "\ufeff\ufeffā,1\n".encode("utf-16-be"), ["ā,1"]),
        # Half a pair of UTF-16, and half a unit at the end.
        ({"encoding": "utf-16-le"}, b"\x00\xd8\n\x001\x002", ["\udcff", "1\udcff"]),
        ({"ends_with_cr": True}, b"1,2\r\r3,4\r5", ["1,2", "", "3,4", "5"]),
        # U+0D0D is two carriage returns for those who look at bytes.
        (
            {"ends_with_cr": True, "encoding": "utf-16-le"},
            "\ufeff1\r\u0d0d\r2".encode("utf-16-le"),
            ["1", "\u0d0d", "2"],
        ),
    ],
)
def test_other_encodings_and_line_ends_become_lines_of_utf8(
    chunk: int,
    layout: dict[str, Any],
    data: bytes,
    expected: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(blocks, "CHUNK", chunk)
    utf8 = [line.encode(errors="surrogateescape") for line in expected]
    for packed in (data, gzip.compress(data)):
        read = list(read_lines(io.BytesIO(packed), Layout(**layout)))
        assert read == list(enumerate(utf8, start=1))


def test_several_members_and_zero_padding_are_one_archive() -> None:
    packed = gzip.compress(b"a\nb") + gzip.compress(b"") + gzip.compress(b"c\nd") + b"\0" * 100
    assert [line for _, line in numbered(packed)] == [b"a", b"bc", b"d"]


@pytest.mark.parametrize("cut", [2, 10, 15, -9, -8, -1])
def test_a_truncated_archive_is_refused(cut: int) -> None:
    packed = gzip.compress(b"1,2,3\n" * 100)
    with pytest.raises(UnreadableFile, match=r"^The gzip archive ends before its end"):
        numbered(packed[:cut])


@pytest.mark.parametrize("spoil", ["header", "body", "checksum", "trailer"])
def test_a_damaged_archive_is_refused(spoil: str) -> None:
    body = random.Random(1).randbytes(5000).hex().encode()
    packed = bytearray(gzip.compress(body))
    match spoil:
        case "header":
            packed[2] = 99
        case "body":
            packed[300:310] = b"\xff" * 10
        case "checksum":
            packed[-8] ^= 1
        case "trailer":
            packed += b"more"
    with pytest.raises(UnreadableFile, match=r"^The gzip archive is damaged"):
        numbered(bytes(packed))


def compressed_zeros(count: int) -> bytes:
    return gzip.compress(bytes(count), 9)


@pytest.mark.parametrize("size", [2 * 1024 * 1024, 10 * 1024 * 1024])
def test_a_decompression_bomb_is_refused(size: int) -> None:
    with pytest.raises(UnreadableFile) as refusal:
        numbered(compressed_zeros(size))
    assert refusal.value.sentence("a.gz") == (
        "“a.gz” unpacks to more than 450 times its size, as no readings do. Upload it unpacked."
    )


def test_an_archive_that_unpacks_to_more_than_a_file_may_have_is_refused() -> None:
    packed = gzip.compress(b"7,21.50,2025-06-01T12:00:00Z\n" * 40)
    assert len(list(read_blocks(io.BytesIO(packed), max_unpacked=29 * 40))) == 1
    with pytest.raises(UnreadableFile) as refusal:
        list(read_blocks(io.BytesIO(packed), max_unpacked=29 * 40 - 1))
    assert refusal.value.sentence("{a}.gz") == (
        "“{a}.gz” unpacks to more than the 1,159 bytes that a file may have. Split it."
    )


@pytest.mark.parametrize("line", [b"7,21.50,2025-06-01T12:00:00Z\n", b"1,1,2025-06-01T12:00\n"])
def test_readings_may_have_the_highest_compression_ratio_of_readings(line: bytes) -> None:
    packed = gzip.compress(line * 200_000, 9)
    assert sum(1 for _ in read_lines(io.BytesIO(packed))) == 200_000


def test_many_small_members_make_blocks_of_the_usual_size() -> None:
    lines = [b"%0999d\n" % number for number in range(3000)]
    blocks = list(read_blocks(io.BytesIO(b"".join(gzip.compress(line, 1) for line in lines))))
    assert b"".join(block.data for block in blocks) == b"".join(lines)
    assert len(blocks) == 2
