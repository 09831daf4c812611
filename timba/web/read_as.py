"""How a temperature file was read, and the answers that it was given, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from timba.files.columns import column_letters

ENCODINGS: Final = {
    "utf-8": "Unicode (UTF-8)",
    "utf-16-le": "Unicode (UTF-16, little-endian)",
    "utf-16-be": "Unicode (UTF-16, big-endian)",
    "cp1250": "Central European (Windows-1250)",
    "cp1251": "Cyrillic (Windows-1251)",
    "cp1252": "Western European (Windows-1252)",
    "cp1257": "Baltic (Windows-1257)",
}
COLUMNS: Final = {
    "city_id": "City",
    "temperature": "Temperature",
    "timestamp": "Date and time",
    "date": "Date",
    "time": "Time",
}
UNITS: Final = {"C": "°C", "F": "°F", "K": "K"}
DATES: Final = {
    "year-first": "year first",
    "day-first": "day first",
    "month-first": "month first",
}
_DELIMITERS: Final = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}
_DECIMALS: Final = {".": "points", ",": "commas"}
_LABELS: Final = {
    "encoding": "Letters are stored as",
    "delimiter": "Between the fields",
    "decimal": "In front of decimals",
    "columns": "Columns",
    "unit": "Unit",
    "dates": "Order of the dates",
    "zone": "Times without a zone",
    "skipped_lines": "Above the readings",
    "city_id": "City of all readings",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Fact:
    """One thing that was assumed of a file: its evidence, or it alone where there is none."""

    label: str
    text: str


def describe_reading(read_as: Mapping[str, Any]) -> list[Fact]:
    """Return how a file was read, from `read_as` in its result."""
    return [
        Fact(label=label, text=_evidence(field, read_as) or _in_words(field, read_as[field]))
        for field, label in _LABELS.items()
        if read_as.get(field)
    ]


def describe_answers(read_as: Mapping[str, Any]) -> list[str]:
    """Return answers, such as those of an import profile, as short texts."""
    return [
        _in_words(field, read_as[field])
        if field == "columns"
        else f"{label[0].lower()}{label[1:]}: {_in_words(field, read_as[field])}"
        for field, label in _LABELS.items()
        if read_as.get(field)
    ]


def zone_in_words(zone: str) -> str:
    return zone if zone == "UTC" else f"UTC{zone.replace('-', '−')}"


def _evidence(field: str, read_as: Mapping[str, Any]) -> str:
    """Return the sentences of evidence for a field, or for the columns: each names the value."""
    evidence: Mapping[str, str] = read_as.get("evidence") or {}
    return " ".join(
        sentence
        for name, sentence in evidence.items()
        if name == field or name.startswith(f"{field}.")
    )


def _in_words(field: str, value: Any) -> str:
    """Return a value in words; one that is not known as it is."""
    match field:
        case "columns":
            return ", ".join(_columns_in_words(value))
        case "zone":
            return zone_in_words(str(value))
        case "skipped_lines":
            return "1 line" if value == 1 else f"{value} lines"
    words = {
        "encoding": ENCODINGS,
        "delimiter": _DELIMITERS,
        "decimal": _DECIMALS,
        "unit": UNITS,
        "dates": DATES,
    }
    return words.get(field, {}).get(value, str(value))


def _columns_in_words(columns: Mapping[str, int | None]) -> Iterator[str]:
    for field, number in columns.items():
        name = COLUMNS.get(field, field).lower()
        yield f"no {name}" if number is None else f"{name} in column {column_letters(number - 1)}"
