"""Reads the cells of an XLSX workbook: what is stored in each, and what the spreadsheet shows.

Of a formula, the value stored with it is read: nothing is computed, no link is followed and no
macro is run. Runs in the sandbox.
"""

from __future__ import annotations

import posixpath
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Final, cast

from timba.files.processors.base import FileRefused
from timba.tallies.cells.archives import BOMB, DAMAGED, check_workbook
from timba.tallies.cells.cell_values import MAX_TEXT, CellMaker, unescape
from timba.tallies.cells.grids import Grid, Workbook
from timba.tallies.cells.number_formats import BUILT_IN, GENERAL, NumberFormat, parse_format
from timba.tallies.cells.sheet_xml import MAX_FILLED, FilledCells, read_sheet
from timba.tallies.cells.workbook_xml import (
    TRUE,
    Attributes,
    Ends,
    Starts,
    parse_xml,
    relationship_id,
)

_HIDDEN_STATES: Final = frozenset(("hidden", "veryHidden"))


def read_workbook(stream: BinaryIO) -> Workbook:
    """Return all sheets of a workbook; raise FileRefused if it cannot be read safely."""
    check_workbook(stream)
    stream.seek(0)
    try:
        with zipfile.ZipFile(stream) as archive:
            grids = _read_grids(_Parts(archive))
    except (zipfile.BadZipFile, zlib.error, EOFError):
        raise FileRefused(DAMAGED) from None
    return Workbook(grids=grids, is_csv=False, encoding=None, delimiter=None)


def read_sheet_names(stream: BinaryIO) -> Sequence[str]:
    """Return the names of a checked workbook's sheets, in the order of its grids."""
    with zipfile.ZipFile(stream) as archive:
        return [sheet.name for sheet in _Parts(archive).sheets]


@dataclass(frozen=True, kw_only=True, slots=True)
class _SheetPart:
    """A sheet of cells, and its part of the archive."""

    name: str
    is_hidden: bool
    path: str


