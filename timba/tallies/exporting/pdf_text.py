"""Writes lines of text of every script into a PDF, each letter in a font that has it.

Text that needs no shaping is written directly, other text with HarfBuzz.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from timba.tallies.exporting.font_files import BOLD, REGULAR, FontFile, codes_of, find_font
from timba.tallies.exporting.text_runs import Run, describe, find_missing, split_runs

if TYPE_CHECKING:
    from fpdf import FPDF

# Widths are measured at this font size, and scaled.
_MEASURED_SIZE: Final = 100
# From the top of a cell to the line that letters stand on, by the height of the cell.
_BASELINE: Final = 0.8


class Line(NamedTuple):
    """A line of text: its runs from left to right, and its width in millimetres for each point.

    `missing` describes the characters that no font has.
    """

    runs: list[Run]
    width: float
    missing: list[str]


class _StyleFonts:
    """The packaged fonts of one style, then those of this machine."""

    def __init__(
        self, pdf: FPDF, keys: dict[FontFile, str], packaged: tuple[FontFile, ...]
    ) -> None:
        self._pdf, self._keys, self._packaged = pdf, keys, packaged
        self._found: dict[frozenset[str], str | None] = {}
        self._files: dict[str, FontFile] = {}

    def find(self, characters: frozenset[str]) -> str | None:
        """Return the key of the best font that has all of these characters, or None."""
        if characters not in self._found:
            self._found[characters] = self._search(characters)
        return self._found[characters]

    def has(self, font: str, character: str) -> bool:
        """Whether a font has a character."""
        return ord(character) in codes_of(self._files[font])

    def _search(self, characters: frozenset[str]) -> str | None:
        for font in self._packaged:
            if all(ord(character) in codes_of(font) for character in characters):
                return self._key(font)
        found = find_font(characters)
        return None if found is None else self._key(found)

    def _key(self, font: FontFile) -> str:
        if font not in self._keys:
            self._keys[font] = f"font{len(self._keys)}"
            self._pdf.add_font(self._keys[font], "", font.path, collection_font_number=font.face)
        self._files[self._keys[font]] = font
        return self._keys[font]


class TextWriter:
    """Measures lines of text and writes them."""

    def __init__(self, pdf: FPDF) -> None:
        self._pdf = pdf
        keys: dict[FontFile, str] = {}
        self._regular = _StyleFonts(pdf, keys, (REGULAR,))
        self._bold = _StyleFonts(pdf, keys, (BOLD, REGULAR))
        self._widths: dict[tuple[str, str], float] = {}

    def line(self, text: str, *, bold: bool = False) -> Line:
        """Return a line with its width; characters that no font has stand in it by number."""
        fonts = self._bold if bold else self._regular
        missing: list[str] = []
        if text.isascii() and text.isprintable():
            runs = [Run(text, fonts.find(frozenset(" ")) or "", False, False)]
        else:
            missing = find_missing(text, fonts)
            runs = split_runs(text, fonts, missing=missing)
        return Line(runs, sum(map(self._run_width, runs)), [*map(describe, missing)])

    def write(self, line: Line, x: float, y: float, *, size: float) -> None:
        """Write a line that begins at `x` and stands on `y`, in millimetres."""
        for run in line.runs:
            self._prepare(run, size)
            if run.is_shaped:
                height = self._pdf.font_size
                self._pdf.set_xy(x, y - _BASELINE * height)
                self._pdf.cell(h=height, text=run.text)
            else:
                self._pdf.text(x, y, run.text)
            x += self._run_width(run) * size

    def _run_width(self, run: Run) -> float:
        if run.is_shaped:
            self._prepare(run, _MEASURED_SIZE)
            return self._pdf.get_string_width(run.text) / _MEASURED_SIZE
        return sum(self._character_width(character, run.font) for character in run.text)

    def _character_width(self, character: str, font: str) -> float:
        if (character, font) not in self._widths:
            self._prepare(Run(character, font, False, False), _MEASURED_SIZE)
            width = self._pdf.get_string_width(character) / _MEASURED_SIZE
            self._widths[character, font] = width
        return self._widths[character, font]

    def _prepare(self, run: Run, size: float) -> None:
        direction = "rtl" if run.is_right_to_left else "ltr"
        self._pdf.set_text_shaping(run.is_shaped, direction=direction)
        self._pdf.set_font(run.font, "", size)
