"""The words of generated tally sheets."""

from __future__ import annotations

from typing import Final

# Barcode, length, breadth, height, counter; all dimensions; total, sub-total, average, signature.
LANGUAGES: Final = (
    "Barcode|Length|Width|Height|No.|all dimensions in|Total|Sub-total|Average|Signature: J. Smith",
    "Tag #|Len.|Breadth|Thickness|#|Sizes:|Grand total|Subtotal 2|Avg.|Tallied by: Ann",
    "Barcode*|Länge|Breite|Höhe|Lfd. Nr.|Maße in|Summe:|Zwischensumme|Mittelwert|Unterschrift",
    "Code-barres|Longueur|Largeur|Épaisseur|N°|mesures en|Somme|Sous-total|Moyenne|Signature",
    "Código de barras|Largo|Ancho|Alto|Nº|medidas en|Total:|Subtotal|Promedio|Firma:",
    "Kod kreskowy|Długość|Szerokość|Grubość|Lp.|wymiary w|Razem|Suma częściowa|Średnia|Podpis",
    "Svītrkods|Garums|Platums|Biezums|Nr. p.k.|visi izmēri|Kopā 48 gab.|Starpsumma|Vidēji|Paraksts",
    "Brūkšninis kodas|Ilgis|Plotis|Storis|Eil. Nr.|matmenys|Iš viso:|Tarpinė suma|Vidurkis|Parašas",
    "Vöötkood|Pikkus|Laius|Kõrgus|Jrk nr|kõik mõõdud|Kokku|Vahesumma|Keskmine|Allkiri",
    "Viivakoodi|Pituus|Leveys|Korkeus|Nro|kaikki mitat|Yhteensä|Välisumma|Keskiarvo|Allekirjoitus",
    "Streckkod|Längd|Bredd|Tjocklek|Nr|alla mått i|Summa|Delsumma|Medel|Underskrift",
    "Штрихкод|Длина|Ширина|Толщина|№ п/п|размеры в|Итого|Подытог|Среднее|Подпись:",
    "Штрих-код|Довжина|Ширина|Висота|№ з/п|розміри в|Всього:|Підсумок|Середнє|Підпис",
)
SPELLINGS: Final = {
    "m": "m M mtr",
    "ft": "ft feet '",
    "in": 'in inches "',
    "mm": "mm MM",
    "cm": "cm",
}
PREAMBLE: Final = (
    ["TALLY SHEET No. 17"],
    ["Seller:", "Baltic Timber 1 SIA", "", "Date:", "12.05.2024"],
    ["Truck AB 1234 / in m", "", "Delivery to Feetham"],
)
