"""Writes random tables of logs that are known, over what real tally sheets differ in."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from random import Random
from typing import Any, Final

from tests.tallies.generated_words import LANGUAGES, PREAMBLE, SPELLINGS

METRES: Final = {
    "mm": Fraction(1, 1000),
    "cm": Fraction(1, 100),
    "m": Fraction(1),
    "in": Fraction(254, 10000),
    "ft": Fraction(3048, 10000),
}
UNITS: Final = ("m cm cm", "mm mm mm", "cm cm cm", "m m m", "ft in in", "in in in", "m mm mm")
# Other numbers without a unit would be plausible in metres and centimetres, and so be taken for it.
UNNAMED: Final = UNITS[:3]
PLACES: Final = ("header", "header", "row", "title", "note", "none", "length only")
DECIMALS: Final = {"mm": 0, "cm": 1, "m": 2, "in": 2, "ft": 2}

Log = tuple[str, Decimal, Decimal, Decimal]


@dataclass(kw_only=True)
class Table:
    """The rows of a table, its logs, and the indexes of its hidden rows.

    It is plain if it can be read without a question.
    """

    rows: list[list[Any]] = field(default_factory=list)
    logs: list[Log] = field(default_factory=list)
    hidden: set[int] = field(default_factory=set)
    is_plain: bool = True


class Barcodes:
    """Gives barcodes, each once, as a text and as a cell."""

    def __init__(self, rng: Random) -> None:
        self.rng, self.number = rng, rng.randint(1, 900_000)

    def next(self, kind: str) -> tuple[str, Any]:
        self.number += self.rng.randint(1, 9)
        text = f"{self.number:08}" if kind == "zeros" else f"{kind}{self.number:06}"
        return text, (self.number, "00000000") if kind == "zeros" else text


class TableWriter:
    """Draws how a table is written, then writes it."""

    def __init__(self, rng: Random, barcodes: Barcodes, *, is_csv: bool) -> None:
        self.rng, self.barcodes, self.is_csv = rng, barcodes, is_csv
        words = rng.choice(LANGUAGES).split("|")
        self.names, self.title, self.labels = words[:5], words[5], words[6:]
        self.place = rng.choice(PLACES)
        self.units = rng.choice(UNNAMED if self.place == "none" else UNITS).split()
        kinds = ["point", "comma", "unit"] + ([] if is_csv else ["number"] * 5)
        kinds += ["thousands"] if "mm" in self.units else []
        kinds += ["fraction"] * 4 if "in" in self.units else []
        self.kind = rng.choice(kinds)
        self.barcode_kind = rng.choice(["PL-", "47501", "A"] + ([] if is_csv else ["zeros"]))
        self.has_counter = rng.random() < 0.4
        self.has_species, self.has_remarks = rng.random() < 0.3, rng.random() < 0.3
        self.volume = rng.choice(["", "", "Volume (m³)", "m3"])
        self.order = rng.sample(range(4), 4) if rng.random() < 0.3 else [0, 1, 2, 3]
        named = self.place in ("header", "row", "title", "note", "none") or self.kind == "unit"
        self.table = Table(is_plain=named and self.kind != "thousands")
        if self.place == "none" and self.units != ["m", "cm", "cm"]:
            self.table.is_plain = False

    def write(self) -> Table:
        units = [self.rng.choice(SPELLINGS[unit].split()) for unit in self.units]
        self.table.rows += self.rng.sample(PREAMBLE, self.rng.choice((0, 0, 1, 3)))
        if self.place == "title":
            self.table.rows.append([self._write_title(units)])
        in_header = {"header": 3, "length only": 1}.get(self.place, 0)
        names = [f"{n} ({u})" for n, u in zip(self.names[1:4], units[:in_header], strict=False)]
        names = [self.names[0], *names, *self.names[1 + in_header : 4]]
        header = self._row(names, self.names[4], "Species")
        header += [self.volume] if self.volume else []
        header += ["Remarks"] if self.has_remarks else []
        self.table.rows.append(header)
        if self.place == "row":
            self.table.rows.append(self._row(["", *units], ""))
        for number in range(1, self.rng.randint(4, 14)):
            self._add_log(number)
            if number % 5 == 0:
                self._add_label(self.rng.choice(self.labels[1:3]))
            if number == 7 and self.rng.random() < 0.2:
                self.table.rows.append(header)
        self._add_label(self.labels[0])
        if self.place == "note":
            self.table.rows.append([self._write_title(units)])
        if self.rng.random() < 0.5:
            self.table.rows += [[], [self.labels[3]]]
        return self.table

    def _write_title(self, units: list[str]) -> str:
        if len(set(units)) == 1:
            return f"{self.title} {units[0]}"
        parts = zip(self.names[1:4], units, strict=True)
        return ", ".join(f"{name} ({unit})" for name, unit in parts)

    def _row(self, cells: list[Any], counter: Any, species: str = "") -> list[Any]:
        row = [cells[index] for index in self.order]
        row = [species, *row] if self.has_species else row
        return [counter, *row] if self.has_counter else row

    def _add_log(self, number: int) -> None:
        barcode, cell = self.barcodes.next(self.barcode_kind)
        values = [self._value(index) for index in range(3)]
        species = self.rng.choice(("Spruce", "Pine", "Fichte II/III"))
        row = self._row([cell, *self._cells(values)], number, species)
        log = (barcode, *self._stored(values))
        if self.volume:
            row.append(self._write(log[1] * log[2] * log[3] / 10000, 3))
        if self.has_remarks:
            row.append(self.rng.choice(("", "bent", "Total", "Note: knots", "4.2 m in stock", 17)))
        if not self.is_csv and self.rng.random() < 0.05:
            self.table.hidden.add(len(self.table.rows))
        else:
            self.table.logs.append(log)
        self.table.rows.append(row)

    def _stored(self, values: list[Fraction]) -> tuple[Decimal, Decimal, Decimal]:
        metres = [value * METRES[unit] for value, unit in zip(values, self.units, strict=True)]
        exact = (metres[0], metres[1] * 100, metres[2] * 100)
        decimals = (Decimal(each.numerator) / Decimal(each.denominator) for each in exact)
        length, breadth, height = (d.quantize(Decimal("0.001"), ROUND_HALF_UP) for d in decimals)
        return length, breadth, height

    def _value(self, index: int) -> Fraction:
        edges = (Fraction(2), Fraction(9)) if index == 0 else (Fraction(1, 10), Fraction(3, 5))
        unit = self.units[index]
        step = 8 if self.kind == "fraction" else 10 ** DECIMALS[unit]
        low, high = (int(edge / METRES[unit] * step) for edge in edges)
        return Fraction(self.rng.randint(low + 1, high), step)

    def _cells(self, values: list[Fraction]) -> list[Any]:
        return [self._cell(*pair) for pair in zip(values, self.units, strict=True)]

    def _cell(self, value: Fraction, unit: str) -> Any:
        if self.kind != "fraction":
            text = self._write(value, DECIMALS[unit])
            return f"{text} {unit}" if self.kind == "unit" else text
        whole = int(value)
        return f"{whole}'{_mixed((value - whole) * 12)}\"" if unit == "ft" else _mixed(value)

    def _write(self, value: Any, decimals: int) -> Any:
        if self.kind == "number":
            return float(value) if decimals else int(value)
        text = f"{float(value):,.{decimals}f}"
        if self.kind == "thousands":
            return text
        return text.replace(",", "").replace(".", "," if self.kind == "comma" else ".")

    def _add_label(self, label: str) -> None:
        if self.rng.random() < 0.6:
            cells = self._cells([self._value(index) for index in range(3)])
            self.table.rows.append(self._row([label, *cells], ""))


def _mixed(value: Fraction) -> str:
    whole, rest = int(value), value - int(value)
    return " ".join(str(part) for part in (whole, rest) if part) or "0"
