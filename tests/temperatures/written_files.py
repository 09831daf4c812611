"""Makes temperature files in random layouts, and says what they hold."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Final

from tests.temperatures.reference import Reading, Written, rounded

# Header words of the city, the temperature, the moment, the date and the time of day.
HEADERS: Final = (
    ("city_id", "temperature", "timestamp", "date", "time"),
    ("Stadt", "Temperatur", "Zeitstempel", "Datum", "Uhrzeit"),
    ("ville", "température", "horodatage", "date", "heure"),
    ("ciudad", "temperatura", "fecha y hora", "fecha", "hora"),
    ("miasto", "temperatura", "data i czas", "data", "godzina"),
    ("pilsēta", "temperatūra", "datums un laiks", "datums", "laiks"),
    ("miestas", "temperatūra", "data ir laikas", "data", "laikas"),
    ("linn", "temperatuur", "kuupäev ja kellaaeg", "kuupäev", "kellaaeg"),
    ("kaupunki", "lämpötila", "päivämäärä ja aika", "päivämäärä", "aika"),
    ("stad", "temperatur", "datum och tid", "datum", "tid"),
    ("город", "температура", "дата и время", "дата", "время"),
    ("місто", "температура", "дата і час", "дата", "час"),
)
UNITS: Final = {"C": ("", " (°C)", " [°C]"), "F": (" (°F)", " °F"), "K": (" (K)", " [K]")}
DATES: Final = {
    "iso": "{y:04}-{m:02}-{d:02}",
    "slashes": "{y:04}/{m:02}/{d:02}",
    "dots": "{d:02}.{m:02}.{y:04}",
    "day first": "{d}/{m}/{y:04}",
    "month first": "{m}/{d}/{y:04}",
}
ZONES: Final = {"": 0, " (UTC)": 0, ", GMT+02:00": 120, " UTC-05:30": -330}


@dataclass(kw_only=True)
class Style:
    """How a file is written."""

    delimiter: str = ","
    decimal: str = "."
    quotes: bool = False
    order: tuple[str, ...] = ("city", "temperature", "moment")
    language: int = 0
    unit: str = "C"
    unit_words: str = ""
    date: str = "iso"
    am_pm: bool = False
    zone: str = ""
    encoding: str = "utf-8"
    line_end: str = "\n"
    preamble: int = 0


def random_style(random_: random.Random) -> Style:
    """Return a layout whose meaning is certain."""
    delimiter = random_.choice(",;\t|")
    quotes = random_.random() < 0.3
    columns = ["city", "temperature", *random_.choice((["moment"], ["date", "time"]))]
    columns += random_.sample(["humidity", "battery"], random_.randrange(3))
    random_.shuffle(columns)
    unit = random_.choice("CCFK")
    zone = random_.choice(tuple(ZONES))
    quotes = quotes or ("," in zone and delimiter == ",")
    language = random_.randrange(len(HEADERS))
    return Style(
        delimiter=delimiter,
        decimal=random_.choice(".,") if delimiter != "," or quotes else ".",
        quotes=quotes,
        order=tuple(columns),
        language=language,
        unit=unit,
        unit_words=random_.choice(UNITS[unit]),
        date=random_.choice(tuple(DATES)),
        am_pm=random_.random() < 0.2,
        zone=zone,
        encoding=random_.choice(("utf-8", "utf-8-sig", "utf-16", "utf-16-le")),
        line_end=random_.choice(("\n", "\r\n", "\r")),
        preamble=random_.choice((0, 0, 3, 25)),
    )


def write_file(random_: random.Random, style: Style, *, lines: int) -> tuple[bytes, Written]:
    """Return a file of that many lines in this style, and what it holds."""
    written = Written()
    text = [f"Logger setting {number}: value {number}" for number in range(style.preamble)]
    if style.preamble:
        text.append("")
    text.append(_join(style, [_header(style, column) for column in style.order]))
    for index in range(lines):
        if random_.random() < 0.05:
            written.bad.append(len(text) + 1)
            text.append(random_.choice(("no reading", style.delimiter * 7 + "x")))
            continue
        fields, reading = _reading(random_, style, day=1 + index % 28)
        written.readings.append(reading)
        text.append(_join(style, fields))
    last_end = random_.choice(("", style.line_end))
    return (style.line_end.join(text) + last_end).encode(style.encoding), written


def _join(style: Style, fields: list[str]) -> str:
    if style.quotes:
        fields = [f'"{field}"' for field in fields]
    return style.delimiter.join(fields)


def _header(style: Style, column: str) -> str:
    city, temperature, moment, date, time = HEADERS[style.language]
    return {
        "city": city,
        "temperature": temperature + style.unit_words,
        "moment": moment + style.zone,
        "date": date,
        "time": time + style.zone,
        "humidity": "humidity (%)",
        "battery": "battery",
    }[column]


def _reading(random_: random.Random, style: Style, *, day: int) -> tuple[list[str], Reading]:
    decimals = random_.randrange(4)
    number = Decimal(random_.randrange(-20 * 10**decimals, 40 * 10**decimals)).scaleb(-decimals)
    number += {"C": 0, "F": 32, "K": 270}[style.unit]
    local = datetime(2024, random_.randrange(1, 13), day, tzinfo=UTC) + timedelta(
        seconds=random_.choice((0, 1, 86399, random_.randrange(86400)))
    )
    at, zone = local - timedelta(minutes=ZONES[style.zone]), ""
    if random_.random() < 0.1:
        at, zone = local + timedelta(minutes=90), "-01:30"
    city = random_.choice((1, 7, 41, 2**31 - 1))
    date = DATES[style.date].format(y=local.year, m=local.month, d=local.day)
    time = local.strftime("%I:%M:%S %p" if style.am_pm else "%H:%M:%S") + zone
    fields = {
        "city": str(city),
        "temperature": f"{number:f}".replace(".", style.decimal),
        "moment": f"{date} {time}",
        "date": date,
        "time": time,
        "humidity": str(random_.randrange(101)),
        "battery": "ok",
    }
    return [fields[column] for column in style.order], (city, _celsius(number, style.unit), at)


def _celsius(number: Decimal, unit: str) -> Decimal:
    exact = Fraction(number)
    if unit == "F":
        exact = (exact - 32) * 5 / 9
    if unit == "K":
        exact -= Fraction(27315, 100)
    return rounded(exact)
