"""Text is stored and compared exactly, and searched in every alphabet, on every database."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Literal
from unicodedata import normalize

import pytest
from django.contrib.sessions.backends.cache import SessionStore
from django.db import IntegrityError, models, transaction
from django.test import RequestFactory
from rest_framework.test import APIClient

from tests.conftest import MakeUser
from tests.factories import PASSWORD, ClientFactory, UserFactory
from timba.accounts.models import Client, Role, User
from timba.consignments.models import Consignment, Log
from timba.db.text import fold_case, text_contains
from timba.notes.models import Note
from timba.web.pages import get_viewer

pytestmark = pytest.mark.django_db

# Each pair differs in something that one collation or another overlooks.
ALIKE = [
    ("anna", "Anna"),
    ("anna", "änna"),
    ("anna", "anna "),
    ("anna", "anna\u00a0"),
    ("anna", "anna\t"),
    ("anna", "ａｎｎａ"),
    ("anna", "an\u00adna"),
    ("anna", "an\u200dna"),
    ("\u00e9", "e\u0301"),
    ("straße", "strasse"),
    ("ﬁr", "fir"),
    ("İ", "I"),
    ("ς", "σ"),
    ("🌲", "🌳"),
    ("𝐚", "𝐛"),
    ("٧", "7"),
    ("0", "00"),
    ("1", "1.0"),
]

Make = Callable[[Client, str], models.Model]


def make_log(client: Client, word: str) -> Log:
    consignment, _ = Consignment.unscoped.get_or_create(client=client, name="Load", type="hardwood")
    measures = {"length": 1, "breadth": 1, "height": 1, "volume": 1}
    return Log.unscoped.create(client=client, consignment=consignment, barcode=word, **measures)


# Columns that users fill, and in which no two rows of a client may be equal.
NAMED: dict[str, tuple[type[models.Model], Make]] = {
    "username": (User, lambda client, word: UserFactory(client=client, username=word)),
    "name": (
        Consignment,
        lambda client, word: Consignment.unscoped.create(client=client, name=word, type="pinewood"),
    ),
    "role": (Role, lambda client, word: Role.unscoped.create(client=client, name=word)),
    "barcode": (Log, make_log),
}


def every_character() -> list[str]:
    return [chr(code) for code in range(1, sys.maxunicode + 1) if not 0xD800 <= code <= 0xDFFF]


@pytest.fixture
def note(client_company: Client) -> Callable[[str], Note]:
    return lambda content: Note.unscoped.create(client=client_company, title="-", content=content)


@pytest.mark.parametrize("noun", NAMED)
def test_names_that_differ_in_anything_are_different(noun: str, client_company: Client) -> None:
    model, make = NAMED[noun]
    field = "name" if noun == "role" else noun
    for word in dict.fromkeys(word for pair in ALIKE for word in pair):
        row = make(client_company, word)
        assert model._base_manager.filter(**{field: word}).get().pk == row.pk, ascii(word)
        with pytest.raises(IntegrityError), transaction.atomic():
            make(client_company, word)


def test_a_username_is_typed_exactly_but_for_blanks_around_it(make_user: MakeUser) -> None:
    make_user(username="anna")
    for typed, status in [("anna", 200), ("Anna", 401), ("änna", 401), ("anna ", 200)]:
        credentials = {"username": typed, "password": PASSWORD}
        assert APIClient().post("/api/token/", credentials).status_code == status, typed


def test_every_character_is_kept(note: Callable[[str], Note]) -> None:
    every = every_character()
    for start in range(0, len(every), 100_000):
        text = "".join(every[start : start + 100_000])
        assert Note.unscoped.get(pk=note(text).pk).content == text


def test_a_name_of_the_greatest_length_is_kept(client_company: Client) -> None:
    word = "🌲" * 100
    made = Consignment.unscoped.create(client=client_company, name=word, type="hardwood")
    assert Consignment.unscoped.get(name=word).pk == made.pk


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ("GATE", "the gate is shut"),
        ("mežaparks", "MEŽAPARKS 3"),
        ("ÅNGERMAN", "Ångermanland"),
        ("гост", "ГОСТ 9462"),
        ("ΟΔΌΣ", "οδός 7"),
        ("οδόσ", "ΟΔΌΣ"),
        ("σ", "τέλος"),
        ("istanbul", "Istanbul"),
        ("\u0130stanbul", "i\u0307stanbul"),
        ("ᏣᎳᎩ", "ᏣᎳᎩ".lower()),
        ("ႠႡ", "ⴀⴁ"),
        ("Თბილისი", "თბილისი"),
        ("𐐀", "𐐨"),
        ("STRAẞE", "straße"),
        ("ǅ", "ǆ"),
        ("木材", "木材を三本"),
        ("100%", "100% dry"),
        ("a_b", "a_b"),
        ("back\\slash", "back\\slash"),
        ("it's", "It's"),
    ],
)
def test_words_are_found_in_any_letter_case(
    note: Callable[[str], Note], words: str, text: str
) -> None:
    found = note(text)
    note("something else")
    assert Note.unscoped.filter(text_contains(words, "title", "content")).get().pk == found.pk


@pytest.mark.parametrize("stored", ["NFC", "NFD"])
@pytest.mark.parametrize("asked", ["NFC", "NFD"])
def test_words_are_found_whether_accents_are_composed_or_not(
    note: Callable[[str], Note], stored: Literal["NFC", "NFD"], asked: Literal["NFC", "NFD"]
) -> None:
    """macOS writes a file's name as letters and accents, keyboards type both as one."""
    found = note(normalize(stored, "Krāmsēdis_čiekurs Übersicht"))
    note("Kramsedis_ciekurs Ubersicht")
    words = normalize(asked, "krāmsēdis_čiekurs ÜBER")
    assert Note.unscoped.filter(text_contains(words, "content")).get().pk == found.pk


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ("angerman", "Ångermanland"),
        ("mezaparks", "Mežaparks"),
        ("strasse", "straße"),
        ("gate ", "gate"),
        ("100%", "1000"),
        ("a_b", "axb"),
        ("ı", "i"),
        ("7", "٧"),
    ],
)
def test_other_words_are_not_found(note: Callable[[str], Note], words: str, text: str) -> None:
    note(text)
    assert not Note.unscoped.filter(text_contains(words, "content")).exists()


