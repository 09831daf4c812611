"""Resumable uploads: rows about files that are not there yet, or have just been accepted."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models

from timba.accounts.tenancy import TenantModel


class ResumableUpload(TenantModel):
    """An upload in parts; what has arrived of it is in a file of `parts`, which tells its offset.

    The row is older than that file and outlives it. `file` is what the upload became; it is set in
    the transaction that accepts the file.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    name = models.CharField(max_length=255)
    length = models.BigIntegerField()
    # The header `Upload-Metadata` as it was sent: it is answered, and read again at the end.
    metadata = models.TextField()
    # The id of the folder that has its bytes; machines that share no folder have different ones.
    folder_id = models.UUIDField()
    expires_at = models.DateTimeField()
    file = models.ForeignKey("files.File", on_delete=models.CASCADE, null=True, related_name="+")

    class Meta(TenantModel.Meta):
        constraints = [
            models.CheckConstraint(
                condition=models.Q(length__gt=0), name="resumable_upload_is_not_empty"
            ),
        ]
        indexes = [
            models.Index(fields=["client", "file"], name="resumable_upload_by_client"),
            models.Index(fields=["expires_at"], name="resumable_upload_expiry"),
        ]

    def __str__(self) -> str:
        return self.name