class _Parts:
    """The parts of a workbook, which their relationships name."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        # Some programs name a part in other letter cases than its relationship.
        self._names = {name.lower(): name for name in archive.namelist()}
        self._relationships: dict[str, tuple[str, str]] = {}
        self._sheets: list[Attributes] = []
        self.is_1904 = False
        self._parse("xl/_rels/workbook.xml.rels", {"Relationship": self._add_relationship})
        self._parse(
            "xl/workbook.xml", {"sheet": self._sheets.append, "workbookPr": self._set_calendar}
        )
        self.sheets = self._find_sheets()

    def open(self, path: str) -> BinaryIO:
        """Open a part; raise FileRefused if it is missing."""
        if path.lower() not in self._names:
            raise FileRefused(DAMAGED)
        return cast("BinaryIO", self._archive.open(self._names[path.lower()]))

    def parse_shared(
        self, kind: str, starts: Starts, ends: Ends, add_text: Callable[[str], None] | None = None
    ) -> None:
        """Parse the part that all sheets share of a kind, if there is one."""
        for each, path in self._relationships.values():
            if each == kind:
                self._parse(path, starts, ends, add_text)
                return

    def _parse(
        self,
        path: str,
        starts: Starts,
        ends: Ends | None = None,
        add_text: Callable[[str], None] | None = None,
    ) -> None:
        with self.open(path) as stream:
            parse_xml(stream, starts, ends, add_text)

    def _add_relationship(self, attributes: Attributes) -> None:
        if attributes.get("TargetMode") != "External":
            kind = attributes.get("Type", "").rpartition("/")[2]
            path = posixpath.normpath(posixpath.join("/xl", attributes.get("Target", "")))
            self._relationships[attributes.get("Id", "")] = kind, path.lstrip("/")

    def _set_calendar(self, attributes: Attributes) -> None:
        self.is_1904 = attributes.get("date1904") in TRUE

    def _find_sheets(self) -> list[_SheetPart]:
        """Return the sheets of cells; raise FileRefused if two of them are one part."""
        sheets, paths = [], set()
        for attributes in self._sheets:
            kind, path = self._relationships.get(relationship_id(attributes), ("", ""))
            # Sheets may consist of a chart or a dialog instead of cells.
            if kind != "worksheet":
                continue
            if path in paths:
                raise FileRefused(DAMAGED)
            paths.add(path)
            is_hidden = attributes.get("state") in _HIDDEN_STATES
            name = attributes.get("name", "")
            sheets.append(_SheetPart(name=name, is_hidden=is_hidden, path=path))
        return sheets


def _read_grids(parts: _Parts) -> list[Grid]:
    strings, styles = _Strings(), _Styles()
    parts.parse_shared("sharedStrings", strings.starts, strings.ends, strings.add_text)
    parts.parse_shared("styles", styles.starts, styles.ends)
    maker = CellMaker(strings=strings.strings, formats=styles.formats(), is_1904=parts.is_1904)
    filled = FilledCells()
    grids = []
    for sheet in parts.sheets:
        with parts.open(sheet.path) as stream:
            content = read_sheet(stream, maker, filled)
        grids.append(
            Grid(
                name=sheet.name,
                rows=content.rows,
                hidden=sheet.is_hidden,
                hidden_columns=content.hidden_columns,
                merged=content.merged,
            )
        )
    return grids


class _Strings:
    """Takes the elements of the shared strings: texts, in runs of one format each.

    How a run is pronounced stands beside it, and is no part of the text.
    """

    def __init__(self) -> None:
        self.strings: list[str] = []
        self._pieces: list[str] = []
        self._room, self._phonetic, self._is_text = 0, 0, False
        self.starts: Starts = {
            "si": self._start_string,
            "t": self._start_text,
            "rPh": self._start_phonetic,
        }
        self.ends: Ends = {
            "si": self._end_string,
            "t": self._end_text,
            "rPh": self._end_phonetic,
        }

    def add_text(self, text: str) -> None:
        """Add a piece of text; more than a cell can hold is left out."""
        if self._is_text and self._room > 0:
            self._pieces.append(text[: self._room])
            self._room -= len(text)

    def _start_string(self, _attributes: Attributes) -> None:
        self._pieces, self._room = [], MAX_TEXT

    def _end_string(self) -> None:
        if len(self.strings) >= MAX_FILLED:
            raise FileRefused(BOMB)
        self.strings.append(unescape("".join(self._pieces)))

    def _start_text(self, _attributes: Attributes) -> None:
        self._is_text = not self._phonetic

    def _end_text(self) -> None:
        self._is_text = False

    def _start_phonetic(self, _attributes: Attributes) -> None:
        self._phonetic += 1

    def _end_phonetic(self) -> None:
        self._phonetic -= 1


class _Styles:
    """Takes the elements of the styles: number formats, and which of them a cell's style has."""

    def __init__(self) -> None:
        self._codes = {str(number): code for number, code in BUILT_IN.items()}
        self._ids: list[str] = []
        self._list = ""
        self.starts: Starts = {
            "numFmts": lambda _attributes: self._enter("numFmts"),
            "cellXfs": lambda _attributes: self._enter("cellXfs"),
            "numFmt": self._add_format,
            "xf": self._add_style,
        }
        self.ends: Ends = {
            "numFmts": lambda: self._enter(""),
            "cellXfs": lambda: self._enter(""),
        }

    def formats(self) -> list[NumberFormat]:
        """Return the format of each style, and after them General, for a style that is missing."""
        parsed: dict[str, NumberFormat] = {}
        formats = []
        for number in (*self._ids, "0"):
            if number not in parsed:
                parsed[number] = parse_format(self._codes.get(number, GENERAL))
            formats.append(parsed[number])
        return formats

    def _enter(self, name: str) -> None:
        self._list = name

    def _add_format(self, attributes: Attributes) -> None:
        # Elsewhere in the styles, a format may be that of a condition.
        if self._list == "numFmts":
            self._codes[attributes.get("numFmtId", "")] = attributes.get("formatCode", GENERAL)

    def _add_style(self, attributes: Attributes) -> None:
        if self._list == "cellXfs":
            self._ids.append(attributes.get("numFmtId", "0"))
