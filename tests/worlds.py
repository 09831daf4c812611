"""A whole sawmill with one row of every noun, whose ids and words are found nowhere else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.core.management.color import no_style
from django.db import connection, transaction
from pytest_django import DjangoDbBlocker

from tests.factories import ClientFactory, UserFactory, add_built_in_roles
from tests.temperatures.uploads import settle_readings
from timba.accounts.models import Client, Role, User
from timba.consignments.models import Consignment, Log
from timba.events.outbox import publish
from timba.files.models import Derivative, File
from timba.files.services import place_file
from timba.files.storage import new_key, store
from timba.notes.events import note_event
from timba.notes.models import Note
from timba.temperatures.services import name_city_and_invalidate_cache


@dataclass(frozen=True, kw_only=True, slots=True)
class World:
    """A client with a row of every noun; `user` owns it, `colleague` works there too."""

    client: Client
    user: User
    colleague: User
    role: Role
    consignment: Consignment
    log: Log
    note: Note
    file: File
    city_id: int
    word: str

    @property
    def ids(self) -> dict[str, Any]:
        """The ids by the names that paths, queries and bodies give them."""
        return {
            "client_id": self.client.pk,
            "user_id": self.colleague.pk,
            "role_id": self.role.pk,
            "consignment_id": self.consignment.pk,
            "log_id": self.log.pk,
            "note_id": self.note.pk,
            "city_id": self.city_id,
            "file_id": self.file.pk,
            "task_id": self.file.task_id,
        }

    @property
    def secrets(self) -> set[str]:
        """What nobody else may ever read: every id, every hash, and a word in every text."""
        return {self.word, self.file.sha256, self.file.storage_key, *map(str, self.ids.values())}


def make_world(*, word: str, first_id: int) -> World:
    """Make a client all of whose texts hold `word`; its ids begin at `first_id`.

    They lie a thousand apart, so that no row made later gets the number of another noun's.
    """
    client = ClientFactory(pk=first_id, name=f"{word} Ltd", address=word, contact=word)
    user = UserFactory(pk=first_id + 1000, client=client, username=f"{word}-1", name=word)
    colleague = UserFactory(pk=first_id + 1001, client=client, username=f"{word}-2", name=word)
    role = Role.unscoped.create(pk=first_id + 2000, client=client, name=word)
    consignment = Consignment.objects.create(
        pk=first_id + 3000, client=client, name=word, type="hardwood", created_by=user, log_count=1
    )
    log = Log.objects.create(
        pk=first_id + 4000,
        client=client,
        consignment=consignment,
        barcode=word,
        length=4,
        breadth=30,
        height=30,
        volume="0.360",
        created_by=user,
    )
    note = Note.objects.create(
        pk=first_id + 5000, client=client, title=word, content=word, consignment=consignment
    )
    with transaction.atomic():
        publish(note_event("create", note, actor=user))
    _count_on_from_here()
    city_id = first_id + 6000
    name_city_and_invalidate_cache(actor=user, client=client, city_id=city_id, name=word)
    readings = f"{city_id},21.5,2026-01-01T00:00:00Z\n{word} is no reading\n"
    file = settle_readings(readings, actor=user, name=f"{word}.csv")
    file = place_file(actor=user, file=file, consignment=consignment, log=log)
    _add_marked_copy(file, word)
    return World(
        client=client,
        user=user,
        colleague=colleague,
        role=role,
        consignment=consignment,
        log=log,
        note=note,
        file=file,
        city_id=city_id,
        word=word,
    )


@contextmanager
def kept_world(blocker: DjangoDbBlocker, *, word: str, first_id: int) -> Iterator[World]:
    """Make a world for all tests of a module, none of which has real transactions.

    Each test leaves it as it was: what a test does to the rows is rolled back to here, and what it
    is given is a copy.
    """
    whole = transaction.atomic()
    whole._from_testcase = True  # type: ignore[attr-defined] # a durable block may stand within
    with blocker.unblock():
        whole.__enter__()
        add_built_in_roles()
        world = make_world(word=word, first_id=first_id)
    yield world
    with blocker.unblock():
        transaction.set_rollback(True)
        whole.__exit__(None, None, None)


def _add_marked_copy(file: File, word: str) -> None:
    """Keep beside the file what a tally would have too: this one stands for files of all kinds."""
    marked = Derivative.objects.create(
        file=file, run=file.run, role="annotated", storage_key=new_key(), is_current=True
    )
    with store().create(marked.storage_key) as kept:
        kept.write(word.encode())


def _count_on_from_here() -> None:
    """Let PostgreSQL give out greater ids than those above, as the others do by themselves."""
    nouns = [User, Client, Role, Consignment, Log, Note]
    with connection.cursor() as cursor:
        for statement in connection.ops.sequence_reset_sql(no_style(), nouns):
            cursor.execute(statement)
