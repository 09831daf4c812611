"""How a file and its task look to callers, in API responses and events alike."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal, TypedDict, cast
from uuid import UUID

from timba.files.models import File

Status = Literal["PENDING", "SUCCESS", "FAILURE"]


class FileSchema(TypedDict):
    id: UUID
    task_id: UUID
    name: str
    size: int
    media_type: str
    kind: str
    sha256: str
    status: Status
    processed: bool
    progress: float
    result: dict[str, Any] | None
    error: str | None
    consignment_id: int | None
    log_id: int | None
    uploaded_by: int | None
    uploaded_at: datetime
    processed_at: datetime | None
    file_url: str
    preview_url: str | None


class TaskSchema(TypedDict):
    task_id: UUID
    status: Status
    progress: float
    result: dict[str, Any] | None
    error: str | None


def serialize_file(file: File) -> FileSchema:
    """Return the representation of a file."""
    return FileSchema(
        id=file.pk,
        task_id=file.task_id,
        name=file.name,
        size=file.size,
        media_type=file.media_type,
        kind=file.kind,
        sha256=file.sha256,
        status=cast("Status", file.status),
        processed=file.processed,
        progress=file.progress,
        result=file.result,
        error=file.error or None,
        consignment_id=file.consignment_id,
        log_id=file.log_id,
        uploaded_by=file.uploaded_by_id,
        uploaded_at=file.uploaded_at,
        processed_at=file.processed_at,
        file_url=f"/api/files/{file.pk}/content/",
        preview_url=None,
    )


def serialize_task(file: File) -> TaskSchema:
    """Return the representation of a file's processing."""
    return TaskSchema(
        task_id=file.task_id,
        status=cast("Status", file.status),
        progress=file.progress,
        result=file.result,
        error=file.error or None,
    )
