"""Tells the rows of a tally that are no logs by their words: totals, signatures, notes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Set
from typing import Final

from timba.files.wording import fold, fold_words
from timba.tallies.words.units import parse_unit
from timba.tallies.words.vocabulary import WORDS

# A longer text is a note, or none of these.
MAX_LABEL: Final = 120
_PHRASES: Final[Mapping[str, str]] = {
    "subtotal": """
        subtotal, subtotals, sub total, sub totals, sub sum, subsum, page total, bundle total,
        zwischensumme, teilsumme, seitensumme, sous total, subtotal parcial, suma parcial, suma
        częściowa, suma pośrednia, suma strony, podsuma, starpsumma, starprezultāts, tarpinė
        suma, tarpinis rezultatas, vahesumma, välisumma, delsumma, deltotal, подитог, подытог,
        промежуточный итог, промежуточная сумма, итого по странице, проміжний підсумок, проміжна
        сума, підсумок, subtotaal, tussentotaal, subtotale, delsum, mellansumma, mellemsum,
        mezisoučet, mezisucet, 小计, 小計
        """,
    "total": """
        total, totals, tot, ttl, σ, grand total, overall total, sum, sum total, in total,
        total volume,
        count, number of logs, number of pieces, no of logs, no of pieces, no of pcs, summe,
        gesamt, gesamtvolumen, gesamtmenge, gesamtkubatur, gesamtstückzahl, stückzahl, anzahl,
        anzahl stämme, volume total, nombre de grumes, nombre de pièces, volumen total, número
        de piezas, objętość całkowita, liczba sztuk, kopējais tilpums, kopējais apjoms, gabalu
        skaits, bendras tūris, bendras kiekis, kogumaht, kokonaistilavuus, kappalemäärä,
        totalvolym, totalt antal, antal, общий объем, общее количество, количество, загальний
        обсяг, загальна кількість, кількість, gesamtsumme, insgesamt, summa, total général,
        total general, totaux, somme, au total, totales, suma, suma total, razem, łącznie,
        ogółem, suma ogólna, suma całkowita, kopā, pavisam, pavisam kopā, kopsumma, summa kopā,
        viso, iš viso, iš viso kartu, bendra suma, bendrai, suma iš viso, kokku, kogusumma,
        üldsumma, yhteensä, loppusumma, kokonaissumma, kaikkiaan, totalt, totalsumma, slutsumma,
        всего, итого, итог, общий итог, сумма, всего итого, итого всего, усього, всього, разом,
        загалом, загальний підсумок, сума, totaal, eindtotaal, totale, totale generale, somma,
        soma, total geral, i alt, ialt, sum i alt, totalsum, tilsammans, tilsammen, til sammen,
        celkem, součet, 合计, 合計, 总计, 總計, 总和, 共计, 总数, 計, 計算, 総計, 総合計,
        トータル
        """,
    "average": """
        average, averages, avg, ave, av, mean, mean value, ø, durchschnittslänge, mittlere
        länge, durchschnitt, mittel, mittelwert, schnitt, moyenne, moy, promedio, media, prom,
        średnia, średnio, vidēji, vidējais, vidēja, vidurkis, vidutinis, vidutiniškai, keskmine,
        keskmiselt, keskiarvo, medel, medelvärde, genomsnitt, snitt, среднее, средняя, средний,
        среднее значение, в среднем, середнє, середній, середнє значення, gemiddelde, gemiddeld,
        gennemsnit, gjennomsnitt, průměr, 平均
        """,
    "minimum": """
        min, minimum, smallest, shortest, minimal, minimalwert, kleinster, mínimo, minimo,
        najmniejsza, minimālais, minimāli, minimalus, mažiausias, vähim, minimaalne, pienin,
        minimi, minst, мин, минимум, мін, мінімум, минимальное, minima, 最小
        """,
    "maximum": """
        max, maximum, largest, longest, maximal, maximalwert, größter, máximo, massimo,
        największa, maksimum, maksimālais, maksimāli, maksimalus, didžiausias, suurim,
        maksimaalne, suurin, maksimi, störst, макс, максимум, максимальное, 最大
        """,
    "carried_forward": """
        carried forward, carry forward, carried over, carry over, carryover, brought forward,
        brought over, c f, b f, c fwd, b fwd, c d, b d, balance forward, forwarded, übertrag,
        vortrag, seitenübertrag, à reporter, report, reporté, report à nouveau, suma y sigue,
        suma anterior, suma y pasa, arrastre, do przeniesienia, z przeniesienia, przeniesienie,
        pārnests, pārnesums, pārnesta, perkelta, perkelti, ülekanne, üle kantud, siirto,
        siirretään, transport, att överföra, перенос, к переносу, перенесено, с предыдущей
        страницы, до перенесення, перенесення, transporteren, a riportare, riporto, a
        transportar, overført, převod
        """,
}
# Labels of signatures and notes: what follows them is no matter.
_OPENINGS: Final[Mapping[str, str]] = {
    "signature": """
        signature, signatures, signed, signed by, tallied by, tallyman, tally man, measured by,
        checked by, prepared by, approved by, received by, scaled by, scaler, inspector,
        inspected by, unterschrift, unterzeichnet, gemessen von, aufgenommen von, geprüft,
        geprüft von, signé, mesuré par, vérifié par, firma, firmado, medido por, revisado por,
        podpis, podpisano, zmierzył, sporządził, sprawdził, paraksts, parakstīja, uzmērīja,
        mērīja, sastādīja, pieņēma, nodeva, parašas, matavo, pasirašė, priėmė, allkiri, mõõtis,
        mõõtja, koostas, allekirjoitus, mitannut, mittaaja, underskrift, namnteckning, mätt av,
        mätare, подпись, подписал, замерил, измерил, составил, принял, сдал, проверил, підпис,
        підписав, заміряв, склав, прийняв, здав, перевірив
        """,
    "note": """
        note, notes, nb, n b, remark, remarks, comment, comments, legend, page, sheet, date,
        bemerkung, bemerkungen, anmerkung, anmerkungen, hinweis, seite, datum, notiz, remarque,
        remarques, nota, notas, observaciones, observación, página, fecha, uwaga, uwagi, strona,
        data, piezīme, piezīmes, lapa, lappuse, datums, pastaba, pastabos, puslapis, märkus,
        märkused, lehekülg, kuupäev, huomautus, huomautukset, huom, sivu, päivämäärä,
        anmärkning, anmärkningar, obs, sida, примечание, примечания, страница, стр, дата,
        примітка, примітки, сторінка, end of tally, end of list, end of report, continued
        """,
}


# Words beside those of a total that say what it is of.
_OBJECTS: Final = fold_words(
    """
        of volume volumes pieces pcs logs log length lengths net gross timber lorry truck page
        sheet bundle pack package container value amount size for this the in cubic metres
        meters number count per par je von der des im pro stück stämme volumen menge du de la le
        les pièces grumes piezas total drewna sztuk kłód objętość baļķi baļķu gab skaits apjoms
        tilpums lapā rąstų vnt kiekis tūris palki palke tk maht lehel tukkia kpl tilavuus stock
        st volym по на стр странице бревен шт штук объем объём колод обсяг об'єм кубов m3 m³ м3
        cbm fm kubikmeter
        """
)
_PAGES: Final = fold_words(
    """
    page sheet seite página strona lapa lappuse puslapis lehekülg sivu sida стр страница сторінка
    """
)
_OF: Final = fold_words("of von de z no iš из з av")
# A total may name anything that it is of: “Total spruce”, “Fichte gesamt”.
_OF_ANYTHING: Final = frozenset(("total", "subtotal"))
# A word with figures in it, or a number with zeros before it.
_CODE: Final = re.compile(r"\S*[^\W\d_][-/_.#–]?\d\S*|\S*\d[-/_.#–]?[^\W\d_]\S*|0\d+")
# “T O T A L”
_SPACED: Final = re.compile(r"(?:[^\W\d_] ){2,}[^\W\d_]\W*")
# A label that signs need not be followed by a colon.
_MAX_OPENING: Final = 4


def _read(phrases: Mapping[str, str]) -> Mapping[str, str]:
    return {
        fold(phrase): reason
        for reason, words in phrases.items()
        for phrase in words.split(",")
        if phrase.strip()
    }


_REASONS: Final = _read(_PHRASES)
_REASON_WORDS: Final = frozenset(word for phrase in _REASONS for word in phrase.split())
_REASONS_BY_OPENING: Final = _read(_OPENINGS)


def reason_left_out(text: str) -> str | None:
    """Return why a row with this label is no log, or None.

    The label must be the words, with nothing beside them but numbers, units and, for a total, the
    names of what it is the total of: “TOTAL-17” is a barcode.
    """
    label = text.strip()
    if not label or len(label) > MAX_LABEL:
        return None
    if _SPACED.fullmatch(label):
        label = label.replace(" ", "")
    return _reason_of_opening(label) or _reason_of_phrase(label)


def _reason_of_opening(label: str) -> str | None:
    """Return the reason of “Signature: J. Smith”, “Page 1 of 3” or “* under bark”."""
    if re.match(r"[*†]+\s*[^\W\d_]+\s+[^\W\d_]", label):
        return "note"
    opening, colon, _ = re.sub(r"[：=]|\s[-–—]\s|_{3,}|\.{3,}", ":", label).partition(":")
    words = [word for word in fold(opening).split() if not word.isdigit()]
    reason = _REASONS_BY_OPENING.get(" ".join(words))
    if reason and (colon or not re.search("[0-9]", label)):
        return reason
    if words and words[0] in _PAGES and set(words[1:]) <= _OF:
        return None if _has_code(label, _PAGES) else "note"
    for length in range(min(_MAX_OPENING, len(words)), 0, -1):
        phrase = " ".join(words[:length])
        if _REASONS_BY_OPENING.get(phrase) == "signature" and (length > 1 or len(phrase) > 5):
            return None if _has_code(label, set(words[:length])) else "signature"
    return None


def _reason_of_phrase(label: str) -> str | None:
    """Return the reason of a phrase at the start or the end of a label."""
    words = [word for word in fold(label).split() if not word.isdigit()]
    if not words or _has_code(label, _REASON_WORDS):
        return None
    for length in range(len(words), 0, -1):
        for start in (0, len(words) - length):
            reason = _REASONS.get(" ".join(words[start : start + length]))
            rest = [*words[:start], *words[start + length :]]
            if reason and (reason in _OF_ANYTHING or all(map(_is_object, rest))):
                return reason
    return None


def _has_code(label: str, words: Set[str]) -> bool:
    """Return whether one of these words has figures at it, as in a barcode."""
    return any(
        part.startswith("0") or words & set(fold(part).split())
        for part in label.split()
        if _CODE.fullmatch(part)
    )


def _is_object(word: str) -> bool:
    number = re.match(r"[0-9]*", word)
    name = word[number.end() :] if number else word
    return name in _OBJECTS or name in WORDS or parse_unit(name) is not None
