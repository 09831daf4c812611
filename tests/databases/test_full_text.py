"""The full-text searches of the databases find what `matches` says, in every script."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from django.db import connection
from django.db.models import Q
from django.test.utils import CaptureQueriesContext

from timba.db import full_text
from timba.db.full_text import filter_found
from timba.db.text_search import TextQuery, index_words, matches
from timba.files.models import File, FileText

# MariaDB finds what is committed.
pytestmark = pytest.mark.django_db(transaction=True)

PARTS = [
    *("log", "logs", "of", "the", "pine", "Bērzs", "BERZA", "берёза", "Береза", "Ёлка", "й"),
    *("Straße", "strasse", "ŁÓDŹ", "łodzi", "ﬁle", "filet", "naïve", "I\u0307stanbul", "istanbul"),
    *("2", "12.45", "12,4", "2024-05-06", "A-12", "a_12", "GOST9463标准", "北京", "北京市", "京北"),
    *(
        "木材の検収",
        "丸太",
        "목재",
        "목재의",
        "ไม้สัก",
        "किताब",
        "कि",
        "خشب",
        "ﺧﺸﺐ",
        "עֵץ",
        "ξύλο",
        "ΞΎΛΟΣ",
    ),
    *("quick", "q", "x", "xq", "xylo", "AND", "OR", "NEAR", "NOT", "www", "ww", "w1w", "it's"),
    *(
        "x\u00adylo",
        "K\ufffdrlis",
        "\U0001f332",
        "½",
        "m³",
        "٧",
        "𝐛eam",
        "x" * 70,
        "x" * 90,
        "б" * 30,
    ),
    *("*", "^", ":", "(", ")", "-", "+", "~", "<", ">", "@", "\\", "'", "&", "|", "!", "<->", "%"),
]
OWNERS = (1, 12)
STRANGER = 121
ON_MARIADB = pytest.mark.only_on("mysql")
NOTHING = Q(pk__in=[])


def make_texts() -> Iterator[str]:
    chance = random.Random(1)
    for _ in range(40):
        blank = chance.choice([" ", "\n", "  ", "\t", "", ", "])
        yield blank.join(chance.choices(PARTS, k=chance.randint(1, 12)))
    yield "log of pine " * 400
    yield "pine log " * 9000 + "the end of logs"
    # Blocks without words, before the first one, between two, and in a text of many words.
    yield f"{' .' * 1500}pine log{' -' * 2500} at gate{' .' * 1500}"
    yield f"{'spruce ' * 9000}{' -' * 2500} at gate"
    yield ""


def make_queries() -> Iterator[str]:
    chance = random.Random(2)
    for _ in range(300):
        query = chance.choice([" ", " ", ""]).join(chance.choices(PARTS, k=chance.randint(1, 3)))
        query = query[: chance.randint(1, len(query))] if chance.random() < 0.4 else query
        yield f'"{query}"' if chance.random() < 0.4 else query
    yield from PARTS
    yield from (f'"{part}"' for part in PARTS)
    yield from ('"log at"', '"spruce at gate"', "spruc")
    yield from ('"of pine log"', '"log pine"', '"end of logs" pine', '"pine', "", '"" " "', "a\0b")


@pytest.fixture
def texts() -> dict[tuple[int, str], File]:
    """Return a file for each text of each of two owners, and of a stranger."""
    files = {}
    for owner in (*OWNERS, STRANGER):
        for text in make_texts():
            file = File.unscoped.create(storage_key=f"{owner} {len(files)}", run=1)
            files[owner, text] = file
            indexed = index_words(text, owner=owner)
            FileText.objects.create(
                file=file,
                run=1,
                text=text,
                words=indexed.words,
                exceeds_positions=indexed.exceeds_positions,
            )
    return files


def found(query: str, *owners: int, also: Q = NOTHING) -> set[str]:
    columns = {"file_id": "pk", "run": "run"}
    rows = filter_found(
        File.unscoped.all(),
        TextQuery.parse(query),
        texts=FileText,
        owners=owners,
        columns=columns,
        also=also,
    )
    return {file.pk for file in rows}


@pytest.fixture(
    params=["few", *(pytest.param(way, marks=ON_MARIADB) for way in ("many", "common"))]
)
def searched(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let MariaDB look up the rows that it finds, or find too many, or read the texts of all."""
    needed = 0 if request.param == "common" else 10**6
    monkeypatch.setattr(full_text, "_COMMON", needed)
    monkeypatch.setattr(full_text, "_COMMON_PHRASES", needed)
    if request.param == "many":
        monkeypatch.setattr(full_text, "_MANY", 2)


