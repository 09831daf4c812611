"""Totals, signatures and notes are told from logs by their words; a barcode never is one."""

from __future__ import annotations

import pytest

from timba.tallies.words.row_words import reason_left_out

LABELS = {
    "total": (
        "Total; TOTAL:; Total: 2 pcs; TOTAL 2 pcs; Total volume: 12.5 m³; Total - 48 logs; "
        "Total=48; Grand total; Number of logs: 48; Total spruce; Fichte gesamt; Summe:; "
        "Gesamt; Total général; Suma; Razem; Kopā 48 gab.; Pavisam; Iš viso:; Viso; Kokku; "
        "Yhteensä; Summa; Totalt; Всего:; Всего: 48 шт., 12,5 м³; Итого по лоту 3; Усього; "
        "Разом; Totaal; Totale; Total geral; I alt; Sum i alt; Totalsum; Celkem; "
        "合计; 總計; 合計 48; 計; Σ; ∑ 48; TTL; Tot.; T O T A L"
    ),
    "subtotal": (
        "Sub-total; Subtotal 12.5; Sub total page 2; Zwischensumme; Sous-total; Starpsumma; "
        "Tarpinė suma; Vahesumma; Välisumma; Delsumma; Подытог; Проміжний підсумок; 小计; 小計"
    ),
    "average": (
        "Average; Avg. length: 4.2; Ø; Durchschnitt; Moyenne; Promedio; Średnia; Vidēji; "
        "Vidurkis; Keskmine; Keskiarvo; Medelvärde; Среднее; Середнє"
    ),
    "minimum": "Min; MIN. 3.9; Minimum; Mínimo; Minimālais; Мин.",
    "maximum": "Max; Maximum; Máximo; Maksimum; Макс.",
    "carried_forward": (
        "Carried forward; C/F; Brought forward; Übertrag; À reporter; Suma y sigue; Do "
        "przeniesienia; Pārnesums; Perkelta; Ülekanne; Siirto; Transport; Перенос"
    ),
    "signature": (
        "Signature; Signature: J. Smith; Signature ________; Tallied by Jānis; Unterschrift; "
        "Firma:; Podpis; Paraksts; Parašas; Allkiri; Allekirjoitus; Underskrift; Подпись:; "
        "Підпис"
    ),
    "note": (
        "Note: under bark; Page 1 of 3; Page 1/3; Seite 2; Date: 01.02.2024; * measured under "
        "bark; Bemerkung: trocken; Uwagi; Piezīmes; Märkus; Примечание: сухое; End of tally"
    ),
}


@pytest.mark.parametrize(
    ("text", "reason"),
    [(label, reason) for reason, labels in LABELS.items() for label in labels.split("; ")],
)
def test_labels_of_rows_that_are_no_logs(text: str, reason: str) -> None:
    assert reason_left_out(text) == reason


@pytest.mark.parametrize(
    "text",
    [
        *(
            "TOTAL-17",
            "TOTAL17",
            "TOTAL 0017",
            "AVG1",
            "AVG-1",
            "MIN-004",
            "SUM 0012",
            "NOTE-12",
            "A B C",
        ),
        *("Note 12", "OBS 17", "SCALER-7", "DATE7", "A123", "475001", "12", "Spruce", "P/17"),
        *("Summary", "Totally", "Maximilian", "Mini 12", "", "x" * 200),
    ],
)
def test_barcodes_are_no_labels(text: str) -> None:
    assert reason_left_out(text) is None
