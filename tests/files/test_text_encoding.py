"""The encoding of a text is told right, or not at all."""

from __future__ import annotations

import pytest

from timba.files.letter_pairs import LANGUAGES
from timba.files.text_encoding import (
    detect_encoding,
    detect_single_byte,
    plausible_encodings,
    sample_words,
)

# A load of logs, in the language of its country.
SENTENCES = {
    "cp1257": [
        "Bērza baļķi, trešā krava, Jānis Bērziņš",
        "Beržo rąstai, trečias krovinys, Žygimantas Žukauskas",
        "Kasepalgid, kõrgus kaheksa, Jüri Põldmäe, mõõdetud žürii ees",
    ],
    "cp1250": [
        "Kłody brzozowe, trzeci ładunek, długość i szerokość",
        "Březové kmeny, třetí náklad, délka a šířka",
        "Nyírfa rönkök, a harmadik szállítmány, hosszúság és szélesség, tölgyből, erdőről",
    ],
    "cp1251": [
        "Берёзовые брёвна, третий груз",
        "Березові колоди, третій вантаж",
        "Брезови трупи, трети товар",
    ],
    "cp1252": [
        "Grumes de chêne, troisième chargement, forêt de Tronçais, très sèches, mesurées",
        "Troncos de abedul, mañana llegará el tercer camión, según Muñoz",
        "Björkstockar från Småland, längd och bredd på följesedeln, höjden också",
    ],
}
CASES = [(encoding, text) for encoding, texts in SENTENCES.items() for text in texts]


@pytest.mark.parametrize(("encoding", "text"), CASES)
def test_sentences_are_read_as_they_were_written(encoding: str, text: str) -> None:
    data = text.encode(encoding)
    assert detect_encoding(data) == encoding
    assert plausible_encodings(data)[0] == encoding


@pytest.mark.parametrize("text", [text for _, text in CASES])
def test_unicode_is_told_by_its_form(text: str) -> None:
    assert detect_encoding(text.encode()) == "utf-8"
    assert detect_encoding(text.encode("utf-8-sig")) == "utf-8-sig"
    for encoding in ("utf-16-le", "utf-16-be"):
        assert detect_encoding(text.encode(encoding)) == encoding
        assert detect_encoding(f"\ufeff{text}".encode(encoding)) == encoding
        # Cut in the middle of a letter.
        assert detect_encoding(text.encode(encoding)[:-1]) == encoding


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Mežs", "cp1257"),
        ("Forêt", "cp1252"),
        ("Dąb", "cp1250"),
        ("Kayın tomruğu, yükleme sabah bitti, şoför İstanbul'dan geldi", "cp1254"),
        ("Ο κορμός της βελανιδιάς έχει μήκος τρία μέτρα", "cp1253"),
        ("Груз прибыл в восемь часов утра", "koi8-r"),
        ("Груз прибыл в восемь часов утра", "cp866"),
        ("Ładunek przyjechał o ósmej rano, świerk i sosna", "iso8859-2"),
        ("木材长度三米，请重新测量第三行", "gb18030"),
        ("丸太の長さは三メートルです", "shift_jis"),
    ],
)
def test_other_encodings_and_single_words_are_not_guessed(text: str, encoding: str) -> None:
    assert detect_encoding(text.encode(encoding)) is None


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        (b"", "utf-8"),
        (b"a;b\r\n", "utf-8"),
        ("Länge;Breite;Höhe".encode("cp1252"), "cp1252"),
        ("12 m³; 4 °C; 3½ m".encode("cp1252"), "cp1252"),
        ("Bērzs, egļu baļķi, ".encode() + b"\xff", "utf-8"),
        ("Bērzs, egļu baļķi, ž".encode()[:-1], "utf-8"),
        ("Bērzs".encode() + b"\xff\xfe\xfa", None),
        (b"\x81\x8d\x8f", None),
    ],
)
def test_short_and_broken_texts(data: bytes, encoding: str | None) -> None:
    assert detect_encoding(data) == encoding


def test_an_encoding_is_offered_only_where_it_gives_letters() -> None:
    assert plausible_encodings("Žąsis".encode("cp1257")) == (
        *("cp1257", "cp1251", "cp1252", "cp1250"),
    )
    assert plausible_encodings("Bērzs".encode())[-1] == "utf-8"
    assert plausible_encodings(b"Le\x9d") == ("cp1250", "cp1257", "cp1251")


@pytest.mark.parametrize("size", [1, 2, 5, 1000])
def test_words_are_whole_whatever_the_chunks(size: int) -> None:
    data = SENTENCES["cp1257"][0].encode("cp1257")
    words = sample_words(data[start : start + size] for start in range(0, len(data), size))
    assert [word.decode("cp1257") for word in words] == [
        *("Bērza", "baļķi", "trešā", "Jānis", "Bērziņš")
    ]
    assert detect_single_byte(words) == "cp1257"


@pytest.mark.parametrize("name", sorted(LANGUAGES))
def test_pairs_have_letters_of_their_language(name: str) -> None:
    language = LANGUAGES[name]
    pairs = language.likelihoods
    assert len(pairs) == len(language.pairs) // 2
    assert not [pair for pair in pairs if pair.isascii()]
    letters = {letter for pair in pairs for letter in pair if not letter.isascii()}
    assert letters <= set(language.letters)