@pytest.mark.usefixtures("searched")
def test_each_database_finds_what_the_definition_says(texts: dict[tuple[int, str], File]) -> None:
    hits = 0
    for query in make_queries():
        for owners in ((1,), OWNERS):
            expected = {
                file.pk
                for (owner, text), file in texts.items()
                if owner in owners and matches(query, text)
            }
            hits += len(expected)
            assert found(query, *owners) == expected, query
    assert hits > 1000


@pytest.mark.usefixtures("searched")
@pytest.mark.parametrize("others", [1, 5])
def test_rows_are_found_by_the_other_condition_too(
    texts: dict[tuple[int, str], File], others: int
) -> None:
    expected = {
        file.pk
        for (owner, text), file in texts.items()
        if owner in OWNERS and matches('"end of logs"', text)
    }
    named = [file.pk for file in texts.values() if file.pk not in expected][-others:]
    assert found('"end of logs"', *OWNERS, also=Q(pk__in=named)) == {*expected, *named}
    assert found("larch", *OWNERS, also=Q(pk__in=named)) == set(named)
    assert found("", *OWNERS, also=Q(pk__in=named)) == set(named)


@pytest.mark.only_on("mysql")
@pytest.mark.parametrize(
    ("query", "is_asked"), [("l", False), ("end", True), ('"a 12"', False), ('"of pine"', True)]
)
@pytest.mark.usefixtures("texts")
def test_mariadb_is_asked_for_words_that_are_not_common_in_the_list(
    query: str, is_asked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(full_text, "_SAMPLE", 1000)
    with CaptureQueriesContext(connection) as queries:
        found(query, 1)
    assert any("MATCH" in each["sql"] for each in queries) == is_asked


@pytest.mark.parametrize(
    "query",
    [
        "(" * 10_000,
        '"' * 10_001,
        "* " * 5000,
        "a* AND (b OR NEAR(c, 2))" * 400,
        "log " * 2500,
        "%s",
    ],
)
def test_no_query_is_an_error_of_the_database(
    texts: dict[tuple[int, str], File], query: str
) -> None:
    expected = {
        file.pk for (owner, text), file in texts.items() if owner == 1 and matches(query, text)
    }
    assert found(query, 1) == expected


def test_the_texts_of_many_owners_are_searched_at_once(texts: dict[tuple[int, str], File]) -> None:
    expected = {file.pk for (_, text), file in texts.items() if matches('"of pine" log', text)}
    assert expected
    assert found('"of pine" log', *range(1, 1001)) == expected


def test_a_text_of_another_run_is_not_found(texts: dict[tuple[int, str], File]) -> None:
    assert found('"end of logs"', 1)
    FileText.objects.filter(text__contains="end of logs").update(run=2)
    assert not found('"end of logs"', 1)


def test_the_index_follows_changed_and_deleted_rows(texts: dict[tuple[int, str], File]) -> None:
    row = FileText.objects.filter(text__contains="end of logs", file__storage_key__startswith="1 ")
    row.update(words=index_words("larch", owner=1).words, exceeds_positions=False)
    assert not found('"end of logs"', 1)
    assert found("larch", 1) == {row.get().file_id}
    row.delete()
    assert not found("larch", 1)
