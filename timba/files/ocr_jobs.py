"""The processed files in whose pictures text is still to be read."""

from __future__ import annotations

from django.db import models

from timba.accounts.tenancy import TenantModel


class OcrJob(TenantModel):
    """A processed photo or PDF that waits for OCR.

    The row is written in the transaction that settles the file, and deleted in the one that records
    what was read. It holds for one run of the file. `attempts` are counted when it is claimed, and
    are its fencing token.
    """

    file = models.OneToOneField(
        "files.File", on_delete=models.CASCADE, related_name="ocr_job", primary_key=True
    )
    run = models.PositiveIntegerField()
    created_at = models.DateTimeField(auto_now_add=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    lease_until = models.DateTimeField(null=True)

    class Meta(TenantModel.Meta):
        indexes = [
            models.Index(fields=["client", "created_at"], name="ocr_job_by_client"),
        ]

    def __str__(self) -> str:
        return f"OCR of {self.file_id}, run {self.run}"
