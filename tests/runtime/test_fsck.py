"""`fsck` finds what does not agree, says it in a sentence, and mends what can be mended."""

from __future__ import annotations

import io
import os
import re
import time
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.management import CommandError
from django.core.management.base import OutputWrapper
from django.db import connection
from django.utils import timezone
from pytest_django.fixtures import Settings

from tests.factories import ClientFactory, Tenant
from tests.runtime.conftest import Run
from tests.temperatures.uploads import settle_readings
from timba.accounts.models import Role, Subscription, User
from timba.consignments.models import Consignment, DeletedConsignment, DeletedLog, Log
from timba.events.models import OutboxEvent, Stream
from timba.files.erasure import begin_erasure
from timba.files.models import Derivative, File
from timba.files.processing import process_file
from timba.files.receiving import Upload, accept_files
from timba.files.resumable.models import ResumableUpload
from timba.files.services import delete_file
from timba.files.storage import new_key, store
from timba.notes.models import Note
from timba.notes.services import write_note
from timba.runtime.fsck import check_everything
from timba.temperatures.models import CityTotals

NOT_SWEPT = "and no sweep has ended it: is a worker running?"
UNMENDABLE = "  This cannot be mended here."


def fsck(*, deep: bool = False, fix: bool = False) -> list[str]:
    """Return the sentences that it prints; check that it counts them."""
    out = io.StringIO()
    left = check_everything(deep=deep, fix=fix, output=OutputWrapper(out))
    *sentences, last = [line for line in out.getvalue().splitlines() if line[:8] != "Objects:"]
    found = [line for line in sentences if line[0] != " "]
    mended = len(sentences) - len(found) - sentences.count(UNMENDABLE)
    assert last == f"Problems found: {len(found)}, mended: {mended}."
    assert left == len(found) - mended
    return sentences


def named(file: File) -> str:
    return f"file {file.pk} (“{file.name}” of client {file.client_id})"


def age(path: Path) -> Path:
    """Let the file be two hours old."""
    then = time.time() - 7200
    os.utime(path, (then, then))
    return path


def test_nothing_is_wrong_with_a_sound_company(company: Tenant, run: Run) -> None:
    settle_readings("7,nonsense\n", actor=company.user)
    assert fsck(deep=True) == []
    assert run("fsck").endswith("Problems found: 0, mended: 0.\n")


def test_the_command_fails_while_something_is_left(company: Tenant, run: Run) -> None:
    Consignment.unscoped.update(log_count=7)
    with pytest.raises(CommandError, match=r"Problems that are left: 1\. See above\."):
        run("fsck")
    run("fsck", fix=True)


def test_totals_of_consignments_are_those_of_their_logs(company: Tenant) -> None:
    Consignment.unscoped.update(log_count=7, volume="0.361")
    pk, client, one = company.consignment.pk, company.client.pk, "1 with 0.360 m³"
    assert fsck(fix=True) == [
        f"The consignment {pk} of client {client} says 7 logs with 0.361 m³, and has {one}.",
        "  Its totals were corrected.",
    ]
    assert fsck() == []
    event = OutboxEvent.objects.latest("sequence")
    assert (event.type, event.actor_id) == ("timba.consignment.updated", None)


def test_totals_of_deleted_consignments_are_those_of_their_logs(company: Tenant) -> None:
    DeletedConsignment.unscoped.update(log_count=7, volume="0.361")
    pk, client = company.deleted_consignment.pk, company.client.pk
    says = f"The deleted consignment {pk} of client {client} says 7 logs with 0.361 m³"
    events = OutboxEvent.objects.count()
    assert fsck(fix=True) == [
        f"{says}, and has 1 with 0.360 m³.",
        "  Its totals were corrected.",
    ]
    assert fsck() == []
    assert OutboxEvent.objects.count() == events


def test_ids_of_deleted_rows_are_not_those_of_others(company: Tenant) -> None:
    DeletedLog.unscoped.update(id=company.log.pk)
    assert fsck(fix=True) == [
        f"There is a log {company.log.pk}, and a deleted one with the same id.",
        UNMENDABLE,
    ]


