"""Questions of files, their answers, and the import profiles that remember them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from tests.factories import ClientFactory, UserFactory
from tests.files.conftest import Receive, UseProcessors
from timba.accounts.models import Client, User
from timba.errors import Forbidden, Invalid, Lapsed, NotFound
from timba.files import profiles
from timba.files.models import File, ImportProfile
from timba.files.processing import process_file
from timba.files.profiles import (
    change_profile,
    check_read_as,
    count_use,
    delete_profile,
    reading_input,
    remember_answers,
    remember_reading,
)
from timba.files.services import retry_file

pytestmark = pytest.mark.django_db

METRES = {"units": {"length": "m"}}


@pytest.fixture(autouse=True)
def _tallies_ask(use_processors: UseProcessors) -> None:
    use_processors("tests.files.asking.PROCESSOR", "timba.files.processors.text.PROCESSOR")


@pytest.fixture
def ask(settle: Receive) -> Callable[..., File]:
    """Return a function that uploads a file which asks, and processes it."""
    return lambda content="Length\n4.2\n4.4\n": settle(content, name="board.csv", kind="tally")


def make_profile(client: Client, header: str = "Length", **values: Any) -> ImportProfile:
    values = {"kind": "tally", "read_as": METRES, "header_digest": header, **values}
    return ImportProfile.unscoped.create(client=client, header=header, **values)


def answer(file: File, actor: User, read_as: Any = METRES) -> File:
    retry_file(actor=actor, file=file, read_as=read_as)
    assert process_file(file.pk)
    file.refresh_from_db()
    return file


def test_a_file_that_asks_fails_with_its_questions(ask: Callable[..., File]) -> None:
    file = ask()
    assert (file.status, file.error) == ("FAILURE", "In which unit is it?")
    assert file.result["questions"] == [
        {"field": "units.length", "sentence": "In which unit is it?", "choices": ["mm", "m"]}
    ]
    assert "asks" not in file.result
    assert file.asks == {"rows": ["Length", "4.2"]}
    assert File.objects.visible_to(file.uploaded_by).get().get_deferred_fields() == {"asks"}
    assert not ImportProfile.unscoped.exists()


def test_an_answer_is_remembered_for_the_next_file_with_the_header(
    ask: Callable[..., File], make_user: Callable[..., User]
) -> None:
    answerer = make_user(role="operator")
    file = answer(ask(), answerer)
    assert (file.status, file.result["read_as"], file.read_as) == ("SUCCESS", METRES, METRES)
    profile = ImportProfile.unscoped.get()
    assert (profile.client, profile.kind, profile.header) == (file.client, "tally", "Length")
    assert (profile.read_as, profile.created_by, profile.used_count) == (METRES, answerer, 0)
    following = ask("LENGTH\n4.6\n")
    assert (following.status, following.result["profile"]) == ("SUCCESS", profile.pk)
    assert (following.read_as, following.result["read_as"]) == (None, METRES)
    profile.refresh_from_db()
    assert (profile.used_count, profile.last_used_at) == (1, following.processed_at)
    assert ask("Width\n4.6\n").status == "FAILURE"


def test_a_later_answer_is_added_to_the_profile_of_its_header(
    ask: Callable[..., File], owner: User
) -> None:
    first = {"columns": {"length": 1}, "units": {"length": "mm"}, "tables": [{"a": 1}, {"b": 2}]}
    file, other = ask(), ask()
    answer(file, owner, first)
    answer(other, owner, {**METRES, "tables": [{"c": 3}]})
    assert ImportProfile.unscoped.get().read_as == {
        "columns": {"length": 1}, "units": {"length": "m"}, "tables": [{"a": 1, "c": 3}, {"b": 2}]
    }  # fmt: skip


def test_answers_that_contradict_a_profile_replace_it(
    ask: Callable[..., File], owner: User
) -> None:
    file = answer(ask(), owner)
    profile = ImportProfile.unscoped.get()
    ImportProfile.unscoped.update(read_as={"units": {"breadth": "yd"}})
    values = {"header": "Length", "header_digest": profile.header_digest, "read_as": METRES}
    remember_answers(file=file, **values)
    assert ImportProfile.unscoped.get().read_as == METRES


def test_a_reader_gets_the_profiles_of_its_client_and_kind_that_were_used_last(
    receive: Receive, owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(profiles, "MAX_PROFILES", 2)
    assert owner.client is not None
    used = make_profile(owner.client, "used", last_used_at=timezone.now() - timedelta(days=1))
    ImportProfile.unscoped.update(created_at=timezone.now() - timedelta(days=9))
    make_profile(owner.client, "unused")
    ImportProfile.unscoped.filter(header="unused").update(
        created_at=timezone.now() - timedelta(days=2)
    )
    new = make_profile(owner.client, "new")
    make_profile(owner.client, "readings", kind="temperatures")
    make_profile(ClientFactory(), "theirs")
    file = receive("Length\n4.2\n", name="board.csv", kind="tally")
    assert reading_input(file) == {
        "read_as": None,
        "profiles": [
            {"id": profile.pk, "header_digest": profile.header, "read_as": METRES}
            for profile in (new, used)
        ],
    }


def test_what_holds_for_one_file_alone_is_not_remembered(receive: Receive, owner: User) -> None:
    file = receive("Length\n4.2\n", name="board.csv", kind="tally")
    reading = {"header": "Length", "header_digest": "length", "profile": None}
    file.read_as, file.answered_by = {"city_id": 7}, owner
    remember_reading(file, reading)
    file.read_as = {"city_id": 7, **METRES}
    remember_reading(file, {**reading, "header": "", "header_digest": ""})
    assert not ImportProfile.unscoped.exists()
    file.answered_by = owner
    remember_reading(file, reading)
    assert ImportProfile.unscoped.get().read_as == METRES
    assert owner.client is not None
    with pytest.raises(Invalid) as refusal:
        change_profile(
            actor=owner, profile=ImportProfile.unscoped.get(), read_as={"city_id": 7, **METRES}
        )
    sentence = "city_id holds for one file alone: leave it out."
    assert refusal.value.fields == {"read_as": [sentence]}


def test_a_deleted_profile_comes_back_only_with_new_answers(receive: Receive, owner: User) -> None:
    file = receive("Length\n4.2\n", name="board.csv", kind="tally")
    reading = {"header": "Length", "header_digest": "length", "profile": None}
    file.read_as, file.answered_by = METRES, owner
    remember_reading(file, reading)
    delete_profile(actor=owner, profile=ImportProfile.unscoped.get())
    remember_reading(file, reading)  # processed again, as it was answered before
    assert not ImportProfile.unscoped.exists()


def test_only_a_profile_of_the_files_client_and_kind_counts_a_use(receive: Receive) -> None:
    file = receive("Length\n4.2\n", name="board.csv", kind="tally")
    theirs = make_profile(ClientFactory())
    other = make_profile(file.client, kind="temperatures")
    for profile in (theirs, other):
        count_use(file=file, profile_id=profile.pk)
        profile.refresh_from_db()
        assert (profile.used_count, profile.last_used_at) == (0, None)


@pytest.mark.parametrize(
    ("kind", "read_as", "sentence"),
    [
        ("text", METRES, "Files of kind text ask no questions: leave this out."),
        ("tally", ["m"], "Give an object."),
        ("tally", {"units": {"length": "yd"}}, "There is no unit “yd”."),
        ("tally", {"columns": "x" * 100_000}, "The answers are longer than 100,000 bytes."),
    ],
)
def test_answers_are_checked_by_the_kind_of_file(kind: str, read_as: Any, sentence: str) -> None:
    with pytest.raises(Invalid) as refusal:
        check_read_as(kind, read_as)
    assert refusal.value.fields == {"read_as": [sentence]}


def test_a_profile_is_changed_and_deleted(owner: User) -> None:
    assert owner.client is not None
    profile = make_profile(owner.client)
    millimetres = {"units": {"length": "mm"}}
    assert change_profile(actor=owner, profile=profile, read_as=millimetres).read_as == millimetres
    assert change_profile(actor=owner, profile=profile).read_as == millimetres
    with pytest.raises(Invalid):
        change_profile(actor=owner, profile=profile, read_as={"units": {"length": "yd"}})
    assert ImportProfile.unscoped.get().read_as == millimetres
    delete_profile(actor=owner, profile=profile)
    with pytest.raises(NotFound, match="There is no such import profile"):
        delete_profile(actor=owner, profile=profile)
    with pytest.raises(NotFound, match="There is no such import profile"):
        change_profile(actor=owner, profile=profile, read_as=METRES)


def test_a_user_without_the_permission_changes_no_profile(
    make_user: Callable[..., User],
) -> None:
    viewer, stranger, lapsed = make_user(role="viewer"), UserFactory(), make_user()
    assert lapsed.client is not None
    lapsed.client.subscription.current_period_end = timezone.now() - timedelta(days=1)
    lapsed.client.subscription.save()
    profile = make_profile(lapsed.client)
    assert viewer.client is not None
    for actor, refusal in ((stranger, NotFound), (lapsed, Lapsed)):
        with pytest.raises(refusal):
            change_profile(actor=actor, profile=profile, read_as={})
        with pytest.raises(refusal):
            delete_profile(actor=actor, profile=profile)
    with pytest.raises(Forbidden):
        delete_profile(actor=viewer, profile=make_profile(viewer.client, "viewed"))
    assert ImportProfile.unscoped.get(pk=profile.pk).read_as == METRES
