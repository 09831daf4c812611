"""Passages show the match that a search has found, out of a piece of the text."""

from __future__ import annotations

import random

import pytest

from timba.db.passages import PIECE_CHARACTERS, Place, cut_passage, find_place, find_place_in_part
from timba.db.text_search import TextQuery, index_words

LETTERS = {
    "latin": "abcdeēķšž",
    "cyrillic": "абвгдёй",
    "hindi": "कखगिीं",
    "arabic": "ابتثج",
    "chinese": "木材检收北京丸太",
    "mixed": "aб木é-½ﬁŀ_\u00ad",
}


def passage(text: str, query: str) -> str | None:
    """Return the passage of a text, of which only the piece is read that it is cut out of."""
    words = index_words(text, owner=7).words
    place = find_place(words, TextQuery.parse(query), owner=7)
    return None if place is None else cut(text, place)


def cut(text: str, place: Place) -> str:
    return cut_passage(text[place.piece_start :][:PIECE_CHARACTERS], place)


@pytest.mark.parametrize("letters", LETTERS.values(), ids=LETTERS.keys())
@pytest.mark.parametrize("longest", [8, 90, 3000], ids=["words", "runs", "a text without blanks"])
def test_a_passage_shows_the_match_wherever_it_is(letters: str, longest: int) -> None:
    chance = random.Random(3)
    for before in (0, 5, 990, 1000, 1015, 1960, 2500, 9000):
        text = ""
        while len(text) < before:
            text += "".join(chance.choices(letters, k=chance.randint(1, longest))) + " "
        text = text[:before]
        shown = passage(f"{text} Zq7 larch {text}", "zq7 larch")
        assert shown is not None
        assert "Zq7 larch" in shown


def test_the_place_of_a_match_is_exact_whatever_letters_are_before_it() -> None:
    # An error of one place for each of these words would show the beginning of the text.
    for number in range(0x21, 0x600):
        shown = passage(f"b{chr(number)}b " * 200 + "larch", "larch")
        assert shown is not None
        assert shown.endswith("b larch"), hex(number)


def test_a_text_without_all_of_the_terms_has_no_passage() -> None:
    assert passage("forty logs", "forty larch") is None
    assert passage("forty logs", '"logs forty"') is None
    assert passage("forty logs", "forty log") == "forty logs"


def test_a_part_that_is_cut_through_a_match_does_not_have_it() -> None:
    words = index_words("forty logs larch", owner=7).words

    def place(part: str, query: str, **ends: bool) -> Place | None:
        ends = {"is_first": True, "is_last": False, **ends}
        return find_place_in_part(part, TextQuery.parse(query), owner=7, **ends)

    assert place(words, "larch birch", is_last=True) == Place(block=0, word=2)
    assert place(words[:11], '"forty lo"') is None
    assert place(words[:16], '"forty log"') is None
    assert place(words, '"logs larch"') is None
    assert place(words, '"logs larch"', is_last=True) == Place(block=0, word=1)
    assert place("w7wforty w7wlogs", "forty", is_first=False) is None
    assert place("w7wforty w7wlogs", "logs", is_first=False, is_last=True) == Place(0, 1)


def test_a_phrase_over_blocks_without_words_is_found() -> None:
    text = f"{' .' * 1200} forty logs {' -' * 2600} larch at the gate"
    shown = passage(text, '"logs larch"')
    assert shown is not None
    assert "forty logs - -" in shown
    words = index_words(text, owner=7).words
    end = words.index("w7wat") - 1
    for part, is_found in ((words[:end], False), (words, True)):
        place = find_place_in_part(
            part, TextQuery.parse('"logs larch"'), owner=7, is_first=True, is_last=False
        )
        assert (place == Place(block=2, word=1)) is is_found
