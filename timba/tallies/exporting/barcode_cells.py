"""Keeps barcodes as they are in a CSV that a spreadsheet program opens and saves again.

Such a program makes numbers, dates, truth values or formulas of texts that look like them: 00042
becomes 42, 1E5 becomes 100000, 1-2 a day. An apostrophe in front keeps the text, and is taken off
again when a file with Timba's own header is read. Languages count too: MRZ 5 is a day in German.
"""

from __future__ import annotations

import re
from typing import Final

from timba.files.rejects import runs_as_formula

# As a number, a spreadsheet shows so many digits in full.
_PLAIN_NUMBER: Final = re.compile(r"0|[1-9][0-9]{0,10}", re.ASCII)
# Digits with separators, signs, brackets, and symbols or short names of currencies around them.
_CURRENCY: Final = r"(?:[$€£¥₽₴₹%‰]|kr|zł|kč|eur|usd|sek|pln|руб|р|грн)\.?"
_NUMBER: Final = re.compile(
    rf"[-+(]*(?:{_CURRENCY})? ?[-+(]*[.,]?\d[\d.,'’ ]*(?:e[-+]?\d+)?[-+)]* ?(?:{_CURRENCY})?[-+)]*"
)
_FRACTION: Final = re.compile(r"[-+]?(?:\d+ )?\d+ ?/ ?\d+")
# Days and hours: numbers of one, two or four digits between separators.
_BETWEEN: Final = r"(?: ?[-./:,年月日時时分年년월일시분t] ?| )"
_PART: Final = r"(?:\d{1,2}|\d{4})"
_DATE_OR_TIME: Final = re.compile(
    rf"{_PART}(?:{_BETWEEN}{_PART})+[.,日분秒z]?(?:[.,]\d+)?(?: ?[ap]m?)?"
)
_HOURS: Final = re.compile(r"\d+(?::\d{1,2})+(?:[.,]\d+)?(?: ?[ap]m?)?|\d{1,2} ?[ap]m?")
# Names of months in the languages that tally sheets are read in; abbreviations begin like them.
_MONTH_NAMES: Final = """
    january february march june july september october november december märz mrz oktober
    dezember janvier février mars avril juin juillet août septembre octobre novembre décembre
    enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre
    styczeń luty marzec kwiecień maj czerwiec lipiec sierpień wrzesień październik listopad
    grudzień janvāris februāris marts aprīlis maijs jūnijs jūlijs augusts septembris oktobris
    novembris decembris sausis vasaris kovas balandis gegužė birželis liepa rugpjūtis rugsėjis
    spalis lapkritis gruodis jaanuar veebruar märts aprill juuni juuli oktoober detsember
    tammikuu helmikuu maaliskuu huhtikuu toukokuu kesäkuu heinäkuu elokuu syyskuu lokakuu
    marraskuu joulukuu januari februari augusti январь февраль март апрель май мая июнь июль
    август сентябрь октябрь ноябрь декабрь січень лютий березень квітень травень червень
    липень серпень вересень жовтень листопад грудень
"""
_DAY_OF_MONTH: Final = re.compile(
    r"(?:\d{1,4}[-./, ]*)?([^\W\d_]{3,})\.?(?:[-./, ]*\d{1,4}){0,2}\.?"
)
_TRUTH_NAMES: Final = """
    true false wahr falsch vrai faux verdadero falso prawda fałsz patiess aplams tiesa netiesa
    tõene väär tosi epätosi sant falskt истина ложь істина хибність waar onwaar vero sandt falsk
    sann usann pravda nepravda verdadeiro 真 偽 假
"""
_ERROR_VALUE: Final = re.compile(r"#(?:n/a|nv|н/д|[^\W\d_]+[/\d]*[!?])")
_MONTHS: Final = tuple(_MONTH_NAMES.split())
_TRUTH_VALUES: Final = frozenset(_TRUTH_NAMES.split())
_CHANGED: Final = (_NUMBER, _FRACTION, _DATE_OR_TIME, _HOURS, _ERROR_VALUE)


def escape_barcode(barcode: str) -> str:
    """Return the barcode for a CSV: with an apostrophe if a spreadsheet would change or run it."""
    return f"'{barcode}" if _needs_apostrophe(barcode) else barcode


def unescape_barcode(cell: str) -> str:
    """Return the barcode in a cell of a CSV of Timba's: the opposite of `escape_barcode`."""
    return cell[1:] if cell.startswith("'") and _needs_apostrophe(cell[1:]) else cell


def _needs_apostrophe(text: str) -> bool:
    """Whether a spreadsheet would change or run `text`, also where that has apostrophes in front.

    These are looked through, so that each barcode has one form in a CSV, and each form one barcode.
    """
    text = text.lstrip("'")
    if _PLAIN_NUMBER.fullmatch(text):
        return False
    folded = text.casefold().strip()
    return (
        runs_as_formula(text)
        or folded in _TRUTH_VALUES
        or any(pattern.fullmatch(folded) for pattern in _CHANGED)
        or _is_day_of_month(folded)
    )


def _is_day_of_month(folded: str) -> bool:
    match = _DAY_OF_MONTH.fullmatch(folded)
    if match is None or match[1] == folded:
        return False
    return any(month.startswith(match[1]) for month in _MONTHS)
