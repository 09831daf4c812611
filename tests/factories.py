"""Factories for users and clients, and for a client that has one row of every noun."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import factory
from django.core.management.color import no_style
from django.db import connection, transaction
from django.utils import timezone
from factory.django import DjangoModelFactory

from tests.temperatures.uploads import settle_readings
from timba.accounts.models import Client, Role, Subscription, User
from timba.consignments.barcode_text import barcode_key
from timba.consignments.models import Consignment, DeletedConsignment, DeletedLog, Log
from timba.db.text_search import index_words
from timba.events.outbox import publish
from timba.files.models import Derivative, File, FileText, ImportProfile
from timba.files.resumable.models import ResumableUpload
from timba.files.resumable.parts import PartFile, folder_id
from timba.files.services import link_file
from timba.files.storage import new_key, store
from timba.notes.events import note_event
from timba.notes.models import Note
from timba.places.services import name_city

PASSWORD = "larch-and-alder-48"


class SubscriptionFactory(DjangoModelFactory):
    class Meta:
        model = Subscription

    seats = 50


class ClientFactory(DjangoModelFactory):
    """A client in its trial, with seats to spare."""

    class Meta:
        model = Client
        skip_postgeneration_save = True

    name = factory.Sequence(lambda n: f"Sawmill {n}")
    subscription = factory.RelatedFactory(SubscriptionFactory, factory_related_name="client")


class UserFactory(DjangoModelFactory):
    """A user of a client, by default its owner; `role` is a role or a built-in role's name."""

    class Meta:
        model = User

    client = factory.SubFactory(ClientFactory)
    role = "owner"
    # With few letters of the passwords in tests: one that is similar to a username is refused.
    username = factory.Sequence(lambda n: f"ilze-{n}")
    # Not a random one, which may be too similar to a password.
    name = factory.Sequence(lambda n: f"Ilze Ozola {n}")
    password = PASSWORD

    @classmethod
    def _create(cls, model_class: type[User], *args: Any, **fields: Any) -> User:
        if isinstance(fields["role"], str):
            fields["role"] = Role.unscoped.get(client=None, name=fields["role"])
        password = fields.pop("password")
        user = model_class(**fields)
        user.set_password(password)
        user.save()
        return user


class StaffFactory(UserFactory):
    """Platform staff: no client and no role, sees every client's rows."""

    client = None
    role = None
    username = factory.Sequence(lambda n: f"staff-{n}")
    is_staff = True
    is_superuser = True


@dataclass(frozen=True, kw_only=True, slots=True)
class Tenant:
    """A client with one row of every noun; `user` is its owner, `colleague` a viewer."""

    client: Client
    user: User
    colleague: User
    role: Role
    consignment: Consignment
    deleted_consignment: DeletedConsignment
    log: Log
    note: Note
    file: File
    import_profile: ImportProfile
    resumable_upload: ResumableUpload
    city_id: int
    word: str

    @property
    def ids(self) -> dict[str, Any]:
        """The ids by the names that paths, queries and bodies give them."""
        names = ("client", "role", "consignment", "log", "note", "file")
        names += ("import_profile", "resumable_upload")
        ids = {f"{name}_id": getattr(self, name).pk for name in names}
        ids["deleted_consignment_id"] = self.deleted_consignment.pk
        ids |= {"user_id": self.colleague.pk, "role": self.role.pk, "city_id": self.city_id}
        return {**ids, "task_id": self.file.task_id}

    @property
    def secrets(self) -> set[str]:
        """What no other client may read: every id, every hash, and a word that is in every text."""
        return {self.word, self.file.sha256, self.file.storage_key, *map(str, self.ids.values())}


def create_tenant(*, word: str, first_id: int) -> Tenant:
    """Create a client whose texts all hold `word` and whose ids begin at `first_id`.

    The ids of two nouns lie a thousand apart, so that no later row gets another noun's number.
    """
    client = ClientFactory(pk=first_id, name=f"{word} Ltd", address=word, contact=word)
    names = {"client": client, "name": word}
    user = UserFactory(pk=first_id + 1000, username=f"{word}-1", **names)
    colleague = UserFactory(pk=first_id + 1001, username=f"{word}-2", role="viewer", **names)
    role = Role.unscoped.create(pk=first_id + 2000, client=client, name=word)
    of_user: dict[str, Any] = {"client": client, "created_by": user}
    city_id = first_id + 6000
    consignment = Consignment.objects.create(
        pk=first_id + 3000, name=word, type="hardwood", log_count=1, city_id=city_id, **of_user
    )
    sizes = {"length": 4, "breadth": 30, "height": 30, "volume": "0.360"}
    log = Log.objects.create(
        pk=first_id + 4000,
        consignment=consignment,
        barcode=word,
        barcode_key=barcode_key(word),
        **sizes,
        **of_user,
    )
    deleted = DeletedConsignment.objects.create(
        pk=first_id + 2999,  # the next consignment gets a higher id
        name=f"{word} deleted",
        type="pinewood",
        log_count=1,
        volume="0.360",
        deleted_at=timezone.now(),
        deleted_by=user,
        links={},
        **of_user,
    )
    DeletedLog.objects.create(
        pk=first_id + 3999,
        consignment=deleted,
        barcode=f"{word} deleted",
        barcode_key=barcode_key(f"{word} deleted"),
        **sizes,
        **of_user,
    )
    note = Note.objects.create(
        pk=first_id + 5000, client=client, title=word, content=word, consignment=consignment
    )
    with transaction.atomic():
        publish(note_event("create", note, actor=user))
    with connection.cursor() as cursor:  # PostgreSQL's sequences do not follow explicit ids
        nouns = [User, Client, Role, Consignment, Log, Note]
        for statement in connection.ops.sequence_reset_sql(no_style(), nouns):
            cursor.execute(statement)
    name_city(actor=user, client=client, city_id=city_id, name=word)
    readings = f"{city_id},21.5,2026-01-01T00:00:00Z\n{word} is no reading\n"
    file = settle_readings(readings, actor=user, name=f"{word}.csv")
    file = link_file(actor=user, file=file, consignment=consignment, log=log)
    # A tally would have an annotated copy, a photo previews; this one file represents every kind.
    for name in ("annotated", "preview_256", "preview_1024"):
        derivative = Derivative.objects.create(
            file=file, run=file.run, role=name, storage_key=new_key(), is_current=True
        )
        with store().create(derivative.storage_key) as stored:
            stored.write(word.encode())
    File.unscoped.filter(pk=file.pk).update(has_preview=True)
    file.refresh_from_db()
    FileText.objects.create(
        file=file, run=file.run, text=word, words=index_words(word, owner=client.pk).words
    )
    profile = ImportProfile.unscoped.create(
        pk=first_id + 7000, kind="tally", header=word, header_digest=word, read_as={}, **of_user
    )
    rows = {
        "role": role,
        "consignment": consignment,
        "deleted_consignment": deleted,
        "log": log,
        "note": note,
        "file": file,
    }
    rows["import_profile"] = profile
    upload = ResumableUpload.unscoped.create(
        name=f"{word}.csv",
        length=5,
        metadata=word,
        folder_id=folder_id(),
        expires_at=timezone.now() + timedelta(days=1),
        **of_user,
    )
    PartFile.create(upload.pk)
    rows["resumable_upload"] = upload
    return Tenant(client=client, user=user, colleague=colleague, city_id=city_id, word=word, **rows)
