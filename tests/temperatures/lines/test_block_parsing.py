"""Blocks parsed with numpy give the same readings and rejects as the definition, line by line."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from itertools import product

import pytest

from timba.temperatures.layout.layouts import PLAIN, Columns, Layout
from timba.temperatures.lines import block_parsing
from timba.temperatures.lines.block_parsing import ParsedBlock, parse_block
from timba.temperatures.lines.blocks import MAX_LINE, Block
from timba.temperatures.lines.parsing import Reading, Reject, excerpt, parse_line

Fields = Sequence[str]
Outcome = tuple[list[Reading], list[Reject]]

COMMA_DECIMALS = Layout(delimiter=";", decimal=",")
TIME_FIRST = Layout(columns=Columns(timestamp=0, city=1, temperature=2))
LAYOUTS = {
    "plain": PLAIN,
    "tab": Layout(delimiter="\t"),
    "pipe": Layout(delimiter="|"),
    "comma decimals": COMMA_DECIMALS,
    "time first": TIME_FIRST,
    "temperature first": Layout(
        delimiter="\t", decimal=",", columns=Columns(temperature=0, timestamp=1, city=2)
    ),
    "city last": Layout(delimiter=";", columns=Columns(timestamp=0, temperature=1, city=2)),
}
all_layouts = pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)

CITIES = ["7", "42", "007", "1234", "99999", "12345678", "123456789", "0000000001", "2147483647"]
TEMPERATURES = [
    "21.50",
    "-3.2",
    "8",
    "-0.004",
    "999.99",
    "-273.15",
    "1.005",
    "-12.3456",
    "7.123456",
]
DATES = ["2024-02-29T", "2024-02-29 ", "2024/02/29 "]
CLOCKS = ["12:00", "8:30", "9:05:07.123456789", "23:59:59"] + [
    f"08:05:07.{'123456789'[:digits]}" for digits in range(1, 10)
]
ZONES = ["", "Z", "+02:00", "-0330", "+14", " UTC", " +02:00", " -0330", " +14"]
TIMESTAMPS = [
    "1970-01-01T00:00:00Z",
    "2199-12-31T23:59:59Z",
    *("".join(parts) for parts in product(DATES, CLOCKS, ZONES)),
]
# What is not good, or barely so.
EDGES = [
    texts.split(",")
    for texts in (
        ",0,000,2147483648,9999999999,00000000001,12345678901,10000000000000001,-1,+1,1.0,٣",
        (
            ",-,.,.5,5.,-.5,--5,+5,1e3,1000,0012.5,9999.9,999.994,999.995,-273.154,-273.155,-273.16"
            ",1.0000000,5.12345x,1.2.3,1.23.,nan"
        ),
        (
            ",2024-02-29,2023-02-29T12:00,1969-12-31T23:59:59Z,2200-01-01T00:00:00Z"
            ",2199-12-31T23:59:59.999999-23:59,1970-01-01T00:00:00+23:59,2024-72-01T00:00:00Z"
            ",2024-01-01T24:00,2024-01-01T00:60,2024-01-01T00:00:60,2024-01-01T00:00:00+24:00"
            ",2024-01-01T00:00:00+00:60,2024-01-01T00:00:00.,2024-01-01T00:00:00.1234567890"
            ",2024-01-01T00:00.5,2024-01-01T00:00:00ZZ,2024-01-01T00:00:00z,2024-01-01t00:00"
            ",2024-01-01T8:30,2024/01/01 00:00,2024-01-01 00:00 UTC,2024-01-01 00:00 +0200"
            ",2024-01-01T00:00:0Z,2024-01-01T00:00:,2024-01-01  00:00,2024-01-01T00:00:00+2"
        ),
    )
]
FIELDS = (CITIES, TEMPERATURES, TIMESTAMPS)
BYTE_BY_BYTE: list[Fields] = [
    ("1234567890", "-273.15", "2199-12-31 23:59:59.987654321-23:59"),
    ("7", "5", "2024-02-29T12:00"),
    ("42", "-0.5", "2025-06-01T12:00:00Z"),
    ("123456789", "999.994", "2025-06-01T12:00:00.25+0330"),
    ("12345", "12.345678", "2025-06-01 12:00:00.123456+14"),
    ("1", "-12.3456789", "2024/12/31 8:05:09 UTC"),
    (" 987 ", "100", "2024-12-31T8:05 -11:30 "),
]
GOOD: Fields = ("7", "21.50", "2025-06-01T12:00:00Z")


def write(fields: Fields, layout: Layout) -> bytes:
    """Write a line in a layout; the decimal mark of the temperature is a point here."""
    city, temperature, timestamp = fields
    columns = layout.columns
    written = {
        columns.city: city,
        columns.temperature: temperature.replace(".", layout.decimal),
        columns.timestamp: timestamp,
    }
    return layout.delimiter.join(written[number] for number in range(3)).encode()


def parse_by_definition(block: Block, layout: Layout) -> Outcome:
    readings, rejects = [], []
    for number, line in block.lines():
        parsed = parse_line(line, layout)
        if isinstance(parsed, Reading):
            readings.append(parsed)
        elif parsed is not None:
            rejects.append(Reject(number, parsed.reason, excerpt(line)))
    return readings, rejects


def readings_of(parsed: ParsedBlock) -> list[Reading]:
    columns = (column.tolist() for column in parsed.readings)
    return [Reading(*values) for values in zip(*columns, strict=True)]


def assert_parsed_as_defined(lines: Iterable[bytes], layout: Layout, end: bytes = b"\n") -> Outcome:
    block = Block(first_line=1000, data=b"".join(line + end for line in lines))
    parsed = parse_block(block, layout)
    expected = parse_by_definition(block, layout)
    assert readings_of(parsed) == expected[0]
    assert parsed.rejects == expected[1]
    return expected


def replaced(fields: Fields, column: int, text: str) -> Fields:
    return [text if number == column else field for number, field in enumerate(fields)]


def vectorised_forms() -> Iterator[Fields]:
    """Each form of each field at least once."""
    for column, texts in enumerate(FIELDS):
        for text in texts:
            yield replaced(GOOD, column, text)
    # Without a decimal mark of its own, but near one.
    yield "7", "5", "2024-02-29T12:00:00.5"


@pytest.fixture
def no_line_parser(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(line: bytes) -> None:
        pytest.fail(f"parsed line by line: {line!r}")

    monkeypatch.setattr(block_parsing, "line_parser", lambda _layout: refuse)


@pytest.mark.usefixtures("no_line_parser")
@all_layouts
@pytest.mark.parametrize("end", [b"\n", b"\r\n"], ids=["LF", "CRLF"])
@pytest.mark.parametrize(
    ("before", "after"), [("", ""), (" ", ""), ("", "  \t "), (" " * 8, " " * 8)]
)
def test_no_common_form_is_parsed_line_by_line(
    layout: Layout, end: bytes, before: str, after: str
) -> None:
    after = after.replace(layout.delimiter, "")
    lines = [
        write([f"{before}{field}{after}" for field in fields], layout)
        for fields in vectorised_forms()
    ]
    parsed = parse_block(Block(first_line=1, data=end.join([*lines, b"", b""])), layout)
    assert readings_of(parsed) == [parse_line(line, layout) for line in lines]
    assert parsed.rejects == []


@pytest.mark.usefixtures("no_line_parser")
def test_no_common_form_alone_is_parsed_line_by_line() -> None:
    for fields in vectorised_forms():
        line = write(fields, PLAIN)
        parsed = parse_block(Block(first_line=1, data=(line + b"\n") * 3), PLAIN)
        assert readings_of(parsed) == [parse_line(line)] * 3
        assert parsed.rejects == []


@all_layouts
def test_every_byte_in_every_place(layout: Layout) -> None:
    """Each byte of good lines is replaced by every other, taken out, and doubled."""
    lines = []
    for fields in BYTE_BY_BYTE if layout == PLAIN else BYTE_BY_BYTE[:2]:
        good = write(fields, layout)
        for place in range(len(good)):
            before, after = good[:place], good[place + 1 :]
            lines += [before + bytes([byte]) + after for byte in range(256)]
            lines += [before + after, before + good[place : place + 1] * 2 + after]
    readings, rejects = assert_parsed_as_defined(lines, layout)
    assert len(readings) > 400
    assert len(rejects) > 10000


def test_every_date() -> None:
    years = [f"{year:04}-{day}T00:00Z" for year in range(10000) for day in ("01-01", "12-31")]
    days = [
        f"{year}-{month:02}-{day:02}T00:00Z"
        for year in (1970, 2024, 2100)
        for month in range(100)
        for day in range(100)
    ]
    readings, _ = assert_parsed_as_defined(
        (write(("7", "1.25", text), PLAIN) for text in years + days), PLAIN
    )
    assert len(readings) == 2 * 230 + 3 * 365 + 1


def test_every_two_digits_of_a_time() -> None:
    texts = [
        form.format(number)
        for form in (
            "2025-06-01T{:02}:00:00Z",
            "2025-06-01T12:{:02}Z",
            "2025-06-01T12:00:{:02}Z",
            "2025-06-01T12:00:{:02}.5",
            "2025-06-01T12:00:00+{:02}:30",
            "2025-06-01T12:00:00-{:02}30",
            "2025-06-01T12:00+{:02}",
            "2025-06-01T12:00:00.25-05:{:02}",
            "2025-06-01T12:00:00+05{:02}",
        )
        for number in range(100)
    ]
    readings, _ = assert_parsed_as_defined(
        (write(("7", "1.25", text), PLAIN) for text in texts), PLAIN
    )
    assert len(readings) == 24 * 4 + 60 * 5


@pytest.mark.parametrize("clock", ["12:00", "12:00:00", "12:00:00.0"])
def test_any_two_zones(clock: str) -> None:
    """Where all lines have the same zone, it is parsed once."""
    for zones in product([*ZONES, "+02:01", "-02:00", "+03:00", "+24:00", " Z"], repeat=2):
        lines = [write(("7", "1.25", f"2025-06-01T{clock}{zone}"), PLAIN) for zone in zones]
        assert_parsed_as_defined(lines, PLAIN)


@all_layouts
def test_edges_of_every_field(layout: Layout) -> None:
    lines = [
        write(replaced(good, column, edge), layout)
        for column, edges in enumerate(EDGES)
        for edge in edges
        for good in (GOOD, ("123456789", "-1.5", "2025-06-01 12:00:00.5+02:00"))
    ]
    assert_parsed_as_defined(lines, layout)
    assert_parsed_as_defined(lines, layout, b"\r\n")


def random_line(choose: random.Random, layout: Layout, bad: float) -> bytes:
    fields = [choose.choice(texts) for texts in FIELDS]
    if choose.random() >= bad:
        return write(fields, layout)
    kind = choose.randrange(8)
    if kind == 0:
        return choose.choice([b"", b" ", b"\t", b"\r", b"\0", b"\xff", b",,", b";;;", b"x" * 2000])
    if kind < 4:
        column = choose.randrange(3)
        return write(replaced(fields, column, choose.choice(EDGES[column])), layout)
    line = bytearray(write(fields, layout))
    if kind == 4:
        blank = choose.choice([b" ", b"\t", b"  "])
        return blank.join([b"", *bytes(line).split(layout.delimiter.encode())])
    for _ in range(choose.choice([1, 1, 2])):
        place = choose.randrange(len(line))
        line[place : place + choose.randrange(3)] = choose.choice(
            [
                b"",
                bytes([choose.randrange(256)]),
                choose.choice("0123456789,.:;-+TZ |\t\r").encode(),
            ]
        )
    return bytes(line)


@all_layouts
@pytest.mark.parametrize("bad", [0, 0.01, 0.5, 1])
@pytest.mark.parametrize("ends", [(b"\n",), (b"\r\n",), (b"\n", b"\r\n", b"\r\r\n", b"\n\n")])
def test_random_lines(layout: Layout, bad: float, ends: tuple[bytes, ...]) -> None:
    choose = random.Random(f"{layout}{bad}{ends}")
    for count in (0, 1, 2, 1000):
        lines = [random_line(choose, layout, bad) + choose.choice(ends) for _ in range(count)]
        assert_parsed_as_defined(lines, layout, b"")
        lines.append(random_line(choose, layout, bad))
        assert_parsed_as_defined(lines, layout, b"")


@pytest.mark.parametrize(
    "data", [b"", b"\n", b"\r\n", b"\r", b" ", b" \n", b"\n" * 1000, b"\r\n" * 1000, b"\n\r"]
)
def test_nothing_but_blanks(data: bytes) -> None:
    assert_parsed_as_defined([data], PLAIN, b"")


@all_layouts
@pytest.mark.parametrize("empty", ["", " ", "  "])
def test_one_field_too_many(layout: Layout, empty: str) -> None:
    """An empty field before the others is one, even where tabs are delimiters and blanks."""
    good = write(GOOD, layout)
    delimiter = layout.delimiter.encode()
    lines = [good, empty.encode() + delimiter + good, good + delimiter + empty.encode(), good]
    readings, rejects = assert_parsed_as_defined(lines, layout)
    assert len(readings) == 2
    assert [reject.line for reject in rejects] == [1001, 1002]


def test_long_lines() -> None:
    good = write(GOOD, PLAIN)
    long = good + b" " * (MAX_LINE - len(good))
    readings, rejects = assert_parsed_as_defined([good, long, long + b" ", good], PLAIN)
    assert len(readings) == 3
    assert [reject.line for reject in rejects] == [1002]


@pytest.mark.parametrize(
    ("first_line", "skipped_lines", "numbers"),
    [(1, 0, [1, 3, 4]), (1, 1, [3, 4]), (1, 2, [3, 4]), (1, 3, [4]), (1, 9, []), (8, 9, [10, 11])],
)
def test_skipped_lines_are_neither_readings_nor_rejects(
    first_line: int, skipped_lines: int, numbers: list[int]
) -> None:
    data = b"a\n" + write(GOOD, PLAIN) + b"\nb\nc"
    parsed = parse_block(
        Block(first_line=first_line, data=data), Layout(skipped_lines=skipped_lines)
    )
    assert [reject.line for reject in parsed.rejects] == numbers
    assert len(parsed.readings.times) == (first_line + 1 > skipped_lines)
