"""Files, the objects derived from them, and import profiles. A file's row is also its job."""

from __future__ import annotations

import uuid
from typing import Any, Final

from django.conf import settings
from django.db import models

from timba.accounts.tenancy import ScopedManager, TenantModel, TenantQuerySet
from timba.db.fields import OrderedJSONField
from timba.db.search_keys import KEY_LENGTH_RATIO, SearchKeyField
from timba.files.file_texts import FileText
from timba.files.headers import MAX_HEADER
from timba.files.ocr_jobs import OcrJob
from timba.files.resumable.models import ResumableUpload  # noqa: F401 - Django looks for it here

# Django finds all models of an app in this module.
__all__ = [
    "Derivative",
    "ErasureHold",
    "File",
    "FileQuerySet",
    "FileText",
    "ImportProfile",
    "OcrJob",
]

MAX_FILE_NAME = 255


class FileQuerySet(TenantQuerySet["File"]):
    """Files; those that are still being received or are deleted are visible to no one."""

    def accepted(self) -> FileQuerySet:
        """Filter by files that have been received, deleted or not."""
        return self.exclude(status=File.Status.RECEIVING)

    def live(self) -> FileQuerySet:
        """Filter by files that have been accepted and not deleted."""
        return self.accepted().filter(deleted_at__isnull=True)

    def visible_to(self, user: Any) -> FileQuerySet:
        # A list of files does not show what each of them asks, which may be large.
        return super().visible_to(user).live().defer("asks")

    def restorable_by(self, user: Any) -> FileQuerySet:
        """Return what `visible_to` does, and deleted files: only the trash shows these."""
        return super().visible_to(user).accepted().defer("asks")


