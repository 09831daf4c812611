"""Writes a tally as a PDF on A4: to be printed, signed and filed."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

from fpdf import FPDF

from timba.tallies.facts import Tally

FONTS: Final = Path(__file__).resolve().parent / "fonts"
REGULAR: Final = FONTS / "DejaVuSans.ttf"
BOLD: Final = FONTS / "DejaVuSans-Bold.ttf"

_FONT: Final = "DejaVu"
# Millimetres of an A4 page.
_LEFT, _RIGHT, _TOP, _FOOT = 15.0, 195.0, 15.0, 287.0
_LAST_LINE: Final = 276.0
# From line to line, and from a line to the rule below it.
_ROW, _BELOW = 5.2, 1.5
_MEASURED_AT: Final = 100
_GREY, _BLACK = 110, 0


class _Column(NamedTuple):
    title: str
    edge: float
    is_text: bool = False


# A number ends at its column's edge, a text begins there.
_COLUMNS: Final = (
    _Column("No.", 28.0),
    _Column("Barcode", 33.0, is_text=True),
    _Column("Length, m", 129.0),
    _Column("Breadth, cm", 152.0),
    _Column("Height, cm", 174.0),
    _Column("Volume, m³", _RIGHT),
)
_BARCODE_WIDTH: Final = 78.0
# Where the facts stand beside their names; what the name in the footer may take.
_FACTS: Final = 40.0
_FOOTER_WIDTH: Final = 130.0


def has_fonts() -> bool:
    """Whether there are the fonts that PDFs are written in; the front end's build brings them."""
    return REGULAR.is_file() and BOLD.is_file()


def write_pdf(tally: Tally, out: BinaryIO) -> None:
    """Write the facts, the logs and their total, each page with its header and number."""
    paper = _Paper(tally)
    for number, log in enumerate(tally.logs, start=1):
        paper.add_line((str(number), log.barcode, *map(str, log[1:])))
    paper.rule()
    paper.add_line(("Total", _many(tally), "", "", "", f"{tally.volume:,}"), bold=True)
    out.write(paper.content())


class _Paper:
    """The pages, written from the top of the first to the end of the last."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._pdf = FPDF(format="A4")
        self._pdf.set_auto_page_break(auto=False)
        self._pdf.add_font(_FONT, "", REGULAR)
        self._pdf.add_font(_FONT, "B", BOLD)
        self._pdf.set_title(tally.name)
        self._pdf.set_author(tally.client)
        self._pdf.set_creator("Timba")
        self._pdf.set_creation_date(tally.exported_at)
        self._widths: dict[tuple[str, bool], float] = {}
        self._y = _TOP
        self._pdf.add_page()
        self._write_facts()
        self._write_header()
        self._pages = 1 + _pages_for(len(tally.logs) + 1 - _lines_from(self._y))
        self._write_footer()

    def add_line(self, cells: Sequence[str], *, bold: bool = False) -> None:
        """Write one line of the table, on a new page where this one is full."""
        if not _lines_from(self._y):
            self._pdf.add_page()
            self._y = _TOP
            self._write_header()
            self._write_footer()
        for column, text in zip(_COLUMNS, cells, strict=True):
            if column.is_text:
                self._write(text, column.edge, bold=bold, width=_BARCODE_WIDTH)
            else:
                self._write_to(text, column.edge, bold=bold)
        self._y += _ROW

    def rule(self) -> None:
        """Draw a line between what was written last and what comes next."""
        y = self._y - _ROW + _BELOW
        self._pdf.line(_LEFT, y, _RIGHT, y)

    def content(self) -> bytes:
        """Return the PDF."""
        return bytes(self._pdf.output())

    def _write_facts(self) -> None:
        self._write(self._tally.client, _LEFT, grey=True)
        self._y += 8
        self._write(self._tally.name, _LEFT, size=16, bold=True, width=_RIGHT - _LEFT)
        self._y += 8
        totals = f"{_many(self._tally)}, {self._tally.volume:,} m³"
        for name, said in (*self._tally.facts(), ("Total", totals)):
            self._write(name, _LEFT, grey=True)
            self._write(said, _FACTS, width=_RIGHT - _FACTS)
            self._y += _ROW
        self._y += _ROW

    def _write_header(self) -> None:
        for column in _COLUMNS:
            write = self._write if column.is_text else self._write_to
            write(column.title, column.edge, size=8, grey=True)
        self._y += _ROW
        self.rule()

    def _write_footer(self) -> None:
        here, self._y = self._y, _FOOT
        pages = f"Page {self._pdf.page} of {self._pages}"
        self._write(self._tally.name, _LEFT, size=8, grey=True, width=_FOOTER_WIDTH)
        self._write_to(pages, _RIGHT, size=8, grey=True)
        self._y = here

    def _write_to(self, text: str, edge: float, *, size: float = 9, **look: bool) -> None:
        """Write a text so that it ends at an edge."""
        width = self._width(text, bold=look.get("bold", False)) * size
        self._write(text, edge - width, size=size, **look)

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
        """Write a text from `x`, and smaller where it would be wider than `width`."""
        if width is not None:
            size = min(size, width / max(self._width(text, bold=bold), 0.001))
        self._pdf.set_font(_FONT, "B" if bold else "", size)
        self._pdf.set_text_color(_GREY if grey else _BLACK)
        self._pdf.text(x, self._y, text)

    def _width(self, text: str, *, bold: bool) -> float:
        """Return the millimetres of a text for each point of its size."""
        return sum(self._letter_width(letter, bold) for letter in text)

    def _letter_width(self, letter: str, bold: bool) -> float:
        if (letter, bold) not in self._widths:
            self._pdf.set_font(_FONT, "B" if bold else "", _MEASURED_AT)
            self._widths[letter, bold] = self._pdf.get_string_width(letter) / _MEASURED_AT
        return self._widths[letter, bold]


def _many(tally: Tally) -> str:
    return "1 log" if len(tally.logs) == 1 else f"{len(tally.logs):,} logs"


def _lines_from(y: float) -> int:
    """Return how many lines fit on a page from here on."""
    return max(0, int((_LAST_LINE - y) // _ROW) + 1)


def _pages_for(lines: int) -> int:
    """Return how many more pages so many lines fill."""
    return max(0, ceil(lines / _lines_from(_TOP + _ROW)))
