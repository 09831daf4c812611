"""Checks that rows agree with each other: clients of related rows, totals, files in progress."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any, Final

from django.db import IntegrityError, connection
from django.db.models import Count, F, Q, QuerySet, Sum
from django.db.models.functions import Coalesce
from django.utils import timezone

from timba.accounts.models import User
from timba.consignments.barcode_text import barcode_key
from timba.consignments.models import Consignment, DeletedConsignment, DeletedLog, Log
from timba.consignments.services import count_logs, recount_consignment
from timba.errors import Conflict
from timba.files.indexing import files_without_text, index_file
from timba.files.leases import lost_files
from timba.files.models import File
from timba.files.processors.base import FileRefused
from timba.files.registry import processors
from timba.files.resumable.models import ResumableUpload
from timba.files.resumable.purging import purge_expired
from timba.files.services import process_again
from timba.files.storage import FileDamaged
from timba.files.sweeping import ABANDONED_AFTER, sweep_files
from timba.files.usage import find_wrong_counts, recount
from timba.notes.models import Note
from timba.runtime.findings import Finding, describe
from timba.temperatures.models import CityTotals
from timba.temperatures.services import delete_staged_totals

# A sweep comes every few seconds.
_SWEPT_AFTER: Final = ABANDONED_AFTER + timedelta(hours=1)
_CHUNK: Final = 500


def check_rows(*, deep: bool) -> Iterator[Finding]:
    """Yield what is wrong with the rows; `deep` also checks the file of an SQLite database."""
    if connection.vendor == "sqlite":
        yield from _damage(deep=deep)
    yield from _foreign_rows()
    yield from _wrong_consignments()
    yield from _ids_in_use_again()
    yield from _barcodes_without_key()
    yield from _wrong_usage()
    yield from _unswept_files()
    yield from _unswept_parts()
    yield from _wrong_digests()
    yield from _missing_texts()
    yield from _wrong_city_totals()
    yield from _staged_totals()


def _damage(*, deep: bool) -> Iterator[Finding]:
    with connection.cursor() as cursor:
        for table, row, parent, _ in cursor.execute("PRAGMA foreign_key_check").fetchall():
            sentence = f"Row {row} of {table} refers to a row of {parent} that does not exist."
            yield Finding(sentence=sentence)
        if deep:
            for (line,) in cursor.execute("PRAGMA integrity_check").fetchall():
                if line != "ok":
                    yield Finding(sentence=f"The database file is damaged: {line}.")


def _foreign_rows() -> Iterator[Finding]:
    """Yield rows that refer to rows of another client."""
    references: list[tuple[QuerySet[Any], str]] = [
        (Log.unscoped.all(), "consignment"),
        (DeletedLog.unscoped.all(), "consignment"),
        (Note.unscoped.all(), "consignment"),
        (File.unscoped.all(), "consignment"),
        (File.unscoped.all(), "log"),
        (CityTotals.unscoped.all(), "file"),
        (ResumableUpload.unscoped.all(), "file"),
        (User.unscoped.filter(role__client__isnull=False), "role"),
    ]
    for rows, parent in references:
        wrong = rows.filter(**{f"{parent}__isnull": False}).exclude(
            **{f"{parent}__client": F("client")}
        )
        for row in wrong.select_related(parent).iterator():
            other = getattr(row, parent)
            yield Finding(
                sentence=f"The {row._meta.verbose_name} {row.pk} belongs to client "
                f"{row.client_id}, and its {parent} {other.pk} to client {other.client_id}."
            )


def _wrong_consignments() -> Iterator[Finding]:
    for model in (Consignment, DeletedConsignment):
        counted = model.unscoped.annotate(
            logs_found=Count("logs"), volume_found=Coalesce(Sum("logs__volume"), Decimal(0))
        )
        wrong = counted.exclude(log_count=F("logs_found"), volume=F("volume_found"))
        for consignment in wrong.order_by("pk").iterator():
            count, volume = count_logs(consignment)
            if (count, volume) != (consignment.log_count, consignment.volume):
                yield Finding(
                    sentence=f"The {model._meta.verbose_name} {consignment.pk} of client "
                    f"{consignment.client_id} says {consignment.log_count} logs with "
                    f"{consignment.volume} m³, and has {count} with {volume} m³.",
                    mend=partial(_recount, consignment),
                )


def _recount(consignment: Consignment | DeletedConsignment) -> str:
    recount_consignment(consignment)
    return "Its totals were corrected."


def _ids_in_use_again() -> Iterator[Finding]:
    """Yield deleted rows whose ids other rows have, so that they cannot be restored."""
    for model, deleted in ((Consignment, DeletedConsignment), (Log, DeletedLog)):
        both = deleted.unscoped.filter(pk__in=model.unscoped.values("pk")).order_by("pk")
        for pk in both.values_list("pk", flat=True).iterator():
            noun = model._meta.verbose_name
            yield Finding(sentence=f"There is a {noun} {pk}, and a deleted one with the same id.")


def _barcodes_without_key() -> Iterator[Finding]:
    """Yield older logs whose barcode another log of the client has, in another spelling."""
    for log in Log.unscoped.filter(barcode_key__isnull=True).order_by("pk").iterator():
        key = barcode_key(log.barcode)
        twin = Log.unscoped.filter(client_id=log.client_id, barcode_key=key).first()
        if twin is None:
            yield Finding(
                sentence=f"The log {log.pk} (“{log.barcode}” of client {log.client_id}) does not "
                "keep its barcode from being used again.",
                mend=partial(_set_barcode_key, log),
            )
        else:
            yield Finding(
                sentence=f"The logs {twin.pk} (“{twin.barcode}”) and {log.pk} (“{log.barcode}”) of "
                f"client {log.client_id} have the same barcode: change one of them, or delete it."
            )


def _set_barcode_key(log: Log) -> str:
    try:
        Log.unscoped.filter(pk=log.pk).update(barcode_key=barcode_key(log.barcode))
    except IntegrityError:
        raise Conflict("Another log has this barcode.") from None
    return "It does from now on."


def _wrong_usage() -> Iterator[Finding]:
    for wrong in find_wrong_counts():
        yield Finding(
            sentence=f"The subscription of client {wrong.client_id} counts {wrong.counted} bytes "
            f"of files, and there are {wrong.actual}.",
            mend=partial(_recount_bytes, wrong.client_id),
        )


def _recount_bytes(client_id: int) -> str:
    recount(client_id)
    return "They were counted again."


def _unswept_files() -> Iterator[Finding]:
    """Yield uploads and files of lost workers that a sweep should have ended long ago."""
    long_ago = timezone.now() - _SWEPT_AFTER
    uploads = File.unscoped.filter(status=File.Status.RECEIVING, touched_at__lt=long_ago)
    lost = lost_files().filter(lease_until__lt=long_ago)
    for rows, what in (
        (uploads, "was abandoned by its sender"),
        (lost, "lost its workers"),
    ):
        for file in rows.iterator():
            yield Finding(
                sentence=f"The {describe(file)} {what}, and no sweep has ended it: is a worker "
                "running?",
                mend=partial(_sweep, rows.filter(pk=file.pk)),
            )


def _sweep(rows: QuerySet[File]) -> str:
    sweep_files()
    if rows.exists():
        raise Conflict
    return "A sweep has ended it."


def _unswept_parts() -> Iterator[Finding]:
    """Yield unfinished resumable uploads that should have been deleted long ago."""
    long_ago = timezone.now() - timedelta(hours=1)
    rows = ResumableUpload.unscoped.filter(expires_at__lt=long_ago)
    for upload in rows.order_by("expires_at").iterator():
        yield Finding(
            sentence=f"The upload {upload.pk} (“{upload.name}” of client {upload.client_id}) has "
            "expired, and no sweep has deleted it: is a worker running on the machine that has it?",
            mend=partial(_purge_upload, rows.filter(pk=upload.pk)),
        )


def _purge_upload(rows: QuerySet[ResumableUpload]) -> str:
    purge_expired()
    if rows.exists():
        raise Conflict
    return "It was deleted."


def _wrong_digests() -> Iterator[Finding]:
    """Yield files that could be accepted twice, or that keep others from being accepted."""
    once = [kind for kind, processor in processors().items() if processor.counts_once]
    counts = Q(
        kind__in=once,
        status__in=[File.Status.PENDING, File.Status.SUCCESS],
        deleted_at__isnull=True,
    )
    unmarked = File.unscoped.filter(counts).exclude(live_digest=F("sha256"))
    for file in unmarked.iterator():
        yield Finding(
            sentence=f"The {describe(file)} counts, and its bytes could be accepted again.",
            mend=partial(_mark_as_counted, file),
        )
    marked = File.unscoped.exclude(counts).filter(live_digest__isnull=False)
    for file in marked.iterator():
        yield Finding(
            sentence=f"The {describe(file)} does not count, and keeps its bytes from being "
            "accepted.",
            mend=partial(_mark_as_uncounted, file),
        )


def _mark_as_counted(file: File) -> str:
    try:
        File.unscoped.filter(pk=file.pk).update(live_digest=F("sha256"))
    except IntegrityError:
        raise Conflict("The same bytes count in another file.") from None
    return "They are refused from now on."


def _mark_as_uncounted(file: File) -> str:
    File.unscoped.filter(pk=file.pk).update(live_digest=None)
    return "They are accepted from now on."


def _missing_texts() -> Iterator[Finding]:
    """Yield that live files are not found by their text, in one sentence: there may be many."""
    files = files_without_text().filter(deleted_at__isnull=True)
    if count := files.count():
        yield Finding(
            sentence=f"Files whose text is not kept: {count:,}. They are found by their names "
            "only; `timba index_texts` reads them.",
            mend=partial(_index, files),
        )


def _index(files: QuerySet[File]) -> str:
    for file in files.order_by("pk"):
        try:
            index_file(file)
        except (FileRefused, FileDamaged, OSError):
            continue
    if files.exists():
        raise Conflict
    return "They were read again for it."


def _wrong_city_totals() -> Iterator[Finding]:
    """Yield files whose totals by city are not those of their result."""
    files = File.unscoped.live().filter(kind=File.Kind.TEMPERATURES, status=File.Status.SUCCESS)
    after = None
    while chunk := list(
        (files if after is None else files.filter(pk__gt=after)).order_by("pk")[:_CHUNK]
    ):
        after = chunk[-1].pk
        totals = CityTotals.unscoped.current().filter(file__in=chunk).order_by()
        by_file = {
            row["file_id"]: (row["cities"], row["readings"])
            for row in totals.values("file_id").annotate(cities=Count("pk"), readings=Sum("count"))
        }
        for file in chunk:
            expected = (file.result["cities"], file.result["accepted"])
            found = by_file.get(file.pk, (0, 0))
            if expected != found:
                yield Finding(
                    sentence=f"The {describe(file)} has {expected[1]} readings of {expected[0]} "
                    f"cities, and its totals count {found[1]} of {found[0]}.",
                    mend=partial(_process_again, file),
                )


def _process_again(file: File) -> str:
    process_again(file)
    return "The file is processed again, by the next free worker."


def _staged_totals() -> Iterator[Finding]:
    """Yield totals of runs that neither count nor are in progress, and that no sweep will find."""
    in_use = Q(run=F("file__run")) | Q(
        file__status=File.Status.PENDING, run=F("file__fencing_token")
    )
    swept = Q(file__derivatives__run=F("run"))
    runs = CityTotals.unscoped.exclude(in_use).exclude(swept).order_by()
    for file_id, run in runs.values_list("file_id", "run").distinct():
        yield Finding(
            sentence=f"Totals of run {run} of the file {file_id} are left, which do not count.",
            mend=partial(_discard, file_id, run),
        )


def _discard(file_id: Any, run: int) -> str:
    delete_staged_totals(file_id, run)
    return "They were deleted."