class File(TenantModel):
    """One upload: its bytes are in the object store under `storage_key`.

    Every claim, retry and deletion raises `fencing_token`, and a worker may write only with the
    latest one. `run` is the fencing token of the claim whose results count: the objects derived
    under any other are orphaned, and swept. A PENDING file has a run only while it is read again
    and its earlier result still counts.
    """

    class Status(models.TextChoices):
        RECEIVING = "RECEIVING"
        PENDING = "PENDING"
        SUCCESS = "SUCCESS"
        FAILURE = "FAILURE"

    class Kind(models.TextChoices):
        PHOTO = "photo"
        DOCUMENT = "document"
        TEXT = "text"
        TEMPERATURES = "temperatures"
        TALLY = "tally"

    class LinkedBy(models.TextChoices):
        """What a link to a log, or its absence, goes back to."""

        USER = "user"
        NAME = "name"
        CODE = "code"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    task_id = models.UUIDField(default=uuid.uuid4, editable=False)
    # Null only during the upload: the row is older than the form field that names the client.
    client = models.ForeignKey(  # type: ignore[assignment]
        "accounts.Client", on_delete=models.PROTECT, null=True, related_name="+", db_index=False
    )
    consignment = models.ForeignKey(
        "consignments.Consignment", on_delete=models.SET_NULL, null=True, related_name="files"
    )
    log = models.ForeignKey(
        "consignments.Log", on_delete=models.SET_NULL, null=True, related_name="files"
    )
    # Empty as long as nobody has decided: then a photo's log may be found.
    linked_by = models.CharField(max_length=10, choices=LinkedBy, blank=True, db_default="")
    uploaded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )

    name = models.CharField(max_length=MAX_FILE_NAME)
    name_key = SearchKeyField(of="name", max_length=KEY_LENGTH_RATIO * MAX_FILE_NAME)
    size = models.BigIntegerField(default=0)
    media_type = models.CharField(max_length=100, blank=True)
    kind = models.CharField(max_length=20, choices=Kind, blank=True)
    sha256 = models.CharField(max_length=64, blank=True)
    storage_key = models.CharField(max_length=200)
    # The SHA-256 while this is the client's live temperature file with these bytes, else null.
    live_digest = models.CharField(max_length=64, null=True)
    # The three parts of a photo's perceptual hash: see `timba.files.similar`.
    phash_1 = models.PositiveIntegerField(null=True)
    phash_2 = models.PositiveIntegerField(null=True)
    phash_3 = models.PositiveIntegerField(null=True)

    status = models.CharField(max_length=10, choices=Status, default=Status.RECEIVING)
    progress = models.FloatField(default=0)
    # Of a long file while it is being read; afterwards its result has the number.
    rows_read = models.BigIntegerField(null=True)
    result = OrderedJSONField(null=True)
    # Whether there are previews among the objects of its run.
    has_preview = models.BooleanField(default=False)
    error = models.CharField(max_length=1000, blank=True)
    random_number = models.PositiveSmallIntegerField(default=1)
    uploaded_at = models.DateTimeField(auto_now_add=True)
    touched_at = models.DateTimeField(auto_now=True)
    processed_at = models.DateTimeField(null=True)
    deleted_at = models.DateTimeField(null=True)
    deleted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    # Since when a deleted file is being erased: from then on it cannot be restored.
    erasing_since = models.DateTimeField(null=True)
    request_id = models.CharField(max_length=64, blank=True)

    fencing_token = models.PositiveIntegerField(default=0)
    attempts = models.PositiveSmallIntegerField(default=0)
    lease_until = models.DateTimeField(null=True)
    run = models.PositiveIntegerField(null=True)
    notified_at = models.DateTimeField(null=True)
    # `fast` or `bulk`, by kind and size; empty once the file is settled or deleted.
    queue = models.CharField(max_length=10, default="fast")
    sweep_failed_at = models.DateTimeField(null=True)

    # What users have answered to the questions of the file, and who did last, until the answers are
    # remembered for the next files.
    read_as = OrderedJSONField(null=True)
    answered_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    # The answers with which it is read again while its result stands, which then become `read_as`.
    next_read_as = OrderedJSONField(null=True)
    # A first part of the file as its reader sees it, to be shown beside the questions.
    asks = OrderedJSONField(null=True)
    # Whether nothing of the file is recorded yet because it is only read, and whether a user has
    # confirmed what that showed: then the next run records it.
    dry_run = models.BooleanField(default=False)
    is_confirmed = models.BooleanField(default=False)
    # When that was recorded which a dry run does not record.
    recorded_at = models.DateTimeField(null=True)

    # Of the text in which a search has found the file: see `timba.files.search`.
    passage = ""

    unscoped = models.Manager.from_queryset(FileQuerySet)()  # type: ignore[misc]
    objects = ScopedManager["File"]()  # type: ignore[misc]

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["task_id"], name="file_task_id_is_unique"),
            models.UniqueConstraint(fields=["storage_key"], name="file_storage_key_is_unique"),
            models.UniqueConstraint(
                fields=["client", "live_digest"], name="temperature_file_counts_once"
            ),
            models.CheckConstraint(
                condition=models.Q(client__isnull=False) | models.Q(status="RECEIVING"),
                name="file_has_client_once_accepted",
            ),
            models.CheckConstraint(
                condition=models.Q(queue__in=["fast", "bulk"])
                | models.Q(deleted_at__isnull=False)
                | ~models.Q(status="PENDING"),
                name="file_waits_in_a_queue",
            ),
            models.CheckConstraint(
                condition=models.Q(rows_read__isnull=True) | models.Q(status="PENDING"),
                name="only_waiting_files_count_rows",
            ),
            models.CheckConstraint(
                condition=(
                    models.Q(next_read_as__isnull=True)
                    & (models.Q(run__isnull=True) | ~models.Q(status="PENDING"))
                )
                | models.Q(
                    kind="temperatures",
                    status="PENDING",
                    run__isnull=False,
                    next_read_as__isnull=False,
                ),
                name="waiting_file_has_a_run_while_read_again",
            ),
            models.CheckConstraint(
                condition=models.Q(dry_run=False) | models.Q(kind="tally"),
                name="only_tallies_are_dry_runs",
            ),
            models.CheckConstraint(
                condition=models.Q(is_confirmed=False) | models.Q(dry_run=True),
                name="only_dry_runs_are_confirmed",
            ),
            models.CheckConstraint(
                condition=models.Q(deleted_by__isnull=True, erasing_since__isnull=True)
                | models.Q(deleted_at__isnull=False),
                name="only_deleted_files_are_erased",
            ),
        ]
        indexes = [
            models.Index(fields=["client", "-uploaded_at", "-id"], name="file_by_client"),
            models.Index(fields=["client", "status", "deleted_at"], name="file_counts"),
            models.Index(fields=["client", "sha256"], name="file_by_bytes"),
            models.Index(fields=["client", "phash_1"], name="photo_by_hash_1"),
            models.Index(fields=["client", "phash_2"], name="photo_by_hash_2"),
            models.Index(fields=["client", "phash_3"], name="photo_by_hash_3"),
            models.Index(fields=["status", "uploaded_at"], name="file_by_status"),
            # Finds the next waiting file of the next client without reading the others.
            models.Index(fields=["queue", "client", "uploaded_at"], name="file_waiting"),
            # Null except for the few files being processed.
            models.Index(fields=["lease_until"], name="file_in_work"),
            models.Index(fields=["deleted_at", "sweep_failed_at"], name="file_trash"),
            models.Index(fields=["client", "-deleted_at", "-id"], name="file_trash_by_client"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def owner_id(self) -> int:
        """The client's id, which every accepted file has."""
        assert self.client_id is not None  # noqa: S101 - file_has_client_once_accepted
        return self.client_id

    @property
    def records(self) -> bool:
        """Whether the file's next run records what it reads."""
        return self.is_confirmed or not self.dry_run

    @property
    def awaits_confirmation(self) -> bool:
        """Whether it is a dry run that has shown what it would record."""
        return self.dry_run and self.status == self.Status.SUCCESS

    @property
    def can_be_retried(self) -> bool:
        return self.status == self.Status.FAILURE or self.awaits_confirmation

    @property
    def can_be_read_again(self) -> bool:
        """Whether it can be read with other answers while its result stands."""
        return self.status == self.Status.SUCCESS and self.kind == self.Kind.TEMPERATURES

    @property
    def is_read_again(self) -> bool:
        """Whether it is being read with other answers, and its earlier result stands until then."""
        return self.status == self.Status.PENDING and self.run is not None

    @property
    def processed(self) -> bool:
        return self.status in {self.Status.SUCCESS, self.Status.FAILURE}


class Derivative(models.Model):
    """An object that a run creates from a file; the row is written before the bytes.

    `is_current` is set when the file is settled with that run. The other rows, which the sweeper
    scans, belong to runs in progress or are orphaned, and are few.
    """

    class Role(models.TextChoices):
        REJECTS = "rejects"
        READINGS = "readings"
        ANNOTATED = "annotated"
        PREVIEW_256 = "preview_256"
        PREVIEW_1024 = "preview_1024"

    # The unique constraint, which begins with the file, is its index.
    file = models.ForeignKey(
        File, on_delete=models.CASCADE, related_name="derivatives", db_index=False
    )
    run = models.PositiveIntegerField()
    is_current = models.BooleanField(default=False)
    # One of these, or `page_<number>_<size>`: the preview of a page that was asked for; or
    # `replaced_<pk>`: a preview that was begun, and that another one has replaced.
    role = models.CharField(max_length=20, choices=Role)
    storage_key = models.CharField(max_length=200)
    # Of the object, set when it is complete; those of earlier versions have neither.
    size = models.BigIntegerField(null=True)
    sha256 = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    sweep_failed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["file", "run", "role"], name="derivative_is_unique"),
        ]
        indexes = [
            models.Index(fields=["is_current"], name="derivative_current"),
            models.Index(fields=["storage_key"], name="derivative_by_key"),
        ]

    def __str__(self) -> str:
        return f"{self.role} of {self.file_id}, run {self.run}"


# The condition of a current derivative that has an object. A file without one good reading keeps
# the row of its readings, although their object was taken back; those of one that is read again
# stand meanwhile.
HAS_OBJECT: Final = models.Q(is_current=True) & ~models.Q(
    ~models.Q(file__status=File.Status.SUCCESS),
    file__next_read_as__isnull=True,
    role=Derivative.Role.READINGS,
    size__isnull=True,
)


class ErasureHold(models.Model):
    """While a backup has one in force, no object that its rows name is erased; see `erasure`."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    expires_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"until {self.expires_at}"


class ImportProfile(TenantModel):
    """A client's answers to the questions of a file, for its next files with the same header."""

    kind = models.CharField(max_length=20, choices=File.Kind)
    header = models.CharField(max_length=MAX_HEADER)
    # Of the header's wording, in which letter case and punctuation do not count.
    header_digest = models.CharField(max_length=64)
    read_as = OrderedJSONField()
    used_count = models.PositiveIntegerField(default=0)
    last_used_at = models.DateTimeField(null=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["client", "kind", "header_digest"], name="import_profile_is_unique"
            ),
        ]
        indexes = [models.Index(fields=["client", "-id"], name="import_profile_by_client")]

    def __str__(self) -> str:
        return self.header