def test_older_logs_with_the_same_barcode_are_left_to_people(company: Tenant) -> None:
    log, client = company.log, company.client.pk
    size = {"length": 4, "breadth": 30, "height": 30, "volume": 0}
    barcodes = (company.word.upper(), "B 1")
    twin, lone = (
        Log.objects.create(consignment=log.consignment, client_id=client, barcode=barcode, **size)
        for barcode in barcodes
    )
    Consignment.unscoped.update(log_count=3)
    same = (
        f"The logs {log.pk} (“{log.barcode}”) and {twin.pk} (“{twin.barcode}”) of client {client}"
    )
    free = f"The log {lone.pk} (“B 1” of client {client}) does not keep its barcode"
    assert fsck(fix=True) == [
        f"{same} have the same barcode: change one of them, or delete it.",
        UNMENDABLE,
        f"{free} from being used again.",
        "  It does from now on.",
    ]
    twin.delete()
    Consignment.unscoped.update(log_count=2)
    assert fsck() == []


def test_the_bytes_of_a_subscription_are_those_of_its_files(company: Tenant) -> None:
    Subscription.objects.update(used_bytes=1)
    client, size = company.client.pk, company.file.size
    assert fsck(fix=True) == [
        f"The subscription of client {client} counts 1 bytes of files, and there are {size}.",
        "  They were counted again.",
    ]
    assert fsck() == []


def test_rows_that_refer_to_another_client_are_found_and_left_to_people(company: Tenant) -> None:
    other = ClientFactory(pk=9_000_001).pk
    role = Role.unscoped.create(client_id=other, name="foreign")
    User.unscoped.filter(pk=company.colleague.pk).update(role=role)
    for model in (Log, DeletedLog, Note, CityTotals):
        model.unscoped.update(client_id=other)
    ResumableUpload.unscoped.update(client_id=other, file=company.file)
    mine = company.client.pk
    totals = CityTotals.unscoped.get().pk
    log, file, user = company.log.pk, company.file.pk, company.colleague.pk
    its_file = f"and its file {file} to client {mine}."
    consignment = f"and its consignment {company.consignment.pk} to client {mine}."
    deleted = f"and its consignment {company.deleted_consignment.pk} to client {mine}."
    assert fsck(fix=True)[::2] == [
        f"The log {log} belongs to client {other}, {consignment}",
        f"The deleted log {company.log.pk - 1} belongs to client {other}, {deleted}",
        f"The note {company.note.pk} belongs to client {other}, {consignment}",
        f"The file {file} belongs to client {mine}, and its log {log} to client {other}.",
        f"The city totals {totals} belongs to client {other}, {its_file}",
        f"The resumable upload {company.resumable_upload.pk} belongs to client {other}, {its_file}",
        f"The user {user} belongs to client {mine}, and its role {role.pk} to client {other}.",
    ]
    assert set(fsck(fix=True)[1::2]) == {UNMENDABLE}


def test_gaps_in_the_numbers_of_events_are_found(company: Tenant, settings: Settings) -> None:
    for title in "abcdef":
        write_note(actor=company.user, client=company.client, title=title)
    events = OutboxEvent.objects.filter(client_id=company.client.pk)
    last = events.latest("sequence").sequence
    events.filter(sequence__in=[1, last - 3, last - 2, last]).delete()
    of = f"missing from the history of client {company.client.pk}."
    first = f"Event 1 is {of}"
    gap = f"The events {last - 3} to {last - 2} are {of}"
    end = f"Event {last} is {of}"
    assert fsck() == [end, first, gap]
    # Old events were deleted on purpose, and nobody knows how many.
    settings.TIMBA_EVENT_DAYS = 30
    assert fsck() == [gap]
    events.update(time=timezone.now() - timedelta(days=30))
    assert fsck() == []


def test_a_stream_that_would_give_a_number_again_is_raised(company: Tenant) -> None:
    stream = Stream.objects.get()
    Stream.objects.update(last_sequence=2)
    client, last = company.client.pk, stream.last_sequence
    assert fsck(fix=True) == [
        f"The next event of client {client} would get the number 3, and its last one has {last}.",
        f"  The next one gets the number {last + 1}.",
    ]
    assert fsck() == []


