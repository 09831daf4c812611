"""A file and its life. The row is the job: bells only say "look again"."""

from __future__ import annotations

import uuid
from typing import Any

from django.conf import settings
from django.db import models

from timba.accounts.tenancy import ScopedManager, TenantModel, TenantQuerySet
from timba.db.fields import OrderedJSONField

MAX_FILE_NAME = 255


class FileQuerySet(TenantQuerySet["File"]):
    """Files; those still being received and those deleted exist for nobody."""

    def live(self) -> FileQuerySet:
        """Narrow to files that callers can know of."""
        return self.filter(deleted_at__isnull=True).exclude(status=File.Status.RECEIVING)

    def visible_to(self, user: Any) -> FileQuerySet:
        return super().visible_to(user).live()


class File(TenantModel):
    """One upload: its bytes are in the store under `storage_key`, this row says what became of it.

    `fencing_token` is raised by every claim, retry and delete; a worker may write only while it holds the
    newest. `run` is the fence of the claim whose results count: everything derived under another
    run is debris.
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

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    task_id = models.UUIDField(default=uuid.uuid4, editable=False)
    # Unknown only while bytes flow: an intent row is older than the form field that names it.
    client = models.ForeignKey(  # type: ignore[assignment]
        "accounts.Client", on_delete=models.PROTECT, null=True, related_name="+", db_index=False
    )
    consignment = models.ForeignKey(
        "consignments.Consignment", on_delete=models.SET_NULL, null=True, related_name="files"
    )
    log = models.ForeignKey(
        "consignments.Log", on_delete=models.SET_NULL, null=True, related_name="files"
    )
    uploaded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )

    name = models.CharField(max_length=MAX_FILE_NAME)
    size = models.BigIntegerField(default=0)
    media_type = models.CharField(max_length=100, blank=True)
    kind = models.CharField(max_length=20, choices=Kind, blank=True)
    sha256 = models.CharField(max_length=64, blank=True)
    storage_key = models.CharField(max_length=200)
    # Set while this is the one live temperature file with these bytes, else null.
    live_digest = models.CharField(max_length=64, null=True)

    status = models.CharField(max_length=10, choices=Status, default=Status.RECEIVING)
    progress = models.FloatField(default=0)
    result = OrderedJSONField(null=True)
    error = models.CharField(max_length=1000, blank=True)
    random_number = models.PositiveSmallIntegerField(default=1)
    uploaded_at = models.DateTimeField(auto_now_add=True)
    touched_at = models.DateTimeField(auto_now=True)
    processed_at = models.DateTimeField(null=True)
    deleted_at = models.DateTimeField(null=True)
    request_id = models.CharField(max_length=64, blank=True)

    fencing_token = models.PositiveIntegerField(default=0)
    attempts = models.PositiveSmallIntegerField(default=0)
    lease_until = models.DateTimeField(null=True)
    run = models.PositiveIntegerField(null=True)
    notified_at = models.DateTimeField(null=True)
    # Which of the queues `fast` and `bulk` it waits in, by kind and size; empty once in neither.
    queue = models.CharField(max_length=10, default="fast")
    sweep_failed_at = models.DateTimeField(null=True)

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
        ]
        indexes = [
            models.Index(fields=["client", "-uploaded_at", "-id"], name="file_by_client"),
            models.Index(fields=["client", "status", "deleted_at"], name="file_counts"),
            models.Index(fields=["status", "uploaded_at"], name="file_by_status"),
            # The next waiting file of the next client, without a look at all that wait before it.
            models.Index(fields=["queue", "client", "uploaded_at"], name="file_waiting"),
            # Null but for the few files in work.
            models.Index(fields=["lease_until"], name="file_in_work"),
            models.Index(fields=["deleted_at", "sweep_failed_at"], name="file_trash"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def owner_id(self) -> int:
        """The id of the client; every accepted file has one."""
        assert self.client_id is not None  # noqa: S101 - a named constraint says so
        return self.client_id

    @property
    def processed(self) -> bool:
        return self.status in {self.Status.SUCCESS, self.Status.FAILURE}


class Derivative(models.Model):
    """An object that one run made from a file; the row is older than the bytes.

    `is_current` is set when the file is settled with that run: what does not stand is at work, or
    debris, and there is never much of it to look through.
    """

    class Role(models.TextChoices):
        REJECTS = "rejects"
        READINGS = "readings"
        ANNOTATED = "annotated"

    # The unique constraint begins with the file and is its index too.
    file = models.ForeignKey(
        File, on_delete=models.CASCADE, related_name="derivatives", db_index=False
    )
    run = models.PositiveIntegerField()
    is_current = models.BooleanField(default=False)
    role = models.CharField(max_length=20, choices=Role)
    storage_key = models.CharField(max_length=200)
    created_at = models.DateTimeField(auto_now_add=True)
    sweep_failed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["file", "run", "role"], name="derivative_is_unique"),
        ]
        indexes = [models.Index(fields=["is_current"], name="derivative_current")]

    def __str__(self) -> str:
        return f"{self.role} of {self.file_id}, run {self.run}"
