"""The words of headers of readings, by field, in the twelve languages that headers are read in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from timba.files.wording import fold, fold_words
from timba.temperatures.layout.answers import CITY, DATE, TEMPERATURE, TIME, TIMESTAMP

# A measured value of whatever kind, the unit of a row's value, the zone of a row's time, a number
# that only counts the rows, and what is no field of a reading.
VALUE, UNIT, ZONE, COUNTER, OTHER = "value", "unit", "zone", "counter", "other"
WHEN: Final = (TIMESTAMP, DATE, TIME)
# Ranks of a word: it says exactly so; it is an abbreviation or a near word; it may also mean
# something else; it is one of several figures of a period, such as the highest; it means something
# else in other tables, as the letter T does, which is also a thickness.
EXACT, NEAR, BROAD, EXTREME, DOUBTFUL = 0, 1, 2, 3, 4

# English, German, French, Spanish; Polish, Latvian, Lithuanian; Estonian, Finnish, Swedish;
# Russian, Ukrainian. The full words of each field, then the weaker ones.
_SPELLINGS: Final[Mapping[str, tuple[str, ...]]] = {
    CITY: (
        """
        city, cityid, stadt, ville, ciudad, miasto, pilsēta, miestas, linn, kaupunki, stad, город,
        місто
        """,
        """
        town, place, station, weather station, site, location, municipality, ort, standort,
        messort, messstelle, messstation, wetterstation, lieu, emplacement, localité, lugar, sitio,
        estación,
        ubicación, localidad, miejscowość, miejsce, stacja, lokalizacja, vieta, atrašanās vieta,
        apdzīvota vieta, stacija, vietovė, stotis, koht, asukoht, jaam, asula, paikka, sijainti,
        asema, havaintoasema, paikkakunta, plats, ort, tätort, mätplats, место, местоположение,
        станция, населённый пункт, пункт, місце, розташування, станція, населений пункт
        """,
    ),
    TIMESTAMP: (
        """
        timestamp, time stamp, datetime, date time, date and time, date & time, date time stamp,
        zeitstempel, datum uhrzeit, datum und uhrzeit, datum zeit, datum und zeit, datumzeit,
        horodatage, date heure, date et heure, fecha hora, fecha y hora, marca de tiempo, marca
        temporal, znacznik czasu, data godzina, data i godzina, data czas, data i czas, laika
        zīmogs, laikspiedols, datums laiks, datums un laiks, laiko žyma, data laikas, data ir
        laikas, data ir valanda, ajatempel, kuupäev kellaaeg, kuupäev ja kellaaeg, kuupäev aeg,
        aikaleima, päivämäärä kellonaika, päivämäärä ja kellonaika, pvm klo, pvm aika, päiväys ja
        aika, tidsstämpel, tidstämpel, datum tid, datum och tid, дата время, дата и время,
        временная метка, метка времени, дата час, дата та час, дата і час, мітка часу, позначка
        часу
        """,
        """
        at, moment, measured at, recorded at, logged at, taken at, read at, observed at, created
        at, reading time, measured, recorded, logged, zeitpunkt, messzeitpunkt, messzeit, instant,
        momento, moment pomiaru, momentas, ajahetk, ajankohta, tidpunkt, момент
        """,
    ),
    DATE: (
        """
        date, datum, fecha, data, datums, kuupäev, päivämäärä, дата
        """,
        """
        day, tag, messdatum, jour, día, dzień, diena, päev, päivä, päiväys, pvm, dag, день, число
        """,
    ),
    TIME: (
        """
        time, time of day, zeit, uhrzeit, heure, hora, czas, godzina, laiks, laikas, valanda, aeg,
        kellaaeg, aika, kellonaika, tid, klockslag, время, час
        """,
        """
        hour, clock, stunde, temps, horaire, tiempo, godz, pulksteņa laiks, pulkst, plkst, stunda,
        val, kell, tund, kello, klo, tunti, kl, klocka, timme, година
        """,
    ),
    TEMPERATURE: (
        """
        temperature, temperatures, temp, temps c, temps f, tmp, temperatur, temperaturen,
        température, temperatura, temperatūra, temperatuur, lämpötila, температура
        """,
        """
        temper, air temp, lufttemp, temperaturwert, temp c, temp f, lämpö, темп, degrees,
        lufttemperatur, temp air, temperature value, temp value
        """,
        "",
        "",
        "t",
    ),
    VALUE: (
        """
        value, values, reading, readings, measurement, measured value, wert, werte, messwert,
        valeur, mesure, valor, medida, medición, wartość, pomiar, vērtība, rādījums, mērījums,
        reikšmė, vertė, matavimas, väärtus, näit, mõõtmine, arvo, lukema, mittaus, värde, mätvärde,
        mätning, значение, показание, показания, значення, показ, показання
        """,
    ),
    UNIT: (
        """
        unit, units, unit of measure, einheit, unité, unidad, jednostka, mērvienība, vienība,
        vienetas, matavimo vienetas, ühik, mõõtühik, yksikkö, enhet, единица, единица измерения,
        ед изм, одиниця, одиниця виміру
        """,
    ),
    COUNTER: (
        """
        id, #, no, nr, num, number, nummer, numéro, número, numer, numurs, numeris, nro, numero,
        номер, n, row, row id, row no, line, line no, index, idx, record, records, record id,
        rec, rec no, record no, reading no, reading id, sample, sample id, sample no, scan, scan no,
        entry, entry id, entry no, measurement no, point, datensatz, messung, messung nr,
        seq, sequence, count, counter, s no, sl no, sr no, serial no, lfd nr, laufende nummer, pos,
        zeile, rang, ligne, fila, línea, lp, l p, poz, wiersz, nr p k, npk, rinda, eil nr, eilutė,
        jrk, jrk nr, rida, rivi, jnro, löpnr, rad, но п п, п п, строка, з п, рядок, №
        """,
    ),
}
# Words beside “city” that make it the city's number.
NUMBER_WORDS: Final = fold_words(
    """
        # no nr num number nummer numéro número numer numurs numeris nro id code key kod kods kodas
        номер код
        """
)
# Words that make it the city's name, which is no number.
NAME_WORDS: Final = fold_words(
    "name nom nombre nazwa nosaukums pavadinimas nimi namn название назва имя"
)
# Figures of a period, of which a file has several.
EXTREMES: Final = re.compile(
    r"min|max|avg|mean|median|low|high|lo|hi|last|first|(?:min|max)im\w*|aver\w*|mittel\w*"
    r"|durchschn\w*|niedrig\w*|hochst\w*|tiefst\w*|moy\w*|media|mediana|promedio|sred\w*|najw\w*"
    r"|najn\w*|vid\w*|zemak\w*|augstak\w*|vidut\w*|maz\w*|didz\w*|keskm\w*|korg\w*|madal\w*"
    r"|keskia\w*|alin|ylin|medel\w*|lagst\w*|hogst\w*|мин\w*|макс\w*|сред\w*|серед\w*|мін\w*"
)
# “tmax”; folded, “t_max” is two words.
EXTREME_TEMPERATURE: Final = re.compile(r"t ?(?:min|max|avg|mean)")
# Words beside “temperature” that say nothing else than that.
QUALIFIERS: Final = fold_words(
    """
        the of in out a air ambient room outdoor outside external indoor inside internal measured
        actual current value reading sensor probe logger channel ch luft raum außen innen umgebung
        gemessen gemessene aktuelle wert messwert sensor fühler kanal air ambiante ext int mesurée
        valeur sonde capteur aire ambiente exterior interior medida valor sensor sonda canal
        powietrza zmierzona wartość czujnik gaisa telpas ārā izmērītā sensors oro lauko vidaus
        jutiklis õhu õhutemperatuur sise välis andur ilman sisä ulko anturi luftens inne ute givare
        воздуха измеренная датчик повітря виміряна датчик
        """
)
_TEMPERATURE_STEM: Final = r"temperat|lampotil|температ"
TEMPERATURE_STEM: Final = re.compile(_TEMPERATURE_STEM)
# What is measured or told beside a temperature, and what is no logger's column at all.
OTHER_WORDS: Final = re.compile(
    r"\b(?:humid|hum\b|rh\b|\w*feucht|luftf|humed|wilgot|mitrum|dregm|dregn|\w*niisk|\w*kosteu|\w*fukt"
    r"|влажн|волог|hygro|\w*moist"
    r"|dew|taupunkt|tau\b|rosee|rocio|punkt rosy|rosy\b|ras(?:as|os)\b|kaste|dagg|точка рос|роса\b"
    r"|wet bulb|dry bulb|heat index|feels|apparent|wind|windchill|gefuhlt|press|druck|baro"
    r"|cisnien|spiedien|sleg|rohk|paine|tryck|давлен|тиск|hpa\b|mbar\b"
    r"|batt|akku|volt|spannung|power|rssi|signal|snr\b|lux\b|light|licht|co2|voc\b|pm\d"
    r"|rain|regen|precip|lluvia|pluie|opad|sade\b|nederb|осадк|опад|snow|schnee"
    r"|forecast|vorhersage|prognos|prognoz|previs|pronost|ennust|прогноз|anomal|std\b|std ?dev|sd\b"
    r"|balance|saldo|paid|score|speed|epoch|energy|kwh\b|kw\b|tonn|rpm\b|flow|distance"
    r"|alarm|alert|alarma|limit|\w*grenz|threshold|set ?point|setpoint|soll|target"
    r"|consign|zadan|nastaw|uzdot|nustatyt|asetus|borvarde|задан|уставк|status|state\b"
    r"|flag|quality|error|fehler|event|coupler|stopped|end of file|host connected|good battery"
    r"|delta|diff|trend|change|offset|elapsed|duration|dauer|interval|uptime|runtime|mkt\b"
    r"|kinetic|serial|logger id|device|gerat|appareil|dispositivo|urzadz|ierice|irengin|seade\b"
    r"|laite|enhetsid|прибор|устроиство|пристріи|lat\b|lon\b|lng\b|latitud|altitud|elevation"
    r"|barcode|strichcode|epc\b|length|lange|longueur|longitud|dlugosc|garums|ilgis|pikkus"
    r"|pituus|langd|длина|довжина|width|breadth|breite|height|thickness|hohe|diameter|durchmesser"
    r"|volume|volumen|tilpums|objetosc|weight|gewicht|poids|peso|kg\b|m3\b|amount|betrag|price"
    r"|preis|prix|precio|total|sum\b|summe|invoice|rechnung|qty|quantity|menge|pieces|stuck"
    r"|customer|kunde|client|name|comment|note|remark|bemerk|kommentar|description)"
)
# What a line must have to be looked at as a header: a word for a temperature, and one for a time.
SIGNS_OF_TEMPERATURE: Final = re.compile(
    rf"{_TEMPERATURE_STEM}|temp|tmp|\bt\b|lampo|темп|celsi|celsj|fahrenheit|kelvin|цельс|фаренг"
    r"|\bo ?[cfk]\b|\b[cfk]\b|degree|grad"
)


def _words_of(text: str) -> list[str]:
    return [word for word in map(str.strip, text.replace("\n", " ").split(",")) if word]


def _variants(word: str) -> tuple[str, str]:
    """Return a word, and how it is spelled where a keyboard has no umlauts."""
    return word, word.replace("ä", "ae").replace("ö", "oe").replace("ü", "ue")


# The field and the rank of each folded word; the first entry of a word counts.
WORDS: Final[Mapping[str, tuple[str, int]]] = dict(
    reversed(
        [
            (fold(" ".join(spelling.split())), (name, rank))
            for name, ranks in _SPELLINGS.items()
            for rank, words in enumerate(ranks)
            for word in _words_of(words)
            for spelling in _variants(word)
        ]
    )
)


def _parts_of_words(*names: str) -> frozenset[str]:
    return frozenset(
        part for word, (name, _) in WORDS.items() if name in names for part in word.split()
    )


# Words of which a header has one that names a time, or a column of units.
WORDS_OF_TIME, WORDS_OF_UNIT = _parts_of_words(*WHEN), _parts_of_words(UNIT)
