"""The exports of common loggers and spreadsheets are read, or asked about, as they are written."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest

from timba.temperatures.layout.decisions import decide_layout
from timba.temperatures.layout.layouts import Columns, DateOrder, Layout, Unit
from timba.temperatures.lines.parsing import Reading, line_parser
from timba.temperatures.sniffing import sniff_readings

JUNE_24 = 1_403_568_000  # 2014-06-24, in seconds


@dataclass(frozen=True, kw_only=True)
class Export:
    """A logger's file: its layout, what is open, and the first reading, as that of city 1."""

    text: str
    layout: Layout
    asks: tuple[str, ...] = ("city_id",)
    first: tuple[int, int] = field(default=(2150, 12 * 3600))
    encoding: str = "utf-8"


def no_city(temperature: int, timestamp: int, time: int | None = None) -> Columns:
    return Columns(city=None, temperature=temperature, timestamp=timestamp, time=time)


EXPORTS = {
    "HOBO": Export(
        text='\ufeff"Plot Title: Kiln 3"\n'
        '"#","Date Time, GMT+02:00","Temp, °C (LGR S/N: 104, SEN S/N: 104, LBL: Kiln)",'
        '"Coupler Attached (LGR S/N: 104)","End Of File (LGR S/N: 104)"\n'
        "1,06/24/14 02:00:00 PM,21.500,Logged,\n2,06/24/14 02:10:00 PM,21.4,,\n",
        layout=Layout(
            columns=no_city(2, 1),
            width=5,
            dates=DateOrder.MONTH_FIRST,
            zone_offset=120,
            skipped_lines=2,
        ),
    ),
    "HOBO in °F": Export(
        text='"Plot Title: A"\n"#","Date Time, GMT-05:00","Temp, °F (LGR S/N: 104)"\n'
        "1,06/24/2014 07:00:00 AM,70.7\n",
        layout=Layout(
            columns=no_city(2, 1),
            unit=Unit.FAHRENHEIT,
            dates=DateOrder.MONTH_FIRST,
            zone_offset=-300,
            skipped_lines=2,
        ),
    ),
    "EasyLog": Export(
        text="My logger,Time,Celsius(°C),High Alarm,Low Alarm,Serial Number\n"
        "1,2014-06-24 12:00:00,21.5,30.0,10.0,010012345\n"
        "2,2014-06-24 12:05:00,21.5,30.0,10.0\n3,2014-06-24 12:10:00,21.5,30.0,10.0\n",
        layout=Layout(
            encoding="cp1252", columns=no_city(2, 1), width=5, extra_fields=1, skipped_lines=1
        ),
        encoding="cp1252",
    ),
    "Testo": Export(
        text='"Messgerät";"testo 174H"\n\n"id";"Datum Zeit";"Temperatur [°C]";"Feuchte [%rF]"\n'
        "1;24.06.2014 12:00:00;21,5;45,1\n2;24.06.2014 12:10:00;21,6;45,1\n",
        layout=Layout(
            encoding="cp1252",
            delimiter=";",
            decimal=",",
            columns=no_city(2, 1),
            width=4,
            dates=DateOrder.DAY_FIRST,
            skipped_lines=3,
        ),
        encoding="cp1252",
    ),
    "Tinytag, with a row of units": Export(
        text="Title,Kiln\nProperty,Temperature\n\n,Timestamp,Temperature\n,,°F\n"
        "1,24/06/2014 12:00:00,70.7\n",
        layout=Layout(
            columns=no_city(2, 1),
            unit=Unit.FAHRENHEIT,
            dates=DateOrder.DAY_FIRST,
            skipped_lines=5,
        ),
    ),
    "WeatherLink, with a header of two rows": Export(
        text="\t\tTemp\tHi\tLow\tOut\tDew\nDate\tTime\tOut\tTemp\tTemp\tHum\tPt.\n"
        "24/06/14\t12:00 PM\t21.5\t22.0\t21.0\t56\t12.4\n"
        "24/06/32\t12:30 PM\t21.5\t22.0\t21.0\t56\t12.4\n",
        layout=Layout(
            delimiter="\t",
            columns=no_city(2, 0, 1),
            width=7,
            dates=DateOrder.DAY_FIRST,
            skipped_lines=2,
        ),
    ),
    "LogTag": Export(
        text="Date,Time,Temperature (°C),Elapsed time\n2014-06-24,12:00:00,21.5,0\n",
        layout=Layout(columns=no_city(2, 0, 1), width=4, skipped_lines=1),
    ),
    "iButton": Export(
        text="1-Wire/iButton Part Number: DS1922L-F5\nMission Start: Tue Jun 24 12:00:00 GMT 2014\n"
        "High Temperature Alarm:  40 °C\n\nDate/Time,Unit,Value\n24/06/2014 12:00:00,F,70.7\n",
        layout=Layout(
            columns=no_city(2, 0),
            unit=Unit.FAHRENHEIT,
            dates=DateOrder.DAY_FIRST,
            skipped_lines=5,
        ),
    ),
    "Elitech": Export(
        text="No.,Time,Temperature(℃),Humidity(%RH)\n1,2014-06-24 12:00:00,21.5,45.0\n",
        layout=Layout(columns=no_city(2, 1), width=4, skipped_lines=1),
    ),
    "ThermoPro, in both units": Export(
        text="Datetime,Temperature_Celsius(°C),Temperature_Fahrenheit(°F),Relative_Humidity(%)\n"
        "2014-06-24 12:00,21.5,70.7,45\n",
        layout=Layout(columns=no_city(1, 0), width=4, skipped_lines=1),
    ),
    "Sensirion, with its zone above": Export(
        text="# EdgeTech Export\n# Timezone: UTC+2\nEpoch_UTC,Local_Date_Time,T_SHT (degC),RH (%)\n"
        "1403604000,2014-06-24 14:00:00,21.5,45\n",
        layout=Layout(columns=no_city(2, 1), width=4, zone_offset=120, skipped_lines=3),
    ),
    "SensorPush": Export(
        text="Timestamp (America/New_York),Temperature (°F),Relative Humidity (%)\n"
        "2014-06-24 12:00,70.7,45\n",
        layout=Layout(columns=no_city(1, 0), unit=Unit.FAHRENHEIT, skipped_lines=1),
        asks=("city_id", "zone"),
    ),
    "Excel in German": Export(
        text="Stadt;Datum;Uhrzeit;Temperatur\n1;24.06.2014;12:00;21,5\n",
        layout=Layout(
            delimiter=";",
            decimal=",",
            columns=Columns(city=0, temperature=3, timestamp=1, time=2),
            width=4,
            dates=DateOrder.DAY_FIRST,
            skipped_lines=1,
        ),
        asks=(),
        encoding="cp1252",
    ),
    "Excel in US English": Export(
        text="city_id,temperature,timestamp\n1,21.5,6/24/2014 12:00:00 PM\n",
        layout=Layout(dates=DateOrder.MONTH_FIRST, skipped_lines=1),
        asks=(),
    ),
    "Unicode text of Excel": Export(
        text="Ciudad\tFecha y hora\tTemperatura (°C)\r\n1\t24/06/2014 12:00\t21,5\r\n",
        layout=Layout(
            encoding="utf-16-le",
            delimiter="\t",
            decimal=",",
            columns=Columns(city=0, temperature=2, timestamp=1),
            dates=DateOrder.DAY_FIRST,
            skipped_lines=1,
        ),
        asks=(),
        encoding="utf-16",
    ),
    "a script, with everything quoted and a zone in a column": Export(
        text='"station","name","temp","at","time zone"\r"1","Riga, LV","21.5","2014-06-24 '
        '14:00","+02:00"\r',
        layout=Layout(
            ends_with_cr=True,
            quotes=True,
            columns=Columns(city=0, temperature=2, timestamp=3),
            width=5,
            zone_offset=120,
            skipped_lines=1,
        ),
        asks=(),
    ),
    "Russian": Export(
        text="Город;Дата и время;Температура, °С\n1;24.06.2014 12:00;21,5\n",
        layout=Layout(
            encoding="cp1251",
            delimiter=";",
            decimal=",",
            columns=Columns(city=0, temperature=2, timestamp=1),
            dates=DateOrder.DAY_FIRST,
            skipped_lines=1,
        ),
        asks=(),
        encoding="cp1251",
    ),
    "Latvian": Export(
        text="Pilsēta;Datums un laiks;Temperatūra, °C\n1;24.06.2014 12:00;21,5\n",
        layout=Layout(
            encoding="cp1257",
            delimiter=";",
            decimal=",",
            columns=Columns(city=0, temperature=2, timestamp=1),
            dates=DateOrder.DAY_FIRST,
            skipped_lines=1,
        ),
        asks=(),
        encoding="cp1257",
    ),
}


@pytest.mark.parametrize("name", EXPORTS)
def test_an_export_is_read_as_it_is_written(name: str) -> None:
    export = EXPORTS[name]
    data = export.text.encode(export.encoding)
    decision = decide_layout(data)
    assert decision is not None
    assert decision.layout == export.layout
    assert tuple(question.field for question in decision.questions) == export.asks
    layout = decision.layout
    text = data.decode(layout.encoding)
    lines = text.split("\r" if layout.ends_with_cr else "\n")
    line = lines[layout.skipped_lines].removesuffix("\r").encode()
    if layout.columns.city is None:
        layout = replace(layout, city_id=1)
    hundredths, second = export.first
    assert line_parser(layout)(line) == Reading(1, hundredths, (JUNE_24 + second) * 1_000_000)
    assert sniff_readings(data)
