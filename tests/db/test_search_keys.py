"""What is searched is found whatever the letter case, accents, Unicode form, blanks and hyphens."""

from __future__ import annotations

from unicodedata import normalize

import pytest

from tests.factories import ClientFactory
from timba.accounts.models import Client
from timba.consignments.models import Consignment
from timba.db.search_keys import KEY_LENGTH_RATIO, compact_key, search_key

# Beyond, no character has a letter case or another form.
LAST_LETTER = 0x30000


@pytest.fixture
def company(db: None) -> Client:
    client: Client = ClientFactory()
    return client


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Krāmsēdis_Čiekurs.txt", "kramsedis_ciekurs.txt"),
        (normalize("NFD", "Krāmsēdis"), "kramsedis"),
        ("Łódź, Ørsted", "lodz, orsted"),
        ("STRASSE", "strasse"),
        ("Straße", "strasse"),
        ("İstanbul ılık", "istanbul ilik"),
        ("ЁЛКА", "елка"),
        ("Oak,\u00a0 March ", "oak, march"),
        ("松木 한국", "松木 한국"),
    ],
)
def test_texts_are_folded(text: str, expected: str) -> None:
    assert search_key(text) == expected


@pytest.mark.parametrize(
    "text", ["AB-1234", "ab 12 34", "AB\u20111234", "Ab\u200b–1\u00a0234", "ÁB−1234"]
)
def test_blanks_and_hyphens_do_not_matter_in_compact_keys(text: str) -> None:
    assert compact_key(text) == "ab1234"


def test_the_key_of_every_character_is_normal_and_fits_its_column() -> None:
    keys = {number: search_key(f"a{chr(number)}b") for number in range(LAST_LETTER)}
    assert [hex(number) for number, key in keys.items() if search_key(key) != key] == []
    assert max(map(len, keys.values())) - 2 == KEY_LENGTH_RATIO


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("BERZ", True),
        ("be\u0304rzs", True),
        ("ab 1234", True),
        ("b12", True),
        ("birch", False),
        ("-", False),
        ("%", False),
        ("x" * 100_000, False),
    ],
)
def test_rows_are_found_by_the_lookup(words: str, expected: bool, company: Client) -> None:
    Consignment.unscoped.create(
        client=company, name="Bērzs, March", type="hardwood", vehicle_number="AB-1234"
    )
    found = Consignment.unscoped.filter(name_key__finds=words) | Consignment.unscoped.filter(
        vehicle_key__finds=words
    )
    assert found.exists() == expected


def test_keys_follow_their_text(company: Client) -> None:
    row = Consignment.unscoped.create(client=company, name="Oak", type="hardwood")
    row.name = "Élan"
    row.save()
    row.refresh_from_db()
    assert (row.name_key, row.vehicle_key) == ("elan", "")
