"""Whether text in pictures is read here (OCR), and the jobs of the files that wait for it.

A job is written in the transaction that settles a photo or PDF, so that OCR delays no file. The
process `timba ocr` takes the jobs of the clients in turn: see `timba.files.ocr_worker`.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any, Final

from django.conf import settings
from django.core.checks import CheckMessage, Error, Info
from django.db import transaction
from django.db.models import Exists, F, Min, OuterRef, Q, QuerySet
from django.db.models.functions import Now

from timba import wakeup
from timba.db.transactions import retry_on_deadlock
from timba.files.leases import lease_end
from timba.files.models import File, FileText, OcrJob
from timba.files.tesseract import IS_INSTALLED, installed_languages

CHANNEL: Final = "ocr"
NOT_INSTALLED: Final = "Text in pictures is not read here: the OCR extra is not installed."
NO_DATA: Final = (
    "Text in pictures is not read here: the data of the language “{}” is not installed."
)
INSTALL: Final = (
    "Install the extra “ocr”, and for each language of TIMBA_OCR_LANGUAGES the data of Tesseract, "
    "such as Debian's package tesseract-ocr-eng."
)
# Each further language costs time, and takes words of the others for its own.
_DEFAULT_LANGUAGES: Final = ("eng",)
_KINDS: Final = (File.Kind.DOCUMENT, File.Kind.PHOTO)


def why_ocr_is_off() -> str:
    """Return the sentence that says why text in pictures is not read; empty where it is."""
    if not IS_INSTALLED:
        return NOT_INSTALLED
    installed = installed_languages()
    missing = [name for name in ocr_languages() if name not in installed]
    return NO_DATA.format(missing[0]) if missing else ""


def ocr_languages() -> Sequence[str]:
    """Return the languages in which pictures are read, by Tesseract's codes."""
    return settings.TIMBA_OCR_LANGUAGES or _DEFAULT_LANGUAGES


def check_ocr(app_configs: Any, **_: Any) -> Sequence[CheckMessage]:  # noqa: ARG001 - Django's signature
    """Refuse to start where languages of OCR are set, and it cannot work."""
    reason = why_ocr_is_off()
    is_wanted = bool(settings.TIMBA_OCR_LANGUAGES)
    return [Error(reason, hint=INSTALL, id="timba.E033")] if reason and is_wanted else []


def check_ocr_is_on(app_configs: Any, **_: Any) -> Sequence[CheckMessage]:  # noqa: ARG001 - Django's signature
    """Tell why OCR is off where nobody has asked for it."""
    reason = why_ocr_is_off()
    is_wanted = bool(settings.TIMBA_OCR_LANGUAGES)
    return [Info(reason, hint=INSTALL, id="timba.I034")] if reason and not is_wanted else []


def waits_for_ocr(file: File) -> bool:
    """Return whether the text in the pictures of a file is still to be read."""
    if file.kind not in _KINDS or why_ocr_is_off():
        return False
    return OcrJob.unscoped.filter(pk=file.pk, run=F("file__run")).exists()


def request_ocr(file: File) -> None:
    """Have the text in the pictures of a file in SUCCESS read; the caller has locked its row."""
    if file.kind not in _KINDS or why_ocr_is_off():
        return
    assert file.run is not None  # noqa: S101 - what was read of a file in SUCCESS stands
    # Looked for first: an UPDATE that finds nothing would lock a gap on MariaDB.
    job = OcrJob.unscoped.filter(pk=file.pk).first()
    if job is None:
        OcrJob.unscoped.create(file=file, client_id=file.owner_id, run=file.run)
    elif job.run != file.run:
        OcrJob.unscoped.filter(pk=file.pk).update(run=file.run, attempts=0, lease_until=None)
    transaction.on_commit(partial(wakeup.notify, CHANNEL), robust=True)


def request_earlier_ocr() -> int:
    """Have the files read that were processed while OCR was off; return how many.

    A photo that was read has a text, if an empty one; a PDF without a text gets one by
    `index_texts`, and its job then.
    """
    has_text = Exists(FileText.objects.filter(file=OuterRef("pk"), run=OuterRef("run")))
    photos = Q(kind=File.Kind.PHOTO) & ~has_text
    documents = Q(kind=File.Kind.DOCUMENT) & has_text
    files = File.unscoped.live().filter(photos | documents, status=File.Status.SUCCESS)
    unread = files.filter(run__isnull=False, ocr_job__isnull=True).order_by("pk")
    rows = unread.values_list("pk", "result").iterator()
    ids = [pk for pk, result in rows if "ocr" not in (result or ())]
    return sum(map(_request_again, ids))


@retry_on_deadlock
def _request_again(file_id: uuid.UUID) -> bool:
    with transaction.atomic():
        rows = File.unscoped.live().filter(pk=file_id, status=File.Status.SUCCESS)
        file = rows.select_for_update().first()
        if file is not None:
            request_ocr(file)
        return file is not None


def claim_ocr_job(*, after: int = 0) -> OcrJob | None:
    """Claim the oldest job of the client with the lowest id above `after`, then around.

    The attempt is counted before any work is done. The job of a deleted file waits, in case that
    the file is restored.
    """
    is_free = Q(lease_until__isnull=True) | Q(lease_until__lt=Now())
    waiting = _current_jobs().filter(is_free).order_by("client_id", "created_at")
    for rows in (waiting.filter(client_id__gt=after), waiting):
        job = rows.select_related("file").first()
        if job and update_job(job, attempts=job.attempts + 1, lease_until=lease_end()):
            job.attempts += 1
            return job
    return None


def oldest_ocr_job() -> datetime | None:
    """Return when the oldest job began to wait; None where no file waits for OCR."""
    since: datetime | None = _current_jobs().aggregate(since=Min("created_at"))["since"]
    return since


def _current_jobs() -> QuerySet[OcrJob]:
    return OcrJob.unscoped.filter(
        run=F("file__run"), file__status=File.Status.SUCCESS, file__deleted_at__isnull=True
    )


@retry_on_deadlock
def update_job(job: OcrJob, **values: Any) -> bool:
    """Update a job unless another process has claimed it since; return whether it was updated."""
    return bool(claimed_job(job).update(**values))


def claimed_job(job: OcrJob) -> QuerySet[OcrJob]:
    """Return the job's row as a queryset, which is empty once another process has claimed it."""
    return OcrJob.unscoped.filter(pk=job.pk, run=job.run, attempts=job.attempts)