def test_an_abandoned_upload_is_swept(company: Tenant) -> None:
    upload = Upload(name="half.txt")
    upload.abort()
    long_ago = timezone.now() - timedelta(hours=3)
    File.unscoped.filter(pk=upload.id).update(touched_at=long_ago)
    assert fsck(fix=True) == [
        f"The {named(upload.row)} was abandoned by its sender, {NOT_SWEPT}",
        "  A sweep has ended it.",
    ]
    assert fsck() == []


def test_an_expired_upload_in_parts_is_deleted(company: Tenant) -> None:
    upload = company.resumable_upload
    expired = ResumableUpload.unscoped.filter(pk=upload.pk)
    expired.update(expires_at=timezone.now() - timedelta(hours=2))
    sentence = (
        f"The upload {upload.pk} (“{upload.name}” of client {upload.client_id}) has expired, and "
        "no sweep has deleted it: is a worker running on the machine that has it?"
    )
    assert fsck(fix=True) == [sentence, "  It was deleted."]
    assert fsck() == []


def test_a_file_that_lost_its_workers_is_swept(company: Tenant) -> None:
    lost = settle_readings("8,1.5,2026-01-01T00:00:00Z\n", actor=company.user, name="lost.csv")
    long_ago = timezone.now() - timedelta(hours=3)
    stuck = {"status": "PENDING", "run": None, "attempts": 3, "lease_until": long_ago}
    File.unscoped.filter(pk=lost.pk).update(**stuck, queue="fast")
    assert fsck(fix=True) == [
        f"The {named(lost)} lost its workers, {NOT_SWEPT}",
        "  A sweep has ended it.",
    ]
    assert fsck() == []


def test_only_files_that_count_keep_their_bytes_from_being_accepted(company: Tenant) -> None:
    deleted = settle_readings("8,1.5,2026-01-01T00:00:00Z\n", actor=company.user, name="8.csv")
    delete_file(actor=company.user, file=deleted)
    File.unscoped.filter(pk=deleted.pk).update(live_digest=deleted.sha256)
    File.unscoped.filter(pk=company.file.pk).update(live_digest=None)
    assert fsck(fix=True) == [
        f"The {named(company.file)} counts, and its bytes could be accepted again.",
        "  They are refused from now on.",
        f"The {named(deleted)} does not count, and keeps its bytes from being accepted.",
        "  They are accepted from now on.",
    ]
    assert fsck() == []


def test_the_same_bytes_that_count_twice_are_left_to_people(company: Tenant) -> None:
    twin = settle_readings("8,1.5,2026-01-01T00:00:00Z\n", actor=company.user, name="8.csv")
    File.unscoped.filter(pk=twin.pk).update(live_digest=None, sha256=company.file.sha256)
    assert fsck(fix=True) == [
        f"The {named(twin)} counts, and its bytes could be accepted again.",
        UNMENDABLE,
    ]


def test_readings_that_do_not_add_up_are_read_again(company: Tenant) -> None:
    CityTotals.unscoped.all().delete()
    assert fsck(fix=True) == [
        f"The {named(company.file)} has 1 readings of 1 cities, and its totals count 0 of 0.",
        "  The file is processed again, by the next free worker.",
    ]
    assert process_file(company.file.pk)
    assert fsck(deep=True) == []


def test_totals_that_no_run_counts_are_deleted(company: Tenant) -> None:
    totals = CityTotals.unscoped.get()
    totals.pk, totals.run = None, 99
    totals.save(force_insert=True)
    assert fsck(fix=True) == [
        f"Totals of run 99 of the file {company.file.pk} are left, which do not count.",
        "  They were deleted.",
    ]
    assert CityTotals.unscoped.count() == 1


@pytest.mark.only_on("sqlite")
def test_rows_that_refer_to_nothing_are_found_in_sqlite(company: Tenant) -> None:
    with connection.constraint_checks_disabled(), connection.cursor() as cursor:
        cursor.execute("UPDATE notes_note SET consignment_id = 77")
    [sentence] = fsck(deep=True)
    row = f"Row {company.note.pk} of notes_note"
    assert sentence == f"{row} refers to a row of consignments_consignment that does not exist."
    Note.unscoped.update(consignment=None)


def test_a_missing_original_is_named_with_its_key(company: Tenant) -> None:
    key = company.file.storage_key
    store().delete(key)
    restore_it = f"Restore it from the folder `objects` of a backup. Its key is {key}."
    assert fsck(fix=True) == [
        f"The object of the {named(company.file)} is missing. {restore_it}",
        UNMENDABLE,
    ]


