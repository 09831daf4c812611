"""Writes a tally as a PDF on A4, to be printed, signed and filed."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import BinaryIO, Final, NamedTuple

from timba.tallies.exporting.pdf_text import TextWriter
from timba.tallies.exporting.tally import Tally

# Millimetres from the left or top edge of an A4 page: the margins, the footer's line, and the
# last line of the table.
_LEFT, _RIGHT, _TOP, _FOOTER = 15.0, 195.0, 15.0, 287.0
_LAST_LINE: Final = 276.0
# Where a page says which characters it shows by number; how many of them it names, or else numbers.
_MISSING_Y: Final = 282.0
_MAX_NAMED, _MAX_NUMBERED = 3, 12
# Millimetres from line to line, and from a line to the rule below it.
_LINE_HEIGHT, _RULE_OFFSET = 5.2, 1.5
# Shades of grey, 0 to 255.
_GREY, _BLACK = 110, 0


class _Column(NamedTuple):
    """`x` is where a text begins and where a number ends, in millimetres."""

    title: str
    x: float
    is_text: bool = False


_COLUMNS: Final = (
    _Column("No.", 28.0),
    _Column("Barcode", 33.0, is_text=True),
    _Column("Length, m", 129.0),
    _Column("Breadth, cm", 152.0),
    _Column("Height, cm", 174.0),
    _Column("Volume, m³", _RIGHT),
)
_BARCODE_WIDTH: Final = 78.0
# Where the values of details begin, and how wide the name in the footer may be.
_DETAIL_X: Final = 40.0
_FOOTER_WIDTH: Final = 130.0


def write_pdf(tally: Tally, out: BinaryIO) -> None:
    """Write the details, the logs and their total, on pages with headers and numbers.

    The PDF is held in memory until it is complete. The fonts must be installed.
    """
    document = _Document(tally)
    for number, log in enumerate(tally.logs, start=1):
        document.add_line((str(number), log.barcode, *map(str, log[1:])))
    document.draw_rule()
    total = ("Total", _format_count(tally), "", "", "", f"{tally.volume:,}")
    document.add_line(total, bold=True)
    out.write(document.content())


class _Document:
    """The pages, written from the top of the first to the end of the last; `_y` in millimetres."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        # This library is slow to load, and few processes write a PDF.
        from fpdf import FPDF  # noqa: PLC0415

        self._pdf = FPDF(format="A4")
        self._pdf.set_auto_page_break(auto=False)
        self._pdf.c_margin = 0
        self._pdf.set_title(tally.name)
        self._pdf.set_author(tally.client)
        self._pdf.set_creator("Timba")
        self._pdf.set_creation_date(tally.exported_at)
        self._text = TextWriter(self._pdf)
        self._missing: dict[str, None] = {}
        self._y = _TOP
        self._pdf.add_page()
        self._write_details()
        self._write_header()
        self._pages = 1 + _page_count(len(tally.logs) + 1 - _lines_below(self._y))
        self._write_footer()

    def add_line(self, cells: Sequence[str], *, bold: bool = False) -> None:
        """Write one line of the table, on a new page if the current one is full."""
        if not _lines_below(self._y):
            self._write_missing()
            self._pdf.add_page()
            self._y = _TOP
            self._write_header()
            self._write_footer()
        for column, text in zip(_COLUMNS, cells, strict=True):
            if column.is_text:
                self._write(text, column.x, bold=bold, width=_BARCODE_WIDTH)
            else:
                self._write_right_aligned(text, column.x, bold=bold)
        self._y += _LINE_HEIGHT

    def draw_rule(self) -> None:
        """Draw a horizontal line below the last line of text."""
        y = self._y - _LINE_HEIGHT + _RULE_OFFSET
        self._pdf.line(_LEFT, y, _RIGHT, y)

    def content(self) -> bytes:
        """Return the PDF."""
        self._write_missing()
        return bytes(self._pdf.output())

    def _write_details(self) -> None:
        self._write(self._tally.client, _LEFT, grey=True)
        self._y += 8
        self._write(self._tally.name, _LEFT, size=16, bold=True, width=_RIGHT - _LEFT)
        self._y += 8
        totals = f"{_format_count(self._tally)}, {self._tally.volume:,} m³"
        for label, value in (*self._tally.details(), ("Total", totals)):
            self._write(label, _LEFT, grey=True)
            self._write(value, _DETAIL_X, width=_RIGHT - _DETAIL_X)
            self._y += _LINE_HEIGHT
        self._y += _LINE_HEIGHT

    def _write_header(self) -> None:
        for column in _COLUMNS:
            write = self._write if column.is_text else self._write_right_aligned
            write(column.title, column.x, size=8, grey=True)
        self._y += _LINE_HEIGHT
        self.draw_rule()

    def _write_footer(self) -> None:
        y, self._y = self._y, _FOOTER
        pages = f"Page {self._pdf.page} of {self._pages}"
        self._write(self._tally.name, _LEFT, size=8, grey=True, width=_FOOTER_WIDTH)
        self._write_right_aligned(pages, _RIGHT, size=8, grey=True)
        self._y = y

    def _write_missing(self) -> None:
        """Say at the end of a page which of its characters no font on this machine has."""
        if not self._missing:
            return
        sentence = f"No font of this server has {_enumerate(list(self._missing))}."
        self._y, self._missing = _MISSING_Y, {}
        self._write(sentence, _LEFT, size=8, width=_RIGHT - _LEFT)

    def _write_right_aligned(self, text: str, x: float, *, size: float = 9, **style: bool) -> None:
        """Write a text that ends at `x`."""
        width = self._text.line(text, bold=style.get("bold", False)).width * size
        self._write(text, x - width, size=size, **style)

    def _write(
        self,
        text: str,
        x: float,
        *,
        size: float = 9,
        bold: bool = False,
        grey: bool = False,
        width: float | None = None,
    ) -> None:
        """Write a text that begins at `x`, scaled down if it is wider than `width`."""
        line = self._text.line(text, bold=bold)
        if width is not None:
            size = min(size, width / max(line.width, 0.001))
        self._missing |= dict.fromkeys(line.missing)
        self._pdf.set_text_color(_GREY if grey else _BLACK)
        self._text.write(line, x, self._y, size=size)


def _enumerate(missing: list[str]) -> str:
    """Name a few characters; of many only the numbers fit, by which they are printed."""
    if len(missing) > _MAX_NAMED:
        missing = [described.partition(" ")[0] for described in missing]
    if len(missing) > _MAX_NUMBERED + 1:
        missing = [*missing[:_MAX_NUMBERED], f"{len(missing) - _MAX_NUMBERED} others"]
    return " and ".join(filter(None, (", ".join(missing[:-1]), missing[-1])))


def _format_count(tally: Tally) -> str:
    return "1 log" if len(tally.logs) == 1 else f"{len(tally.logs):,} logs"


def _lines_below(y: float) -> int:
    """Return how many lines of the table fit on a page from `y` on."""
    return max(0, int((_LAST_LINE - y) // _LINE_HEIGHT) + 1)


def _page_count(lines: int) -> int:
    """Return how many further pages `lines` lines of the table fill."""
    return max(0, ceil(lines / _lines_below(_TOP + _LINE_HEIGHT)))
