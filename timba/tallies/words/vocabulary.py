"""The words of tally headers, by field, in the twelve languages that headers are read in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from timba.files.wording import fold

BARCODE, LENGTH, BREADTH, HEIGHT = "barcode", "length", "breadth", "height"
# A volume, a number of pieces, a diameter, and a number that only counts the rows.
VOLUME, PIECES, DIAMETER, COUNTER = "volume", "pieces", "diameter", "number"
MEASURES: Final = (LENGTH, BREADTH, HEIGHT)


def _split(words: str) -> list[str]:
    return [word for word in map(str.strip, words.split(",")) if word]


# Ranks of a word: it says exactly so; it is an abbreviation or a near word; it may also mean
# something else; it means something else in another of the languages, as the letter B does, which
# is breadth in English and thickness (biezums) in Latvian.
EXACT, NEAR, BROAD, DOUBTFUL = 0, 1, 2, 3

# English, German, French, Spanish; Polish, Latvian, Lithuanian; Estonian, Finnish, Swedish;
# Russian, Ukrainian. The last letters of a word without its accents need no entry of their own.
_SPELLINGS: Final[Mapping[str, tuple[str, str, str, str]]] = {
    BARCODE: (
        """
        barcode, bar code, barcodes, epc, epc code, qr, qr code, qrcode, rfid, rfid tag,
        strichcode, balkencode, barcodenummer, code barre, code barres, code à barres,
        codebarre, código de barras, código barras, kod kreskowy, kodu kreskowego, kod paskowy,
        svītrkods, svītru kods, svītrkoda, brūkšninis kodas, brūkšninio kodo, barkodas, barkods,
        vöötkood, triipkood, ribakood, viivakoodi, streckkod, streckkodsnummer, штрихкод, штрих
        код, штрих-код, штриховой код, баркод, штриховий код
        """,
        """
        tag no, tag nr, tag number, tag id, tag #, tag code, log tag, label, log label, ean,
        ean code, log code, etikett,
        etikette, etiketten, etikettnummer, stammnummer, stammnr, blocknummer, blocknr,
        plättchen, plättchennummer, étiquette, plaquette, etiqueta, etykieta, etykiety, płytka,
        płytki, etiķete, etiķetes, birka, birkas, etiketė, etiketės, žyma, silt, sildi, etiketi,
        etiketti, etiketin, tunniste, tunnus, märkning, бирка, бирки, этикетка, этикетки, метка,
        метки, rfid метка, етикетка, етикетки, мітка, мітки, ярлык, ярлик, plomba, пломба
        """,
        """
        tag, tags, log, logno, block, baulk, code, log ref, piece id, piece no, piece number,
        id, item code, item id, plate, kode, bille, grume, code grume, código,
        código de troza, troza, kod, kod kłody, kłoda, kłody, kods, baļķis, baļķa, kodas,
        rąstas, rąsto, kood, palk, palgi, koodi, tukki, tukin, tukkinumero, stocknr,
        stocknummer, код, бревно, бревна, колода, колоды, колоди, stamm, identifier,
        identification, bûche
        """,
        "",
    ),
    LENGTH: (
        """
        length, lengths, log length, länge, längen, stammlänge, longueur, longueurs, longitud,
        longitudes, largo, długość, długości, garums, garumi, ilgis, ilgiai, pikkus, pikkused,
        pituus, pituudet, längd, längder, длина, длины, длинна, довжина, довжини
        """,
        """
        len, lgth, lngth, lenght, length l, lng, lg, lge, lgn, länge l, long, longr, lgr, dł,
        dług, długość kłody, dlug, gar, baļķa garums, ilg, rąsto ilgis, pikk, palgi pikkus, pit,
        tukin pituus, stocklängd, läng, дл, длин, длина бревна, длина л, довж, довжина колоди
        """,
        "",
        "l, д",
    ),
    BREADTH: (
        """
        breadth, breadths, width, widths, breite, breiten, largeur, largeurs, ancho, anchos,
        anchura, szerokość, szerokości, platums, platumi, plotis, pločiai, laius, laiused,
        leveys, leveydet, bredd, bredder, ширина, ширины, ширини
        """,
        """
        wid, wdth, wth, brdth, bdth, bredth, witdh, widht, breadth b, breite b, brt, larg, anch,
        szer, szerok, plat, plot, lai, lev, шир, ширин
        """,
        "br",
        "b, w, ш",
    ),
    HEIGHT: (
        """
        height, heights, thickness, thicknesses, höhe, höhen, dicke, dicken, stärke, stärken,
        hauteur, hauteurs, épaisseur, épaisseurs, alto, altura, alturas, espesor, espesores,
        grueso, grosor, wysokość, wysokości, grubość, grubości, augstums, augstumi, biezums,
        biezumi, aukštis, aukščiai, storis, storiai, kõrgus, kõrgused, paksus, paksused,
        korkeus, korkeudet, paksuus, paksuudet, höjd, höjder, tjocklek, tjocklekar, высота,
        высоты, толщина, толщины, висота, висоти, товщина, товщини
        """,
        """
        hgt, hght, hieght, heigth, ht, thick, thk, thck, thickn, thickess, depth, height h, höhe
        h, dicke d, haut, htr, épais, épaiss, ép, grues, wys, wysok, grub, augst, biez, aukšt,
        stor, kõrg, paks, kork, tjockl, tjock, выс, высот, толщ, вис, товщ
        """,
        "alt, tj",
        "h, t, в, т, e, gr, esp",
    ),
    VOLUME: (
        """
        volume, volumes, volume m3, cubic volume, volumen, volúmen, tilpums, tilpumi, tūris,
        maht, tilavuus, volym, objętość, miąższość, объём, объем, об'єм, обєм
        """,
        """
        vol, m3, cbm, cum, cubm, cu m, m cube, cubage, cubic, cubic metres, cubic meters, cubic
        metre, cubic meter, kubatur, kubikmeter, festmeter, fm, fest m, cubature, mètres cubes,
        metros cúbicos, cubicación, kubatura, masa m3, kubikmetri, kub, kubatūra, kubas, kubai,
        ktm, tihumeeter, tm, kuutiometri, kuutiot, kuutio, k m3, m3f, m3fub, m3sk, kubik,
        кубатура, куб, куб м, кубометры, кубы, м3, масса м3, кубів, кубометри, tilp, tūr, tilav,
        об
        """,
        "",
        "v, masa",
    ),
    PIECES: (
        """
        pieces, pcs, pc, piece, pieces per pack, pieces per bundle, pcs per pack, pcs per bundle,
        bundle pcs, pack pcs, number of pieces, no of pieces, no of pcs, no of logs, qty,
        quantity, stück, stk, stückzahl, pièces, nombre de pièces, nb pièces, nbre, quantité,
        qté, piezas, pzas, pza, cantidad, sztuki, sztuk, szt, liczba sztuk, liczba szt, ilość,
        ilość sztuk, gab, gabali, gabalu skaits, skaits, vnt, vienetai, kiekis, tükid, tk, arv,
        kogus, kpl, kappale, kappaletta, kappalemäärä, lukumäärä, määrä, antal, styck, stycken,
        штук, штуки, шт, кол-во, количество, кількість, к-сть, к-ть
        """,
        "pce, pces, units, unités, logs, count, anzahl, anz, unidades, uds, ud, кол, к-во",
        "",
        "st, nombre, cant",
    ),
    DIAMETER: (
        """
        diameter, diameters, dia, diam, ø, durchmesser, mittendurchmesser, zopfdurchmesser,
        diamètre, diámetro, średnica, średnice, diametrs, caurmērs, skersmuo, diametras,
        läbimõõt, diameeter, läpimitta, halkaisija, diametri, диаметр, діаметр, top diameter,
        top dia, butt diameter, butt dia, mid diameter, mid dia, middle diameter, small end
        diameter, large end diameter, small end, large end, sed, led, top ø, butt ø, mid ø,
        mitteldurchmesser, tievgaļa caurmērs, toppdiameter, rotdiameter, girth, circumference,
        umfang, obwód, circonférence, circunferencia, окружность, верхний диаметр
        """,
        "durchm, dm, dmr, d1, d2, ø1, ø2, ddm, mdm, diameter d, диам, діам, caurm, skersm, läb",
        "śr, top, butt, zopf",
        "d",
    ),
    COUNTER: (
        """
        #, no, number, nr, nummer, num, numéro, número, numer, numurs, numeris, nro, numero,
        номер, но, n, row, row no, row number, row #, line, line no, line number, item, item no,
        item number, seq,
        sequence, seq no, s no, s n, n o, sn, sl no, sr no, serial no, serial number, serial,
        count no, running no, running number, lfd, lfd nr, lfdnr, lfd no, laufende nummer,
        laufnummer, pos, position, pos nr, zeile, rang, ligne, no ligne, no ordre, no d'ordre,
        ordre, fila, línea, orden, no de orden, ítem, lp, l p, liczba porządkowa, poz, pozycja,
        wiersz, nr p k, nr pk, npk, n p k, rinda, rindas nr, kārtas nr, eil nr, eilės nr, eilė,
        eilutė, jrk, jrk nr, jrk no, järjekorranumber, rida, rea nr, jnro, järj nro,
        järjestysnumero, rivi, löpnr, löp nr, löpnummer, löpande nr, rad, radnr, ordningsnr, но
        п п, п п, no п п, n п п, № п/п, №пп, № з/п, но з п, з п, строка, рядок, порядковый
        номер, порядковий номер, №, №№, nos
        """,
        "",
        "",
        "",
    ),
}
# Words that make the word for a label, tag or log the word for its number: “Tag no.”.
NUMBER_WORDS: Final = frozenset(
    map(
        fold,
        _split(
            """
        #, no, nr, num, number, numbers, nummer, numer, numéro, número, numero, numurs, numeris,
        nro, id, но, номер, n
        """
        ),
    )
)
# Words beside a field's own that do not change what a column holds.
QUALIFIERS: Final = frozenset(
    map(
        fold,
        _split(
            """
        log, logs, the, of, timber, wood, dimension, dimensions, dim, size, sizes, measure,
        measures, measurement, measurements, measured, nominal, nom, actual, gross, net,
        invoiced, mid, middle, top, butt, maße, maß, mass, abmessung, abmessungen, messung,
        brutto, netto, dimensiones, medida, medidas, mesure, mesures, wymiar, wymiary, kłody,
        izmērs, izmēri, baļķa, matmenys, matmuo, rąsto, mõõt, mõõdud, palgi, mitat, mitta,
        mitan, tukin, mått, stock, stockens, размер, размеры, бревна, розмір, розміри, колоди,
        section, querschnitt, przekrój, šķērsgriezums, skerspjūvis, ristlõige, poikkileikkaus,
        tvärsnitt, сечение, переріз, du, de, la, le, del, der, des, die, den
        """
        ),
    )
)


def _read_spellings() -> Iterator[tuple[str, tuple[str, int]]]:
    for field, ranks in _SPELLINGS.items():
        for rank, words in enumerate(ranks):
            for word in _split(words):
                for spelling in _variants(word):
                    yield fold(spelling), (field, rank)


def _variants(word: str) -> tuple[str, str]:
    """Return a word, and how it is spelled where a keyboard has no umlauts."""
    return word, word.replace("ä", "ae").replace("ö", "oe").replace("ü", "ue")


# The field and the rank of each folded word; the first entry of a word counts.
WORDS: Final[Mapping[str, tuple[str, int]]] = dict(reversed(list(_read_spellings())))
# Words with letters beyond ASCII as they are spelled, which tells the encoding of a header.
ACCENTED_WORDS: Final = frozenset(
    part
    for ranks in _SPELLINGS.values()
    for words in ranks
    for word in _split(words)
    for part in word.casefold().split()
    if not part.isascii()
)