def test_case_folding_follows_unicode(note: Callable[[str], Note]) -> None:
    cased = [letter for letter in every_character() if letter != letter.lower()]
    large, small = "".join(cased), "".join(fold_case(letter) for letter in cased)
    assert len(cased) > 1300
    for content, words in [(large, small), (small, large)]:
        row = note(content)
        assert Note.unscoped.filter(text_contains(words, "content"), pk=row.pk).exists()
        assert not Note.unscoped.filter(text_contains(words + "x", "content"), pk=row.pk).exists()


def test_a_search_may_be_long(note: Callable[[str], Note]) -> None:
    """A pattern of SQLite's LIKE may not."""
    found = note("Ābele " * 20_000)
    assert Note.unscoped.filter(text_contains("āBELE " * 20_000, "content")).get().pk == found.pk


def test_any_field_may_hold_the_words(client_company: Client) -> None:
    one = Note.unscoped.create(client=client_company, title="Oak", content="-")
    other = Note.unscoped.create(client=client_company, title="-", content="OAK")
    Note.unscoped.create(client=client_company, title="Ash", content="-")
    found = Note.unscoped.filter(text_contains("oak", "title", "content"))
    assert set(found) == {one, other}


def test_clients_are_listed_in_one_order_everywhere(staff: User) -> None:
    names = ["Zāģētava", "alksnis", "Ābele", "Alksnis", "zebra", "_", "Oak 10", "oak 9"]
    for name in names:
        ClientFactory(name=name)
    request = RequestFactory().get("/")
    request.user, request.session = staff, SessionStore()
    listed = [client.name for client in get_viewer(request).listed_clients]
    assert listed == ["_", "alksnis", "Alksnis", "Oak 10", "oak 9", "zebra", "Zāģētava", "Ābele"]
