"""Header cells are understood in twelve languages, with units, brackets and footnotes."""

from __future__ import annotations

import pytest

from timba.files.wording import normalize_header
from timba.tallies.words.header_cells import HeaderCell, parse_header

# By field: full words first, which rank 0, then weaker ones.
FULL = {
    "barcode": (
        "Barcode, BARCODE*, Bar code, Barcode no., BarcodeNo, EPC, QR code, Code-barres, "
        "Código de barras, Kod kreskowy, Svītrkods, Brūkšninis kodas, Vöötkood, Triipkood, "
        "Viivakoodi, Streckkod, Штрихкод, Штрих-код, No. (barcode)"
    ),
    "length": (
        "Length, Länge, LAENGE, lange, Longueur, Longitud, Largo, Długość, DLUGOSC, Garums, Ilgis, "
        "Pikkus, Pituus, Längd, Длина, Довжина, Log length, Garums / Length, L (Länge), 长度/Length"
    ),
    "breadth": (
        "Breadth, Width, Width*, Breite, Largeur, Ancho, Szerokość, Platums, Plotis, Laius, "
        "Leveys, Bredd, Ширина"
    ),
    "height": (
        "Height, Thickness, Höhe, HOEHE, Dicke, Stärke, Hauteur, Épaisseur, Alto, Espesor, "
        "Grueso, Wysokość, Grubość, Augstums, Biezums, Aukštis, Storis, Kõrgus, Paksus, Korkeus, "
        "Paksuus, Höjd, Tjocklek, Высота, Толщина, Висота, Товщина"
    ),
    "volume": "Volume, Volumen, Tilpums, Tūris, Maht, Tilavuus, Volym, Objętość, Объём, Об'єм",
    "pieces": "Pcs, pieces, Qty, Stück, Stk., szt., gab., vnt., tk, kpl, шт., No. of pcs",
    "diameter": (
        "Diameter, Dia., Ø, Durchmesser, Diamètre, Diámetro, Średnica, Caurmērs, Skersmuo, "
        "Läbimõõt, Läpimitta, Диаметр, Діаметр, Top diameter, Ø (top)"
    ),
    "number": "#, No., Nr, Nr., N°, Nº, N.º, №, Lfd. Nr., Lp., Nr p.k., Eil. Nr., № п/п, Item, Row",
}
WEAKER = {
    ("barcode", 1): "Tag #, Tag No., tag_id, Label, Etikett, N° étiquette, Birka, Бирка, Этикетка",
    (
        "barcode",
        2,
    ): "Tag, Log, Log #, Log No., Stamm-Nr., Nº de troza, Baļķa Nr., № бревна, Code, ID",
    ("length", 1): "Len., dł., gar., ilg., long., дл., довж.",
    ("breadth", 1): "Wid., szer., plat., larg., шир.",
    ("height", 1): "Thk., ép., grub., biez., толщ., вис.",
    ("length", 2): "Nominal length, Length 1, Dimensions Length, Length / Kuku",
    ("length", 3): "L, Д",
    ("breadth", 3): "B, W, Ш",
    ("height", 3): "H, T, В",
    ("diameter", 3): "D",
    ("pieces", 3): "st",
}


@pytest.mark.parametrize(
    ("text", "field"),
    [(word, field) for field, words in FULL.items() for word in words.split(", ")],
)
def test_full_words_say_exactly_so(text: str, field: str) -> None:
    assert parse_header(text) == HeaderCell(field=field, rank=0)


@pytest.mark.parametrize(
    ("text", "field", "rank"),
    [(word, *claim) for claim, words in WEAKER.items() for word in words.split(", ")],
)
def test_abbreviations_and_letters_say_less(text: str, field: str, rank: int) -> None:
    assert parse_header(text) == HeaderCell(field=field, rank=rank)


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        *[("Length (m)", "m"), ("Length [mm]", "mm"), ("Length, m", "m"), ("Length in mm", "mm")],
        *[("Length/m", "m"), ("Length_mm", "mm"), ("Length-cm", "cm"), ("Length: mm", "mm")],
        *[("Length (′)", "ft"), ("Length′", "ft"), ("Length (mtr)", "m"), ("Length m.", "m")],
        *[("Length\n(m)*", "m"), ("Length¹) (m)", "m"), ("Length (1) (m)", "m")],
        *[("Length (in)", "in"), ("Length in", "in"), ("Length in ft", "ft"), ('Length "', "in")],
        *[("Länge in m", "m"), ("Longueur en m", "m"), ("Długość w m", "m"), ("Длина, мм", "mm")],
        *[("Довжина у см", "cm"), ("Längd i mm", "mm"), ("Garums / Length (m)", "m")],
        *[("Length (m) (avg)", "m"), ("Length (over bark) (m)", "m")],
        *[("Length (nominal, mm)", "mm"), ("Length (unit: mm)", "mm"), ('Length "ft"', "ft")],
        *[
            ('"Length"', None),
            ("Length (nominal)", None),
            ("Length²", None),
            ("Length (Länge)", None),
        ],
    ],
)
def test_units_of_headers(text: str, unit: str | None) -> None:
    assert parse_header(text) == HeaderCell(field="length", rank=0, unit=unit)


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        *[("Length (mm/in)", "mm/in"), ("Length ft in", "ft/in"), ("Length (ft-in)", "ft-in")],
        *[
            ("Length (yd)", "yd"),
            ("Length dm", "dm"),
            ("Length (m3)", "m3"),
            ("Length (16ths)", "16ths"),
        ],
        *[
            ("Length (x10 mm)", "x10 mm"),
            ("Length (m) (ft)", "m/ft"),
            ("Length (m) (x10)", "m/x10"),
        ],
        *[("Length (Elle)", "Elle"), ("Length (16ths) (in)", "16ths/in")],
    ],
)
def test_other_units_are_told(text: str, unit: str) -> None:
    assert parse_header(text) == HeaderCell(field="length", rank=0, unknown_unit=unit)


@pytest.mark.parametrize(
    ("text", "unknown_unit"),
    [("Volume (m³)", None), ("Volume, cbm", None), ("Volume (ft³)", "ft³")],
)
def test_volumes_are_in_cubic_metres_or_in_an_unknown_unit(
    text: str, unknown_unit: str | None
) -> None:
    assert parse_header(text) == HeaderCell(field="volume", rank=0, unknown_unit=unknown_unit)


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "4.2", "Species", "Grade", "Date", "Remarks", "Dimensions (mm)", "L x B x H"),
        *("Width/Thickness", "Length, Breadth", "Diameter/Length", "Width (Length)", "plotas"),
        *("Total length", "Length class", "Container length", "Average length", "AB 12 M", "in m"),
        "Length " * 20,
    ],
)
def test_other_headers_name_no_field(text: str) -> None:
    assert parse_header(text) is None


def test_the_wording_of_a_header_keeps_what_tells_units_apart() -> None:
    assert normalize_header("  LENGTH,\n(m)* ") == normalize_header("Length (m)") == "length m"
    assert normalize_header("Length (′)") == "length '"
    assert normalize_header("Length (″)") == 'length "'
    assert normalize_header("La\u0308nge") == normalize_header("LÄNGE") == "länge"