def test_missing_readings_are_made_again(company: Tenant) -> None:
    readings = company.file.derivatives.get(role="readings")
    key = readings.storage_key
    store().delete(key)
    assert fsck(fix=True) == [
        f"The object with the readings of the {named(company.file)} is missing. Its key is {key}.",
        "  The file is processed again, by the next free worker.",
    ]
    assert process_file(company.file.pk)
    assert fsck(deep=True) == []


def test_a_key_that_leads_out_of_the_store_is_named(company: Tenant) -> None:
    for key in ("../keys.env", f"{company.file.storage_key[:2]}/../../keys.env"):
        File.unscoped.filter(pk=company.file.pk).update(storage_key=key)
        cannot_exist = f"cannot exist: Timba gives no key such as {key}."
        assert fsck(deep=True) == [f"The object of the {named(company.file)} {cannot_exist}"]


def test_objects_of_the_trash_must_be_there_until_their_erasure_has_begun(
    company: Tenant, settings: Settings
) -> None:
    settings.TIMBA_TRASH_DAYS = 0
    delete_file(actor=company.user, file=company.file)
    for key in (company.file.storage_key, company.file.derivatives.get(role="rejects").storage_key):
        store().delete(key)
    sentences = fsck()
    assert len(sentences) == 2
    assert all("is missing" in sentence for sentence in sentences)
    assert begin_erasure(company.file)
    assert fsck() == []


def test_an_object_without_a_row_is_deleted_after_an_hour(company: Tenant, tmp_path: Path) -> None:
    key = new_key()
    with store().create(key) as writer:
        writer.write(b"orphaned")
    assert fsck(fix=True) == []
    path = age(tmp_path / "store" / key)
    for row in (*File.unscoped.all(), *Derivative.objects.all()):
        age(tmp_path / "store" / row.storage_key)
    assert fsck(fix=True) == [f"No row names the object {key}.", "  It was deleted."]
    assert not path.exists()


def test_most_objects_of_a_store_without_a_row_are_not_deleted(
    company: Tenant, tmp_path: Path
) -> None:
    paths = []
    for _ in range(11):
        key = new_key()
        with store().create(key) as writer:
            writer.write(b"of another database")
        paths.append(age(tmp_path / "store" / key))
    count = len(list(store().list_objects()))
    *_, last, _ = fsck(fix=True)
    assert last == (
        f"No row names 11 of {count} objects, so they stay: do DATABASE_URL and the object store "
        "belong together?"
    )
    assert all(path.exists() for path in paths)


def test_one_byte_flipped_in_each_of_100_objects_is_found_100_times(
    company: Tenant, tmp_path: Path
) -> None:
    for number in range(49):
        readings = f"{number + 1},20.5,2026-01-01T00:00:00Z\nno reading\n"
        settle_readings(readings, actor=company.user, name=f"{number}.csv")
    hashed = Derivative.objects.exclude(sha256="").values_list("storage_key", flat=True)
    keys = [*File.unscoped.values_list("storage_key", flat=True), *hashed][:100]
    for key in keys:
        path = tmp_path / "store" / key
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    assert fsck() == []
    found = [
        re.search(r"is not what was stored\..* Its key is (.+)\.", line) for line in fsck(deep=True)
    ]
    assert sorted(match[1] for match in found if match) == sorted(keys)
    assert len(found) == 100


def test_a_lost_text_is_read_again_without_processing_the_file(company: Tenant) -> None:
    upload = Upload(name="gate.txt")
    upload.write(b"Forty logs")
    upload.finish()
    upload.identify()
    [accepted] = accept_files(actor=company.user, client=company.client, uploads=[upload])
    process_file(accepted.file.pk)
    events = OutboxEvent.objects.count()
    file = File.unscoped.get(pk=accepted.file.pk)
    file.texts.all().delete()
    assert fsck(fix=True) == [
        (
            "Files whose text is not kept: 1. They are found by their names only; "
            "`timba index_texts` reads them."
        ),
        "  They were read again for it.",
    ]
    assert file.texts.get().text == "Forty logs"
    assert fsck() == []
    assert OutboxEvent.objects.count() == events
