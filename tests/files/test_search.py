"""Files are found by words in their names and texts, by those who may see them and no one else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, BinaryIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.clients import api_client_of
from tests.factories import StaffFactory, UserFactory
from tests.files.conftest import Receive
from tests.files.runs import claimed, expire_lease
from tests.files.samples import pdf
from tests.tallies.sheets import tally
from timba.accounts.models import User
from timba.files import search
from timba.files.indexing import files_without_text, stage_text
from timba.files.models import File, FileText
from timba.files.processing import process_file
from timba.files.processors.text_collector import MAX_TEXT, TEXT
from timba.files.sandbox import SandboxUnavailable
from timba.files.services import delete_file
from timba.files.storage import LocalStorage, StorageUnavailable
from timba.files.trash import restore_file

# MariaDB finds what is committed, and `tests/databases` compares the three.
pytestmark = [pytest.mark.django_db, pytest.mark.only_on("sqlite", "postgresql")]

Find = Callable[..., list[tuple[str, str | None]]]


@pytest.fixture
def find(owner: User) -> Find:
    """Return a function that lists the names and passages of the files found."""

    def listed(q: str, *, user: User = owner, **filters: Any) -> list[tuple[str, str | None]]:
        response = api_client_of(user).get("/api/files/", {"q": q, **filters})
        assert response.status_code == 200
        return [(row["name"], row.get("passage")) for row in response.json()["results"]]

    return listed


def test_documents_texts_and_tallies_are_found_by_their_text(settle: Receive, find: Find) -> None:
    settle(pdf(2, text="Felling permit for larch"), name="1.pdf")
    settle("Zāģbaļķi: lapegle, bērzs\n", name="2.txt")
    settle(tally(("LV-77 012", 4, 30, 30)), name="3.xlsx")
    assert find("permit LARCH") == [("1.pdf", "Felling permit for larch Felling permit for larch")]
    assert find("zagbalki berz") == [("2.txt", "Zāģbaļķi: lapegle, bērzs")]
    [(name, passage)] = find('"lv 77 012"')
    assert (name, "LV-77 012" in str(passage)) == ("3.xlsx", True)
    assert find("larch lapegle") == []


@pytest.mark.parametrize(
    ("words", "is_found"),
    [
        ("ends butt", True),
        ("„butt ENDS”", True),
        ('"ends butt"', False),
        ("ab 0187 butt", True),
        ("larch butt", False),
        ('butt "" " "', True),
        ('""', False),
        ('" ', False),
    ],
)
def test_all_words_of_a_query_are_found_in_a_name(
    words: str, is_found: bool, settle: Receive, find: Find
) -> None:
    settle("forty logs", name="AB-0187 butt ends.txt")
    assert find(words) == ([("AB-0187 butt ends.txt", None)] if is_found else [])


def test_a_file_found_by_its_name_alone_has_no_passage(settle: Receive, find: Find) -> None:
    settle("forty logs", name="Permit 7.txt")
    assert find("permit") == [("Permit 7.txt", None)]
    assert find("permit logs") == []
    assert find("logs", kind="document") == []
    assert find("logs", kind="text") == [("Permit 7.txt", "forty logs")]


def test_a_passage_is_cut_out_of_the_text_around_the_first_match(
    settle: Receive, find: Find
) -> None:
    settle("spruce " * 1000 + "one <b>larch</b>\nto  go " + "pine " * 1000, name="a.txt")
    [(_, passage)] = find("LARCH")
    assert passage == (
        "…" + "spruce " * 7 + "one <b>larch</b> to go " + " ".join(["pine"] * 16) + "…"
    )


@pytest.mark.parametrize("before", [500, 19_500, 60_000, 480_000, 700_000])
def test_the_match_of_a_long_text_is_shown_wherever_it_is(
    settle: Receive, find: Find, before: int
) -> None:
    settle("Bērza baļķi " * (before // 12) + "one larch log" + " spruce" * 30_000, name="a.txt")
    for query in ("larch", '"one larch log" spruce'):
        [(_, passage)] = find(query)
        assert "ķi one larch log spruce" in str(passage)


def test_a_long_text_with_a_part_of_the_words_has_no_passage(settle: Receive, find: Find) -> None:
    settle("spruce " * 50_000, name="spruce larch.txt")
    assert find("spruce larch") == [("spruce larch.txt", None)]


def test_a_page_reads_so_many_parts_of_long_texts_and_shows_beginnings_of_others(
    settle: Receive, find: Find, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "_MAX_PARTS", 1)
    for name in ("1.txt", "2.txt", "3.txt"):
        # Each word of the index holds the client's id, of one digit or of many. All of them are
        # more than the beginning of a text, and fewer than one part.
        settle(f"{name} spruce " * 2_000 + "larch", name=name)
    passages = [str(passage) for _, passage in find("larch")]
    assert [passage.endswith("larch") for passage in passages] == [True, False, False]
    assert passages[2].startswith("1.txt spruce 1.txt spruce")


def test_strangers_find_nothing_and_staff_everything(settle: Receive, find: Find) -> None:
    file = settle("forty logs", name="a.txt")
    found = [("a.txt", "forty logs")]
    stranger = UserFactory()
    assert find("logs", user=stranger) == []
    staff = StaffFactory()
    assert find("logs", user=staff) == found
    assert find("logs", user=staff, client_id=file.client_id) == found
    assert find("logs", user=staff, client_id=stranger.client_id) == []


def test_a_deleted_file_is_not_found_and_its_text_stays_until_it_is_erased(
    settle: Receive, find: Find, owner: User
) -> None:
    file = settle("forty logs", name="a.txt")
    delete_file(actor=owner, file=file)
    assert find("logs") == []
    assert FileText.objects.get(file=file).text == "forty logs"
    assert find("logs", deleted="true") == [("a.txt", "forty logs")]
    restore_file(actor=owner, file=file)
    assert find("logs") == [("a.txt", "forty logs")]
    file.delete()
    assert not FileText.objects.exists()


def test_the_text_of_a_lost_run_is_never_found_and_goes_when_the_file_is_settled(
    receive: Receive, find: Find
) -> None:
    file = receive("forty logs", name="a.txt")
    run = claimed(file)
    stage_text(run, {TEXT: b"lost logs"})
    assert find("logs") == []
    expire_lease(file)
    process_file(file.pk)
    assert find("logs") == [("a.txt", "forty logs")]
    assert FileText.objects.get().text == "forty logs"


def test_words_in_an_unknown_encoding_are_found_where_they_are_ascii(
    settle: Receive, find: Find
) -> None:
    file = settle("Kārlis 木材 logs".encode("shift_jis", "replace") + b" \x81\xff k", name="a.txt")
    assert file.result["encoding"] == "unknown"
    assert [name for name, _ in find("logs")] == ["a.txt"]


def test_a_page_of_found_files_takes_as_many_queries_as_one_file(
    settle: Receive, owner: User
) -> None:
    def count() -> int:
        with CaptureQueriesContext(
            connection,
        ) as queries:
            response = api_client_of(owner).get("/api/files/", {"q": "logs"})
        assert all(row["passage"] for row in response.json()["results"])
        return len(queries)

    settle("forty logs", name="0.txt")
    alone = count()
    for number in range(1, 8):
        settle(f"forty logs {number}", name=f"{number}.txt")
    assert count() == alone


def test_a_long_text_is_cut_and_says_so(settle: Receive) -> None:
    settle("log " * (MAX_TEXT // 4), name="a.txt")
    settle("log " * (MAX_TEXT // 4) + "s", name="b.txt")
    rows = FileText.objects.order_by("file__name")
    assert [(len(row.text), row.is_cut) for row in rows] == [(MAX_TEXT, False), (MAX_TEXT, True)]


def test_older_files_are_read_again_for_their_text_alone(
    settle: Receive, find: Find, capsys: pytest.CaptureFixture[str]
) -> None:
    settle(pdf(text="Felling permit"), name="1.pdf")
    settle("forty logs", name="2.txt")
    settle(tally(("B 1", 4, 30, 30)), name="3.xlsx")
    tally_file = File.unscoped.get(name="3.xlsx")
    texts = dict(FileText.objects.values_list("file_id", "text"))
    rows = list(File.unscoped.order_by("pk").values())
    kept = {file.pk for file in File.unscoped.exclude(status="FAILURE")}
    FileText.objects.all().delete()
    assert {file.pk for file in files_without_text()} == kept
    call_command("index_texts")
    assert capsys.readouterr().out == (
        f"Texts kept: {len(kept)}; files that could not be read: 0.\n"
    )
    assert dict(FileText.objects.values_list("file_id", "text")) == {pk: texts[pk] for pk in kept}
    assert list(File.unscoped.order_by("pk").values()) == rows
    assert find("permit") == [("1.pdf", "Felling permit")]
    assert tally_file.pk in texts
    call_command("index_texts")
    assert capsys.readouterr().out == "Texts kept: 0; files that could not be read: 0.\n"


def test_a_file_whose_bytes_are_gone_is_named(
    settle: Receive, capsys: pytest.CaptureFixture[str]
) -> None:
    file = settle("forty logs", name="a.txt")
    FileText.objects.all().delete()
    File.unscoped.update(sha256="0" * 64)
    call_command("index_texts")
    out, err = capsys.readouterr()
    assert out == "Texts kept: 0; files that could not be read: 1.\n"
    assert err.startswith(f"“a.txt” ({file.pk}):")


@pytest.mark.parametrize(
    "error", [StorageUnavailable("No store."), SandboxUnavailable("No child.")], ids=type
)
def test_an_outage_ends_the_reading_of_older_files_and_keeps_what_was_read(
    settle: Receive,
    error: Exception,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for number in range(3):
        settle(f"forty logs {number}", name=f"{number}.txt")
    FileText.objects.all().delete()
    opened = []

    def open_bytes(self: LocalStorage, name: str) -> BinaryIO:
        opened.append(name)
        if name != opened[0]:
            raise error
        return working(self, name)

    working = LocalStorage.open_bytes
    with monkeypatch.context() as broken:
        broken.setattr(LocalStorage, "open_bytes", open_bytes)
        with pytest.raises(CommandError, match=f"{error} Run it again later"):
            call_command("index_texts")
    assert capsys.readouterr().out == "Texts kept: 1; files that could not be read: 0.\n"
    call_command("index_texts")
    assert capsys.readouterr().out == "Texts kept: 2; files that could not be read: 0.\n"
