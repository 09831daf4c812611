"""Writes random tally sheets whose logs are known, over what real sheets differ in."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from random import Random
from typing import Any, Final

import openpyxl

from tests.tallies.sheets import save

METRES: Final = {
    "mm": Fraction(1, 1000),
    "cm": Fraction(1, 100),
    "m": Fraction(1),
    "in": Fraction(254, 10000),
    "ft": Fraction(3048, 10000),
}
# Barcode, length, breadth, height, counter, total, sub-total, average, signature, encodings.
LANGUAGES: Final = (
    "Barcode|Length|Width|Height|No.|Total|Sub-total|Average|Signature: J. Smith|cp1252",
    "Tag #|Len.|Breadth|Thickness|#|Grand total|Subtotal 2|Avg.|Tallied by: Ann|cp1252",
    "Barcode*|Länge|Breite|Höhe|Lfd. Nr.|Summe:|Zwischensumme|Durchschnitt|Unterschrift|cp1252",
    "Code-barres|Longueur|Largeur|Épaisseur|N°|Somme|Sous-total|Moyenne|Signature|cp1252",
    "Código de barras|Largo|Ancho|Alto|Nº|Total:|Subtotal|Promedio|Firma:|cp1252",
    "Kod kreskowy|Długość|Szerokość|Grubość|Lp.|Razem|Suma częściowa|Średnia|Podpis|cp1250",
    "Svītrkods|Garums|Platums|Biezums|Nr. p.k.|Kopā 48 gab.|Starpsumma|Vidēji|Paraksts|cp1257",
    "Brūkšninis kodas|Ilgis|Plotis|Storis|Eil. Nr.|Iš viso:|Tarpinė suma|Vidurkis|Parašas|cp1257",
    "Vöötkood|Pikkus|Laius|Kõrgus|Jrk nr|Kokku|Vahesumma|Keskmine|Allkiri|cp1257",
    "Viivakoodi|Pituus|Leveys|Korkeus|Nro|Yhteensä|Välisumma|Keskiarvo|Allekirjoitus|cp1252",
    "Streckkod|Längd|Bredd|Tjocklek|Nr|Summa|Delsumma|Medel|Underskrift|cp1252",
    "Штрихкод|Длина|Ширина|Толщина|№ п/п|Итого|Подытог|Среднее|Подпись:|cp1251",
    "Штрих-код|Довжина|Ширина|Висота|№ з/п|Всього:|Підсумок|Середнє|Підпис|cp1251",
)
UNITS: Final = ("m cm cm", "mm mm mm", "cm cm cm", "m m m", "ft in in", "in in in", "m mm mm")
# Other numbers without a unit would be plausible in metres and centimetres, and so be taken for them.
UNNAMED: Final = UNITS[:3]
PLACES: Final = ("header", "header", "row", "title", "none", "length only")
DECIMALS: Final = {"mm": 0, "cm": 1, "m": 2, "in": 2, "ft": 2}
SPELLINGS: Final = {
    "m": "m M mtr",
    "ft": "ft feet ′",
    "in": "in inches ″",
    "mm": "mm MM",
    "cm": "cm",
}

Log = tuple[str, Decimal, Decimal, Decimal]


@dataclass(kw_only=True)
class Table:
    """The rows of a table, its logs, the indexes of its hidden rows; `is_plain`: nothing is open."""

    rows: list[list[Any]] = field(default_factory=list)
    logs: list[Log] = field(default_factory=list)
    hidden: set[int] = field(default_factory=set)
    is_plain: bool = True
    encoding: str = ""


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """A file, the logs in it, and whether it can be read without a question."""

    content: bytes
    logs: Sequence[Log]
    is_plain: bool


def generate_sheet(seed: int) -> Sheet:
    rng = Random(seed)
    barcodes = _Barcodes(rng)
    if rng.random() < 0.6:
        tables = [_TableWriter(rng, barcodes, is_csv=False).write() for _ in range(_few(rng))]
        content = _write_workbook(rng, tables, barcodes)
    else:
        tables = [_TableWriter(rng, barcodes, is_csv=True).write()]
        content = _write_csv(rng, tables[0])
    logs = [log for table in tables for log in table.logs]
    return Sheet(content=content, logs=logs, is_plain=all(table.is_plain for table in tables))


def _few(rng: Random) -> int:
    return rng.choice((1, 1, 1, 2, 3))


class _Barcodes:
    """Gives barcodes, each once, as a text and as a cell."""

    def __init__(self, rng: Random) -> None:
        self.rng, self.number = rng, rng.randint(1, 900_000)

    def next(self, kind: str) -> tuple[str, Any]:
        self.number += self.rng.randint(1, 9)
        text = f"{self.number:08}" if kind == "zeros" else f"{kind}{self.number:06}"
        return text, (self.number, "00000000") if kind == "zeros" else text


class _TableWriter:
    def __init__(self, rng: Random, barcodes: _Barcodes, *, is_csv: bool) -> None:
        self.rng, self.barcodes, self.is_csv = rng, barcodes, is_csv
        words = rng.choice(LANGUAGES).split("|")
        self.names, self.labels = words[:5], words[5:9]
        self.place = rng.choice(PLACES)
        self.units = rng.choice(UNNAMED if self.place == "none" else UNITS).split()
        kinds = ["point", "comma", "unit"]
        kinds += [] if is_csv else ["number"] * 5
        kinds += ["thousands"] if "mm" in self.units else []
        kinds += ["fraction"] * 4 if "in" in self.units else []
        self.kind = rng.choice(kinds)
        self.barcode_kind = rng.choice(["PL-", "47501", "A"] + ([] if is_csv else ["zeros"]))
        self.has_counter = rng.random() < 0.4
        self.order = rng.sample(range(4), 4) if rng.random() < 0.3 else [0, 1, 2, 3]
        self.table = Table(is_plain=self._is_plain(), encoding=words[9])

    def _is_plain(self) -> bool:
        named = self.place in ("header", "row", "title") or self.kind == "unit"
        named = named or (self.place == "none" and self.units == ["m", "cm", "cm"])
        return named and self.kind != "thousands"

    def write(self) -> Table:
        units = [self.rng.choice(SPELLINGS[unit].split()) for unit in self.units]
        if self.place == "title":
            names = self.names[1:4]
            parts = [f"{name} ({unit})" for name, unit in zip(names, units, strict=True)]
            self.table.rows += [["TALLY 17"], [", ".join(parts)]]
        in_header = {"header": 3, "length only": 1}.get(self.place, 0)
        names = [f"{n} ({u})" for n, u in zip(self.names[1:4], units[:in_header], strict=False)]
        header = self._row([self.names[0], *names, *self.names[1 + in_header : 4]], self.names[4])
        self.table.rows.append(header)
        if self.place == "row":
            self.table.rows.append(self._row(["", *units], ""))
        count = self.rng.randint(4, 14)
        for number in range(1, count + 1):
            self._add_log(number)
            if number % 5 == 0:
                self._add_label(self.rng.choice(self.labels[1:3]))
            if number == 7 and self.rng.random() < 0.2:
                self.table.rows.append(header)
        self._add_label(self.labels[0])
        if self.rng.random() < 0.5:
            self.table.rows += [[], [self.labels[3]]]
        return self.table

    def _row(self, cells: list[Any], counter: Any) -> list[Any]:
        row = [cells[index] for index in self.order]
        return [counter, *row] if self.has_counter else row

    def _add_log(self, number: int) -> None:
        barcode, cell = self.barcodes.next(self.barcode_kind)
        values = [self._value(index) for index in range(3)]
        cells = [self._cell(*pair) for pair in zip(values, self.units, strict=True)]
        if not self.is_csv and self.rng.random() < 0.05:
            self.table.hidden.add(len(self.table.rows))
        else:
            self.table.logs.append((barcode, *self._stored(values)))
        self.table.rows.append(self._row([cell, *cells], number))

    def _stored(self, values: list[Fraction]) -> tuple[Decimal, Decimal, Decimal]:
        metres = [value * METRES[unit] for value, unit in zip(values, self.units, strict=True)]
        exact = (metres[0], metres[1] * 100, metres[2] * 100)
        decimals = (Decimal(each.numerator) / Decimal(each.denominator) for each in exact)
        length, breadth, height = (d.quantize(Decimal("0.001"), ROUND_HALF_UP) for d in decimals)
        return length, breadth, height

    def _value(self, index: int) -> Fraction:
        low, high = (Fraction(2), Fraction(9)) if index == 0 else (Fraction(1, 10), Fraction(3, 5))
        unit = self.units[index]
        step = 8 if self.kind == "fraction" else 10 ** DECIMALS[unit]
        low, high = (edge / METRES[unit] * step for edge in (low, high))
        return Fraction(self.rng.randint(int(low) + 1, int(high)), step)

    def _cell(self, value: Fraction, unit: str) -> Any:
        if self.kind == "number":
            return int(value) if value.denominator == 1 else float(value)
        if self.kind == "fraction":
            whole = int(value)
            rest = (value - whole) * 12 if unit == "ft" else value - whole
            if unit == "ft":
                return f"{whole}'{_fraction(rest)}\""
            return _fraction(value)
        text = f"{float(value):,.{DECIMALS[unit]}f}"
        if self.kind == "unit":
            return text.replace(",", "") + " " + unit
        if self.kind == "comma":
            return text.replace(",", "").replace(".", ",")
        return text if self.kind == "thousands" else text.replace(",", "")

    def _add_label(self, label: str) -> None:
        if self.rng.random() < 0.6:
            values = [self._value(index) for index in range(3)]
            cells = [self._cell(*pair) for pair in zip(values, self.units, strict=True)]
            row = self._row([label, *cells], "")
            self.table.rows.append(row)


def _fraction(value: Fraction) -> str:
    whole, rest = int(value), value - int(value)
    if not rest:
        return str(whole)
    return f"{whole} {rest}" if whole else str(rest)


def _write_workbook(rng: Random, tables: Sequence[Table], barcodes: _Barcodes) -> bytes:
    book = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    hidden = [_TableWriter(rng, barcodes, is_csv=False).write()] if rng.random() < 0.15 else []
    stacked = rng.random() < 0.3
    for table in (*tables, *hidden):
        if table in hidden or not stacked or not book.worksheets:
            worksheet, first = book.create_sheet(), 1
        else:
            first = worksheet.max_row + 2
        worksheet.sheet_state = "hidden" if table in hidden else "visible"
        for number, row in enumerate(table.rows, start=first):
            for column, value in enumerate(row, start=1):
                cell = worksheet.cell(number, column)
                cell.value, cell.number_format = (
                    value if isinstance(value, tuple) else (value or None, "General")
                )
            worksheet.row_dimensions[number].hidden = number - first in table.hidden
    return save(book)


def _write_csv(rng: Random, table: Table) -> bytes:
    text = io.StringIO()
    has_commas = any("," in str(cell) for row in table.rows for cell in row)
    writer = csv.writer(text, delimiter=rng.choice(";\t" if has_commas else ",;\t"))
    writer.writerows(table.rows)
    encoding = rng.choice(("utf-8", "utf-8-sig", "utf-16", table.encoding))
    table.is_plain = table.is_plain and encoding != table.encoding
    return text.getvalue().translate({ord("′"): "'", ord("″"): '"'}).encode(encoding)
