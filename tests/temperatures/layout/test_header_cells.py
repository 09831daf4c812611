"""Header cells of readings are understood in twelve languages, with units and zones."""

from __future__ import annotations

import pytest

from timba.temperatures.layout.header_cells import HeaderCell, parse_header
from timba.temperatures.layout.layouts import Unit
from timba.temperatures.layout.temperature_units import NamedUnit
from timba.temperatures.layout.zones import NamedZone

# City, temperature, date, time of day, and both together.
LANGUAGES = {
    "en": ("city_id", "Temperature", "Date", "Time", "Date and time"),
    "en 2": ("Station No.", "Temp", "date", "time", "TimeStamp"),
    "de": ("Stadt", "Temperatur", "Datum", "Uhrzeit", "Datum/Uhrzeit"),
    "de 2": ("Standort-Nr.", "Lufttemperatur", "Datum", "Zeit", "Zeitstempel"),
    "fr": ("Ville", "Température", "Date", "Heure", "Horodatage"),
    "es": ("Ciudad", "Temperatura", "Fecha", "Hora", "Fecha y hora"),
    "pl": ("Miasto", "Temperatura", "Data", "Godzina", "Znacznik czasu"),
    "lv": ("Pilsēta", "Temperatūra", "Datums", "Laiks", "Datums un laiks"),
    "lt": ("Miestas", "Temperatūra", "Data", "Laikas", "Laiko žyma"),
    "et": ("Linn", "Temperatuur", "Kuupäev", "Kellaaeg", "Ajatempel"),
    "fi": ("Kaupunki", "Lämpötila", "Päivämäärä", "Kellonaika", "Aikaleima"),
    "sv": ("Stad", "Temperatur", "Datum", "Tid", "Tidsstämpel"),
    "ru": ("Город", "Температура воздуха", "Дата", "Время", "Дата и время"),
    "uk": ("Місто", "Температура", "Дата", "Час", "Позначка часу"),
}
FIELDS = ("city_id", "temperature", "date", "time", "timestamp")


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_fields_of_a_reading_are_known(language: str) -> None:
    cells = [parse_header(text) for text in LANGUAGES[language]]
    assert tuple(cell.field if cell else None for cell in cells) == FIELDS


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("Temperature", None),
        ("Temp (°F)", NamedUnit(Unit.FAHRENHEIT, "°F")),
        ("Temp (F)", NamedUnit(Unit.FAHRENHEIT, "F")),
        ("Temp, °F (LGR S/N: 104, SEN S/N: 5)", NamedUnit(Unit.FAHRENHEIT, "°F")),
        ("Temp, °C (LGR S/N: 104, SEN S/N: 5, LBL: F)", NamedUnit(Unit.CELSIUS, "°C")),
        ("Temp (LGR S/N: 104, LBL: 0.1)", None),
        ("Celsius(°C)", NamedUnit(Unit.CELSIUS, "Celsius")),
        ("°C", NamedUnit(Unit.CELSIUS, "°C")),
        ("Temperature(℃)", NamedUnit(Unit.CELSIUS, "°C")),
        ("Temp ºF", NamedUnit(Unit.FAHRENHEIT, "°F")),
        ("Temp (\ufffdF)", NamedUnit(Unit.FAHRENHEIT, "F")),
        ("Temp Â°C", NamedUnit(Unit.CELSIUS, "°C")),
        ("temp_c", NamedUnit(Unit.CELSIUS, "c")),
        ("TempF", NamedUnit(Unit.FAHRENHEIT, "F")),
        ("Temperature Fahrenheit", NamedUnit(Unit.FAHRENHEIT, "Fahrenheit")),
        ("T [K]", NamedUnit(Unit.KELVIN, "K")),
        ("Temperature (Kelvin)", NamedUnit(Unit.KELVIN, "Kelvin")),
        ("Temperatur [Grad C]", NamedUnit(Unit.CELSIUS, "Grad C")),
        ("Температура, °С", NamedUnit(Unit.CELSIUS, "°С")),
        ("Thermocouple type K (°C)", NamedUnit(Unit.CELSIUS, "°C")),
        ("F", NamedUnit(Unit.FAHRENHEIT, "F")),
        ("Temp in F", NamedUnit(Unit.FAHRENHEIT, "F")),
        ("Sensor A temperature (°C)", NamedUnit(Unit.CELSIUS, "°C")),
        # It may be the name of a sensor.
        ("Sensor F temperature", NamedUnit(None, "F")),
        ("Temp sensor K", NamedUnit(None, "K")),
        ("Temp sensor C", None),
        ("Reading [°C]", NamedUnit(Unit.CELSIUS, "°C")),
        ("Messwert (F)", NamedUnit(Unit.FAHRENHEIT, "F")),
        ("K-type temp", None),
        ("Temperature (C/F)", NamedUnit(None, "F")),
        ("Temperature (°C, °F)", NamedUnit(None, "°C/°F")),
        ("Temperature (0.1 °C)", NamedUnit(None, "0.1 °C")),
        ("Temperature °C x10", NamedUnit(None, "x10")),
        ("Temperature (mV)", NamedUnit(None, "mV")),
        ("Temperature °R", NamedUnit(None, "°R")),
    ],
)
def test_the_unit_of_a_temperature_is_known(text: str, unit: NamedUnit | None) -> None:
    cell = parse_header(text)
    assert cell is not None
    assert (cell.field, cell.unit) == ("temperature", unit)


@pytest.mark.parametrize(
    ("text", "zone"),
    [
        ("Time", None),
        ("Date Time, GMT+02:00", NamedZone(120, "GMT+02:00")),
        ("Date Time, GMT-05:00", NamedZone(-300, "GMT-05:00")),
        ("Time (UTC)", NamedZone(0, "UTC")),
        ("Timestamp UTC+2", NamedZone(120, "UTC+2")),
        ("Time UTC−5:30", NamedZone(-330, "UTC−5:30")),
        ("Time UTC±0", NamedZone(0, "UTC±0")),
        ("Time (+0545)", NamedZone(345, "+0545")),
        ("Time (EET, UTC+2)", NamedZone(120, "UTC+2")),
        ("Local time", NamedZone(None, "Local time")),
        ("Time (EET)", NamedZone(None, "EET")),
        ("Time (CET)", NamedZone(None, "CET")),
        ("Время (МСК)", NamedZone(None, "МСК")),
        ("Tid (svensk normaltid)", NamedZone(None, "Tid (svensk normaltid)")),
        ("Time (Europe/Riga)", NamedZone(None, "Europe/Riga")),
        ("Time (Etc/GMT-2)", NamedZone(None, "Etc/GMT-2")),
        ("Time (UTC+15)", NamedZone(None, "UTC+15")),
    ],
)
def test_the_zone_of_a_time_is_known(text: str, zone: NamedZone | None) -> None:
    cell = parse_header(text)
    assert cell is not None
    assert cell.field in {"time", "timestamp"}
    assert cell.zone == zone


@pytest.mark.parametrize(
    "text",
    [
        "Humidity (%)", "Dew Point(°C)", "Taupunkt [°C]", "Wet bulb temp", "High Alarm",
        "Temp Set Point", "Battery (V)", "Pressure (hPa)", "Heat index (°C)", "Elapsed time",
        "Serial Number", "Coupler Attached (LGR S/N: 104)", "Temperature trend", "Barcode",
        "Length (m)", "Amount", "Влажность", "Wind speed", "Moisture %", "Holzfeuchte",
        "Puukosteus", "Luftfuktighet", "Forecast temp", "Temp SD", "Temperature anomaly",
        "min", "Energy (kWh)", "Temp. Obergrenze", "Temperatura zadana",
        "Asetuslämpötila", "Заданная температура", "Out Hum",
    ],
)  # fmt: skip
def test_what_else_loggers_and_tallies_name_is_no_field_of_a_reading(text: str) -> None:
    cell = parse_header(text)
    assert cell is not None
    assert cell.field == "other"


@pytest.mark.parametrize(
    ("stronger", "weaker"),
    [
        ("Temp", "Temp max"),
        ("Temperature (°C)", "Kiln 3 temperature (°C)"),
        ("Kiln temperature", "Temp. min"),
        ("Kiln temperature", "t_max"),
        ("city_id", "Station"),
        ("Station", "Station name"),
        ("Timestamp", "Measured at"),
    ],
)
def test_a_header_that_says_exactly_so_is_stronger(stronger: str, weaker: str) -> None:
    one, other = parse_header(stronger), parse_header(weaker)
    assert one is not None
    assert other is not None
    assert one.field == other.field
    assert one.rank < other.rank


def test_indoors_and_outdoors_are_equally_strong() -> None:
    assert parse_header("Temp Out") == parse_header("In Temp") is not None


@pytest.mark.parametrize("text", ["", " ", "depot", "21.5", "2026-01-31", "x" * 121])
def test_other_texts_name_nothing(text: str) -> None:
    assert parse_header(text) is None


def test_a_letter_alone_is_a_doubtful_temperature() -> None:
    assert parse_header("T") == HeaderCell(field="temperature", rank=4)
    unit = NamedUnit(Unit.CELSIUS, "C")
    assert parse_header("C") == HeaderCell(field="temperature", rank=4, unit=unit)
